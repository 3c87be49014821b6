//! Transfers over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::attested::Attested;
use crate::access::{ConversionsWrite, Sender};
use crate::conversions::api::{Taking, own_quote, take};
use crate::conversions::body::ConversionBody;
use crate::conversions::quote::Quotes;
use crate::error::{Error, Problem};
use crate::id::Kind;
use crate::ledger::Ledger;
use crate::ledger::shelf::Shelf;
use crate::partners::AmountBody;
use crate::points::account::Account;
use crate::rates::Books;
use crate::web::Write;
use crate::web::body::object;
use crate::web::text;

#[derive(OpenApi)]
#[openapi(paths(create), components(schemas(NewTransfer)))]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/transfers").route(web::post().to(create)));
}

/// A debit that you made in your own books, and the quote that it takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTransfer {
    /// The token of the quote.
    quote: String,
    /// The id of the member that you debited: the one that the quote is for.
    member: String,
    /// What you debited: what the quote gives.
    #[serde(deserialize_with = "object")]
    debited: AmountBody,
    /// Your business day that the debit is of: today or one of the 31 days before, where you are.
    #[schema(example = "2027-01-15")]
    debited_on: NaiveDate,
    /// What you call the debit: unique among your transfers and conversions for ever.
    #[schema(value_type = String, max_length = 128, example = "debit 4711")]
    reference: text::Reference,
}

/// Transfer attested units in
///
/// For a currency whose balances you keep. You debit the member in your own books, attest that here and take
/// the quote; the hub converts what you debited, or refuses and converts nothing: then credit the member
/// again. What comes of it is a conversion: it is read, found by its reference and reversed as one.
#[utoipa::path(
    post, path = "/v1/transfers", operation_id = "createTransfer", tag = "conversions",
    security(("partner" = ["conversions:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewTransfer,
    extensions(("x-problems" = json!(["amount-scale", "amount-too-large", "campaign-budget-used-up",
        "campaign-limit-reached", "kept-by-hub", "limit-reached", "link-cooling-off", "membership-missing", "not-found",
        "partner-cap-reached", "partner-cover-short", "not-in-pilot", "partner-state", "partner-suspended", "pilot-limit", "quote-expired",
        "quote-invalid", "quote-taken", "reference-taken", "sponsor-budget-used-up"]))),
    responses((status = 201, description = "The conversion.", body = ConversionBody))
)]
async fn create(
    partner: Sender<ConversionsWrite>,
    shelf: Shelf,
    books: Data<Books>,
    quotes: Data<Quotes>,
    ledger: Data<Ledger>,
    write: Write<NewTransfer>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&shelf.secrets, &write);
    let NewTransfer {
        quote,
        member,
        debited,
        debited_on,
        reference,
    } = write.body;
    let quote = own_quote(&partner, &shelf, &quotes, &quote)?;

    let (_, directory) = shelf.directories.at(partner.moment, &shelf.pool).await?;
    let (currency, units) = debited.read(&directory, "/debited")?;
    let wallet = shelf
        .ids
        .read(Kind::Wallet, &quote.from_wallet)
        .map(Account);
    if wallet.map(Account::asset) != Some(currency.no) {
        let rule = "an amount in the currency that the quote gives";
        return Err(Problem::field("/debited/currency", rule).into());
    }
    let wanted = (&*member, &**currency, &**currency);
    let asking = partner.asking(partner.moment);
    if Some(shelf.wallets_of(asking, wanted).await?.from) != wallet {
        let rule = "the member that the quote is for";
        return Err(Problem::field("/member", rule).into());
    }

    let attested = Attested {
        units,
        on: debited_on,
    };
    let taking = Taking {
        quote,
        reference: Some(reference),
        attested: Some(attested),
    };
    take(&partner, &shelf, &books, &ledger, (claim, taking)).await
}
