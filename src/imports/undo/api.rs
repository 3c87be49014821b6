//! The undo of an import over HTTP.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::figures::Figures;
use super::{Found, Hands, Wanted};
use crate::access::{Auditor, Finance, ImportsWrite, Operator, Reader, Staff, Who};
use crate::approvals::Proposal;
use crate::approvals::api::ReadProposal;
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::id;
use crate::imports::import::{Import, Spent, State};
use crate::imports::unknown;
use crate::ledger::Ledger;
use crate::ledger::shelf::Shelf;
use crate::partners::{AmountBody, Currency, Directory, MoneyBody};
use crate::points::agreed::Price;
use crate::points::money::Micros;
use crate::web::{NoFields, Write, once};

#[derive(OpenApi)]
#[openapi(
    paths(read, freeze, thaw, propose, approve, reject, withdraw),
    components(schemas(
        ProposeUndo,
        UndoBody,
        UndoFiguresBody,
        BorneBody,
        ProposedUndoBody,
        Spent
    ))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/imports/{import}/freeze").route(web::post().to(freeze)))
        .service(web::resource("/v1/imports/{import}/thaw").route(web::post().to(thaw)))
        .service(
            web::resource("/v1/imports/{import}/undo")
                .route(web::get().to(read))
                .route(web::post().to(propose)),
        )
        .service(web::resource("/v1/imports/{import}/undo/approve").route(web::post().to(approve)))
        .service(web::resource("/v1/imports/{import}/undo/reject").route(web::post().to(reject)))
        .service(
            web::resource("/v1/imports/{import}/undo/withdraw").route(web::post().to(withdraw)),
        );
}

/// How long a caller waits for awards to be gone through; the rest is done without it.
const PATIENCE: Duration = Duration::from_secs(3);

/// What shall become of what is not there any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeUndo {
    spent: Spent,
}

/// What there is of an import's awards, and what an undo would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct UndoBody {
    #[schema(example = "imp_0123456789abcdef")]
    import: String,
    state: State,
    /// While it is being frozen, thawed or undone: up to which line of the file that is done.
    #[schema(example = 4096)]
    line: i64,
    /// Of each currency.
    figures: Vec<UndoFiguresBody>,
    /// Of an undo that was agreed to.
    spent: Option<Spent>,
    /// What waits for a second person.
    proposed: Option<ProposedUndoBody>,
}

/// What there is of awards in one currency. What was awarded is the sum of the others but `taken_back`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoFigures)]
pub struct UndoFiguresBody {
    awarded: AmountBody,
    /// By hand before, or by the undo.
    reversed: AmountBody,
    /// What nobody can use now.
    frozen: AmountBody,
    /// What is available of the lots that the awards went into, up to what they gave.
    unspent: AmountBody,
    /// What is set aside there.
    held: AmountBody,
    /// What is not there any more.
    spent: AmountBody,
    /// Of awards whose points have expired, all that was not reversed. An undo leaves it.
    expired: AmountBody,
    /// What an undo takes back from where it was given.
    taken_back: AmountBody,
    /// What it does not find there, by who bears it: one for each way to undo.
    borne: Vec<BorneBody>,
}

/// What an undo does not find, and who bears it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoBorne)]
pub struct BorneBody {
    /// If the undo says so.
    spent: Spent,
    by_members: AmountBody,
    by_issuer: AmountBody,
    /// What that is worth to members, as the issuer publishes it; null when it says no value.
    value: Option<MoneyBody>,
}

/// An undo that waits for a second person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProposedUndo)]
pub struct ProposedUndoBody {
    spent: Spent,
    /// Hexadecimal. Send it when you approve: it says what you read.
    content_hash: String,
    #[schema(value_type = String, format = DateTime)]
    proposed_at: Timestamp,
}

fn show(shelf: &Shelf, directory: &Directory, found: Found) -> Result<UndoBody, Error> {
    let Found {
        import,
        figures,
        proposed,
    } = found;
    let figures = figures.iter().map(|it| {
        let currency = directory.currency_no(it.currency);
        let currency = currency.ok_or_else(|| anyhow::anyhow!("an award of no currency"))?;
        show_figures(directory, currency, import.state, it)
    });
    Ok(UndoBody {
        import: shelf.ids.show(id::Kind::Import, import.id),
        state: import.state,
        line: import.step.line,
        figures: figures.collect::<Result<_, Error>>()?,
        spent: import.step.spent,
        proposed: proposed.map(show_proposal),
    })
}

fn show_proposal(proposal: Proposal<Wanted>) -> ProposedUndoBody {
    ProposedUndoBody {
        spent: proposal.wanted.spent,
        content_hash: hex::encode(proposal.content_hash),
        proposed_at: proposal.at,
    }
}

