//! Awards over HTTP.

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::{Award, Place, Reason};
use crate::access::{AwardsWrite, LedgerRead, Partner};
use crate::clock::Timestamp;
use crate::db::Pool;
use crate::error::Error;
use crate::id::{self, Ids};
use crate::ledger::api::{self, ByReference};
use crate::ledger::operation::{Kind, Operation};
use crate::ledger::programme::Programme;
use crate::ledger::{self, Ledger, store};
use crate::partners::{AmountBody, Directories, Directory};
use crate::points::account::Account;
use crate::secret::Secrets;
use crate::web::Write;
use crate::web::problem::{ReadProblems, WriteProblems};
use crate::web::text::{self, Mark};

#[derive(OpenApi)]
#[openapi(paths(create, list, read), components(schemas(NewAward, AwardBody, Reason)))]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/awards").route(web::post().to(create)).route(web::get().to(list)))
        .service(web::resource("/v1/awards/{award}").route(web::get().to(read)));
}

/// Points to give to a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAward {
    /// The member's id.
    member: String,
    /// How much, in a currency that you issue.
    amount: AmountBody,
    reason: Reason,
    /// How it came about (`store`, `app`), in your own code.
    #[schema(value_type = Option<String>, max_length = 64)]
    channel: Option<Mark>,
    /// Where it came about: a shop of a mall, say.
    #[schema(value_type = Option<String>, max_length = 64)]
    location: Option<Mark>,
    /// What you call it: unique among your awards for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
}

/// Points given to a member.
#[derive(Debug, Serialize, ToSchema)]
pub struct AwardBody {
    id: String,
    wallet: String,
    amount: AmountBody,
    /// When the points expire; null when never.
    expires_at: Option<Timestamp>,
    reason: Option<String>,
    channel: Option<String>,
    location: Option<String>,
    reference: Option<String>,
    at: Timestamp,
}

/// Award points
///
/// Gives points of a currency that you issue to one of your members.
#[utoipa::path(
    post, path = "/v1/awards", operation_id = "createAward", tag = "ledger",
    security(("partner" = ["awards:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewAward,
    responses((status = 201, description = "The award.", body = AwardBody), WriteProblems)
)]
async fn create(
    partner: Partner<AwardsWrite>,
    pool: Data<Pool>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    directories: Data<Directories>,
    ledger: Data<Ledger>,
    write: Write<NewAward>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&secrets, &write);
    let body = write.body;
    let operation = ledger
        .carry_out(
            async || {
                let mut conn = pool.get().await?;
                let (version, directory) = directories.current(&mut conn).await?;
                let (currency, amount) = body.amount.read(&directory, "/amount")?;
                api::must_issue(partner.partner, &currency)?;
                let wallet = api::wallet_of(&mut conn, &ids, partner.partner, &body.member, &currency).await?;
                let place = Place::of(&body.channel, &body.location);
                let programme = Programme::of(&directory, &currency);
                let award = Award { wallet: Account(wallet), amount, programme, reason: body.reason, place };
                let reference = api::reference(&secrets, partner.partner, Kind::Award, &body.reference);
                Ok((award, ledger::stamp(&partner.who, claim, version, reference)))
            },
            |refusal| api::suspended(refusal).into(),
        )
        .await?;
    let (_, directory) = directories.current(&mut *pool.get().await?).await?;
    let reference = body.reference.map(String::from);
    Ok(HttpResponse::build(StatusCode::CREATED).json(show(&ids, &directory, &operation, reference)?))
}

/// Look an award up by your reference
#[utoipa::path(
    get, path = "/v1/awards", operation_id = "findAward", tag = "ledger",
    description = "The award that you gave this reference.",
    security(("partner" = ["ledger:read"])),
    params(ByReference),
    responses((status = 200, description = "The award.", body = AwardBody), ReadProblems)
)]
async fn list(
    partner: Partner<LedgerRead>,
    pool: Data<Pool>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    directories: Data<Directories>,
    query: Query<ByReference>,
) -> Result<web::Json<AwardBody>, Error> {
    let mut conn = pool.get().await?;
    let reference = query.into_inner().reference;
    let operation =
        api::find_by_reference(&mut conn, &secrets, partner.partner, &[Kind::Award], &reference).await?;
    let (_, directory) = directories.current(&mut conn).await?;
    Ok(web::Json(show(&ids, &directory, &operation, Some(reference.into()))?))
}

/// Read an award
#[utoipa::path(
    get, path = "/v1/awards/{award}", operation_id = "readAward", tag = "ledger",
    description = "An award of a currency that you issue.",
    security(("partner" = ["ledger:read"])),
    params(("award" = String, Path, description = "The award's id.")),
    responses((status = 200, description = "The award.", body = AwardBody), ReadProblems)
)]
async fn read(
    partner: Partner<LedgerRead>,
    pool: Data<Pool>,
    ids: Data<Ids>,
    directories: Data<Directories>,
    path: Path<String>,
) -> Result<web::Json<AwardBody>, Error> {
    let mut conn = pool.get().await?;
    let operation = api::find(&mut conn, &ids, &[Kind::Award], &path).await?;
    let (_, directory) = directories.current(&mut conn).await?;
    api::must_be_of(&directory, partner.partner, operation.into)?;
    let reference = store::reference_of(&mut conn, operation.id).await?;
    Ok(web::Json(show(&ids, &directory, &operation, reference)?))
}

fn show(
    ids: &Ids,
    directory: &Directory,
    operation: &Operation,
    reference: Option<String>,
) -> Result<AwardBody, Error> {
    let leg = operation.into.ok_or_else(|| anyhow::anyhow!("award {} gives nothing", operation.id))?;
    let lot = operation.lots.iter().rfind(|lot| lot.change > 0).map(|lot| lot.lot.expires_at);
    Ok(AwardBody {
        id: ids.show(id::Kind::Award, operation.id),
        wallet: ids.show(id::Kind::Wallet, leg.wallet.0),
        amount: api::amount(directory, leg)?,
        expires_at: lot.filter(|at| *at != crate::clock::NEVER),
        reason: api::remembered(operation, "reason"),
        channel: api::remembered(operation, "channel"),
        location: api::remembered(operation, "location"),
        reference,
        at: operation.at,
    })
}
