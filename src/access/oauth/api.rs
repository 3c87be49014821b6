//! The endpoints that OAuth2 clients know by their RFCs.

use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::exchange;
use super::failures::Stranger;
use super::request::{Refusal, TokenRequest, Wish};
use crate::access::scope::SCOPES;
use crate::access::{Access, token};
use crate::clock;
use crate::db::Pool;
use crate::error::{Error, Problem, Slug};
use crate::id::Ids;
use crate::web::{Form, ProblemBody, origin};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/oauth/token").route(web::post().to(issue)))
        .service(web::resource("/.well-known/jwks.json").route(web::get().to(keys)))
        .service(
            web::resource("/.well-known/oauth-authorization-server").route(web::get().to(metadata)),
        );
}

#[derive(OpenApi)]
#[openapi(
    paths(issue, keys, metadata),
    components(schemas(TokenRequest, TokenBody, KeySet, ServerMetadata, ProblemBody)),
    tags((name = "access", description = "Who is calling, and how they prove it."))
)]
pub struct Doc;

/// An access token.
#[derive(Serialize, ToSchema)]
pub struct TokenBody {
    /// Send it as `Authorization: Bearer`.
    pub access_token: String,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds.
    #[schema(example = 900)]
    pub expires_in: i64,
    /// What the token may be used for.
    #[schema(example = "awards:write members:read")]
    pub scope: String,
    /// Of a member's token: `urn:ietf:params:oauth:token-type:access_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "urn:ietf:params:oauth:token-type:access_token"
    )]
    pub issued_token_type: Option<&'static str>,
}

/// The hub's public keys (RFC 7517).
#[derive(Serialize, ToSchema)]
pub struct KeySet {
    pub keys: Vec<Value>,
}

/// What an OAuth2 client needs to know (RFC 8414).
#[derive(Serialize, ToSchema)]
pub struct ServerMetadata {
    pub issuer: String,
    pub token_endpoint: String,
    pub jwks_uri: String,
    pub scopes_supported: Vec<&'static str>,
    pub grant_types_supported: Vec<&'static str>,
    pub token_endpoint_auth_methods_supported: Vec<&'static str>,
    pub token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// Empty: there is no authorization endpoint.
    #[schema(example = json!([]))]
    pub response_types_supported: Vec<&'static str>,
}

/// Get an access token
///
/// OAuth2 client credentials (RFC 6749). The client id and secret come by HTTP Basic or in the
/// form; a credential with public keys sends a signed assertion instead (`private_key_jwt`, RFC 7523).
///
/// Or a token exchange (RFC 8693): a credential with the scope `members:act` gets a token that acts for a member
/// of yours, and may do what a member may. It ends with the credential, with the membership, and while your state
/// does not let you act for members. A member that is not yours is refused as one that does not exist.
///
/// After twenty wrong secrets within a minute from one address, no more are taken from there for the client. A problem has the members `error` and `error_description` of RFC 6749 besides its own.
#[utoipa::path(
    post, path = "/oauth/token", operation_id = "issueToken", tag = "access", security(()),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    extensions(("x-problems" = json!(["sign-in-failed", "too-many-requests"]))),
    responses((status = 200, description = "A token for 15 minutes.", body = TokenBody))
)]
async fn issue(
    access: Data<Access>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    request: HttpRequest,
    form: Result<Form<TokenRequest>, Error>,
) -> Result<HttpResponse, Error> {
    let Form(asked) = form.map_err(unreadable)?;
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .map(|value| value.to_str().unwrap_or_default());
    let hub = super::hub(&access);
    let wish = asked.wish(&hub.each_ref().map(|it| &**it));
    let wish = wish.map_err(problem)?;
    let client = asked.client(header).map_err(problem)?;
    let address = origin::client(&request).map(|address| address.to_string());
    let stranger = Stranger::new(address.as_deref().unwrap_or_default(), &client.id);
    let now = clock::machine_now();
    access.failures.check(&stranger, now).map_err(too_often)?;

    let mut conn = pool.get().await?;
    let grant = super::grant(
        &mut conn,
        &access,
        &ids,
        &client,
        (&wish, asked.scope.as_deref()),
        now,
    )
    .await?;
    if matches!(grant, Err(Refusal::InvalidClient)) {
        access.failures.count(&stranger, now);
    }
    let grant = grant.map_err(problem)?;

    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(TokenBody {
            access_token: grant.token,
            token_type: "Bearer",
            expires_in: token::LIFE,
            scope: grant.scopes.to_string(),
            issued_token_type: match wish {
                Wish::ForItself => None,
                Wish::ForMember(_) => Some(exchange::ACCESS_TOKEN),
            },
        }))
}

