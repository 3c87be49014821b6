//! Holds over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::body::{HoldBody, HoldStepBody, show, show_made, show_step, story};
use super::{Capture, Hold, LONGEST, Over, Refusal, Release};
use crate::access::{LedgerRead, Partner, RedemptionsWrite, Sender};
use crate::db;
use crate::error::{Error, Problem, Slug};
use crate::id;
use crate::ledger::api::{self, ByReference};
use crate::ledger::awards::Place;
use crate::ledger::operation::Kind;
use crate::ledger::shelf::{Named, Shelf, Taken};
use crate::ledger::{self, Ledger, store};
use crate::partners::AmountBody;
use crate::web::body::{object, object_or_none};
use crate::web::text::{self, Mark};
use crate::web::{Query, Write};

#[derive(OpenApi)]
#[openapi(
    paths(create, find, read, capture, release),
    components(schemas(NewHold, HoldBody, NewCapture, NewRelease, HoldStepBody))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/holds")
            .route(web::post().to(create))
            .route(web::get().to(find)),
    )
    .service(web::resource("/v1/holds/{hold}").route(web::get().to(read)))
    .service(web::resource("/v1/holds/{hold}/capture").route(web::post().to(capture)))
    .service(web::resource("/v1/holds/{hold}/release").route(web::post().to(release)));
}

/// Points to set aside.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// The member's id.
    member: String,
    /// How much, in a currency that you issue.
    #[serde(deserialize_with = "object")]
    amount: AmountBody,
    /// When the hold ends by itself: within 30 days; in 7 when left out.
    expires_at: Option<DateTime<Utc>>,
    /// How it came about (`store`, `app`), in your own code.
    #[schema(value_type = Option<String>, max_length = 64)]
    channel: Option<Mark>,
    /// Where it came about: a shop of a mall, say.
    #[schema(value_type = Option<String>, max_length = 64)]
    location: Option<Mark>,
    /// What you call it: unique among your holds for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
}

/// Held points that a member spends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCapture {
    /// How much; all that is open when left out. What stays open can be captured later, or released.
    #[serde(default, deserialize_with = "object_or_none")]
    amount: Option<AmountBody>,
    /// How it came about (`store`, `app`), in your own code.
    #[schema(value_type = Option<String>, max_length = 64)]
    channel: Option<Mark>,
    /// Where it came about: a shop of a mall, say.
    #[schema(value_type = Option<String>, max_length = 64)]
    location: Option<Mark>,
    /// What you call it: unique among your captures for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
}

/// Held points to give back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelease {
    /// How much; all that is open when left out.
    #[serde(default, deserialize_with = "object_or_none")]
    amount: Option<AmountBody>,
    /// What you call it: unique among your releases for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
}

/// Hold points
///
/// Sets points aside that a member is about to spend with you, those that expire first first. They
/// stay the member's, and nothing else can use them until you capture or release them or the hold
/// ends by itself.
#[utoipa::path(
    post, path = "/v1/holds", operation_id = "createHold", tag = "ledger",
    security(("partner" = ["redemptions:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewHold,
    extensions(("x-problems" = json!(["amount-scale", "amount-too-large", "balance-too-low", "kept-by-partner",
        "membership-missing", "not-found", "not-your-currency", "not-in-pilot", "partner-state", "partner-suspended", "pilot-limit",
        "reference-taken"]))),
    responses((status = 201, description = "The hold, as it was made.", body = HoldBody))
)]
async fn create(
    partner: Sender<RedemptionsWrite>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    write: Write<NewHold>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&shelf.secrets, &write);
    let body = write.body;
    let operation = ledger
        .carry_out(
            partner.moment,
            async |moment| {
                let taken = shelf
                    .take(partner.asking(moment), &body.member, &body.amount)
                    .await?;
                let Taken {
                    version,
                    wallet,
                    amount,
                    programme,
                } = taken;
                let hold = Hold {
                    wallet,
                    amount,
                    programme,
                    expires_at: body.expires_at,
                    place: Place::of(&body.channel, &body.location),
                };
                let reference = shelf.reference(partner.partner, Kind::Hold, &body.reference);
                Ok((hold, ledger::stamp(&partner.who, claim, version, reference)))
            },
            told,
        )
        .await?;
    let named = shelf
        .named(partner.moment, operation, body.reference.map(String::from))
        .await?;
    Ok(HttpResponse::Created().json(show_made(&shelf.ids, &named)?))
}

fn told(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Barred(barred) => api::barred(barred).into(),
        Refusal::Ends => {
            let rule = format!("an instant within the next {} days", LONGEST.num_days());
            Problem::field("/expires_at", rule).into()
        }
        Refusal::BalanceTooLow(short, currency) => api::balance_too_low(short, &currency).into(),
    }
}

/// Look a hold up by your reference
#[utoipa::path(
    get, path = "/v1/holds", operation_id = "findHold", tag = "ledger",
    description = "The hold that you gave this reference, or one of whose captures or releases you gave it.",
    security(("partner" = ["ledger:read"])),
    params(ByReference),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The hold.", body = HoldBody))
)]
async fn find(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    query: Query<ByReference>,
) -> Result<web::Json<HoldBody>, Error> {
    let kinds = [Kind::Hold, Kind::Capture, Kind::Release];
    let found = shelf
        .by_reference(partner.partner, &kinds, &query.0.reference)
        .await?;
    let hold = found.operation.follows.unwrap_or(found.operation.id);
    let hold = shelf.ids.show(id::Kind::Hold, hold);
    current(&shelf, partner.partner, &hold).await
}

