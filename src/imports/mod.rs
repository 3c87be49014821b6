//! Imports: files of members, memberships and awards, taken line by line.
//!
//! A partner says what it imports, sends the lines of its file, in one body or in pieces, and finishes. What
//! became of a line is written down under its number: what it made, or why it was refused. A refused line
//! keeps nothing back, and can be sent again, corrected, until the import is finished.
//!
//! A line takes effect once. Of an award the key is made of the import and the number of the line, so it is
//! the journal that knows it, whichever hub it is sent to and whatever is killed; members and memberships
//! are made in the transaction that writes their lines down. An import remembers how far lines were handed in
//! before they are, and goes on from the first whose end is not known: it is finished when there is none.
//!
//! Lines are taken [`BATCH`] at a time, the awards among them at once through the ledger's door, as if each
//! had come alone; the next are read when these are done. So a file costs the memory of a batch.
//!
//! A wrong import of awards is [undone](undo) as a whole.
//!
//! Lock order: the import's row, then what members and memberships lock. The ledger carries out awards while
//! nothing is locked here.

pub mod api;
mod columns;
pub mod import;
pub mod line;
mod store;
pub mod undo;

pub use import::{Format, Import, Kind, State};
pub use store::{find, list, refused};

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use uuid::Uuid;

use crate::access::audit::{self, About, Subject};
use crate::access::{Asking, Who};
use crate::db::{self, Connection, Moment};
use crate::error::{Error, Problem, Slug};
use crate::id;
use crate::ledger::awards::{self, Award, Place};
use crate::ledger::operation::{self, Operation};
use crate::ledger::shelf::{Shelf, Taken};
use crate::ledger::{self, Ledger};
use crate::members::{self, Enrolment};
use crate::partners::{AmountBody, pilots};
use crate::web::once::Claim;
use crate::web::stream::RawLine;
use crate::web::text;
use columns::Columns;
use import::{Outcome, Progress};
use line::{AwardLine, MembershipLine, Refused, Said};
use store::{Known, Told};

/// How many lines are taken at a time.
pub const BATCH: usize = 256;

/// How often a batch, or an award, is tried again when somebody is in the way.
const TRIES: u32 = 5;

/// Begins an import.
pub async fn create(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    (kind, format, name): (Kind, Format, &text::Name),
) -> Result<Import, Error> {
    let id = store::insert(conn, who, partner, (kind, format, name)).await?;
    let state = State::Open.name();
    audit::record(conn, who, about(partner, id), None, state).await?;
    Ok(find(conn, id).await?.ok_or_else(unknown)?)
}

/// Ends an import of which all `lines` of the file were taken.
pub async fn finish(
    conn: &mut Connection,
    who: &Who,
    (partner, id): (i64, i64),
    lines: i64,
) -> Result<Import, Error> {
    let import = own(store::lock(conn, id).await?, partner)?;
    if import.state != State::Open {
        return Err(closed(&import).into());
    }
    let Progress { done, refused, .. } = import.progress;
    if !import.progress.is_whole(lines) {
        return Err(missing(&import, format!("of {lines} lines")).into());
    }
    if done + refused == 0 {
        return Err(empty(&import).into());
    }

    store::mark_finished(conn, id).await?;
    let (open, finished) = (State::Open.name(), State::Finished.name());
    audit::record(conn, who, about(partner, id), Some(open), finished).await?;
    Ok(find(conn, id).await?.ok_or_else(unknown)?)
}

fn about(partner: i64, id: i64) -> About {
    Subject::Import.no(id).of([partner])
}

fn own(found: Option<Import>, partner: i64) -> Result<Import, Problem> {
    let own = found.filter(|import| import.partner == partner);
    own.ok_or_else(unknown)
}

/// What takes the lines of an import.
pub struct Intake<'a> {
    pub shelf: &'a Shelf,
    pub ledger: &'a Ledger,
    pub who: &'a Who,
    pub import: Import,
    columns: Option<Columns>,
}

/// A line with its number and the hash of what it is.
struct Numbered {
    no: i64,
    content: Uuid,
    line: RawLine,
}

