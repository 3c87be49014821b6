//! Quotes and conversions over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::Deserialize;
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::body::{
    BonusBody, CodeBody, ConversionBody, LegBody, Progress, Viewer, campaigns_in, show,
};
use super::decision::Refusal;
use super::limits::Reached;
use super::quote::{Quote, Quotes};
use super::quoted::{
    self, CampaignGainBody, CostBody, LimitBody, QuoteBody, QuotedBonusBody, QuotedLegBody,
    SentenceBody, WorthBody,
};
use super::sentence;
use super::transfers::attested::Attested;
use super::{Wish, through};
use crate::access::{
    AnyRole, ConversionsWrite, LedgerRead, OrMember, Partner, QuotesWrite, Reader, Sender, Who,
};
use crate::clock;
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::ledger::api::{self, ByReference};
use crate::ledger::credits::credit::State;
use crate::ledger::deliveries::api::code_of;
use crate::ledger::deliveries::code::Code;
use crate::ledger::operation::Kind;
use crate::ledger::shelf::{Named, Shelf};
use crate::ledger::{self, Ledger, credits, store};
use crate::partners::link_terms::{self, terms::CoolingOff};
use crate::partners::{AmountBody, Currency, Money, MoneyBody};
use crate::points::amount;
use crate::points::money::Micros;
use crate::rates::allowance::Most;
use crate::rates::campaigns::limits::Exhausted;
use crate::rates::campaigns::{self, Names};
use crate::rates::{Book, Books};
use crate::web::body::object_or_none;
use crate::web::once::Claim;
use crate::web::text::{self, Word};
use crate::web::{Json, Query, Write};

#[derive(OpenApi)]
#[openapi(
    paths(quote, create, find, read),
    components(schemas(
        NewQuote,
        QuoteBody,
        WorthBody,
        CostBody,
        LimitBody,
        SentenceBody,
        NewConversion,
        ConversionBody,
        CodeBody,
        BonusBody,
        CampaignGainBody,
        QuotedBonusBody,
        QuotedLegBody,
        LegBody
    ))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/quotes").route(web::post().to(quote)))
        .service(
            web::resource("/v1/conversions")
                .route(web::post().to(create))
                .route(web::get().to(find)),
        )
        .service(web::resource("/v1/conversions/{conversion}").route(web::get().to(read)));
}

/// What a member wants to turn into what: either `gives` and `to`, or `gains` and `from`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"member": "mem_0123456789abcdef", "gives": {"amount": "10000", "currency": "MILE"}, "to": "HPT"}))]
pub struct NewQuote {
    /// The member's id.
    member: String,
    /// The amount to give, in a currency that you issue.
    #[serde(default, deserialize_with = "object_or_none")]
    gives: Option<AmountBody>,
    /// With `gives`: the code of the currency to get.
    #[schema(example = "HPT")]
    to: Option<String>,
    /// The least to get: priced is the smallest amount that becomes so much.
    #[serde(default, deserialize_with = "object_or_none")]
    gains: Option<AmountBody>,
    /// With `gains`: the code of the currency to give, one that you issue.
    from: Option<String>,
    /// The code of a third currency that it is to become on the way.
    #[schema(example = "STAR")]
    through: Option<String>,
    /// How the member asks, where rate cards tell by it: 1 to 40 of a to z, 0 to 9 and _.
    #[schema(value_type = Option<String>, pattern = "^[a-z0-9_]{1,40}$", example = "app")]
    channel: Option<Word>,
}

impl NewQuote {
    fn wish(&self) -> Result<Wish<'_>, Problem> {
        let (gives, gains) = (self.gives.as_ref(), self.gains.as_ref());
        let (pointer, rule) = match (gives, self.to.as_deref(), gains, self.from.as_deref()) {
            (Some(gives), Some(to), None, None) => return Ok(Wish::Give { gives, to }),
            (None, None, Some(gains), Some(from)) => return Ok(Wish::Gain { from, gains }),
            (Some(_), None, None, _) => ("/to", "the code of the currency to get"),
            (None, _, Some(_), None) => ("/from", "the code of the currency to give"),
            (None, _, None, _) => ("/gives", "an amount to give, or `gains`, an amount to get"),
            (Some(_), _, Some(_), _) => ("/gains", "nothing beside `gives`: one side is fixed"),
            (Some(_), Some(_), None, Some(_)) => ("/from", "nothing beside `gives`"),
            (None, Some(_), Some(_), Some(_)) => ("/to", "nothing beside `gains`"),
        };
        Err(Problem::field(pointer, rule))
    }
}