/// Read a hold
#[utoipa::path(
    get, path = "/v1/holds/{hold}", operation_id = "readHold", tag = "ledger",
    description = "A hold of a currency that you issue, and what became of it.",
    security(("partner" = ["ledger:read"])),
    params(("hold" = String, Path, description = "The hold's id.")),
    responses((status = 200, description = "The hold.", body = HoldBody))
)]
async fn read(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<HoldBody>, Error> {
    current(&shelf, partner.partner, &path).await
}

/// Capture held points
///
/// Spends points that are on hold, all or some, as often as something is open and until the hold
/// ends. What is not needed stays open: release it, or let the hold end.
#[utoipa::path(
    post, path = "/v1/holds/{hold}/capture", operation_id = "captureHold", tag = "ledger",
    security(("partner" = ["redemptions:write"])),
    params(("hold" = String, Path, description = "The hold's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewCapture,
    extensions(("x-problems" = json!(["amount-scale", "amount-too-large", "hold-closed", "hold-expired",
        "more-than-left", "reference-taken"]))),
    responses((status = 201, description = "What was captured.", body = HoldStepBody))
)]
async fn capture(
    partner: Sender<RedemptionsWrite>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    path: Path<String>,
    write: Write<NewCapture>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&shelf.secrets, &write);
    let body = write.body;
    let hold = shelf.by_id(partner.partner, &[Kind::Hold], &path).await?;
    let operation = ledger
        .carry_out(
            partner.moment,
            async |moment| {
                let (version, directory) = shelf.directories.at(moment, &shelf.pool).await?;
                let capture = Capture {
                    amount: api::part(&directory, &hold.operation, body.amount.as_ref())?,
                    hold: hold.operation.clone(),
                    place: Place::of(&body.channel, &body.location),
                };
                let reference = shelf.reference(partner.partner, Kind::Capture, &body.reference);
                let stamp = ledger::stamp(&partner.who, claim, version, reference);
                Ok((capture, stamp))
            },
            |over| over_told(&hold, over),
        )
        .await?;
    let named = shelf
        .named(partner.moment, operation, body.reference.map(String::from))
        .await?;
    Ok(HttpResponse::Created().json(show_step(&shelf.ids, &named)?))
}

/// Release held points
///
/// Makes points that are on hold available again, all or some, in the lots they came from. What has
/// expired meanwhile is gone.
#[utoipa::path(
    post, path = "/v1/holds/{hold}/release", operation_id = "releaseHold", tag = "ledger",
    security(("partner" = ["redemptions:write"])),
    params(("hold" = String, Path, description = "The hold's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewRelease,
    extensions(("x-problems" = json!(["amount-scale", "amount-too-large", "hold-closed", "hold-expired",
        "more-than-left", "reference-taken"]))),
    responses((status = 201, description = "What was released.", body = HoldStepBody))
)]
async fn release(
    partner: Sender<RedemptionsWrite>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    path: Path<String>,
    write: Write<NewRelease>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&shelf.secrets, &write);
    let body = write.body;
    let hold = shelf.by_id(partner.partner, &[Kind::Hold], &path).await?;
    let operation = ledger
        .carry_out(
            partner.moment,
            async |moment| {
                let (version, directory) = shelf.directories.at(moment, &shelf.pool).await?;
                let release = Release {
                    amount: api::part(&directory, &hold.operation, body.amount.as_ref())?,
                    hold: hold.operation.clone(),
                    is_due: false,
                };
                let reference = shelf.reference(partner.partner, Kind::Release, &body.reference);
                let stamp = ledger::stamp(&partner.who, claim, version, reference);
                Ok((release, stamp))
            },
            |over| over_told(&hold, over),
        )
        .await?;
    let named = shelf
        .named(partner.moment, operation, body.reference.map(String::from))
        .await?;
    Ok(HttpResponse::Created().json(show_step(&shelf.ids, &named)?))
}

fn over_told(hold: &Named, over: Over) -> Error {
    match over {
        Over::UsedUp => Problem::new(Slug::HoldClosed, "nothing is open of it").into(),
        Over::Expired(at) => Problem::new(Slug::HoldExpired, format!("it ended at {at}")).into(),
        Over::MoreThanLeft { left } => {
            api::more_than_left(&hold.directory, hold.operation.out, left)
        }
        Over::NotYet => anyhow::anyhow!("only the hub waits for the end of a hold").into(),
    }
}

/// A hold and what has become of it until now.
async fn current(shelf: &Shelf, partner: i64, text: &str) -> Result<web::Json<HoldBody>, Error> {
    let named = shelf.by_id(partner, &[Kind::Hold], text).await?;
    let mut conn = shelf.pool.get().await?;
    let follow_ups = store::follow_ups(&mut conn, named.operation.id).await?;
    let release = store::find(&mut conn, follow_ups.of(Kind::Release).last).await?;
    let story = story(&named, &follow_ups, release.map(|release| release.at))?;
    let now = db::now(&mut conn).await?;
    Ok(web::Json(show(&shelf.ids, &named, &story, now)?))
}
