//! Buy-outs over HTTP.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::{Found, Left, Wanted};
use crate::access::{AnyRole, Operator, RatesRead, RatesWrite, Reader, Staff, Who};
use crate::approvals::api::ReadProposal;
use crate::clock::Timestamp;
use crate::db::{Connection, Pool};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::{AmountBody, Currency, Partner};
use crate::rates::{Book, Books};
use crate::secret::Secrets;
use crate::web::{NoFields, Write, once};

/// What every operation here needs of the server.
type Parts = (Data<Ids>, Data<Secrets>, Data<Pool>, Data<Books>);

pub fn routes(cfg: &mut ServiceConfig) {
    let step = |path: &str| web::resource(format!("/v1/currencies/{{code}}/buy-out/{path}"));
    cfg.service(
        web::resource("/v1/currencies/{code}/buy-out")
            .route(web::get().to(read))
            .route(web::put().to(propose)),
    )
    .service(step("approve").route(web::post().to(approve)))
    .service(step("reject").route(web::post().to(reject)))
    .service(step("withdraw").route(web::post().to(withdraw)));
}

#[derive(OpenApi)]
#[openapi(
    paths(read, propose, approve, reject, withdraw),
    components(schemas(ProposeBuyOut, BuyOutBody, LeftBody, WalletsBody, ProposedBuyOutBody))
)]
pub struct Doc;

/// A rate card to convert by, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeBuyOut {
    /// The version of a rate card that holds now; null to let the points expire.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true, example = "card_0123456789abcdef")]
    card: Option<String>,
}

/// What becomes of the points of an issuer that ends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BuyOut)]
pub struct BuyOutBody {
    /// The code of the currency.
    #[schema(example = "MILE")]
    currency: String,
    /// When its issuer's last day is over; null when it does not wind down.
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Timestamp>,
    /// The rate card that was agreed to; null when what is left expires.
    #[schema(example = "card_0123456789abcdef")]
    card: Option<String>,
    /// After the last day: what the hub waits for before it goes on; null when it does not.
    #[schema(example = "room below the cap or the cover of who pays")]
    waits_for: Option<String>,
    /// When there was nothing more to convert, and the rest began to expire; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    done_at: Option<Timestamp>,
    /// What is left now; null when the issuer does not wind down.
    left: Option<LeftBody>,
    /// What waits for a second person.
    proposed: Option<ProposedBuyOutBody>,
}

/// What is left of a currency, as the rate card that is agreed to, else the one that is proposed, meets it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BuyOutLeft)]
pub struct LeftBody {
    /// All of it.
    all: WalletsBody,
    /// Of members who have a wallet of the card's target. What others have expires.
    reached: WalletsBody,
    /// Whether something is held or frozen, which is waited for.
    is_tied: bool,
}

/// How many wallets, and what is in them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BuyOutWallets)]
pub struct WalletsBody {
    #[schema(example = 1200)]
    wallets: i64,
    amount: AmountBody,
}

/// A buy-out that waits for a second person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProposedBuyOut)]
pub struct ProposedBuyOutBody {
    /// Null when the points are to expire.
    #[schema(example = "card_0123456789abcdef")]
    card: Option<String>,
    /// Hexadecimal. Send it when you approve: it says what you read.
    content_hash: String,
    #[schema(value_type = String, format = DateTime)]
    proposed_at: Timestamp,
}

impl LeftBody {
    fn of(currency: &Currency, left: &Left) -> LeftBody {
        let of = |wallets, units| WalletsBody {
            wallets,
            amount: AmountBody::of(currency, units),
        };
        LeftBody {
            all: of(left.wallets, left.units),
            reached: of(left.reached, left.units_reached),
            is_tied: left.is_tied,
        }
    }
}

fn show(ids: &Ids, currency: &Currency, found: Found) -> BuyOutBody {
    let card = |id| ids.show(Kind::RateCard, id);
    let agreed = found.agreed;
    BuyOutBody {
        currency: currency.code.clone(),
        ends_at: found.issuer.ends_at,
        card: agreed.as_ref().map(|it| card(it.card)),
        done_at: agreed.as_ref().and_then(|it| it.done_at),
        waits_for: agreed.and_then(|it| it.waits_for),
        left: found.left.as_ref().map(|left| LeftBody::of(currency, left)),
        proposed: found.proposed.map(|it| ProposedBuyOutBody {
            card: it.wanted.card.map(card),
            content_hash: hex::encode(it.content_hash),
            proposed_at: it.at,
        }),
    }
}

/// Read a buy-out
#[utoipa::path(
    get, path = "/v1/currencies/{code}/buy-out", operation_id = "readBuyOut", tag = "currencies",
    description = "What becomes of a currency's points when its issuer's last day is over: they expire, or the hub converts them by a rate card. An issuer sees its own currencies.",
    security(("partner" = ["rates:read"]), ("person" = [])),
    params(("code" = String, Path, description = "The currency's code.")),
    responses((status = 200, description = "The buy-out.", body = BuyOutBody))
)]
async fn read(
    reader: Reader<RatesRead, AnyRole>,
    parts: Parts,
    code: Path<String>,
) -> Result<web::Json<BuyOutBody>, Error> {
    let (ids, _, pool, books) = parts;
    let mut conn = pool.get().await?;
    let (_, book) = books.current(&mut conn).await?;
    let currency = own(&book, reader.partner(), &code)?;
    let found = super::find(&mut conn, &book, currency).await?;
    Ok(web::Json(show(&ids, currency, found)))
}

