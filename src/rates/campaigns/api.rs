//! Campaigns over HTTP, and each refusal of them as a problem.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};

use super::body::{
    ApprovedCampaign, CampaignArm, CampaignBody, CampaignFunder, CampaignRoute, DraftCampaign,
    NewRegistration, ProposedCampaign, ReadCampaign, RegistrationBody, show,
};
use super::campaign::{self, BadDates, JudgedAt};
use super::entry::Entry;
use super::state::{NoSuchEdge, State, Step};
use super::store;
use crate::access::{
    Auditor, ConversionsWrite, Finance, Operator, Partner, RatesRead, RatesWrite, Reader, Who,
};
use crate::approvals::PartyName;
use crate::db::{self, Connection, Pool};
use crate::error::{Error, FieldError, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::Directories;
use crate::rates::body::Nothing;
use crate::rates::refusal::BadTerms;
use crate::secret::Secrets;
use crate::web::{Page, Paging, ProblemBody, Query, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    let step = |path: &str| web::resource(format!("/v1/campaigns/{{campaign}}/{path}"));
    cfg.service(
        web::resource("/v1/campaigns")
            .route(web::get().to(list))
            .route(web::post().to(draft)),
    )
    .service(web::resource("/v1/campaigns/{campaign}").route(web::get().to(one)))
    .service(step("propose").route(web::post().to(propose)))
    .service(step("approve").route(web::post().to(approve)))
    .service(step("reject").route(web::post().to(reject)))
    .service(step("withdraw").route(web::post().to(withdraw)))
    .service(step("halt").route(web::post().to(halt)))
    .service(step("registrations").route(web::post().to(register)));
}

#[derive(OpenApi)]
#[openapi(
    paths(list, one, draft, propose, approve, reject, withdraw, halt, register),
    components(schemas(
        DraftCampaign, CampaignRoute, CampaignArm, CampaignFunder, ProposedCampaign, ApprovedCampaign, ReadCampaign, CampaignBody, State, JudgedAt,
        NewRegistration, RegistrationBody, Nothing, ProblemBody
    )),
    tags((name = "campaigns", description = "Bonuses beside the rate cards, for a time, and who pays for them."))
)]
pub struct Doc;

/// Which campaigns to list.
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

/// What every handler here stands on.
type Desk = (Data<Ids>, Data<Pool>, Data<Directories>);

/// Draft a campaign
#[utoipa::path(
    post, path = "/v1/campaigns", operation_id = "draftCampaign", tag = "campaigns",
    description = "By who pays for it, by the issuer of what is gained, or by an operator. Nothing happens until it is proposed.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = DraftCampaign,
    extensions(("x-problems" = json!(["campaign-dates", "campaign-terms", "exchange-rate-missing"]))),
    responses((status = 201, description = "The draft.", body = CampaignBody))
)]
async fn draft(
    reader: Reader<RatesWrite, Operator>,
    (ids, pool, directories): Desk,
    secrets: Data<Secrets>,
    write: Write<DraftCampaign>,
) -> Result<HttpResponse, Error> {
    let claim = reader.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let wanted = write.body.read(&ids, &directory)?;
        let entry = super::draft(conn, &reader.who, &secrets, &directory, &wanted).await?;
        let (viewer, now) = (PartyName::of(&reader.who), db::now(conn).await?);
        Ok(show(&ids, &directory, &entry, viewer, now))
    })
    .await
}

/// Propose a campaign
#[utoipa::path(
    post, path = "/v1/campaigns/{campaign}/propose", operation_id = "proposeCampaign", tag = "campaigns",
    description = "By the side that drafted it, whose word it is too. The others have 14 days; when they let them go by, it can be proposed again. When splitting a conversion pays (see `lints`), a partner has to say that it knows.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("campaign" = String, Path, description = "The campaign's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ProposedCampaign,
    extensions(("x-problems" = json!(["approval-open", "campaign-dates", "campaign-state",
        "lint-not-acknowledged", "not-in-pilot", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "The campaign.", body = CampaignBody))
)]
async fn propose(
    reader: Reader<RatesWrite, Operator>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<ProposedCampaign>,
) -> Result<HttpResponse, Error> {
    let ids = desk.0.clone();
    let take = async |conn: &mut Connection, who: &_, id, known: &ProposedCampaign| {
        super::propose(conn, who, &ids, id, &known.acknowledges).await
    };
    step(reader, desk, secrets, path, write, take).await
}