impl<'a> Intake<'a> {
    pub fn new(
        shelf: &'a Shelf,
        ledger: &'a Ledger,
        who: &'a Who,
        import: Import,
    ) -> Result<Intake<'a>, Problem> {
        let header = import.columns.as_deref();
        let columns = header.map(|header| Columns::read(import.kind, header));
        Ok(Intake {
            columns: columns.transpose()?,
            shelf,
            ledger,
            who,
            import,
        })
    }

    /// Takes a batch of lines, the first of them of this number. What it refuses is no line's fault: then some
    /// of them may have been taken, which the import says.
    pub async fn take(&mut self, first: i64, mut lines: Vec<RawLine>) -> Result<(), Error> {
        if first == 1 && lines.first().is_some_and(|line| !line::is_blank(line)) {
            lines[0] = without_mark(&lines[0]);
        }
        let last = first + lines.len() as i64 - 1;
        let mut lines: Vec<Numbered> = (first..).zip(lines).map(|it| self.numbered(it)).collect();
        if self.import.format == Format::Csv && first == 1 {
            let header = lines.remove(0);
            self.header(&header).await?;
        }
        lines.retain(|numbered| !line::is_blank(&numbered.line));
        match self.import.kind {
            Kind::Awards => self.take_awards(lines, last).await,
            Kind::Members | Kind::Memberships => self.take_people(lines, last).await,
        }
    }

    fn numbered(&self, (no, line): (i64, RawLine)) -> Numbered {
        let content = match &line {
            RawLine::Whole(bytes) => self.shelf.secrets.hash(&[b"line", bytes]),
            RawLine::TooLong => self.shelf.secrets.hash(&[b"line too long"]),
        };
        Numbered { no, content, line }
    }

    async fn header(&mut self, first: &Numbered) -> Result<(), Error> {
        let told = |problem: Problem| Problem {
            slug: Slug::ImportColumns,
            detail: format!("line 1: {}", problem.detail),
            ..problem
        };
        let header = line::bytes(&first.line).and_then(line::text);
        let header = header.map_err(told)?;
        match &self.import.columns {
            Some(kept) if kept == header => return Ok(()),
            Some(_) => return Err(changed(1).into()),
            None => {}
        }
        self.columns = Some(Columns::read(self.import.kind, header)?);
        let mut conn = self.shelf.pool.get().await?;
        store::keep_columns(&mut conn, self.import.id, header).await?;
        self.import.columns = Some(header.to_owned());
        Ok(())
    }

    fn read(&self, numbered: &Numbered) -> Result<Said, Problem> {
        let bytes = line::bytes(&numbered.line)?;
        line::read(self.import.kind, self.columns.as_ref(), bytes)
    }

    /// The import, when it takes lines, as it is until the transaction ends.
    async fn lock(&self, conn: &mut Connection) -> Result<Import, Error> {
        let import = own(
            store::lock(conn, self.import.id).await?,
            self.import.partner,
        )?;
        match import.state {
            State::Open => Ok(import),
            _ => Err(closed(&import).into()),
        }
    }

    /// Takes people: what they become and what is known of their lines is written together.
    async fn take_people(&mut self, lines: Vec<Numbered>, last: i64) -> Result<(), Error> {
        for attempt in 1.. {
            let mut conn = self.shelf.pool.get().await?;
            let taken = db::transaction(&mut conn, async |conn| {
                let mut import = self.lock(conn).await?;
                let known = known(conn, import.id, &lines).await?;
                let todo = left(&lines, &known)?;
                let told = match import.kind {
                    Kind::Members => self.enrol(conn, &todo).await?,
                    _ => self.join(conn, &todo).await?,
                };
                tell(conn, &mut import, &told, &known).await?;
                import.progress.reach(last);
                store::keep_progress(conn, import.id, &import.progress).await?;
                Ok(import)
            })
            .await;
            match taken {
                // Somebody else enrolled one of them at the same time, which is seen now.
                Err(Error::Refused(problem)) if is_met(&problem) && attempt < TRIES => {}
                Err(error) => return Err(error),
                Ok(import) => {
                    self.import = import;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn enrol(&self, conn: &mut Connection, todo: &[&Numbered]) -> Result<Vec<Told>, Error> {
        let partner = self.import.partner;
        let room = members::room(conn, partner).await?;
        let said: Vec<_> = todo.iter().map(|numbered| self.read(numbered)).collect();
        let number = |said: &Result<Said, Problem>| match said {
            Ok(Said::Member(member)) => Some(member.number.to_string()),
            _ => None,
        };
        let numbers: Vec<String> = said.iter().filter_map(number).collect();
        let mut taken: HashSet<String> = members::with_numbers(conn, partner, &numbers)
            .await?
            .into_keys()
            .collect();

        let mut people = Vec::new();
        let mut refused = Vec::new();
        for said in said {
            let full = room.filter(|room| people.len() as i64 >= room.left);
            refused.push(match (said, full) {
                (Ok(Said::Member(member)), Some(full))
                    if !taken.contains(&member.number.to_string()) =>
                {
                    Some(pilots::api::no_room(full).into())
                }
                (Ok(Said::Member(member)), _) if taken.insert(member.number.to_string()) => {
                    people.push(Enrolment {
                        memberships: vec![(partner, member.number)],
                    });
                    None
                }
                (Ok(_), _) => Some(number_taken().into()),
                (Err(problem), _) => Some(problem.into()),
            });
        }
        let mut enrolled = match people.is_empty() {
            true => Vec::new(),
            false => members::enrol_many(conn, self.who, &people).await?,
        }
        .into_iter();
        let outcomes = refused.into_iter().map(|refused| match refused {
            Some(refused) => Some(Outcome::Refused(refused)),
            None => enrolled.next().map(|subject| Outcome::Done {
                subject,
                given: None,
            }),
        });
        let told = todo.iter().zip(outcomes);
        let told = told.map(|(it, outcome)| Some((it.no, it.content, outcome?)));
        let told: Option<Vec<Told>> = told.collect();
        Ok(told.ok_or_else(|| anyhow::anyhow!("fewer members than lines were made"))?)
    }

    async fn join(&self, conn: &mut Connection, todo: &[&Numbered]) -> Result<Vec<Told>, Error> {
        let mut told = Vec::new();
        for numbered in todo {
            let joined = match self.read(numbered) {
                Ok(Said::Membership(said)) => self.membership(conn, &said).await?,
                Ok(_) => Err(line::unreadable("it is no membership").into()),
                Err(problem) => Err(problem.into()),
            };
            let outcome = match joined {
                Ok(subject) => Outcome::Done {
                    subject,
                    given: None,
                },
                Err(refused) => Outcome::Refused(refused),
            };
            told.push((numbered.no, numbered.content, outcome));
        }
        Ok(told)
    }

    /// Links a member, attests claims of it, or both. Nothing is written before it is clear that all can be.
    async fn membership(
        &self,
        conn: &mut Connection,
        said: &MembershipLine,
    ) -> Result<Result<i64, Refused>, Error> {
        let partner = self.import.partner;
        let number = said.number.to_string();
        let with_number =
            members::with_numbers(conn, partner, std::slice::from_ref(&number)).await?;
        let mine = with_number.get(&number).copied();
        let member = match &said.link_token {
            None => match mine {
                Some(member) => member,
                None => return Ok(Err(no_such_number().into())),
            },
            Some(token) => {
                let now = db::now(conn).await?;
                let (_, directory) = self.shelf.directories.current(conn).await?;
                let brand = directory.partner(partner).map_or("", |it| it.code.as_str());
                let keys = (&**self.shelf.secrets, &**self.shelf.ids);
                let (member, shown) = match members::api::linked(keys, brand, token, now) {
                    Ok(read) => read,
                    Err(problem) => return Ok(Err(about_field(problem, "link_token"))),
                };
                // What is refused half way is taken back, and no other line with it.
                let linked = db::transaction(conn, async |conn| {
                    let whom = (member, &shown);
                    members::link(conn, self.who, whom, partner, &said.number).await
                });
                match linked.await {
                    Ok(_) => member,
                    Err(Error::Refused(problem)) if is_about_a_line(&problem) => {
                        return Ok(Err(about_field(problem, "link_token")));
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        if let Some(claims) = &said.claims {
            members::claims::attest(conn, self.who, (member, partner), claims).await?;
        }
        let found = members::find(conn, member, partner).await?;
        let found = found.ok_or_else(|| anyhow::anyhow!("a membership is gone"))?;
        Ok(Ok(found.id))
    }

    /// Takes awards: hands them in, having written down that they may take effect from now on, and then
    /// writes down what became of them.
    async fn take_awards(&mut self, lines: Vec<Numbered>, last: i64) -> Result<(), Error> {
        let mut conn = self.shelf.pool.get().await?;
        let (lines, reached) = db::transaction(&mut conn, async |conn| {
            let Import {
                id, mut progress, ..
            } = self.lock(conn).await?;
            let known = known(conn, id, &lines).await?;
            let todo: HashSet<i64> = left(&lines, &known)?.iter().map(|it| it.no).collect();
            let reached = (progress.next_line - 1).max(last);
            if let Some(first) = todo.iter().min() {
                progress.begin(*first, last);
                store::keep_progress(conn, id, &progress).await?;
            }
            let todo = lines.into_iter().filter(|it| todo.contains(&it.no));
            Ok((todo.collect::<Vec<_>>(), reached))
        })
        .await?;
        let said: Vec<_> = lines.iter().map(|numbered| self.read(numbered)).collect();
        let numbers: Vec<String> = said.iter().filter_map(number_of).collect();
        let members = members::with_numbers(&mut conn, self.import.partner, &numbers).await?;
        let moment = db::moment(&mut conn).await?;
        drop(conn);

        let awarded = self.award_all(&lines, said, &members, moment).await;

        let (mut told, mut stopped) = (Vec::new(), None);
        for (numbered, awarded) in lines.iter().zip(awarded) {
            let outcome = match awarded {
                Ok(outcome) => outcome,
                Err(Error::Refused(problem)) if is_about_a_line(&problem) => {
                    Outcome::Refused(problem.into())
                }
                Err(error) => {
                    stopped.get_or_insert((numbered.no, told_of_line(error, numbered.no)));
                    continue;
                }
            };
            told.push((numbered.no, numbered.content, outcome));
        }
        let reached = stopped.as_ref().map_or(reached, |(no, _)| no - 1);
        let mut conn = self.shelf.pool.get().await?;
        self.import = db::transaction(&mut conn, async |conn| {
            let import = store::lock(conn, self.import.id).await?;
            let mut import = own(import, self.import.partner)?;
            let known = known(conn, import.id, &lines).await?;
            tell(conn, &mut import, &told, &known).await?;
            import.progress.reach(reached);
            store::keep_progress(conn, import.id, &import.progress).await?;
            Ok(import)
        })
        .await?;
        stopped.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Gives the points of all lines, as if they came one after the other. They are handed in at once and in
    /// their order, which the ledger keeps for each wallet; a reference that comes again waits for the first.
    async fn award_all(
        &self,
        lines: &[Numbered],
        said: Vec<Result<Said, Problem>>,
        members: &HashMap<String, i64>,
        moment: Moment,
    ) -> Vec<Result<Outcome, Error>> {
        let prepared = said.into_iter().map(|said| {
            Box::pin(async move {
                match said? {
                    Said::Award(said) => self.prepare(said, members, moment).await,
                    Said::Member(_) | Said::Membership(_) => {
                        Err(line::unreadable("it is no award").into())
                    }
                }
            })
        });
        let prepared: Vec<Result<Prepared, Error>> = join_all(prepared).await;

        let mut seen: HashMap<String, usize> = HashMap::new();
        let rounds = prepared.iter().map(|it| {
            let reference = it.as_ref().ok().and_then(|it| it.said.reference.as_deref());
            reference.map_or(0, |reference| {
                let times = seen.entry(reference.to_owned()).or_default();
                *times += 1;
                *times - 1
            })
        });
        let rounds: Vec<usize> = rounds.collect();
        let mut prepared: Vec<Option<_>> = prepared.into_iter().map(Some).collect();
        let mut awarded: Vec<Option<Result<Outcome, Error>>> = lines.iter().map(|_| None).collect();
        for round in 0..=rounds.iter().copied().max().unwrap_or(0) {
            let of_round = (0..lines.len()).filter(|at| rounds[*at] == round);
            let awards = of_round.filter_map(|at| {
                let prepared = prepared[at].take()?;
                Some(Box::pin(async move {
                    let awarded = match prepared {
                        Ok(prepared) => self.award(&lines[at], &prepared, moment).await,
                        Err(error) => Err(error),
                    };
                    (at, awarded)
                }))
            });
            for (at, outcome) in join_all(awards).await {
                awarded[at] = Some(outcome);
            }
        }
        awarded.into_iter().flatten().collect()
    }

    /// Finds whose wallet it is and what of.
    async fn prepare(
        &self,
        said: AwardLine,
        members: &HashMap<String, i64>,
        moment: Moment,
    ) -> Result<Prepared, Error> {
        let member = match (&said.member, &said.number) {
            (Some(member), _) => member.clone(),
            (None, Some(number)) => {
                let member = members.get(&**number).ok_or_else(no_such_number)?;
                self.shelf.ids.show(id::Kind::Member, *member)
            }
            (None, None) => return Err(line::unreadable("it names no member").into()),
        };
        let taken = patiently(async || self.taken(&said, &member, moment).await).await?;
        Ok(Prepared {
            said,
            member,
            taken,
        })
    }

    async fn taken(&self, said: &AwardLine, member: &str, moment: Moment) -> Result<Taken, Error> {
        let asking = Asking {
            partner: self.import.partner,
            acted: None,
            unconfirmed: None,
            moment,
        };
        let amount = AmountBody {
            amount: said.amount.clone(),
            currency: said.currency.clone(),
        };
        self.shelf.take(asking, member, &amount).await
    }

    /// Gives the points of a line, once, however often it is tried.
    async fn award(
        &self,
        numbered: &Numbered,
        prepared: &Prepared,
        moment: Moment,
    ) -> Result<Outcome, Error> {
        let operation = patiently(async || self.award_once(numbered, prepared, moment).await);
        let operation = operation.await?;
        let leg = operation.into.filter(|leg| leg.amount > 0);
        Ok(Outcome::Done {
            subject: operation.id,
            given: leg.map(|leg| (leg.wallet.asset(), leg.amount)),
        })
    }

    async fn award_once(
        &self,
        numbered: &Numbered,
        prepared: &Prepared,
        moment: Moment,
    ) -> Result<Operation, Error> {
        let Prepared {
            said,
            member,
            taken,
        } = prepared;
        let (import, line) = (self.import.id, numbered.no);
        let place = Place::of(&said.channel, &said.location);
        let key = [&import.to_be_bytes()[..], &line.to_be_bytes()].concat();
        let claim = Claim {
            key_hash: self.shelf.secrets.hash(&[b"import line", &key]),
            body_hash: numbered.content,
        };
        // Sending takes long: each group sees for itself that its sender is still live.
        let who = Who {
            is_confirmed: false,
            ..self.who.clone()
        };
        self.ledger
            .carry_out(
                moment,
                async |moment| {
                    let Taken {
                        version,
                        wallet,
                        amount,
                        programme,
                    } = match taken.version >= moment.version {
                        true => taken.clone(),
                        false => self.taken(said, member, moment).await?,
                    };
                    let award = Award {
                        wallet,
                        amount,
                        programme,
                        reason: said.reason,
                        usable_from: said.usable_from,
                        place: place.clone(),
                        at: moment.now,
                        imported: Some((import, line)),
                    };
                    let (partner, kind) = (self.import.partner, operation::Kind::Award);
                    let reference = self.shelf.reference(partner, kind, &said.reference);
                    Ok((award, ledger::stamp(&who, claim, version, reference)))
                },
                awards::api::told,
            )
            .await
    }
}

/// An award of which everything is found.
struct Prepared {
    said: AwardLine,
    member: String,
    taken: Taken,
}

/// Tries again what somebody was in the way of.
async fn patiently<T>(work: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    for attempt in 1..TRIES {
        match work().await {
            Err(Error::Refused(problem)) if is_passing(&problem) => {
                tokio::time::sleep(Duration::from_millis(25 << attempt)).await;
            }
            other => return other,
        }
    }
    work().await
}

/// What is known of a batch of lines.
async fn known(
    conn: &mut Connection,
    id: i64,
    lines: &[Numbered],
) -> Result<HashMap<i64, Known>, Error> {
    match (lines.first(), lines.last()) {
        (Some(first), Some(last)) => store::known(conn, id, (first.no, last.no)).await,
        _ => Ok(HashMap::new()),
    }
}

/// The lines that were not done. Refuses another line under the number of one that was.
fn left<'n>(
    lines: &'n [Numbered],
    known: &HashMap<i64, Known>,
) -> Result<Vec<&'n Numbered>, Problem> {
    let mut left = Vec::new();
    for numbered in lines {
        match known.get(&numbered.no).filter(|known| known.is_done) {
            Some(done) if done.content != numbered.content => return Err(changed(numbered.no)),
            Some(_) => {}
            None => left.push(numbered),
        }
    }
    Ok(left)
}

/// Counts what became of lines and writes it down.
async fn tell(
    conn: &mut Connection,
    import: &mut Import,
    told: &[Told],
    known: &HashMap<i64, Known>,
) -> Result<(), Error> {
    for (no, _, outcome) in told {
        let before = known.get(no).map(|known| known.is_done);
        import.progress.count(before, outcome);
    }
    store::tell(conn, import.id, told).await
}

/// The first line of a file without the mark by which some programs say that it is UTF-8.
fn without_mark(line: &RawLine) -> RawLine {
    match line {
        RawLine::Whole(bytes) if bytes.starts_with(b"\xef\xbb\xbf") => {
            RawLine::Whole(bytes.slice(3..))
        }
        other => other.clone(),
    }
}

fn number_of(said: &Result<Said, Problem>) -> Option<String> {
    match said {
        Ok(Said::Award(award)) => award.number.as_deref().map(str::to_owned),
        _ => None,
    }
}

/// Whether it passes by itself.
fn is_passing(problem: &Problem) -> bool {
    matches!(problem.slug, Slug::TooBusy | Slug::Unavailable)
}

/// Whether another enrolment was in the way, which shows as a refusal only at its end.
fn is_met(problem: &Problem) -> bool {
    let of_members = [Slug::NumberTaken, Slug::AlreadyMember];
    is_passing(problem) || of_members.contains(&problem.slug)
}

/// Whether it is the line that is refused, and not who sends it or when.
fn is_about_a_line(problem: &Problem) -> bool {
    let of_sender = [
        Slug::Unauthenticated,
        Slug::PartnerState,
        Slug::PartnerSuspended,
        Slug::NotInPilot,
        Slug::IdempotencyKeyReused,
    ];
    !is_passing(problem) && !of_sender.contains(&problem.slug)
}

/// The ledger knows a line by its key.
fn told_of_line(error: Error, no: i64) -> Error {
    match error {
        Error::Refused(problem) if problem.slug == Slug::IdempotencyKeyReused => changed(no).into(),
        other => other,
    }
}

fn about_field(problem: Problem, field: &str) -> Refused {
    Refused {
        field: Some(field.to_owned()),
        ..Refused::from(problem)
    }
}

fn no_such_number() -> Problem {
    let detail = "/number: you have no member with this number";
    Problem::new(Slug::NotFound, detail)
}

fn number_taken() -> Problem {
    let detail = "/number: another member has this number";
    Problem::new(Slug::NumberTaken, detail)
}

pub(crate) fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "there is no such import of yours")
}

fn closed(import: &Import) -> Problem {
    let state = import.state.name();
    Problem::new(Slug::ImportClosed, format!("it is {state}")).with("state", state)
}

fn changed(no: i64) -> Problem {
    let detail = format!("line {no} is another than was taken before");
    Problem::new(Slug::ImportLineChanged, detail).with("line", no)
}

/// Lines before others are missing.
fn missing(import: &Import, asked: String) -> Problem {
    let next = import.progress.next_line;
    let detail = format!("{asked}, those before line {next} were taken: go on from there");
    Problem::new(Slug::ImportLineMissing, detail).with("next_line", next)
}

fn empty(import: &Import) -> Problem {
    let detail = match import.columns {
        Some(_) => "line 1 names the columns, and no line follows it",
        None => "there is no line in it",
    };
    Problem::new(Slug::ImportEmpty, detail)
}