/// The keys that sign access tokens
#[utoipa::path(
    get, path = "/.well-known/jwks.json", operation_id = "listKeys", tag = "access", security(()),
    description = "A JSON Web Key Set (RFC 7517). `kid` is the key's thumbprint (RFC 7638).",
    responses((status = 200, description = "The live keys, newest first.", body = KeySet))
)]
async fn keys(access: Data<Access>) -> Result<HttpResponse, Error> {
    let published = access.published().await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "max-age=300"))
        .json(published))
}

/// How to get tokens
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", operation_id = "describeAuthorizationServer",
    tag = "access", security(()),
    description = "Authorization server metadata (RFC 8414), which OAuth2 libraries read by themselves.",
    responses((status = 200, description = "The metadata.", body = ServerMetadata))
)]
async fn metadata(access: Data<Access>) -> HttpResponse {
    let issuer = access.issuer().to_owned();
    HttpResponse::Ok().json(ServerMetadata {
        token_endpoint: format!("{issuer}/oauth/token"),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        issuer,
        scopes_supported: SCOPES.iter().map(|(name, _)| *name).collect(),
        grant_types_supported: vec!["client_credentials", exchange::GRANT],
        token_endpoint_auth_methods_supported: vec![
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ],
        token_endpoint_auth_signing_alg_values_supported: vec!["EdDSA", "ES256", "RS256"],
        response_types_supported: vec![],
    })
}

fn problem(refusal: Refusal) -> Problem {
    let (slug, error, detail) = match refusal {
        Refusal::InvalidRequest(detail) => {
            (Slug::InvalidField, "invalid_request", detail.to_owned())
        }
        Refusal::InvalidClient => (
            Slug::SignInFailed,
            "invalid_client",
            "the client id, its secret or its assertion is not right, or is live no more"
                .to_owned(),
        ),
        Refusal::UnsupportedGrantType => (
            Slug::InvalidField,
            "unsupported_grant_type",
            format!("grant_type is client_credentials or {}", exchange::GRANT),
        ),
        Refusal::InvalidScope(detail) => (Slug::InvalidField, "invalid_scope", detail),
        Refusal::UnauthorizedClient(detail) => {
            (Slug::InvalidField, "unauthorized_client", detail.to_owned())
        }
        Refusal::InvalidTarget => (
            Slug::InvalidField,
            "invalid_target",
            "audience and resource are the hub's issuer, or left out".to_owned(),
        ),
    };
    Problem::new(slug, detail.clone())
        .with("error", error)
        .with("error_description", detail)
}

/// RFC 6749 has no word for it; this is what RFC 8628 says to who comes too often.
fn too_often(wait: u64) -> Problem {
    let detail = format!("too many wrong secrets came from your address; wait {wait} seconds");
    Problem::new(Slug::TooManyRequests, detail.clone())
        .with("retry_after", wait)
        .with("error", "slow_down")
        .with("error_description", detail)
}

/// A form that cannot be read is an `invalid_request` too.
fn unreadable(error: Error) -> Error {
    match error {
        Error::Refused(problem) => {
            let detail = json!(problem.detail);
            problem
                .with("error", "invalid_request")
                .with("error_description", detail)
                .into()
        }
        broken @ Error::Broken(_) => broken,
    }
}