/// Approve a campaign
#[utoipa::path(
    post, path = "/v1/campaigns/{campaign}/approve", operation_id = "approveCampaign", tag = "campaigns",
    description = "By each party that did not propose it: who pays for it, the issuer of what is gained, and an operator. The last one publishes it; from then on it never changes. Refused when a member could then gain by going in a circle of cards, at some instant and for some amounts, with everything that campaigns add. When splitting a conversion pays (see `lints`), a partner has to say that it knows.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("campaign" = String, Path, description = "The campaign's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ApprovedCampaign,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "campaign-dates",
        "campaign-state", "lint-not-acknowledged", "maker-is-checker", "money-pump", "not-in-pilot", "partner-state",
        "partner-suspended"]))),
    responses((status = 200, description = "The campaign.", body = CampaignBody))
)]
async fn approve(
    reader: Reader<RatesWrite, Operator>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<ApprovedCampaign>,
) -> Result<HttpResponse, Error> {
    let take = async |conn: &mut Connection, who: &_, id, read: &ApprovedCampaign| {
        super::approve(conn, who, id, &read.content_hash.0, &read.acknowledges).await
    };
    step(reader, desk, secrets, path, write, take).await
}

/// Reject a campaign
#[utoipa::path(
    post, path = "/v1/campaigns/{campaign}/reject", operation_id = "rejectCampaign", tag = "campaigns",
    description = "By a party that was asked and has not approved it. Draft another to go on.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("campaign" = String, Path, description = "The campaign's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadCampaign,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "campaign-state",
        "maker-is-checker"]))),
    responses((status = 200, description = "The campaign.", body = CampaignBody))
)]
async fn reject(
    reader: Reader<RatesWrite, Operator>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<ReadCampaign>,
) -> Result<HttpResponse, Error> {
    let take = async |conn: &mut Connection, who: &_, id, read: &ReadCampaign| {
        super::reject(conn, who, id, &read.content_hash.0).await
    };
    step(reader, desk, secrets, path, write, take).await
}

/// Withdraw a campaign
#[utoipa::path(
    post, path = "/v1/campaigns/{campaign}/withdraw", operation_id = "withdrawCampaign", tag = "campaigns",
    description = "Before it is active. What not everybody has agreed to is withdrawn by the side that drafted it or by an operator; what is scheduled by any of its parties.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("campaign" = String, Path, description = "The campaign's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = Nothing,
    extensions(("x-problems" = json!(["campaign-state"]))),
    responses((status = 200, description = "The campaign.", body = CampaignBody))
)]
async fn withdraw(
    reader: Reader<RatesWrite, Operator>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<Nothing>,
) -> Result<HttpResponse, Error> {
    let take =
        async |conn: &mut Connection, who: &_, id, _: &_| super::withdraw(conn, who, id).await;
    step(reader, desk, secrets, path, write, take).await
}

/// Halt a campaign
#[utoipa::path(
    post, path = "/v1/campaigns/{campaign}/halt", operation_id = "haltCampaign", tag = "campaigns",
    description = "Stops an active campaign at once: everywhere when one of its parties or an operator says so, and on the routes out of its own currencies when another partner does. Quotes that were issued keep their bonus.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("campaign" = String, Path, description = "The campaign's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = Nothing,
    extensions(("x-problems" = json!(["campaign-state"]))),
    responses((status = 200, description = "The campaign.", body = CampaignBody))
)]
async fn halt(
    reader: Reader<RatesWrite, Operator>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<Nothing>,
) -> Result<HttpResponse, Error> {
    let directories = desk.2.clone();
    let take = async |conn: &mut Connection, who: &_, id, _: &_| {
        let (_, directory) = directories.current(conn).await?;
        super::halt(conn, who, &directory, id).await
    };
    step(reader, desk, secrets, path, write, take).await
}