/// Ask for a quote
///
/// Prices an amount to give, or the least that gains what is wanted, for one of your members, and promises
/// the price for ten minutes. Of the rate cards of the pair whose conditions the member and the channel meet,
/// the one of the highest priority decides. `through` a third currency two cards decide, one after the other,
/// in one quote and one conversion; campaigns are not counted then. Nothing is stored or reserved, so a quote needs no Idempotency-Key.
///
/// A member asks for itself, to give of its wallets of the partner that acts, and is not told what the brands pay
/// each other.
#[utoipa::path(
    post, path = "/v1/quotes", operation_id = "createQuote", tag = "conversions",
    security(("partner" = ["quotes:write"]), ("member" = ["quotes:write"])),
    request_body = NewQuote,
    extensions(("x-problems" = json!(["amount-above-maximum", "amount-below-minimum",
        "amount-not-a-denomination", "amount-off-step", "amount-scale", "amount-too-large", "amount-too-small",
        "exchange-rate-missing", "insufficient-user-authentication", "kept-by-partner", "limit-reached", "link-cooling-off",
        "membership-missing", "no-rate-card", "no-through-route",
        "not-eligible", "not-found", "not-your-currency", "not-in-pilot", "partner-state", "partner-suspended", "pilot-limit",
        "sponsor-budget-used-up"]))),
    responses((status = 200, description = "The quote.", body = QuoteBody))
)]
async fn quote(
    partner: Sender<OrMember<QuotesWrite>>,
    shelf: Shelf,
    books: Data<Books>,
    quotes: Data<Quotes>,
    ledger: Data<Ledger>,
    Json(body): Json<NewQuote>,
) -> Result<web::Json<QuoteBody>, Error> {
    let is_member = partner.who.acted().is_some();
    let quoted = price(&partner, &shelf, &books, &quotes, &ledger, &body).await;
    Ok(web::Json(match is_member {
        true => quoted.map_err(for_member)?.for_member(),
        false => quoted?,
    }))
}

/// What a wish is quoted, as its partner sees it.
async fn price(
    partner: &Sender<OrMember<QuotesWrite>>,
    shelf: &Shelf,
    books: &Books,
    quotes: &Quotes,
    ledger: &Ledger,
    body: &NewQuote,
) -> Result<QuoteBody, Error> {
    let (member, channel, wish) = (&body.member, body.channel.as_ref(), &body.wish()?);
    let Some(between) = &body.through else {
        let price = async |moment| {
            let (_, book) = books.at(moment, &shelf.pool).await?;
            must_be_proved(&book, &partner.who)?;
            super::offer(shelf, books, partner.asking(moment), member, wish, channel).await
        };
        let (_, offer) = ledger.at_present(partner.moment, price).await?;
        let token = quotes.sign(&offer.quote)?;
        return quoted::show(&shelf.ids, &offer, token);
    };
    let price = async |moment| {
        let (_, book) = books.at(moment, &shelf.pool).await?;
        must_be_proved(&book, &partner.who)?;
        let asking = partner.asking(moment);
        through::offer(shelf, books, asking, member, wish, between, channel).await
    };
    let (_, legs) = Box::pin(ledger.at_present(partner.moment, price)).await?;
    let token = quotes.sign(&legs[0].quote)?;
    quoted::show_through(&shelf.ids, &legs, token)
}

/// Refuses a member that has not proved itself as the programme asks whose points it converts: that of the partner
/// that acts for it.
pub(super) fn must_be_proved(book: &Book, who: &Who) -> Result<(), Problem> {
    let Some(acted) = who.acted() else {
        return Ok(());
    };
    let terms = book.directory.link_terms(acted.partner);
    let now = clock::machine_now().timestamp();
    link_terms::api::must_be_met(&terms.step_up, &who.proof, now)
}

/// A quote to take.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConversion {
    /// The token of the quote.
    quote: String,
    /// What you call it: unique among your conversions for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
}

