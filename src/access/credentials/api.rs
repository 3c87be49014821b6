//! A partner's credentials over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::Credential;
use super::public_key::{self, PublicKey};
use crate::access::{Auditor, CredentialsWrite, Operator, Reader, ScopeSet};
use crate::clock::Timestamp;
use crate::db::{self, Pool};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::secret::Secrets;
use crate::web::{Page, Paging, ProblemBody, Query, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/partners/{partner}/credentials")
            .route(web::get().to(list))
            .route(web::post().to(create)),
    )
    .service(
        web::resource("/v1/partners/{partner}/credentials/{credential}")
            .route(web::delete().to(revoke)),
    );
}

#[derive(OpenApi)]
#[openapi(
    paths(list, create, revoke),
    components(schemas(NewCredential, CredentialBody, ProblemBody))
)]
pub struct Doc;

/// A credential to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    /// What it may be used for.
    #[schema(value_type = Vec<String>, min_items = 1, example = json!(["awards:write", "members:read"]))]
    pub scopes: ScopeSet,
    /// When it stops by itself; never when left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Public keys as JWKs, to prove itself by signing (`private_key_jwt`) instead of by a secret:
    /// Ed25519, P-256, or RSA of 2048 bits or more; one to four.
    #[schema(value_type = Option<Vec<Object>>, min_items = 1, max_items = 4,
        example = json!([{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]))]
    pub public_keys: Option<Vec<Value>>,
}

/// A credential. Its id is the OAuth2 `client_id`.
#[derive(Clone, Serialize, ToSchema)]
pub struct CredentialBody {
    #[schema(example = "crd_0123456789abcdef")]
    pub client_id: String,
    /// Shown once, in the first answer that creates the credential; null ever after. One with public
    /// keys has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub client_secret: Option<Option<String>>,
    #[schema(value_type = Vec<String>)]
    pub scopes: ScopeSet,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// When it got a token last, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// The JWKs it proves itself by, each with its `kid` and `alg`; null when it has a secret.
    #[schema(value_type = Option<Vec<Object>>)]
    pub public_keys: Option<Value>,
}

fn show(ids: &Ids, credential: &Credential) -> CredentialBody {
    let Credential {
        id,
        scopes,
        created_at,
        expires_at,
        revoked_at,
        last_used_at,
        public_keys,
    } = credential.clone();
    let client_id = ids.show(Kind::Credential, id);
    CredentialBody {
        client_id,
        client_secret: None,
        scopes,
        created_at,
        expires_at,
        revoked_at,
        last_used_at,
        public_keys,
    }
}

/// The keys of a credential to be made, when it has some.
fn keys_of(given: Option<&[Value]>) -> Result<Option<Vec<PublicKey>>, Problem> {
    let wrong = |(place, rule)| Problem::field(format!("/public_keys/{place}"), rule);
    given.map(public_key::parse_all).transpose().map_err(wrong)
}

/// The partner in the path, when it is the caller's to see.
fn partner_of<S, R>(reader: &Reader<S, R>, ids: &Ids, shown: &str) -> Result<i64, Problem> {
    let none = || Problem::new(Slug::NotFound, "there is no such partner, or it is not you");
    let partner = ids.read(Kind::Partner, shown).ok_or_else(none)?;
    match reader.partner() {
        Some(caller) if caller != partner => Err(none()),
        _ => Ok(partner),
    }
}

/// Create a credential
///
/// With `public_keys` it proves itself by signing; without, by a secret. The secret is in this
/// answer and nowhere else. Sending the same request with the same key again
/// answers the same, but with a null secret: revoke the credential then, and create another.
/// At most two credentials of a partner are live. A partner creates none with more scopes than the
/// one it calls with.
#[utoipa::path(
    post, path = "/v1/partners/{partner}/credentials", operation_id = "createCredential", tag = "access",
    security(("partner" = ["credentials:write"]), ("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewCredential,
    extensions(("x-problems" = json!(["credential-limit", "partner-state", "partner-suspended"]))),
    responses((status = 201, description = "The credential, with its secret.", body = CredentialBody))
)]
async fn create(
    reader: Reader<CredentialsWrite, Operator>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    path: Path<String>,
    write: Write<NewCredential>,
) -> Result<HttpResponse, Error> {
    let partner = partner_of(&reader, &ids, &path)?;
    let claim = reader.who.claim(&secrets, &write);
    let NewCredential {
        scopes,
        expires_at,
        public_keys,
    } = write.body;
    let keys = keys_of(public_keys.as_deref())?;

    let mut fresh = None;
    let answer = once(&pool, claim, StatusCode::CREATED, async |conn| {
        let who = &reader.who;
        if let Some(keys) = keys {
            let made = super::register(conn, who, &ids, partner, scopes, expires_at, &keys).await?;
            return Ok(show(&ids, &made));
        }
        let (credential, secret) =
            super::create(conn, who, &ids, partner, scopes, expires_at).await?;
        let body = show(&ids, &credential);
        fresh = Some(CredentialBody {
            client_secret: Some(Some(secret)),
            ..body.clone()
        });
        Ok(CredentialBody {
            client_secret: Some(None),
            ..body
        })
    })
    .await?;

    // What is kept under the key, and replayed, has no secret in it.
    let mut created = HttpResponse::Created();
    created.insert_header((CACHE_CONTROL, "no-store"));
    Ok(fresh.map_or(answer, |body| created.json(body)))
}

/// List a partner's credentials
#[utoipa::path(
    get, path = "/v1/partners/{partner}/credentials", operation_id = "listCredentials", tag = "access",
    description = "Live, expired and revoked ones, oldest first, without their secrets.",
    security(("partner" = ["credentials:write"]), ("person" = ["operator", "auditor"])),
    params(("partner" = String, Path, description = "The partner's id."), Paging),
    responses((status = 200, description = "A page of credentials.", body = Page<CredentialBody>))
)]
async fn list(
    reader: Reader<CredentialsWrite, (Operator, Auditor)>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
    paging: Query<Paging>,
) -> Result<web::Json<Page<CredentialBody>>, Error> {
    let partner = partner_of(&reader, &ids, &path)?;
    let (limit, after) = (paging.0.limit()?, paging.0.after(&ids, "credentials")?);

    let mut conn = pool.get().await?;
    let rows = super::list(&mut conn, partner, after.unwrap_or(0), limit).await?;
    Ok(web::Json(Page::of(
        rows,
        limit,
        &ids,
        "credentials",
        |row| row.id,
        |row| show(&ids, row),
    )))
}

/// Revoke a credential
#[utoipa::path(
    delete, path = "/v1/partners/{partner}/credentials/{credential}", operation_id = "revokeCredential",
    tag = "access",
    description = "Works at once, also for tokens it got before. Revoking again changes nothing, so this write needs no Idempotency-Key.",
    security(("partner" = ["credentials:write"]), ("person" = ["operator"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("credential" = String, Path, description = "The client id.")),
    responses((status = 204, description = "It is revoked."))
)]
async fn revoke(
    reader: Reader<CredentialsWrite, Operator>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let partner = partner_of(&reader, &ids, &path.0)?;
    let none = || Problem::new(Slug::NotFound, "the partner has no such credential");
    let credential = ids.read(Kind::Credential, &path.1).ok_or_else(none)?;

    let mut conn = pool.get().await?;
    db::transaction(&mut conn, async |conn| {
        super::revoke(conn, &reader.who, partner, credential).await
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