/// One step of a campaign, done once, and the campaign as its caller then sees it.
async fn step<T>(
    reader: Reader<RatesWrite, Operator>,
    (ids, pool, directories): Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<T>,
    take: impl AsyncFnOnce(&mut Connection, &Who, i64, &T) -> Result<Entry, Error>,
) -> Result<HttpResponse, Error> {
    let id = ids.read(Kind::Campaign, &path).ok_or_else(unknown)?;
    let claim = reader.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let entry = take(conn, &reader.who, id, &write.body).await?;
        let (viewer, now) = (PartyName::of(&reader.who), db::now(conn).await?);
        Ok(show(&ids, &directory, &entry, viewer, now))
    })
    .await
}

/// Register a member for a campaign
#[utoipa::path(
    post, path = "/v1/campaigns/{campaign}/registrations", operation_id = "registerForCampaign", tag = "campaigns",
    description = "For one of your members who will give a currency of yours, once the campaign is agreed to and until it ends. It stays, and only the wallet is remembered. Registering again changes nothing.",
    security(("partner" = ["conversions:write"])),
    params(("campaign" = String, Path, description = "The campaign's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewRegistration,
    extensions(("x-problems" = json!(["campaign-state", "not-your-currency"]))),
    responses((status = 201, description = "The wallet is registered.", body = RegistrationBody))
)]
async fn register(
    partner: Partner<ConversionsWrite>,
    (ids, pool, directories): Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<NewRegistration>,
) -> Result<HttpResponse, Error> {
    // Nothing has the id 0: a text that is no id is answered like an id that nothing has.
    let id = ids.read(Kind::Campaign, &path).unwrap_or_default();
    let claim = partner.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        let NewRegistration { member, currency } = &write.body;
        let member = ids.read(Kind::Member, member).ok_or_else(no_member)?;
        let (_, directory) = directories.current(conn).await?;
        let currency = directory.currency(currency);
        let currency = currency.ok_or_else(|| no_currency("/currency"))?;
        let who = &partner.who;
        let made = super::register(conn, who, id, partner.partner, member, currency).await?;
        Ok(RegistrationBody {
            campaign: ids.show(Kind::Campaign, made.campaign),
            wallet: ids.show(Kind::Wallet, made.wallet.0),
        })
    })
    .await
}

/// List campaigns
#[utoipa::path(
    get, path = "/v1/campaigns", operation_id = "listCampaigns", tag = "campaigns",
    description = "Newest first. A partner sees every campaign it pays for or whose points it issues, and what others have published.",
    security(("partner" = ["rates:read"]), ("person" = ["operator", "finance", "auditor"])),
    params(Wanted),
    responses((status = 200, description = "A page of campaigns.", body = Page<CampaignBody>))
)]
async fn list(
    reader: Reader<RatesRead, (Operator, Finance, Auditor)>,
    (ids, pool, directories): Desk,
    wanted: Query<Wanted>,
) -> Result<web::Json<Page<CampaignBody>>, Error> {
    let Wanted {
        from,
        to,
        cursor,
        limit,
    } = wanted.0;
    let paging = Paging { cursor, limit };
    let (limit, before) = (
        paging.limit()?,
        paging.after(&ids, "campaigns")?.unwrap_or(i64::MAX),
    );
    let viewer = PartyName::of(&reader.who);

    let mut conn = pool.get().await?;
    let (_, directory) = directories.current(&mut conn).await?;
    let number = |code: Option<String>, pointer| {
        let known = code.map(|code| directory.currency(&code).map(|currency| currency.no));
        known
            .map(|no| no.ok_or_else(|| no_currency(pointer)))
            .transpose()
    };
    let route = (number(from, "/from")?, number(to, "/to")?);
    let rows = store::list(&mut conn, viewer, route, before, limit).await?;
    let now = db::now(&mut conn).await?;
    let show = |entry: &Entry| show(&ids, &directory, entry, viewer, now);
    let page = Page::of(rows, limit, &ids, "campaigns", |entry| entry.id, show);
    Ok(web::Json(page))
}

