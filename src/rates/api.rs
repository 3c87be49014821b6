//! Rate cards over HTTP, and each refusal of this slice as a problem.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, OpenApi};

use super::body::{
    ApprovedRateCard, DraftRateCard, LintBody, Nothing, ProposedRateCard, RateCardBody,
    ReadRateCard, SettlementBody, SettlementKind, Side, show,
};
use super::boundary::{Local, NotOneInstant, Sent};
use super::changes::{self, ChangeBody, RateCardChanges};
use super::draft::{self, BadDates};
use super::effect::Effect;
use super::lint::Code;
use super::pump::Pump;
use super::refusal::{BadTerms, Nearest, Refusal};
use super::state::{NoSuchEdge, State, Step};
use super::{Missing, Version, campaigns, exchange, store, unknown};
use crate::access::{Auditor, Finance, Operator, OrMember, RatesRead, RatesWrite, Reader, Who};
use crate::approvals::PartyName;
use crate::db::{self, Connection, Pool};
use crate::error::{Error, FieldError, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::{AmountBody, Currency, Directories, Directory};
use crate::points::account::Asset;
use crate::secret::Secrets;
use crate::web::{Page, Paging, ProblemBody, Query, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    let step = |path: &str| web::resource(format!("/v1/rate-cards/{{rate_card}}/{path}"));
    cfg.service(
        web::resource("/v1/rate-cards")
            .route(web::get().to(list))
            .route(web::post().to(draft)),
    )
    .service(web::resource("/v1/rate-cards/{rate_card}").route(web::get().to(one)))
    .service(web::resource("/v1/rate-cards/{rate_card}/changes").route(web::get().to(changes)))
    .service(step("propose").route(web::post().to(propose)))
    .service(step("approve").route(web::post().to(approve)))
    .service(step("reject").route(web::post().to(reject)))
    .service(step("withdraw").route(web::post().to(withdraw)))
    .service(step("halt").route(web::post().to(halt)));
    exchange::api::routes(cfg);
    campaigns::api::routes(cfg);
}

#[derive(OpenApi)]
#[openapi(
    paths(list, one, changes, draft, propose, approve, reject, withdraw, halt),
    components(schemas(
        DraftRateCard, ProposedRateCard, ApprovedRateCard, ReadRateCard, Nothing, RateCardBody, LintBody, Code, SettlementBody, SettlementKind, Side, State,
        RateCardChanges, ChangeBody, Effect, Sent, Local, ProblemBody
    )),
    tags((name = "rates", description = "What an amount of one currency is in another."))
)]
struct CardsDoc;

/// What rate cards, campaigns and exchange rates add to the OpenAPI document.
pub struct Doc;

impl OpenApi for Doc {
    fn openapi() -> utoipa::openapi::OpenApi {
        let mut document = CardsDoc::openapi();
        document.merge(exchange::api::Doc::openapi());
        document.merge(campaigns::api::Doc::openapi());
        document
    }
}

/// Which rate cards to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The code of the currency that is given.
    from: Option<String>,
    /// The code of the currency that is gained.
    to: Option<String>,
    /// `next_cursor` of the page before. Leave it out for the first page.
    cursor: Option<String>,
    /// How many to return: 1 to 200, 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// What to compare a rate card with.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// Another version of the same pair. When left out: the one of its priority that it replaces or
    /// would replace.
    since: Option<String>,
}

/// What every handler here stands on.
type Desk = (Data<Ids>, Data<Pool>, Data<Directories>);