/// Propose a buy-out
///
/// Of a currency whose issuer winds down, by the issuer or an operator; another operator agrees. When the last day
/// is over the hub converts by the card what each member left, as often as that takes, in all the card's terms and
/// without a cooling-off. What the card does not take expires, and what is of members without a wallet of the
/// target. A card whose fee is in money is refused: members are not asked any more.
#[utoipa::path(
    put, path = "/v1/currencies/{code}/buy-out", operation_id = "proposeBuyOut", tag = "currencies",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("code" = String, Path, description = "The currency's code."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ProposeBuyOut,
    extensions(("x-problems" = json!(["approval-open", "kept-by-partner", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "The buy-out, and what waits.", body = BuyOutBody))
)]
async fn propose(
    reader: Reader<RatesWrite, Operator>,
    parts: Parts,
    code: Path<String>,
    write: Write<ProposeBuyOut>,
) -> Result<HttpResponse, Error> {
    let ids = parts.0.clone();
    let of = (reader.partner(), &**code);
    let propose = async |conn: &mut Connection, who: &Who, at: At<'_>, asked: &ProposeBuyOut| {
        let card = asked.card.as_deref();
        let card = card.map(|card| ids.read(Kind::RateCard, card).ok_or_else(no_card));
        let card = card.transpose()?;
        super::want(conn, who, at.0, at.1, Wanted { card }).await
    };
    step(&reader.who, of, parts, write, propose).await
}

/// Agree to a buy-out
#[utoipa::path(
    post, path = "/v1/currencies/{code}/buy-out/approve", operation_id = "approveBuyOut", tag = "currencies",
    description = "By an operator who did not propose it. It is for the last day that the issuer has now, and falls with it.",
    security(("person" = ["operator"])),
    params(("code" = String, Path, description = "The currency's code."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired", "kept-by-partner",
        "maker-is-checker", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "The buy-out.", body = BuyOutBody))
)]
async fn approve(
    staff: Staff<Operator>,
    parts: Parts,
    code: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let ids = parts.0.clone();
    let approve = async |conn: &mut Connection, who: &Who, at: At<'_>, read: &ReadProposal| {
        super::approve(conn, who, &ids, at, &read.hash()?).await
    };
    step(&staff.who, (None, &code), parts, write, approve).await
}

/// Do not agree to a buy-out
#[utoipa::path(
    post, path = "/v1/currencies/{code}/buy-out/reject", operation_id = "rejectBuyOut", tag = "currencies",
    description = "Ends the proposal. What is agreed to goes on.",
    security(("person" = ["operator"])),
    params(("code" = String, Path, description = "The currency's code."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "approval-expired",
        "maker-is-checker"]))),
    responses((status = 200, description = "The buy-out.", body = BuyOutBody))
)]
async fn reject(
    staff: Staff<Operator>,
    parts: Parts,
    code: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    let reject = async |conn: &mut Connection, who: &Who, at: At<'_>, read: &ReadProposal| {
        super::reject(conn, who, at.1, &read.hash()?).await
    };
    step(&staff.who, (None, &code), parts, write, reject).await
}

/// Take a proposed buy-out back
#[utoipa::path(
    post, path = "/v1/currencies/{code}/buy-out/withdraw", operation_id = "withdrawBuyOut", tag = "currencies",
    description = "Ends the proposal, by the issuer or any operator. What is agreed to goes on.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("code" = String, Path, description = "The currency's code."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["approval-closed"]))),
    responses((status = 200, description = "The buy-out.", body = BuyOutBody))
)]
async fn withdraw(
    reader: Reader<RatesWrite, Operator>,
    parts: Parts,
    code: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let of = (reader.partner(), &**code);
    let withdraw = async |conn: &mut Connection, who: &Who, at: At<'_>, _: &NoFields| {
        super::withdraw(conn, who, at.1).await
    };
    step(&reader.who, of, parts, write, withdraw).await
}

/// What is published, and the currency in it.
type At<'a> = (&'a Book, &'a Currency);

/// One step, done once, and what then holds. `of` is whose currency it is asked to be, none for the hub's people,
/// and its code.
async fn step<T>(
    who: &Who,
    of: (Option<i64>, &str),
    (ids, secrets, pool, books): Parts,
    write: Write<T>,
    take: impl AsyncFnOnce(&mut Connection, &Who, At<'_>, &T) -> Result<(), Error>,
) -> Result<HttpResponse, Error> {
    let (_, book) = books.current(&mut *pool.get().await?).await?;
    let currency = own(&book, of.0, of.1)?;
    let claim = who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        take(conn, who, (&book, currency), &write.body).await?;
        let found = super::find(conn, &book, currency).await?;
        Ok(show(&ids, currency, found))
    })
    .await
}

fn own<'b>(book: &'b Book, partner: Option<i64>, code: &str) -> Result<&'b Currency, Problem> {
    let currency = book.directory.currency(code);
    let is_own = |it: &&Currency| partner.is_none_or(|own| own == it.issuer);
    let currency = currency.map(|it| &**it).filter(is_own);
    currency.ok_or_else(|| Problem::new(Slug::NotFound, "there is no such currency of yours"))
}

pub(super) fn no_card() -> Problem {
    let rule =
        "a version of a rate card out of this currency that is published and not over, or null";
    Problem::field("/card", rule)
}

pub(super) fn fee_in_money() -> Problem {
    let rule = "a rate card without a fee in money, since members are not asked any more";
    Problem::field("/card", rule)
}

pub(super) fn no_end(issuer: &Partner) -> Problem {
    let (code, state) = (&issuer.code, issuer.state.name());
    let detail = format!("{code} is {state}: a buy-out is for an issuer that winds down");
    Problem::new(Slug::PartnerState, detail).with("state", state)
}

pub(super) fn is_done(currency: &Currency, at: Timestamp) -> Problem {
    let detail = format!(
        "what was left of {} is bought out since {at}",
        currency.code
    );
    Problem::new(Slug::PartnerState, detail)
}