/// Look up a campaign
#[utoipa::path(
    get, path = "/v1/campaigns/{campaign}", operation_id = "getCampaign", tag = "campaigns",
    description = "One campaign, with its sentence in English and in Traditional Chinese.",
    security(("partner" = ["rates:read"]), ("person" = ["operator", "finance", "auditor"])),
    params(("campaign" = String, Path, description = "The campaign's id.")),
    responses((status = 200, description = "The campaign.", body = CampaignBody))
)]
async fn one(
    reader: Reader<RatesRead, (Operator, Finance, Auditor)>,
    (ids, pool, directories): Desk,
    path: Path<String>,
) -> Result<web::Json<CampaignBody>, Error> {
    let id = ids.read(Kind::Campaign, &path).ok_or_else(unknown)?;
    let viewer = PartyName::of(&reader.who);

    let mut conn = pool.get().await?;
    let (_, directory) = directories.current(&mut conn).await?;
    let found = store::find(&mut conn, id).await?;
    let entry = found
        .filter(|entry| entry.is_seen_by(viewer))
        .ok_or_else(unknown)?;
    let now = db::now(&mut conn).await?;
    Ok(web::Json(show(&ids, &directory, &entry, viewer, now)))
}

pub(super) fn no_currency(pointer: &str) -> Problem {
    Problem::field(pointer, "the code of a currency; /v1/currencies lists them")
}

pub(super) fn no_partner(pointer: &str) -> Problem {
    Problem::field(pointer, "the id of a partner; /v1/partners lists them")
}

pub(super) fn no_route(pointer: &str) -> Problem {
    Problem::field(
        pointer,
        "a currency that the campaign takes: `from` of one of its routes",
    )
}

pub(super) fn no_member() -> Problem {
    Problem::new(Slug::NotFound, "there is no such member of yours")
}

pub(super) fn not_issued_by_you() -> Problem {
    Problem::new(
        Slug::NotYourCurrency,
        "a member is registered by the issuer of what is given",
    )
}

pub(super) fn not_a_party() -> Problem {
    let detail = "only who pays for it, the issuer of what is gained and the hub have a say in it";
    Problem::new(Slug::Forbidden, detail)
}

pub(super) fn unknown() -> Problem {
    let detail = "there is no such campaign, or it is between others";
    Problem::new(Slug::NotFound, detail)
}

pub(super) fn no_such_edge(NoSuchEdge { state, step }: NoSuchEdge) -> Problem {
    let detail = match (step, state) {
        (Step::Halt, State::Scheduled) => "it is not active yet: withdraw it".to_owned(),
        (Step::Withdraw, State::Active) => "it is active: halt it".to_owned(),
        (Step::Register, _) => format!("it is {}, so nobody registers for it", state.name()),
        (Step::Propose | Step::Approve | Step::Reject | Step::Withdraw | Step::Halt, _) => {
            format!(
                "it is {}, so there is nothing to {}",
                state.name(),
                step.name()
            )
        }
    };
    Problem::new(Slug::CampaignState, detail).with("state", state.name())
}

pub(super) fn refused_draft(refusal: campaign::Refusal) -> Problem {
    match refusal {
        campaign::Refusal::Terms(bad) => bad_terms(&bad),
        campaign::Refusal::Dates(bad) => bad_dates(bad),
    }
}

/// Terms that cannot work, named as `arms[1].weight` and as a JSON pointer.
fn bad_terms(bad: &BadTerms) -> Problem {
    let path = bad.field.replace('[', ".").replace(']', "");
    let pointer = format!("/{}", path.replace('.', "/"));
    let error = FieldError {
        pointer,
        detail: bad.reason.to_string(),
    };
    Problem {
        errors: vec![error],
        ..Problem::new(Slug::CampaignTerms, bad.to_string())
    }
    .with("field", bad.field.as_str())
}

pub(super) fn bad_dates(bad: BadDates) -> Problem {
    let detail = match bad {
        BadDates::NotSensible(field) => format!("{field}: an instant from the year 2000 to 2199"),
        BadDates::NotAWholeSecond(field) => {
            format!("{field}: an instant without parts of a second")
        }
        BadDates::EndsBeforeItStarts => "ends_at: an instant after starts_at".to_owned(),
        BadDates::IsOver => "ends_at: it has gone by; draft another campaign".to_owned(),
    };
    Problem::new(Slug::CampaignDates, detail)
}
