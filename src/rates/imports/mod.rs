//! Published rules become cards, row by row.
//!
//! A row becomes a card only if everything it says can be said by one: what stands in its text columns
//! has to be [transcribed](transcript), or the row is reported and left out. Each row is a transaction
//! of its own, and a card that a row became before is known by its origin and its terms, so that an
//! import that was interrupted goes on where it was when it is started again.
//!
//! What is imported is proposed by the hub, and both brands have their word, as for any card. Where
//! they agreed on paper the operator may say so: then the import gives their words, in their names and
//! its own, and the cards are live. Nothing is let through that could not be agreed to otherwise: terms
//! that cannot work, a money pump, and a pair that has a card already are refused all the same.
//!
//! The file says nothing of money between the brands: what is gained is paid for at the display value of
//! who issues it, without commission, and bonuses by the brand whose points are given.

pub mod planned;
mod store;
pub mod transcript;

use std::fmt;

use serde_json::{Map, Value, json};

use super::body::DraftRateCard;
use super::draft::Draft;
use super::line::{Line, lines};
use super::{Speakers, api, version};
use crate::access::scope::SCOPES;
use crate::access::{Party, Role, ScopeSet, Who, credentials};
use crate::db::{self, Connection};
use crate::error::{Error, Problem, Slug};
use crate::id::Ids;
use crate::partners::expiry::ExpiryPolicy;
use crate::partners::{self, Currency, Directories, Directory, Keeper, NewCurrency, NewPartner};
use crate::points::amount::Scale;
use crate::secret::Secrets;
use planned::{Planned, Programme, Record};
use transcript::Transcript;

/// How a file is imported.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// Programmes without a currency here are admitted, with one that carries their name.
    pub admit: bool,
    /// Both brands agreed on paper: cards are published.
    pub agreed: bool,
}

/// What came of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cards that are live now, or proposed where the brands are still to agree.
    pub made: usize,
    /// Cards that rows had become before.
    pub known: usize,
    /// Rows that became no card.
    pub left_out: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            made,
            known,
            left_out,
        } = self;
        write!(
            f,
            "{made} cards made, {known} known already, {left_out} rows left out"
        )
    }
}

/// Who agrees, in the place of a second person, that the brands of a file go live.
const CHECKER: i64 = -1;

/// The hub as an import needs it.
pub struct Desk<'a> {
    pub ids: &'a Ids,
    pub secrets: &'a Secrets,
    pub directories: Directories,
}

/// Imports a file. `tell` is told of every row that is left out, and `step` after each row how many of
/// how many are done.
pub async fn import(
    conn: &mut Connection,
    desk: &Desk<'_>,
    file: &[u8],
    transcript: &Transcript,
    way: Way,
    mut tell: impl FnMut(String),
    mut step: impl FnMut(usize, usize),
) -> anyhow::Result<Tally> {
    let mut all = lines(file);
    let header = match all.next().map(|line| line.fields) {
        Some(Ok(header)) => header,
        Some(Err(why)) => anyhow::bail!("the header cannot be read: {why}"),
        None => anyhow::bail!("the file is empty"),
    };
    let rows: Vec<Line> = all.collect();
    let mut tally = Tally::default();
    for (nth, line) in rows.iter().enumerate() {
        match row(conn, desk, &header, line, transcript, way).await? {
            Ok((made, known)) => {
                tally.made += made;
                tally.known += known;
            }
            Err(why) => {
                tally.left_out += 1;
                tell(format!("line {} {why}", line.number));
            }
        }
        step(nth + 1, rows.len());
    }
    Ok(tally)
}

/// How many cards a row became, and had become before; or why it is left out.
async fn row(
    conn: &mut Connection,
    desk: &Desk<'_>,
    header: &[String],
    line: &Line,
    transcript: &Transcript,
    way: Way,
) -> anyhow::Result<Result<(usize, usize), String>> {
    let fields = match &line.fields {
        Ok(fields) if fields.len() == header.len() => fields,
        Ok(fields) => {
            let (found, wanted) = (fields.len(), header.len());
            return Ok(Err(format!(
                "?: {found} fields where the header has {wanted}"
            )));
        }
        Err(why) => return Ok(Err(format!("?: {why}"))),
    };
    let record = Record::new(header, fields);
    let name = record.name().to_owned();
    let planned = match record.plan(transcript) {
        Ok(planned) => planned,
        Err(why) => return Ok(Err(format!("{name}: {why}"))),
    };
    let made = db::transaction(conn, async |conn| cards(conn, desk, &planned, way).await).await;
    match made {
        Ok(made) => Ok(Ok(made)),
        Err(Error::Refused(problem)) => Ok(Err(format!("{name}: {}", problem.detail))),
        Err(Error::Broken(cause)) => Err(cause),
    }
}

