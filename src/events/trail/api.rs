//! The audit trail over HTTP.

use std::sync::Arc;

use actix_web::web::{self, Data, ServiceConfig};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};
use uuid::Uuid;

use super::store::{self, Entry};
use crate::access::audit::Subject;
use crate::access::{Auditor, Operator, Staff};
use crate::db::Pool;
use crate::error::{Error, Problem};
use crate::events::api::shown;
use crate::id::{Ids, Kind};
use crate::partners::{Directories, Directory};
use crate::web::{Page, Paging, ProblemBody, Query};

#[derive(OpenApi)]
#[openapi(
    paths(list),
    components(schemas(EntryBody, ActorBody, ActorKind, ProblemBody))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/audit").route(web::get().to(list)));
}

/// Which changes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only of one sort: `rate_card`, `partner`, `credential`, `person`, ...
    of: Option<String>,
    /// `next_cursor` of the page before. Leave it out for the first page.
    cursor: Option<String>,
    /// How many to return: 1 to 200, 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// A change of state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct EntryBody {
    /// The id of its event.
    #[schema(example = "evt_0123456789abcdef")]
    id: String,
    at: DateTime<Utc>,
    by: ActorBody,
    /// The `request_id` that was answered with, or one made of the `X-Request-Id` that was sent.
    request_id: Uuid,
    /// Where the request came from: a network, never an address of somebody; `console` at the command line of
    /// the hub; `hub` when it did it by itself.
    #[schema(example = "203.0.113.0/24")]
    origin: String,
    /// What the subject is.
    #[schema(value_type = String, example = "rate_card")]
    of: &'static str,
    #[schema(example = "card_0123456789abcdef")]
    subject: String,
    /// Null when it was not there.
    #[schema(example = "proposed")]
    before: Option<String>,
    #[schema(example = "approved_by_target")]
    after: String,
}

/// Who made it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditActor)]
pub struct ActorBody {
    kind: ActorKind,
    /// The credential's or the person's; null when the hub did it by itself.
    #[schema(example = "psn_0123456789abcdef")]
    id: Option<String>,
    /// Whose credential it is.
    partner: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = AuditActorKind)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    Credential,
    Person,
    Hub,
}

/// Read the audit trail
///
/// Who changed what, in which request and from where, oldest first: everything that is sealed, so within a second or
/// so. `interline audit export` writes it with its seals, and `interline audit verify` proves that
/// file without the hub.
#[utoipa::path(
    get, path = "/v1/audit", operation_id = "listAudit", tag = "events",
    security(("person" = ["operator", "auditor"])),
    params(Wanted),
    responses((status = 200, description = "A page of changes.", body = Page<EntryBody>))
)]
async fn list(
    _staff: Staff<(Operator, Auditor)>,
    ids: Data<Ids>,
    directories: Data<Directories>,
    pool: Data<Pool>,
    Query(wanted): Query<Wanted>,
) -> Result<web::Json<Page<EntryBody>>, Error> {
    const LIST: &str = "audit";
    let Wanted { of, cursor, limit } = wanted;
    let paging = Paging { cursor, limit };
    let (limit, after) = (paging.limit()?, paging.after(&ids, LIST)?);
    let of = of.as_deref();
    if of.is_some_and(|name| Subject::named(name).is_none()) {
        let known: Vec<&str> = Subject::ALL.iter().map(|it| it.name()).collect();
        return Err(Problem::field("/of", format!("one of {}", known.join(", "))).into());
    }

    let mut conn = pool.get().await?;
    let (_, directory) = directories.current(&mut conn).await?;
    let places = (after.unwrap_or(0), crate::events::horizon(&mut conn).await?);
    let rows = store::list(&mut conn, places, of, limit + 1).await?;
    let place = |row: &Entry| row.position;
    let page = Page::of(rows, limit, &ids, LIST, place, |row| {
        show(&ids, &directory, row)
    });
    Ok(web::Json(page))
}

fn show(ids: &Ids, directory: &Arc<Directory>, row: &Entry) -> EntryBody {
    let subject = Subject::named(&row.subject);
    let (kind, id) = match (row.principal_id, row.partner_id) {
        (0, _) => (ActorKind::Hub, None),
        (id, Some(_)) => (ActorKind::Credential, Some(ids.show(Kind::Credential, id))),
        (id, None) => (ActorKind::Person, Some(ids.show(Kind::Person, id))),
    };
    EntryBody {
        id: ids.show(Kind::Event, row.position),
        at: row.at,
        by: ActorBody {
            kind,
            id,
            partner: row.partner_id.map(|id| ids.show(Kind::Partner, id)),
        },
        request_id: row.request_id,
        origin: row.origin.clone(),
        of: subject.map_or("", Subject::name),
        subject: subject.map_or_else(String::new, |it| shown(ids, directory, it, row.subject_id)),
        before: row.before.clone(),
        after: row.after.clone(),
    }
}