/// Draft a rate card
#[utoipa::path(
    post, path = "/v1/rate-cards", operation_id = "draftRateCard", tag = "rates",
    description = "The next version for one direction of one pair, by the issuer of either currency or by an operator. Nothing happens until it is proposed. Where the cards of a pair are for some members or channels (`when`), the highest `priority` decides among those that are met.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = DraftRateCard,
    extensions(("x-problems" = json!(["card-dates", "card-terms", "exchange-rate-missing", "not-your-currency",
        "not-in-pilot", "partner-state", "partner-suspended"]))),
    responses((status = 201, description = "The draft.", body = RateCardBody))
)]
async fn draft(
    reader: Reader<RatesWrite, Operator>,
    (ids, pool, directories): Desk,
    secrets: Data<Secrets>,
    write: Write<DraftRateCard>,
) -> Result<HttpResponse, Error> {
    let claim = reader.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let from = currency(&directory, &write.body.from, "/from")?;
        let to = currency(&directory, &write.body.to, "/to")?;
        let wanted = write.body.read(&ids, &directory, from, to);
        let wanted = wanted.map_err(refused_draft)?;
        let version = super::draft(conn, &reader.who, &secrets, &directory, &wanted).await?;
        let now = db::now(conn).await?;
        Ok(show(
            &ids,
            &directory,
            &version,
            PartyName::of(&reader.who),
            now,
        ))
    })
    .await
}

/// Propose a rate card
#[utoipa::path(
    post, path = "/v1/rate-cards/{rate_card}/propose", operation_id = "proposeRateCard", tag = "rates",
    description = "By the side that drafted it, whose word it is too. The others have 14 days; when they let them go by, it can be proposed again. When splitting a conversion pays (see `lints`), a partner has to say that it knows.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("rate_card" = String, Path, description = "The rate card's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ProposedRateCard,
    extensions(("x-problems" = json!(["approval-open", "card-dates", "card-state", "lint-not-acknowledged",
        "not-in-pilot", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "The rate card.", body = RateCardBody))
)]
async fn propose(
    reader: Reader<RatesWrite, Operator>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<ProposedRateCard>,
) -> Result<HttpResponse, Error> {
    let ids = desk.0.clone();
    step(
        reader,
        desk,
        secrets,
        path,
        write,
        async |conn, who, id, known| super::propose(conn, who, &ids, id, &known.acknowledges).await,
    )
    .await
}

/// Approve a rate card
#[utoipa::path(
    post, path = "/v1/rate-cards/{rate_card}/approve", operation_id = "approveRateCard", tag = "rates",
    description = "By a party that did not propose it: the issuer of either currency, its sponsor, or an operator. The last one publishes it. It then begins when its parties wanted, or now when that has gone by; the version of the pair and priority that would go on for ever ends at the same instant. Where that one promises notice and this one is worse for a member in anything, or not to be decided, it begins no earlier than so many days from now. Refused when a member could then gain by going in a circle of cards, at some instant and for some amounts. When splitting a conversion pays (see `lints`), a partner has to say that it knows.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("rate_card" = String, Path, description = "The rate card's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ApprovedRateCard,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "card-dates", "card-state",
        "lint-not-acknowledged", "maker-is-checker", "money-pump", "not-in-pilot", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "The rate card.", body = RateCardBody))
)]
async fn approve(
    reader: Reader<RatesWrite, Operator>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<ApprovedRateCard>,
) -> Result<HttpResponse, Error> {
    let approve = async |conn: &mut Connection, who: &_, id, read: &ApprovedRateCard| {
        super::approve(conn, who, id, &read.content_hash.0, &read.acknowledges).await
    };
    step(reader, desk, secrets, path, write, approve).await
}

/// Reject a rate card
#[utoipa::path(
    post, path = "/v1/rate-cards/{rate_card}/reject", operation_id = "rejectRateCard", tag = "rates",
    description = "By a party that was asked and has not approved it. Draft another version to go on.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("rate_card" = String, Path, description = "The rate card's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadRateCard,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "card-state", "maker-is-checker"]))),
    responses((status = 200, description = "The rate card.", body = RateCardBody))
)]
async fn reject(
    reader: Reader<RatesWrite, Operator>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<ReadRateCard>,
) -> Result<HttpResponse, Error> {
    let reject = async |conn: &mut Connection, who: &_, id, read: &ReadRateCard| {
        super::reject(conn, who, id, &read.content_hash.0).await
    };
    step(reader, desk, secrets, path, write, reject).await
}

