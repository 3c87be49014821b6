//! Bank accounts over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::BankAccount;
use super::details::{Bic, Details, Number};
use crate::access::{Auditor, Finance, Reader, SettlementRead, SettlementWrite, Staff, Who};
use crate::approvals::api::ReadProposal;
use crate::clock::Timestamp;
use crate::db::{Connection, Pool};
use crate::error::{Error, Problem};
use crate::id::{Ids, Kind};
use crate::partners::{Directories, Directory, unknown};
use crate::secret::Secrets;
use crate::web::text::Name;
use crate::web::{NoFields, Write, once};

/// What every operation here needs of the server.
type Parts = (Data<Ids>, Data<Secrets>, Data<Pool>, Data<Directories>);

pub fn routes(cfg: &mut ServiceConfig) {
    let step = |path: &str| web::resource(format!("/v1/partners/{{partner}}/bank-account/{path}"));
    cfg.service(web::resource("/v1/partners/{partner}/bank-account").route(web::get().to(read)))
        .service(step("propose").route(web::post().to(propose)))
        .service(step("approve").route(web::post().to(approve)))
        .service(step("reject").route(web::post().to(reject)))
        .service(step("withdraw").route(web::post().to(withdraw)));
}

#[derive(OpenApi)]
#[openapi(
    paths(read, propose, approve, reject, withdraw),
    components(schemas(
        ProposeBankAccount,
        NoFields,
        BankAccountBody,
        BankDetailsBody,
        ProposedBankAccountBody
    ))
)]
pub struct Doc;

/// The account a partner shall be paid into: with an `iban`, or with an `account_number` where there are none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"holder": "Aero Limited", "currency": "USD", "bic": "HSBCHKHH", "account_number": "012-345678-001"}))]
pub struct ProposeBankAccount {
    /// Who holds it: 1 to 120 characters.
    #[schema(value_type = String, min_length = 1, max_length = 120)]
    holder: Name,
    /// The ISO 4217 code of the money that the partner settles in.
    currency: String,
    /// The bank, by ISO 9362.
    #[schema(value_type = String, pattern = "^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$")]
    bic: Bic,
    /// ISO 13616, with or without spaces.
    #[serde(default)]
    iban: Option<String>,
    /// What the bank calls it: 1 to 34 of A to Z, 0 to 9 and `-`.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Z0-9-]{1,34}$")]
    account_number: Option<String>,
}

/// Where a partner is paid.
#[derive(Debug, Serialize, ToSchema)]
pub struct BankAccountBody {
    #[schema(example = "ptr_0123456789abcdef")]
    partner: String,
    /// Null when none was agreed yet.
    account: Option<BankDetailsBody>,
    /// Since when it is that account.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// What waits for somebody else's word; null when nothing does.
    proposed: Option<ProposedBankAccountBody>,
}

/// An account at a bank.
#[derive(Debug, Serialize, ToSchema)]
pub struct BankDetailsBody {
    #[schema(example = "Aero Limited")]
    holder: String,
    #[schema(example = "USD")]
    currency: String,
    #[schema(example = "HSBCHKHH")]
    bic: String,
    /// Without spaces; null when it has another number.
    #[schema(example = "GB82WEST12345698765432")]
    iban: Option<String>,
    /// Null when it has an IBAN.
    #[schema(example = "012-345678-001")]
    account_number: Option<String>,
}

/// An account that waits to be agreed to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposedBankAccountBody {
    account: BankDetailsBody,
    /// Hexadecimal. Send it when you approve: it says what you read.
    content_hash: String,
    #[schema(value_type = String, format = DateTime)]
    proposed_at: Timestamp,
}

impl ProposeBankAccount {
    fn read(&self, money: &str) -> Result<Details, Problem> {
        if self.currency != money {
            let rule = format!("{money}, the money that the partner settles in");
            return Err(Problem::field("/currency", rule));
        }
        let number = match (self.iban.as_deref(), self.account_number.as_deref()) {
            (Some(text), None) => Number::iban(text).map_err(|rule| ("/iban", rule)),
            (None, Some(text)) => {
                Number::account_number(text).map_err(|rule| ("/account_number", rule))
            }
            (None, None) => Err(("/iban", "an IBAN, or `account_number` where there are none")),
            (Some(_), Some(_)) => Err(("/account_number", "nothing beside `iban`")),
        };
        Ok(Details {
            holder: self.holder.clone(),
            currency: self.currency.clone(),
            bic: self.bic.clone(),
            number: number.map_err(|(pointer, rule)| Problem::field(pointer, rule))?,
        })
    }
}

impl BankDetailsBody {
    fn of(details: Details) -> BankDetailsBody {
        let (iban, account_number) = match details.number {
            Number::Iban(text) => (Some(text), None),
            Number::AccountNumber(text) => (None, Some(text)),
        };
        BankDetailsBody {
            holder: details.holder.into(),
            currency: details.currency,
            bic: details.bic.into(),
            iban,
            account_number,
        }
    }
}

fn show(ids: &Ids, partner: i64, account: BankAccount) -> BankAccountBody {
    let BankAccount { present, proposed } = account;
    let proposed = proposed.map(|it| ProposedBankAccountBody {
        account: BankDetailsBody::of(it.wanted),
        content_hash: hex::encode(it.content_hash),
        proposed_at: it.at,
    });
    let (account, since) = present.unzip();
    BankAccountBody {
        partner: ids.show(Kind::Partner, partner),
        account: account.map(BankDetailsBody::of),
        since,
        proposed,
    }
}