fn show_figures(
    directory: &Directory,
    currency: &Currency,
    state: State,
    figures: &Figures,
) -> Result<UndoFiguresBody, Error> {
    let amount = |units| AmountBody::of(currency, units);
    let price = Price::new(currency.display_value.decimal()).ok();
    let money = directory.money_of(currency.issuer);
    let borne = Spent::ALL.into_iter().map(|spent| {
        let borne = figures.borne(state, spent);
        let value = price.map(|price| {
            let missing = borne.by_members + borne.by_issuer;
            Micros::worth(missing, currency.scale, price)
        });
        let value = value.transpose().map_err(anyhow::Error::from)?;
        Ok(BorneBody {
            spent,
            by_members: amount(borne.by_members),
            by_issuer: amount(borne.by_issuer),
            value: money
                .zip(value)
                .map(|(money, value)| MoneyBody::of(money, value)),
        })
    });
    Ok(UndoFiguresBody {
        awarded: amount(figures.awarded),
        reversed: amount(figures.reversed),
        frozen: amount(figures.frozen),
        unspent: amount(figures.unspent),
        held: amount(figures.held),
        spent: amount(figures.spent),
        expired: amount(figures.expired),
        taken_back: amount(figures.taken_back(state)),
        borne: borne.collect::<Result<_, Error>>()?,
    })
}

pub(super) fn no_step(import: &Import, to: State) -> Problem {
    let (from, to) = (import.state.name(), to.name());
    Problem::new(
        Slug::ImportStep,
        format!("it is {from}, and cannot be {to} from there"),
    )
    .with("state", from)
}

pub(super) fn not_of_awards(import: &Import) -> Problem {
    let detail = format!("it is of {}; awards alone are undone", import.kind.name());
    Problem::new(Slug::ImportStep, detail).with("state", import.state.name())
}