/// Withdraw a rate card
#[utoipa::path(
    post, path = "/v1/rate-cards/{rate_card}/withdraw", operation_id = "withdrawRateCard", tag = "rates",
    description = "Before it is active. What not everybody has agreed to is withdrawn by the side that drafted it or by an operator; what is scheduled by any of its parties, and the version that it would have ended goes on.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("rate_card" = String, Path, description = "The rate card's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = Nothing,
    extensions(("x-problems" = json!(["card-state"]))),
    responses((status = 200, description = "The rate card.", body = RateCardBody))
)]
async fn withdraw(
    reader: Reader<RatesWrite, Operator>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<Nothing>,
) -> Result<HttpResponse, Error> {
    step(
        reader,
        desk,
        secrets,
        path,
        write,
        async |conn, who, id, _| super::withdraw(conn, who, id).await,
    )
    .await
}

/// Halt a rate card
#[utoipa::path(
    post, path = "/v1/rate-cards/{rate_card}/halt", operation_id = "haltRateCard", tag = "rates",
    description = "Stops an active card at once, by either partner or an operator: it prices no new quote. A card of the same pair and a lower priority goes on for whom it is; without one there are no new quotes until another version is published.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("rate_card" = String, Path, description = "The rate card's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = Nothing,
    extensions(("x-problems" = json!(["card-state"]))),
    responses((status = 200, description = "The rate card.", body = RateCardBody))
)]
async fn halt(
    reader: Reader<RatesWrite, Operator>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<Nothing>,
) -> Result<HttpResponse, Error> {
    step(
        reader,
        desk,
        secrets,
        path,
        write,
        async |conn, who, id, _| super::halt(conn, who, id).await,
    )
    .await
}

/// One step of a version, done once, and the version as its caller then sees it.
async fn step<T>(
    reader: Reader<RatesWrite, Operator>,
    (ids, pool, directories): Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<T>,
    take: impl AsyncFnOnce(&mut Connection, &Who, i64, &T) -> Result<Version, Error>,
) -> Result<HttpResponse, Error> {
    let id = ids.read(Kind::RateCard, &path).ok_or_else(unknown)?;
    let claim = reader.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let version = take(conn, &reader.who, id, &write.body).await?;
        let now = db::now(conn).await?;
        Ok(show(
            &ids,
            &directory,
            &version,
            PartyName::of(&reader.who),
            now,
        ))
    })
    .await
}

/// List rate cards
#[utoipa::path(
    get, path = "/v1/rate-cards", operation_id = "listRateCards", tag = "rates",
    description = "Newest first. A partner sees every version of the pairs it issues one side of, and what others have published; what the brands pay each other is told to each side for itself.",
    security(("partner" = ["rates:read"]), ("member" = ["rates:read"]), ("person" = ["operator", "finance", "auditor"])),
    params(Wanted),
    responses((status = 200, description = "A page of rate cards.", body = Page<RateCardBody>))
)]
async fn list(
    reader: Reader<OrMember<RatesRead>, (Operator, Finance, Auditor)>,
    (ids, pool, directories): Desk,
    wanted: Query<Wanted>,
) -> Result<web::Json<Page<RateCardBody>>, Error> {
    let Wanted {
        from,
        to,
        cursor,
        limit,
    } = wanted.0;
    let paging = Paging { cursor, limit };
    let (limit, before) = (
        paging.limit()?,
        paging.after(&ids, "rate-cards")?.unwrap_or(i64::MAX),
    );
    let viewer = PartyName::of(&reader.who);

    let mut conn = pool.get().await?;
    let (_, directory) = directories.current(&mut conn).await?;
    let number = |code: Option<String>, pointer| {
        code.map(|code| currency(&directory, &code, pointer).map(|currency| currency.no))
            .transpose()
    };
    let route = (number(from, "/from")?, number(to, "/to")?);
    let rows = store::list(&mut conn, viewer, route, before, limit).await?;
    let now = db::now(&mut conn).await?;
    let show = |version: &Version| show(&ids, &directory, version, viewer, now);
    Ok(web::Json(Page::of(
        rows,
        limit,
        &ids,
        "rate-cards",
        |version| version.id,
        show,
    )))
}