/// Read a partner's bank account
#[utoipa::path(
    get, path = "/v1/partners/{partner}/bank-account", operation_id = "readBankAccount", tag = "partners",
    description = "Where the partner is paid what the hub owes it, and what waits for somebody else's word. A partner sees its own.",
    security(("partner" = ["settlement:read"]), ("person" = ["finance", "auditor"])),
    params(("partner" = String, Path, description = "The partner's id.")),
    responses((status = 200, description = "The account.", body = BankAccountBody))
)]
async fn read(
    reader: Reader<SettlementRead, (Finance, Auditor)>,
    parts: Parts,
    path: Path<String>,
) -> Result<web::Json<BankAccountBody>, Error> {
    let mut conn = parts.2.get().await?;
    let (_, directory) = parts.3.current(&mut conn).await?;
    let partner = own(&parts.0, &directory, &path, reader.partner())?;
    let account = super::find(&mut conn, partner).await?;
    Ok(web::Json(show(&parts.0, partner, account)))
}

/// Propose a partner's bank account
#[utoipa::path(
    post, path = "/v1/partners/{partner}/bank-account/propose", operation_id = "proposeBankAccount", tag = "partners",
    description = "By the partner itself, or by a person of finance from what the partner signed. A person of finance who did not propose it approves it within 14 days; until then money goes where it went. The partner is told of each step.",
    security(("partner" = ["settlement:write"]), ("person" = ["finance"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ProposeBankAccount,
    extensions(("x-problems" = json!(["approval-open"]))),
    responses((status = 200, description = "The account as it is, and what is proposed.", body = BankAccountBody))
)]
async fn propose(
    reader: Reader<SettlementWrite, Finance>,
    parts: Parts,
    path: Path<String>,
    write: Write<ProposeBankAccount>,
) -> Result<HttpResponse, Error> {
    let (ids, own_side) = (parts.0.clone(), reader.partner());
    let propose = async |conn: &mut Connection,
                         who: &Who,
                         partner,
                         money: &str,
                         asked: &ProposeBankAccount| {
        super::propose(conn, who, &ids, partner, &asked.read(money)?).await
    };
    step(reader.who, own_side, parts, path, write, propose).await
}

/// Approve a partner's bank account
#[utoipa::path(
    post, path = "/v1/partners/{partner}/bank-account/approve", operation_id = "approveBankAccount", tag = "partners",
    description = "By a person of finance who did not propose it. It is the partner's account from then on.",
    security(("person" = ["finance"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "maker-is-checker"]))),
    responses((status = 200, description = "The account.", body = BankAccountBody))
)]
async fn approve(
    staff: Staff<Finance>,
    parts: Parts,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let approve =
        async |conn: &mut Connection, who: &Who, partner, _: &str, read: &ReadProposal| {
            super::approve(conn, who, partner, &read.hash()?).await
        };
    step(staff.who, None, parts, path, write, approve).await
}

/// Reject a partner's bank account
#[utoipa::path(
    post, path = "/v1/partners/{partner}/bank-account/reject", operation_id = "rejectBankAccount", tag = "partners",
    description = "By a person of finance who did not propose it. Money goes where it went.",
    security(("person" = ["finance"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "maker-is-checker"]))),
    responses((status = 200, description = "The account as it is.", body = BankAccountBody))
)]
async fn reject(
    staff: Staff<Finance>,
    parts: Parts,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let reject = async |conn: &mut Connection, who: &Who, partner, _: &str, read: &ReadProposal| {
        super::reject(conn, who, partner, &read.hash()?).await
    };
    step(staff.who, None, parts, path, write, reject).await
}

/// Withdraw a proposed bank account
#[utoipa::path(
    post, path = "/v1/partners/{partner}/bank-account/withdraw", operation_id = "withdrawBankAccount", tag = "partners",
    description = "By the partner itself, whoever proposed it, or by any person of finance, before it is approved. Money goes where it went.",
    security(("partner" = ["settlement:write"]), ("person" = ["finance"])),
    params(("partner" = String, Path, description = "The partner's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["approval-closed"]))),
    responses((status = 200, description = "The account as it is.", body = BankAccountBody))
)]
async fn withdraw(
    reader: Reader<SettlementWrite, Finance>,
    parts: Parts,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let own_side = reader.partner();
    let withdraw = async |conn: &mut Connection, who: &Who, partner, _: &str, _: &NoFields| {
        super::withdraw(conn, who, partner).await
    };
    step(reader.who, own_side, parts, path, write, withdraw).await
}

/// One step, done once, and the account as it then is.
async fn step<T>(
    who: Who,
    own_side: Option<i64>,
    (ids, secrets, pool, directories): Parts,
    path: Path<String>,
    write: Write<T>,
    take: impl AsyncFnOnce(&mut Connection, &Who, i64, &str, &T) -> Result<(), Error>,
) -> Result<HttpResponse, Error> {
    let claim = who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let partner = own(&ids, &directory, &path, own_side)?;
        let money = directory.money_of(partner).ok_or_else(unknown)?;
        take(conn, &who, partner, &money.code, &write.body).await?;
        Ok(show(&ids, partner, super::find(conn, partner).await?))
    })
    .await
}

/// The partner in the path, when it is the caller's to see.
fn own(
    ids: &Ids,
    directory: &Directory,
    shown: &str,
    own_side: Option<i64>,
) -> Result<i64, Problem> {
    let partner = ids.read(Kind::Partner, shown);
    let partner = partner.filter(|id| own_side.is_none_or(|own| own == *id));
    let partner = partner.and_then(|id| directory.partner(id));
    Ok(partner.ok_or_else(unknown)?.id)
}
