//! Webhook checks over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Tried;
use crate::access::{Partner, WebhooksWrite};
use crate::db::Pool;
use crate::error::Error;
use crate::id::{Ids, Kind};
use crate::sandbox::api::InSandbox;
use crate::web::Json;
use crate::webhooks::{self, Webhooks};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/sandbox/webhook-checks").route(web::post().to(check)));
}

/// Which endpoint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckWebhook {
    /// One of yours, enabled.
    #[schema(example = "whe_0123456789abcdef")]
    endpoint: String,
}

/// What came of the letters of a check.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookCheckBody {
    letters: Vec<CheckedLetterBody>,
}

/// An event that was sent to an endpoint to see what it does.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckedLetterBody {
    #[schema(value_type = String, example = "with another body than was signed")]
    letter: &'static str,
    /// `taken`: with a status of 2xx. `refused`: with one of 4xx.
    expected: ExpectedBody,
    #[schema(example = 401)]
    status: Option<u16>,
    /// Why there is no status.
    #[schema(value_type = Option<String>, example = json!(null))]
    failure: Option<&'static str>,
    passed: bool,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = ExpectedOfLetter)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedBody {
    Taken,
    Refused,
}

pub(super) fn show(tried: &[Tried]) -> Vec<CheckedLetterBody> {
    let show = |tried: &Tried| CheckedLetterBody {
        letter: tried.trial.name(),
        expected: match tried.trial.is_to_be_taken() {
            true => ExpectedBody::Taken,
            false => ExpectedBody::Refused,
        },
        status: tried.status,
        failure: tried.failure,
        passed: tried.passed(),
    };
    tried.iter().map(show).collect()
}

/// Check a webhook endpoint
///
/// Sends test events to the endpoint at once: rightly signed ones, one of them twice and one with two signatures
/// as while a secret is rotated, which are to be taken with 2xx; and forged, altered and old ones, which are to be
/// refused with 4xx. When the first is not taken, the others are not sent. Each answer is waited for 5 seconds.
/// Needs no Idempotency-Key: it changes nothing, and is played anew each time. Only in a sandbox.
#[utoipa::path(
    post, path = "/v1/sandbox/webhook-checks", operation_id = "checkWebhookEndpoint", tag = "sandbox",
    security(("partner" = ["webhooks:write"])),
    request_body = CheckWebhook,
    extensions(("x-problems" = json!(["not-a-sandbox", "not-found", "webhook-check-failed", "webhook-endpoint-disabled"]))),
    responses((status = 200, description = "Each letter was met as it should be.", body = WebhookCheckBody))
)]
pub async fn check(
    caller: Partner<WebhooksWrite>,
    _: InSandbox,
    (ids, pool, webhooks): (Data<Ids>, Data<Pool>, Data<Webhooks>),
    Json(asked): Json<CheckWebhook>,
) -> Result<HttpResponse, Error> {
    let id = ids.read(Kind::WebhookEndpoint, &asked.endpoint);
    let id = id.ok_or_else(webhooks::unknown)?;
    // The connection goes back before anything is sent.
    let (endpoint, event) = {
        let mut conn = pool.get().await?;
        super::find(&mut conn, &ids, (caller.partner, id)).await?
    };
    let tried = super::send(&webhooks, &endpoint, &event).await?;
    super::must_pass(&tried)?;
    Ok(HttpResponse::Ok().json(WebhookCheckBody {
        letters: show(&tried),
    }))
}