/// Look up a rate card
#[utoipa::path(
    get, path = "/v1/rate-cards/{rate_card}", operation_id = "getRateCard", tag = "rates",
    description = "One version, with its sentence in English and in Traditional Chinese and the caller's side of its settlement.",
    security(("partner" = ["rates:read"]), ("member" = ["rates:read"]), ("person" = ["operator", "finance", "auditor"])),
    params(("rate_card" = String, Path, description = "The rate card's id.")),
    responses((status = 200, description = "The rate card.", body = RateCardBody))
)]
async fn one(
    reader: Reader<OrMember<RatesRead>, (Operator, Finance, Auditor)>,
    (ids, pool, directories): Desk,
    path: Path<String>,
) -> Result<web::Json<RateCardBody>, Error> {
    let id = ids.read(Kind::RateCard, &path).ok_or_else(unknown)?;
    let viewer = PartyName::of(&reader.who);

    let mut conn = pool.get().await?;
    let (_, directory) = directories.current(&mut conn).await?;
    let found = store::find(&mut conn, id)
        .await?
        .filter(|version| version.is_seen_by(viewer));
    let version = found.ok_or_else(unknown)?;
    let now = db::now(&mut conn).await?;
    Ok(web::Json(show(&ids, &directory, &version, viewer, now)))
}

/// Compare a rate card
#[utoipa::path(
    get, path = "/v1/rate-cards/{rate_card}/changes", operation_id = "listRateCardChanges", tag = "rates",
    description = "What is different since another version of the pair, in English and in Traditional Chinese, and what it does to a member where that can be decided exactly. Of the settlement a partner is told the changes of its own side, and nobody else any.",
    security(("partner" = ["rates:read"]), ("person" = ["operator", "finance", "auditor"])),
    params(("rate_card" = String, Path, description = "The rate card's id."), Since),
    responses((status = 200, description = "What is different.", body = RateCardChanges))
)]
async fn changes(
    reader: Reader<RatesRead, (Operator, Finance, Auditor)>,
    (ids, pool, directories): Desk,
    path: Path<String>,
    wanted: Query<Since>,
) -> Result<web::Json<RateCardChanges>, Error> {
    let id = ids.read(Kind::RateCard, &path).ok_or_else(unknown)?;
    let since = wanted.0.since.map(|since| {
        let since = ids.read(Kind::RateCard, &since);
        since.ok_or_else(no_such_version)
    });
    let (since, viewer) = (since.transpose()?, PartyName::of(&reader.who));

    let mut conn = pool.get().await?;
    let (_, directory) = directories.current(&mut conn).await?;
    let found = store::find(&mut conn, id)
        .await?
        .filter(|version| version.is_seen_by(viewer));
    let version = found.ok_or_else(unknown)?;
    let since = super::compared(&mut conn, &version, since, viewer).await?;
    let changes = changes::show(&ids, &directory, since.as_ref(), &version, viewer);
    Ok(web::Json(changes))
}

pub(super) fn no_such_version() -> Problem {
    Problem::field(
        "/since",
        "another version of the same pair that you may see",
    )
}

fn currency<'d>(
    directory: &'d Directory,
    code: &str,
    pointer: &str,
) -> Result<&'d Currency, Problem> {
    directory
        .currency(code)
        .map(|currency| &**currency)
        .ok_or_else(|| no_currency(pointer))
}

pub(super) fn no_currency(pointer: &str) -> Problem {
    Problem::field(pointer, "the code of a currency; /v1/currencies lists them")
}

pub(super) fn not_an_issuer() -> Problem {
    Problem::new(
        Slug::NotYourCurrency,
        "a rate card is drafted by the issuer of one of its currencies, or by the hub",
    )
}

pub(super) fn no_such_edge(NoSuchEdge { state, step }: NoSuchEdge) -> Problem {
    let detail = match (step, state) {
        (Step::Halt, State::Scheduled) => "it is not active yet: withdraw it".to_owned(),
        (Step::Withdraw, State::Active) => "it is active: halt it".to_owned(),
        (Step::Propose | Step::Approve | Step::Reject | Step::Withdraw | Step::Halt, _) => {
            format!(
                "it is {}, so there is nothing to {}",
                state.name().replace('_', " "),
                step.name()
            )
        }
    };
    Problem::new(Slug::CardState, detail).with("state", state.name())
}