/// Take a quote
///
/// Turns the points, or refuses and turns none. A quote is good for one conversion, of whoever asked for it: a
/// member takes its own, without a reference.
#[utoipa::path(
    post, path = "/v1/conversions", operation_id = "createConversion", tag = "conversions",
    security(("partner" = ["conversions:write"]), ("member" = ["conversions:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewConversion,
    extensions(("x-problems" = json!(["balance-too-low", "campaign-budget-used-up", "campaign-limit-reached",
        "insufficient-user-authentication", "kept-by-partner", "limit-reached", "link-cooling-off",
        "partner-cap-reached", "partner-cover-short", "not-in-pilot", "partner-state", "partner-suspended", "pilot-limit",
        "quote-expired", "quote-invalid", "quote-taken", "reference-taken", "sponsor-budget-used-up"]))),
    responses((status = 201, description = "The conversion.", body = ConversionBody))
)]
async fn create(
    partner: Sender<OrMember<ConversionsWrite>>,
    shelf: Shelf,
    books: Data<Books>,
    quotes: Data<Quotes>,
    ledger: Data<Ledger>,
    write: Write<NewConversion>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&shelf.secrets, &write);
    let NewConversion { quote, reference } = write.body;
    if partner.who.acted().is_some() && reference.is_some() {
        let rule =
            "nothing: references are the partner's, and a member finds a conversion by its id";
        return Err(Problem::field("/reference", rule).into());
    }
    let taking = Taking {
        quote: own_quote(&partner, &shelf, &quotes, &quote)?,
        reference,
        attested: None,
    };
    take(&partner, &shelf, &books, &ledger, (claim, taking)).await
}

/// The quote of a token, when it is that of who sends it.
pub fn own_quote<S>(
    partner: &Sender<S>,
    shelf: &Shelf,
    quotes: &Quotes,
    token: &str,
) -> Result<Quote, Problem> {
    let member = partner.who.acted().map(|acted| Some(acted.member));
    let is_theirs = |quote: &Quote| {
        let of_member = quote.member.as_deref();
        let of_member = of_member.map(|member| shelf.ids.read(id::Kind::Member, member));
        let of_partner = shelf.ids.read(id::Kind::Partner, &quote.partner);
        of_partner == Some(partner.partner) && of_member == member
    };
    let quote = quotes.read(token).ok().filter(is_theirs);
    quote.ok_or_else(super::invalid)
}

/// What a partner, or its member, takes.
pub struct Taking {
    pub quote: Quote,
    pub reference: Option<text::Reference>,
    /// What the partner debited on its own side.
    pub attested: Option<Attested>,
}

/// Takes a quote of who sends it.
pub async fn take<S>(
    partner: &Sender<S>,
    shelf: &Shelf,
    books: &Books,
    ledger: &Ledger,
    (claim, taking): (Claim, Taking),
) -> Result<HttpResponse, Error> {
    let Taking {
        quote,
        reference: text,
        attested,
    } = taking;

    let reference = shelf.reference(partner.partner, Kind::Conversion, &text);
    let stamp = |version| ledger::stamp(&partner.who, claim, version, reference.clone());
    let refuse = |refusal| told(&shelf.ids, refusal);
    let take = async |moment| {
        let (version, book) = books.at(moment, &shelf.pool).await?;
        must_be_proved(&book, &partner.who)?;
        let order = super::order(shelf, &book, moment, &quote, attested).await?;
        Ok((order, stamp(version)))
    };
    let pass = async |moment, then| {
        let (version, book) = books.at(moment, &shelf.pool).await?;
        must_be_proved(&book, &partner.who)?;
        let passage = through::order(shelf, &book, moment, &quote, then, attested).await?;
        Ok((passage, stamp(version)))
    };
    let taken = match &quote.then {
        None => ledger.carry_out(partner.moment, take, refuse).await,
        Some(then) => {
            let pass = async |moment| pass(moment, then).await;
            Box::pin(ledger.carry_out(partner.moment, pass, refuse)).await
        }
    };
    let (operation, viewer) = match partner.who.acted() {
        None => (taken?, Viewer::Partner(partner.partner)),
        Some(_) => (taken.map_err(for_member)?, Viewer::Member),
    };
    let named = shelf
        .named(partner.moment, operation, text.map(String::from))
        .await?;
    let names = names_of(shelf, &named).await?;
    let progress = Progress::at_first(&named.operation);
    let body = show(&shelf.ids, &named, viewer, progress, &names)?;
    let code = code_for(shelf, &named, viewer);
    Ok(HttpResponse::Created().json(body.with_code(code)))
}