/// Read what an undo of an import would do
///
/// What there is of its awards now: reversed, frozen, unspent, held, spent, expired; what an undo would take back,
/// and what it would cost whom. Points of a wallet that expire together are one lot: what is unspent of an award is
/// what is left of its lot, up to its amount. By its partner, and by the hub's people.
#[utoipa::path(
    get, path = "/v1/imports/{import}/undo", operation_id = "readImportUndo", tag = "imports",
    security(("partner" = ["imports:write"]), ("person" = ["operator", "finance", "auditor"])),
    params(("import" = String, Path, description = "The import's id.")),
    extensions(("x-problems" = json!(["import-step"]))),
    responses((status = 200, description = "What there is.", body = UndoBody))
)]
async fn read(
    reader: Reader<ImportsWrite, (Operator, Finance, Auditor)>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<UndoBody>, Error> {
    current(&shelf, reader.partner(), &path).await
}

async fn current(
    shelf: &Shelf,
    partner: Option<i64>,
    path: &str,
) -> Result<web::Json<UndoBody>, Error> {
    let mut conn = shelf.pool.get().await?;
    let whose = (partner, import_in(shelf, path)?);
    let found = super::find(&mut conn, whose).await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    Ok(web::Json(show(shelf, &directory, found)?))
}

fn import_in(shelf: &Shelf, path: &str) -> Result<i64, Problem> {
    let id = shelf.ids.read(id::Kind::Import, path);
    id.ok_or_else(unknown)
}

/// Freeze what is left of an import's awards
///
/// By its partner, or by an operator, alone. What is unspent can from then on be used by nobody, until the import is
/// thawed or undone; what was spent or set aside before stands. Members see it in their wallets as `frozen`; it
/// expires when its time comes. The hub goes through the awards one after the other, and on after it has answered;
/// read the undo until the state is `frozen`.
#[utoipa::path(
    post, path = "/v1/imports/{import}/freeze", operation_id = "freezeImport", tag = "imports",
    security(("partner" = ["imports:write"]), ("person" = ["operator"])),
    params(("import" = String, Path, description = "The import's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["import-step", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "What there is.", body = UndoBody))
)]
async fn freeze(
    reader: Reader<ImportsWrite, Operator>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<web::Json<UndoBody>, Error> {
    let own = reader.partner();
    let freeze = async |conn: &mut Connection, who: &Who, id: i64, _: &NoFields| {
        super::freeze(conn, who, (own, id)).await
    };
    step(&reader.who, own, (&shelf, &ledger), &path, write, freeze).await
}

/// Thaw a frozen import
///
/// By its partner, or by an operator, alone: what is frozen goes back to where it came from, and the import is
/// `finished` again. An undo that was proposed is withdrawn.
#[utoipa::path(
    post, path = "/v1/imports/{import}/thaw", operation_id = "thawImport", tag = "imports",
    security(("partner" = ["imports:write"]), ("person" = ["operator"])),
    params(("import" = String, Path, description = "The import's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["import-step", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "What there is.", body = UndoBody))
)]
async fn thaw(
    reader: Reader<ImportsWrite, Operator>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<web::Json<UndoBody>, Error> {
    let own = reader.partner();
    let thaw = async |conn: &mut Connection, who: &Who, id: i64, _: &NoFields| {
        super::thaw(conn, who, (own, id)).await
    };
    step(&reader.who, own, (&shelf, &ledger), &path, write, thaw).await
}

/// Propose to undo a frozen import
///
/// By its partner, or by an operator, who says what becomes of what is spent: its members owe it, or the issuer has
/// given it. Another person of the hub approves it within 14 days.
#[utoipa::path(
    post, path = "/v1/imports/{import}/undo", operation_id = "proposeImportUndo", tag = "imports",
    security(("partner" = ["imports:write"]), ("person" = ["operator"])),
    params(("import" = String, Path, description = "The import's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ProposeUndo,
    extensions(("x-problems" = json!(["approval-open", "import-step", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "What there is, and what is proposed.", body = UndoBody))
)]
async fn propose(
    reader: Reader<ImportsWrite, Operator>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    path: Path<String>,
    write: Write<ProposeUndo>,
) -> Result<web::Json<UndoBody>, Error> {
    let own = reader.partner();
    let propose = async |conn: &mut Connection, who: &Who, id: i64, asked: &ProposeUndo| {
        let wanted = Wanted { spent: asked.spent };
        super::propose(conn, who, &shelf.ids, (own, id), wanted).await
    };
    step(&reader.who, own, (&shelf, &ledger), &path, write, propose).await
}

/// Approve the undo of an import
///
/// By an operator or by finance, and not by who proposed it. It is refused when what is frozen is not what was read.
/// Then each award is reversed; what was reversed before stays so. The hub goes on after it has answered; read the
/// undo until the state is `undone`.
#[utoipa::path(
    post, path = "/v1/imports/{import}/undo/approve", operation_id = "approveImportUndo", tag = "imports",
    security(("person" = ["operator", "finance"])),
    params(("import" = String, Path, description = "The import's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired", "import-step",
        "maker-is-checker", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "What there is.", body = UndoBody))
)]
async fn approve(
    staff: Staff<(Operator, Finance)>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<web::Json<UndoBody>, Error> {
    let approve = async |conn: &mut Connection, who: &Who, id: i64, read: &ReadProposal| {
        super::approve(conn, who, (None, id), &read.hash()?).await
    };
    step(&staff.who, None, (&shelf, &ledger), &path, write, approve).await
}

/// Reject the undo of an import
#[utoipa::path(
    post, path = "/v1/imports/{import}/undo/reject", operation_id = "rejectImportUndo", tag = "imports",
    description = "By an operator or by finance, and not by who proposed it. The import stays frozen until it is thawed.",
    security(("person" = ["operator", "finance"])),
    params(("import" = String, Path, description = "The import's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "maker-is-checker"]))),
    responses((status = 200, description = "What there is.", body = UndoBody))
)]
async fn reject(
    staff: Staff<(Operator, Finance)>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<web::Json<UndoBody>, Error> {
    let reject = async |conn: &mut Connection, who: &Who, id: i64, read: &ReadProposal| {
        super::reject(conn, who, (None, id), &read.hash()?).await
    };
    step(&staff.who, None, (&shelf, &ledger), &path, write, reject).await
}

/// Withdraw the undo of an import
#[utoipa::path(
    post, path = "/v1/imports/{import}/undo/withdraw", operation_id = "withdrawImportUndo", tag = "imports",
    description = "By its partner, or by an operator, before it is approved. The import stays frozen until it is thawed.",
    security(("partner" = ["imports:write"]), ("person" = ["operator"])),
    params(("import" = String, Path, description = "The import's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["approval-closed"]))),
    responses((status = 200, description = "What there is.", body = UndoBody))
)]
async fn withdraw(
    reader: Reader<ImportsWrite, Operator>,
    shelf: Shelf,
    ledger: Data<Ledger>,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<web::Json<UndoBody>, Error> {
    let own = reader.partner();
    let withdraw = async |conn: &mut Connection, who: &Who, id: i64, _: &NoFields| {
        super::withdraw(conn, who, (own, id)).await
    };
    step(&reader.who, own, (&shelf, &ledger), &path, write, withdraw).await
}

/// One step, done once; then as many awards as go through in time, and what there is of them.
async fn step<T>(
    who: &Who,
    own: Option<i64>,
    (shelf, ledger): (&Shelf, &Ledger),
    path: &str,
    write: Write<T>,
    take: impl AsyncFnOnce(&mut Connection, &Who, i64, &T) -> Result<(), Error>,
) -> Result<web::Json<UndoBody>, Error> {
    let claim = who.claim(&shelf.secrets, &write);
    let id = import_in(shelf, path)?;
    let _: HttpResponse = once(&shelf.pool, claim, StatusCode::OK, async |conn| {
        take(conn, who, id, &write.body).await?;
        Ok(json!({}))
    })
    .await?;
    let hands = Hands {
        pool: &shelf.pool,
        secrets: &shelf.secrets,
        directories: &shelf.directories,
        ledger,
    };
    if let Err(error) = hands.work(id, PATIENCE).await {
        tracing::warn!(%error, "an import will be gone on with");
    }
    current(shelf, own, path).await
}