pub(super) fn refused_draft(refusal: draft::Refusal) -> Problem {
    match refusal {
        draft::Refusal::OneCurrency => Problem::field("/to", "another currency than `from`"),
        draft::Refusal::Terms(bad) => bad_terms(bad),
        draft::Refusal::Unpriced => card_terms(
            "kind",
            "an unpriced card records a shape and cannot be quoted",
        ),
        draft::Refusal::Dates(bad) => bad_dates(bad),
    }
}

pub(super) fn not_acknowledged(missing: &[Code]) -> Problem {
    let names: Vec<&str> = missing.iter().map(|code| code.name()).collect();
    let detail = format!(
        "say that you know: \"acknowledges\": [\"{}\"]",
        names.join("\", \"")
    );
    Problem::new(Slug::LintNotAcknowledged, detail).with("missing", json!(names))
}

/// Terms that cannot work, named as `bands[1].from` and as a JSON pointer.
pub(super) fn bad_terms(bad: BadTerms) -> Problem {
    card_terms(&bad.field, &bad.reason.to_string())
}

fn card_terms(field: &str, reason: &str) -> Problem {
    let path = field.replace('[', ".").replace(']', "");
    let path: Vec<&str> = path.split('.').collect();
    let path = path.strip_prefix(&["terms"]).unwrap_or(&path);
    let place = match path.first() {
        Some(&("settlement" | "when" | "priority" | "notice_days")) => "",
        Some(_) | None => "/terms",
    };
    let pointer = path.iter().fold(place.to_owned(), |pointer, part| {
        format!("{pointer}/{part}")
    });
    let detail = format!("{field}: {reason}");
    let errors = vec![FieldError {
        pointer,
        detail: reason.to_owned(),
    }];
    Problem {
        errors,
        ..Problem::new(Slug::CardTerms, detail)
    }
    .with("field", field)
}

pub(super) fn bad_dates(bad: BadDates) -> Problem {
    let detail = match bad {
        BadDates::NotSensible(field) => format!("{field}: an instant from the year 2000 to 2199"),
        BadDates::NotOneInstant(field, not_one) => return not_one_instant(field, not_one),
        BadDates::BeginsInThePast => {
            "valid_from: leave it out to begin as soon as everybody has agreed".to_owned()
        }
        BadDates::EndsBeforeItBegins => {
            "valid_to: an instant after valid_from and in the future".to_owned()
        }
        BadDates::EndsWithinNotice(start) => format!(
            "valid_to: for the notice that was promised it begins at {} at the earliest",
            start.format("%FT%TZ")
        ),
        BadDates::IsOver => "valid_to: it has gone by; draft another version".to_owned(),
    };
    Problem::new(Slug::CardDates, detail)
}

fn not_one_instant(field: &str, not_one: NotOneInstant) -> Problem {
    let [earlier, later] = not_one.told();
    let NotOneInstant {
        zone,
        wall,
        is_twice,
        candidates: _,
    } = not_one;
    let detail = match is_twice {
        true => format!("clocks in {zone} show {wall} twice"),
        false => format!("clocks in {zone} skip {wall}"),
    };
    Problem::new(
        Slug::CardDates,
        format!("{field}: {detail}; say {earlier} or {later}"),
    )
    .with("candidates", json!([earlier, later]))
}