/// A refusal without what brands pay each other, or have for it.
fn for_member(error: Error) -> Error {
    let Error::Refused(problem) = error else {
        return error;
    };
    match problem.slug {
        slug @ (Slug::PartnerCapReached
        | Slug::PartnerCoverShort
        | Slug::SponsorBudgetUsedUp
        | Slug::CampaignBudgetUsedUp) => {
            let detail = "a partner that pays for this does not pay for as much now; a smaller amount may do, or a new quote";
            Problem::new(slug, detail).into()
        }
        _ => problem.into(),
    }
}

/// The refusal of what goes over a limit of the card.
pub fn limit_reached(reached: &Reached, from: &Currency, to: &Currency) -> Problem {
    let Reached { limit, needed } = reached;
    let shown = LimitBody::of(limit, from, to);
    let detail = match limit.allowance.most {
        Most::Times(_) => format!("{} times {}", limit.standing.most, shown.within),
        Most::Given(_) => format!(
            "{} {} {}",
            sentence::grouped(&amount::print(limit.standing.most, from.scale)),
            from.code,
            shown.within
        ),
        Most::Gained(_) => format!(
            "{} {} {}",
            sentence::grouped(&amount::print(limit.standing.most, to.scale)),
            to.code,
            shown.within
        ),
    };
    let needed = match limit.allowance.most {
        Most::Times(_) => json!(needed),
        Most::Given(_) => json!(AmountBody::of(from, *needed)),
        Most::Gained(_) => json!(AmountBody::of(to, *needed)),
    };
    let left = match shown.times_left {
        Some(times) => json!(times),
        None => json!(shown.left),
    };
    Problem::new(Slug::LimitReached, format!("the card allows {detail}"))
        .with("left", left)
        .with("needed", needed)
        .with("renews_at", json!(shown.renews_at))
}

fn told(ids: &Ids, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Barred(barred) => api::barred(barred).into(),
        Refusal::QuoteExpired(at) => {
            Problem::new(Slug::QuoteExpired, format!("the quote ended at {at}")).into()
        }
        Refusal::Unlinked => {
            let detail = "one of the two memberships was unlinked since it was issued";
            Problem::new(Slug::QuoteExpired, detail).into()
        }
        Refusal::QuoteTaken { by } => {
            let by = ids.show(id::Kind::Conversion, by);
            Problem::new(Slug::QuoteTaken, format!("conversion {by} took it"))
                .with("conversion", by)
                .into()
        }
        Refusal::Campaign(campaign, why, currency) => {
            let campaign = ids.show(id::Kind::Campaign, campaign);
            exhausted(&campaign, *why, &currency).into()
        }
        Refusal::Sponsor(left, money) => used_up(left, &money).into(),
        Refusal::CoolingOff(cooling, currency) => cooling_off(cooling, &currency).into(),
        Refusal::AttestedOther { needed, currency } => {
            let needed = AmountBody::of(&currency, needed);
            let rule = format!(
                "{} {}: what the quote gives",
                needed.amount, needed.currency
            );
            Problem::field("/debited", rule).into()
        }
        Refusal::BalanceTooLow(short, currency) => api::balance_too_low(short, &currency).into(),
        Refusal::LimitReached(reached, currencies) => {
            let [from, to] = &*currencies;
            limit_reached(&reached, from, to).into()
        }
        Refusal::NotAsQuoted(now) => {
            anyhow::anyhow!("a quote and its conversion disagree: {now:?}").into()
        }
    }
}

/// The refusal of what would go over a link that is too young.
pub(super) fn cooling_off(CoolingOff { ends_at }: CoolingOff, from: &Currency) -> Problem {
    let until = super::local(ends_at, from);
    let detail = format!(
        "{} is not converted over this link before {until}",
        from.code
    );
    Problem::new(Slug::LinkCoolingOff, detail).with("ends_at", json!(ends_at))
}

/// The refusal of what the sponsor of the card would have to pay and does not.
pub(super) fn used_up(left: Micros, money: &Money) -> Problem {
    let detail = "its share of this conversion is more than what is left of its budget";
    Problem::new(Slug::SponsorBudgetUsedUp, detail).with("left", json!(MoneyBody::of(money, left)))
}

