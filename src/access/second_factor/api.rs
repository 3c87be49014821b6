//! One's own second factor over HTTP.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::access::caller::Myself;
use crate::access::{Role, people, sessions};
use crate::clock::Timestamp;
use crate::db::{self, Pool};
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::secret::Secrets;
use crate::web::{Json, NoFields, ProblemBody};

/// What an authenticator calls the hub.
const ISSUER: &str = "Interline";

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/me").route(web::get().to(me)))
        .service(web::resource("/v1/me/second-factor").route(web::post().to(begin)))
        .service(web::resource("/v1/me/second-factor/confirm").route(web::post().to(confirm)))
        .service(web::resource("/v1/me/recovery-codes").route(web::post().to(renew)))
        .service(web::resource("/v1/sessions/current/step-up").route(web::post().to(step_up)));
}

#[derive(OpenApi)]
#[openapi(
    paths(me, begin, confirm, renew, step_up),
    components(schemas(
        MeBody,
        OfferedBody,
        Code,
        RecoveryBody,
        StepUpBody,
        NoFields,
        ProblemBody
    ))
)]
pub struct Doc;

/// A code of the authenticator, or a recovery code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    #[schema(example = "287082")]
    code: String,
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
pub struct MeBody {
    #[schema(example = "psn_0123456789abcdef")]
    id: String,
    name: String,
    role: Role,
    /// Whether there is a second factor. Without one everything may be read, and nothing done.
    second_factor: bool,
    /// How many recovery codes are left.
    #[schema(example = 10)]
    recovery_codes: i64,
    /// Until when this session's last code counts for decisions; null when none does.
    #[schema(value_type = Option<String>, format = DateTime)]
    proved_until: Option<Timestamp>,
}

/// A secret for an authenticator.
#[derive(Serialize, ToSchema)]
pub struct OfferedBody {
    /// In base32. It is shown here only.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The same as a QR code holds it.
    #[schema(
        example = "otpauth://totp/Interline:olivia?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Interline"
    )]
    otpauth_url: String,
}

/// What to keep on paper.
#[derive(Serialize, ToSchema)]
pub struct RecoveryBody {
    /// Each is good once in place of a code. They are shown here only.
    #[schema(example = json!(["aaaq-eaye-auda-och7"]))]
    recovery_codes: Vec<String>,
}

/// How long a session's proof counts.
#[derive(Serialize, ToSchema)]
pub struct StepUpBody {
    #[schema(value_type = String, format = DateTime)]
    proved_until: Timestamp,
}

/// Read who is signed in
#[utoipa::path(
    get, path = "/v1/me", operation_id = "readMe", tag = "access",
    description = "The person of the session that asks.",
    security(("person" = [])),
    responses((status = 200, description = "The person.", body = MeBody))
)]
async fn me(me: Myself, ids: Data<Ids>, pool: Data<Pool>) -> Result<web::Json<MeBody>, Error> {
    let mut conn = pool.get().await?;
    let session = me.session;
    let person = people::find(&mut conn, session.person).await?;
    let standing = super::standing(&mut conn, session.person).await?;
    let proved_until = sessions::proved_until(&mut conn, session.id).await?;
    Ok(web::Json(MeBody {
        id: ids.show(Kind::Person, session.person),
        name: person.name,
        role: session.role,
        second_factor: standing.is_enrolled,
        recovery_codes: standing.recovery_codes,
        proved_until,
    }))
}

/// Begin to enrol a second factor
#[utoipa::path(
    post, path = "/v1/me/second-factor", operation_id = "beginSecondFactor", tag = "access",
    description = "A secret for an authenticator: six digits every 30 seconds (RFC 6238, SHA-1). It counts when a first code of it is sent to `/v1/me/second-factor/confirm`. Asking again makes another secret, so this needs no Idempotency-Key.",
    security(("person" = [])),
    request_body = NoFields,
    extensions(("x-problems" = json!(["second-factor-enrolled"]))),
    responses((status = 200, description = "The secret.", body = OfferedBody))
)]
async fn begin(
    me: Myself,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    _: Json<NoFields>,
) -> Result<HttpResponse, Error> {
    let mut conn = pool.get().await?;
    let person = people::find(&mut conn, me.session.person).await?;
    let secret = super::begin(&mut conn, &secrets, person.id).await?;
    Ok(once_shown(OfferedBody {
        secret: secret.show(),
        otpauth_url: secret.url(ISSUER, &person.login),
    }))
}

/// Enrol a second factor
#[utoipa::path(
    post, path = "/v1/me/second-factor/confirm", operation_id = "confirmSecondFactor", tag = "access",
    description = "With a first code of the authenticator. From now on signing in needs a code, and this session may do what the role allows. Needs no Idempotency-Key: a code is good once.",
    security(("person" = [])),
    request_body = Code,
    extensions(("x-problems" = json!(["code-refused", "second-factor-enrolled", "too-many-requests"]))),
    responses((status = 200, description = "The recovery codes.", body = RecoveryBody))
)]
async fn confirm(
    me: Myself,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    Json(asked): Json<Code>,
) -> Result<HttpResponse, Error> {
    people::count_attempt_of(&pool, &secrets, me.session.person).await?;
    let mut conn = pool.get().await?;
    let recovery_codes = db::transaction(&mut conn, async |conn| {
        people::enrol(conn, &secrets, &me, &asked.code).await
    })
    .await?;
    Ok(once_shown(RecoveryBody { recovery_codes }))
}

/// Get other recovery codes
#[utoipa::path(
    post, path = "/v1/me/recovery-codes", operation_id = "renewRecoveryCodes", tag = "access",
    description = "Ten in place of those that are left, for a code. Needs no Idempotency-Key: a code is good once.",
    security(("person" = [])),
    request_body = Code,
    extensions(("x-problems" = json!(["code-refused", "too-many-requests"]))),
    responses((status = 200, description = "The recovery codes.", body = RecoveryBody))
)]
async fn renew(
    me: Myself,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    Json(asked): Json<Code>,
) -> Result<HttpResponse, Error> {
    people::count_attempt_of(&pool, &secrets, me.session.person).await?;
    let mut conn = pool.get().await?;
    let recovery_codes = db::transaction(&mut conn, async |conn| {
        people::renew_recovery_codes(conn, &secrets, &me, &asked.code).await
    })
    .await?;
    Ok(once_shown(RecoveryBody { recovery_codes }))
}

/// Prove again who is there
#[utoipa::path(
    post, path = "/v1/sessions/current/step-up", operation_id = "stepUp", tag = "access",
    description = "With a code: for the ten minutes after it this session may decide what needs a fresh proof. Signing in with a code is one, too. Needs no Idempotency-Key: a code is good once.",
    security(("person" = [])),
    request_body = Code,
    extensions(("x-problems" = json!(["code-refused", "too-many-requests"]))),
    responses((status = 200, description = "The proof counts.", body = StepUpBody))
)]
async fn step_up(
    me: Myself,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    Json(asked): Json<Code>,
) -> Result<web::Json<StepUpBody>, Error> {
    people::count_attempt_of(&pool, &secrets, me.session.person).await?;
    let mut conn = pool.get().await?;
    let proved_until = db::transaction(&mut conn, async |conn| {
        people::prove(conn, &secrets, &me, &asked.code).await?;
        sessions::proved_until(conn, me.session.id).await
    })
    .await?;
    let proved_until = proved_until.ok_or_else(|| anyhow::anyhow!("a proof does not count"))?;
    Ok(web::Json(StepUpBody { proved_until }))
}

fn once_shown(body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(body)
}