/// The refusal of an amount, with what would be legal in printed units.
pub fn refused(refusal: &Refusal, source: &Currency, target: &Currency) -> Problem {
    let amount = |units: Option<i64>| {
        units.map_or(Value::Null, |units| json!(AmountBody::of(source, units)))
    };
    let near = |slug, detail: String, near: &Nearest| {
        let problem = Problem::new(slug, detail);
        problem
            .with("next_down", amount(near.next_down))
            .with("next_up", amount(near.next_up))
    };
    let (gives, gains) = (&source.code, &target.code);
    match refusal {
        Refusal::BelowMinimum { minimum } => Problem::new(
            Slug::AmountBelowMinimum,
            format!("the card takes more {gives} at once"),
        )
        .with("minimum", amount(Some(*minimum))),
        Refusal::AboveMaximum { maximum } => Problem::new(
            Slug::AmountAboveMaximum,
            format!("the card takes less {gives} at once"),
        )
        .with("maximum", amount(Some(*maximum))),
        Refusal::BadStep(nearest) => near(
            Slug::AmountOffStep,
            format!("the card takes {gives} in steps"),
            nearest,
        ),
        Refusal::NotADenomination(nearest) => near(
            Slug::AmountNotADenomination,
            format!("the card takes only certain amounts of {gives}"),
            nearest,
        ),
        Refusal::BelowDestinationMinimum { minimum } => Problem::new(
            Slug::AmountBelowMinimum,
            format!("it would gain less {gains} than the card gives at once"),
        )
        .with("minimum", amount(*minimum)),
        Refusal::AboveDestinationMaximum { maximum } => Problem::new(
            Slug::AmountAboveMaximum,
            format!("it would gain more {gains} than the card gives at once"),
        )
        .with("maximum", amount(*maximum)),
        Refusal::BadDestinationStep(nearest) => near(
            Slug::AmountOffStep,
            format!("the card gives {gains} in steps, and it would gain what is on none"),
            nearest,
        ),
        Refusal::TooLittle { smallest } => {
            Problem::new(Slug::AmountTooSmall, format!("it would gain no {gains}"))
                .with("minimum", amount(*smallest))
        }
        Refusal::TooLarge => Problem::new(
            Slug::AmountTooLarge,
            "its figures are beyond what the hub counts",
        ),
        Refusal::OutOfReach { most } => Problem::new(
            Slug::AmountAboveMaximum,
            format!("no amount of {gives} gains so much {gains} at once"),
        )
        .with("maximum", json!(AmountBody::of(target, *most))),
        Refusal::Unpriced => Problem::new(Slug::NoRateCard, "the card records a shape and no rate"),
        Refusal::BadCard(bad) => bad_terms(bad.clone()),
    }
}

/// The refusal of what would open a money pump.
pub(super) fn pump<'a>(pump: &Pump, code: impl Fn(Asset) -> &'a str) -> Problem {
    let start = pump.cards.first();
    let around = pump.cards.iter().chain(start).map(|(_, from)| code(*from));
    let cycle: Vec<&str> = around.collect();
    let Pump { returns, at, .. } = pump;
    let detail = format!(
        "{} would bring back {returns} of what was taken, as of {}",
        cycle.join(" to "),
        at.format("%FT%TZ")
    );
    Problem::new(Slug::MoneyPump, detail)
        .with("cycle", json!(cycle))
        .with("returns", returns.to_string())
}

/// The refusal to exchange between two moneys without a rate.
pub fn no_exchange(missing: Missing, directory: &Directory) -> Problem {
    let code = |no| directory.money(no).map_or("?", |money| &money.code);
    let (source, target) = (code(missing.source), code(missing.target));
    Problem::new(
        Slug::ExchangeRateMissing,
        format!("there is no rate between {source} and {target}"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::refusal::Reason;
    use super::*;

    #[test]
    fn a_field_of_the_terms_is_also_a_pointer() {
        let cases = [
            ("bands[1].from", "/terms/bands/1/from"),
            ("terms", "/terms"),
            ("give", "/terms/give"),
            ("settlement.increment", "/settlement/increment"),
            ("notice_days", "/notice_days"),
            ("when.claims.terms[1]", "/when/claims/terms/1"),
            ("priority", "/priority"),
        ];
        for (field, pointer) in cases {
            let problem = bad_terms(BadTerms::new(field, Reason::Missing));
            assert_eq!(
                (
                    problem.errors[0].pointer.as_str(),
                    problem.facts["field"].as_str()
                ),
                (pointer, Some(field))
            );
        }
    }

    #[test]
    fn a_step_too_early_or_too_late_says_what_to_do() {
        let detail = |state, step| no_such_edge(NoSuchEdge { state, step }).detail;
        assert_eq!(
            detail(State::Scheduled, Step::Halt),
            "it is not active yet: withdraw it"
        );
        assert_eq!(
            detail(State::Active, Step::Withdraw),
            "it is active: halt it"
        );
        assert_eq!(
            detail(State::ApprovedBySource, Step::Propose),
            "it is approved by source, so there is nothing to propose"
        );
    }
}
