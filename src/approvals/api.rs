//! Approvals over HTTP: what waits for whom. The word itself is given where the subject lives.

use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::approval::{Refusal, Word};
use super::{Approval, PartyName, store, unknown};
use crate::access::{AnyRole, AnyScope, Reader};
use crate::clock::Timestamp;
use crate::db::{self, Pool};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::web::{Page, Paging, ProblemBody, Query};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/approvals").route(web::get().to(list)))
        .service(web::resource("/v1/approvals/{approval}").route(web::get().to(one)));
}

#[derive(OpenApi)]
#[openapi(
    paths(list, one),
    components(schemas(ApprovalBody, SubjectBody, WordBody, ReadProposal, ProblemBody)),
    tags((name = "approvals", description = "Everything that needs a second person."))
)]
pub struct Doc;

/// A request that somebody agrees.
#[derive(Serialize, ToSchema)]
pub struct ApprovalBody {
    #[schema(example = "apr_0123456789abcdef")]
    pub id: String,
    pub subject: SubjectBody,
    /// Hexadecimal. Send it when you approve: it says what you read.
    pub content_hash: String,
    /// Whose word is needed: `hub`, or a partner's id.
    pub parties: Vec<String>,
    /// created, approved, rejected, expired or cancelled.
    #[schema(example = "created")]
    pub state: &'static str,
    pub decisions: Vec<WordBody>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// What is to be approved.
#[derive(Serialize, ToSchema)]
pub struct SubjectBody {
    #[schema(example = "rate_card")]
    pub kind: String,
    #[schema(example = "card_0123456789abcdef")]
    pub id: String,
}

/// What a party said.
#[derive(Serialize, ToSchema)]
pub struct WordBody {
    /// `hub`, or a partner's id.
    pub party: String,
    /// proposed, approved or rejected.
    #[schema(example = "approved")]
    pub verdict: &'static str,
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
}

/// The proposal that was read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadProposal {
    /// The `content_hash` of the proposal, in hexadecimal.
    content_hash: String,
}

impl ReadProposal {
    pub fn hash(&self) -> Result<Vec<u8>, Problem> {
        let rule = "hexadecimal digits, as the proposal shows them";
        hex::decode(&self.content_hash).map_err(|_| Problem::field("/content_hash", rule))
    }
}

fn show(ids: &Ids, approval: &Approval, now: Timestamp) -> ApprovalBody {
    let word = |word: &Word| WordBody {
        party: show_party(ids, word.party),
        verdict: word.verdict.name(),
        decided_at: word.at,
    };
    ApprovalBody {
        id: ids.show(Kind::Approval, approval.id),
        subject: SubjectBody {
            kind: approval.subject.clone(),
            id: approval.subject_shown.clone(),
        },
        content_hash: hex::encode(&approval.content_hash),
        parties: approval
            .parties
            .iter()
            .map(|party| show_party(ids, *party))
            .collect(),
        state: approval.state_at(now).name(),
        decisions: approval.words.iter().map(word).collect(),
        created_at: approval.created_at,
        expires_at: approval.expires_at,
    }
}

fn show_party(ids: &Ids, party: PartyName) -> String {
    match party {
        PartyName::Hub | PartyName::Nobody => party.to_string(),
        PartyName::Partner(id) => ids.show(Kind::Partner, id),
    }
}

pub(super) fn changed(shown: &str) -> Problem {
    let detail = format!("{shown} has changed since: withdraw the proposal and make it anew");
    Problem::new(Slug::ApprovalChanged, detail)
}

pub(super) fn nothing_proposed() -> Problem {
    Problem::new(Slug::ApprovalClosed, "nothing is proposed")
}

pub(super) fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Closed(state) => {
            Problem::new(Slug::ApprovalClosed, format!("it is {}", state.name()))
        }
        Refusal::Expired(at) => {
            Problem::new(Slug::ApprovalExpired, format!("the parties had until {at}"))
        }
        Refusal::Changed => Problem::new(
            Slug::ApprovalChanged,
            "content_hash is not that of what is to be approved",
        ),
        Refusal::NotAsked => unknown(),
        Refusal::MakerIsChecker => Problem::new(
            Slug::MakerIsChecker,
            "your side made the request, or you did",
        ),
        Refusal::HasSpoken => Problem::new(Slug::ApprovalClosed, "your side has decided already"),
    }
}

/// List open approvals
#[utoipa::path(
    get, path = "/v1/approvals", operation_id = "listApprovals", tag = "approvals",
    description = "What still waits for somebody's word, oldest first: of a partner, what it is a party to; of the hub's people, everything.",
    security(("partner" = []), ("person" = [])),
    params(Paging),
    responses((status = 200, description = "A page of approvals.", body = Page<ApprovalBody>))
)]
async fn list(
    reader: Reader<AnyScope, AnyRole>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    paging: Query<Paging>,
) -> Result<web::Json<Page<ApprovalBody>>, Error> {
    let (limit, after) = (
        paging.0.limit()?,
        paging.0.after(&ids, "approvals")?.unwrap_or(0),
    );

    let mut conn = pool.get().await?;
    let now = db::now(&mut conn).await?;
    let rows = store::list_open(
        &mut conn,
        reader.partner().map(PartyName::Partner),
        after,
        limit,
    )
    .await?;
    Ok(web::Json(Page::of(
        rows,
        limit,
        &ids,
        "approvals",
        |row| row.id,
        |row| show(&ids, row, now),
    )))
}

/// Look up an approval
#[utoipa::path(
    get, path = "/v1/approvals/{approval}", operation_id = "getApproval", tag = "approvals",
    description = "Open or decided, with what each party said.",
    security(("partner" = []), ("person" = [])),
    params(("approval" = String, Path, description = "The approval's id.")),
    responses((status = 200, description = "The approval.", body = ApprovalBody))
)]
async fn one(
    reader: Reader<AnyScope, AnyRole>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<web::Json<ApprovalBody>, Error> {
    let id = ids.read(Kind::Approval, &path).ok_or_else(unknown)?;
    let mut conn = pool.get().await?;
    let now = db::now(&mut conn).await?;
    let found = store::find(&mut conn, id).await?;
    let may_see = |approval: &Approval| match reader.partner() {
        Some(partner) => approval.parties.contains(&PartyName::Partner(partner)),
        None => true,
    };
    Ok(web::Json(show(
        &ids,
        &found.filter(may_see).ok_or_else(unknown)?,
        now,
    )))
}