async fn cards(
    conn: &mut Connection,
    desk: &Desk<'_>,
    planned: &Planned,
    way: Way,
) -> Result<(usize, usize), Error> {
    let from = currency(conn, desk, &planned.from, way).await?;
    let (mut made, mut known) = (0, 0);
    for card in &planned.cards {
        let to = currency(conn, desk, &card.to, way).await?;
        let (_, directory) = desk.directories.current(conn).await?;
        let draft = drafted((desk, &directory), (planned, &card.fields), &from, &to)?;
        let content = version::content_hash(draft.from, draft.to, &draft.card);
        let pair = (draft.from, draft.to);
        if store::find(conn, pair, &planned.row, &content)
            .await?
            .is_some()
        {
            known += 1;
            continue;
        }
        if let Some(origin) = store::standing(conn, pair, draft.card.priority).await? {
            let detail = format!(
                "{origin} is the card of this pair and priority: give one of them a condition and a priority, or an end"
            );
            return Err(Problem::new(Slug::CardDates, detail).into());
        }
        bring_in(conn, desk, &directory, (&from, &to), draft, way).await?;
        made += 1;
    }
    Ok((made, known))
}

/// A draft of a planned card.
fn drafted(
    (desk, directory): (&Desk<'_>, &Directory),
    (planned, card): (&Planned, &Map<String, Value>),
    from: &Currency,
    to: &Currency,
) -> Result<Draft, Error> {
    let mut body = card.clone();
    let terms = body.get("terms");
    let has = |field: &str| terms.is_some_and(|terms| terms.get(field).is_some());
    let mut settlement = json!({
        "kind": "cost_plus", "price": to.display_value, "commission": "0",
    });
    if has("block_bonus") || has("bonuses") {
        settlement["bonus_funders"] = json!([{"source": 1}]);
    }
    if let (Some(Value::Object(said)), Some(fields)) =
        (body.remove("settlement"), settlement.as_object_mut())
    {
        fields.extend(said);
    }
    body.insert("from".into(), json!(from.code));
    body.insert("to".into(), json!(to.code));
    body.insert("origin".into(), json!(planned.row));
    body.insert("settlement".into(), settlement);
    let unread =
        |why: serde_json::Error| Error::Refused(Problem::new(Slug::CardTerms, why.to_string()));
    let body: DraftRateCard = serde_json::from_value(Value::Object(body)).map_err(unread)?;
    Ok(body
        .read(desk.ids, directory, from, to)
        .map_err(api::refused_draft)?)
}

/// Drafts a card, and takes it as far as it goes.
async fn bring_in(
    conn: &mut Connection,
    desk: &Desk<'_>,
    directory: &Directory,
    (from, to): (&Currency, &Currency),
    mut draft: Draft,
    way: Way,
) -> Result<(), Error> {
    let hub = Who::at_the_console(0, Role::Operator);
    // What began before begins now: a rate that was not agreed to here priced nothing.
    let now = db::now(conn).await?;
    draft.valid_from = draft.valid_from.filter(|start| start.at >= now);
    if !way.agreed {
        let drafted = super::draft(conn, &hub, desk.secrets, directory, &draft).await?;
        super::propose(conn, &hub, desk.ids, drafted.id, &[]).await?;
        return Ok(());
    }
    let (source, target) = (
        speaker(conn, from.issuer).await?,
        speaker(conn, to.issuer).await?,
    );
    let speakers = Speakers {
        source: &source,
        target: &target,
        hub: &hub,
    };
    super::publish_agreed(conn, desk.ids, desk.secrets, directory, speakers, &draft).await?;
    Ok(())
}

/// Who gives a partner's word, where it was given on paper.
async fn speaker(conn: &mut Connection, partner: i64) -> Result<Who, Error> {
    let principal = store::credential_of(conn, partner).await?;
    let principal = principal.ok_or_else(|| {
        let detail = "a brand without credentials cannot have agreed: make it some first";
        Problem::new(Slug::Forbidden, detail)
    })?;
    Ok(Who {
        principal,
        party: Party::Partner(partner),
        ..Who::at_the_console(principal, Role::Operator)
    })
}

/// The currency that carries a programme's name or code.
async fn currency(
    conn: &mut Connection,
    desk: &Desk<'_>,
    programme: &Programme,
    way: Way,
) -> Result<Currency, Error> {
    let (_, directory) = desk.directories.current(conn).await?;
    let is_it = |currency: &&std::sync::Arc<Currency>| {
        *currency.name == *programme.name || currency.code == programme.name
    };
    let name = &programme.name;
    if let Some(found) = directory.currencies().into_iter().find(is_it) {
        if found.scale.decimals() != programme.scale {
            let (has, said) = (found.scale.decimals(), programme.scale);
            let detail = format!("`{name}` has {has} decimals here, and {said} in the file");
            return Err(Problem::new(Slug::AmountScale, detail).into());
        }
        return Ok((**found).clone());
    }
    if !way.admit {
        let detail =
            format!("no currency is called `{name}`: issue one, or let the import admit it");
        return Err(Problem::new(Slug::NotFound, detail).into());
    }
    admit(conn, desk, &directory, programme).await
}

/// A brand with a currency that carry a programme's name, in US dollars, and what else a brand has to
/// say: points do not expire and are worth a cent.
async fn admit(
    conn: &mut Connection,
    desk: &Desk<'_>,
    directory: &Directory,
    programme: &Programme,
) -> Result<Currency, Error> {
    let operator = Who::at_the_console(0, Role::Operator);
    let code = free_code(directory, &programme.name);
    let text = |text: &str| text.to_owned();
    let unfit = |why: &str| Problem::new(Slug::InvalidField, why);
    let short: String = programme.name.chars().take(120).collect();
    let money = directory.money_by_code("USD");
    let money = money.ok_or_else(|| anyhow::anyhow!("there is no money USD"))?;
    let new = NewPartner {
        code: code.clone().try_into().map_err(unfit)?,
        name: short.clone().try_into().map_err(unfit)?,
        name_zh: None,
        kind: text("other").try_into().map_err(unfit)?,
        money: money.no,
        zone: chrono_tz::UTC,
    };
    let people = [&operator, &Who::at_the_console(CHECKER, Role::Operator)];
    let partner = partners::steps::admit_live(conn, people, desk.ids, new).await?;
    let scopes: Vec<String> = SCOPES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let scopes = ScopeSet::try_from(scopes).map_err(|why| anyhow::anyhow!("{why}"))?;
    credentials::create(conn, &operator, desk.ids, partner.id, scopes, None).await?;
    let currency = NewCurrency {
        code: code.try_into().map_err(unfit)?,
        name: short.try_into().map_err(unfit)?,
        name_zh: None,
        scale: Scale::new(programme.scale).ok_or_else(|| unfit("a scale of 0 to 4"))?,
        issuer: partner.id,
        expiry: ExpiryPolicy::None {},
        notice_days: Default::default(),
        display_value: text("0.01").try_into().map_err(unfit_text)?,
        kept_by: Keeper::Hub,
    };
    partners::currencies::issue(conn, &operator, &partner, currency).await
}

fn unfit_text(why: impl fmt::Display) -> Error {
    anyhow::anyhow!("{why}").into()
}

/// The letters and digits of a name, cut short, with a number where another has them.
fn free_code(directory: &Directory, name: &str) -> String {
    let plain = name.chars().filter(char::is_ascii_alphanumeric);
    let mut stem: String = plain.take(10).map(|c| c.to_ascii_uppercase()).collect();
    if !stem.starts_with(|c: char| c.is_ascii_uppercase()) {
        stem.insert(0, 'P');
    }
    let is_taken = |code: &String| {
        let partners = directory.partners();
        directory.currency(code).is_some() || partners.iter().any(|it| *it.code == **code)
    };
    let numbered = (2..).map(|nth| format!("{stem}{nth}"));
    let mut codes = std::iter::once(stem.clone()).chain(numbered);
    codes.find(|code| !is_taken(code)).unwrap_or(stem)
}