/// The refusal of a bonus that was promised and is no longer there.
fn exhausted(campaign: &str, why: Exhausted, currency: &Currency) -> Problem {
    let left = |slug, of: &str, units| {
        let left = AmountBody::of(currency, units);
        let detail = format!("{of} has {} {} left", left.amount, left.currency);
        Problem::new(slug, detail).with("left", json!(left))
    };
    let problem = match why {
        Exhausted::Budget { left: units } => {
            left(Slug::CampaignBudgetUsedUp, "the campaign", units)
        }
        Exhausted::Each(limit, standing) => {
            let problem = match limit.most {
                Most::Times(_) => Problem::new(
                    Slug::CampaignLimitReached,
                    "the wallet has had it as often as the campaign gives it to one",
                ),
                Most::Given(_) | Most::Gained(_) => left(
                    Slug::CampaignLimitReached,
                    "the member's part of the campaign",
                    standing.left(),
                ),
            };
            problem.with("renews_at", json!(standing.renews_at))
        }
    };
    problem.with("campaign", campaign)
}

/// Look a conversion up by your reference
#[utoipa::path(
    get, path = "/v1/conversions", operation_id = "findConversion", tag = "conversions",
    description = "The conversion that you gave this reference.",
    security(("partner" = ["ledger:read"])),
    params(ByReference),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The conversion.", body = ConversionBody))
)]
async fn find(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    query: Query<ByReference>,
) -> Result<web::Json<ConversionBody>, Error> {
    let named = shelf
        .by_reference(partner.partner, &[Kind::Conversion], &query.0.reference)
        .await?;
    let progress = progress_of(&shelf, &named).await?;
    let names = names_of(&shelf, &named).await?;
    let viewer = Viewer::Partner(partner.partner);
    let body = show(&shelf.ids, &named, viewer, progress, &names)?;
    let code = code_for(&shelf, &named, viewer);
    Ok(web::Json(body.with_code(code)))
}

/// Read a conversion
#[utoipa::path(
    get, path = "/v1/conversions/{conversion}", operation_id = "readConversion", tag = "conversions",
    description = "A conversion that gave or got a currency you issue; for a member, one that gave points of its that the partner issues that acts. Each side sees its own money only, and a member none.",
    security(("partner" = ["ledger:read"]), ("member" = ["ledger:read"]), ("person" = [])),
    params(("conversion" = String, Path, description = "The conversion's id.")),
    responses((status = 200, description = "The conversion.", body = ConversionBody))
)]
async fn read(
    reader: Reader<OrMember<LedgerRead>, AnyRole>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<ConversionBody>, Error> {
    let kinds = &[Kind::Conversion];
    let (named, viewer) = match reader.who.acted() {
        None => {
            let named = shelf.by_id(reader.partner(), kinds, &path).await?;
            (named, Viewer::from(reader.partner()))
        }
        Some(acted) => (shelf.by_id_of(acted, kinds, &path).await?, Viewer::Member),
    };
    let progress = progress_of(&shelf, &named).await?;
    let names = names_of(&shelf, &named).await?;
    let body = show(&shelf.ids, &named, viewer, progress, &names)?;
    let code = code_for(&shelf, &named, viewer);
    Ok(web::Json(body.with_code(code)))
}

/// The code of a conversion, for the partner whose member converted, for the member, and for nobody else.
fn code_for(shelf: &Shelf, named: &Named, viewer: Viewer) -> Option<Code> {
    let leg = named.operation.out?;
    let given = named.directory.currency_no(leg.wallet.asset())?;
    let is_told = match viewer {
        Viewer::Hub => false,
        Viewer::Partner(partner) => partner == given.issuer,
        Viewer::Member => true,
    };
    is_told.then_some(())?;
    code_of(&shelf.ids, &shelf.secrets, &named.operation)
}

async fn progress_of(shelf: &Shelf, named: &Named) -> Result<Progress, Error> {
    let mut conn = shelf.pool.get().await?;
    let id = named.operation.id;
    let follow_ups = store::follow_ups(&mut conn, id).await?;
    let first = Progress::at_first(&named.operation);
    Ok(Progress {
        reversed: follow_ups.of(Kind::ConversionReversal),
        is_credited: first.is_credited
            || credits::state_of(&mut conn, id).await? == Some(State::Acknowledged),
    })
}

/// What the campaigns of a conversion are called.
async fn names_of(shelf: &Shelf, named: &Named) -> Result<Names, Error> {
    let ids = campaigns_in(&named.operation);
    match ids.is_empty() {
        true => Ok(Names::new()),
        false => campaigns::names(&mut *shelf.pool.get().await?, &ids).await,
    }
}
