//! Quotes and conversions over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::body::{
    BonusBody, CodeBody, ConversionBody, LegBody, Progress, Viewer, campaigns_in, show,
};
use super::quote::{Quote, Quotes};
use super::quoted::{
    self, CampaignGainBody, CostBody, LimitBody, QuoteBody, QuotedBonusBody, QuotedLegBody,
    SentenceBody, WorthBody,
};
use super::transfers::attested::Attested;
use super::{Wish, refusal, through};
use crate::access::{
    AnyRole, ConversionsWrite, LedgerRead, OrMember, Partner, QuotesWrite, Reader, Sender, Who,
};
use crate::clock;
use crate::error::{Error, Problem};
use crate::id;
use crate::ledger::api::ByReference;
use crate::ledger::credits::credit::State;
use crate::ledger::deliveries::api::code_of;
use crate::ledger::deliveries::code::Code;
use crate::ledger::operation::Kind;
use crate::ledger::shelf::{Named, Shelf};
use crate::ledger::{self, Ledger, credits, store};
use crate::partners::AmountBody;
use crate::partners::link_terms;
use crate::rates::campaigns::{self, Names};
use crate::rates::{Book, Books};
use crate::web::body::object_or_none;
use crate::web::once::Claim;
use crate::web::text::{self, Word};
use crate::web::{Json, Query, Write};

#[derive(OpenApi)]
#[openapi(
    paths(quote, create, find, read),
    components(schemas(
        NewQuote,
        QuoteBody,
        WorthBody,
        CostBody,
        LimitBody,
        SentenceBody,
        NewConversion,
        ConversionBody,
        CodeBody,
        BonusBody,
        CampaignGainBody,
        QuotedBonusBody,
        QuotedLegBody,
        LegBody
    ))
)]
pub struct Doc;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/quotes").route(web::post().to(quote)))
        .service(
            web::resource("/v1/conversions")
                .route(web::post().to(create))
                .route(web::get().to(find)),
        )
        .service(web::resource("/v1/conversions/{conversion}").route(web::get().to(read)));
}

/// What a member wants to turn into what: either `gives` and `to`, or `gains` and `from`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"member": "mem_0123456789abcdef", "gives": {"amount": "10000", "currency": "MILE"}, "to": "HPT"}))]
pub struct NewQuote {
    /// The member's id.
    member: String,
    /// The amount to give, in a currency that you issue.
    #[serde(default, deserialize_with = "object_or_none")]
    gives: Option<AmountBody>,
    /// With `gives`: the code of the currency to get.
    #[schema(example = "HPT")]
    to: Option<String>,
    /// The least to get: priced is the smallest amount that becomes so much.
    #[serde(default, deserialize_with = "object_or_none")]
    gains: Option<AmountBody>,
    /// With `gains`: the code of the currency to give, one that you issue.
    from: Option<String>,
    /// The code of a third currency that it is to become on the way.
    #[schema(example = "STAR")]
    through: Option<String>,
    /// How the member asks, where rate cards tell by it: 1 to 40 of a to z, 0 to 9 and _.
    #[schema(value_type = Option<String>, pattern = "^[a-z0-9_]{1,40}$", example = "app")]
    channel: Option<Word>,
}

impl NewQuote {
    fn wish(&self) -> Result<Wish<'_>, Problem> {
        let (gives, gains) = (self.gives.as_ref(), self.gains.as_ref());
        let (pointer, rule) = match (gives, self.to.as_deref(), gains, self.from.as_deref()) {
            (Some(gives), Some(to), None, None) => return Ok(Wish::Give { gives, to }),
            (None, None, Some(gains), Some(from)) => return Ok(Wish::Gain { from, gains }),
            (Some(_), None, None, _) => ("/to", "the code of the currency to get"),
            (None, _, Some(_), None) => ("/from", "the code of the currency to give"),
            (None, _, None, _) => ("/gives", "an amount to give, or `gains`, an amount to get"),
            (Some(_), _, Some(_), _) => ("/gains", "nothing beside `gives`: one side is fixed"),
            (Some(_), Some(_), None, Some(_)) => ("/from", "nothing beside `gives`"),
            (None, Some(_), Some(_), Some(_)) => ("/to", "nothing beside `gains`"),
        };
        Err(Problem::field(pointer, rule))
    }
}

/// Ask for a quote
///
/// Prices an amount to give, or the least that gains what is wanted, for one of your members, and promises
/// the price for ten minutes. Of the rate cards of the pair whose conditions the member and the channel meet,
/// the one of the highest priority decides. `through` a third currency two cards decide, one after the other,
/// in one quote and one conversion; campaigns are not counted then. Nothing is stored or reserved, so a quote needs no Idempotency-Key.
///
/// A member asks for itself, to give of its wallets of the partner that acts, and is not told what the brands pay
/// each other.
#[utoipa::path(
    post, path = "/v1/quotes", operation_id = "createQuote", tag = "conversions",
    security(("partner" = ["quotes:write"]), ("member" = ["quotes:write"])),
    request_body = NewQuote,
    extensions(("x-problems" = json!(["amount-above-maximum", "amount-below-minimum",
        "amount-not-a-denomination", "amount-off-step", "amount-scale", "amount-too-large", "amount-too-small",
        "exchange-rate-missing", "insufficient-user-authentication", "kept-by-partner", "limit-reached", "link-cooling-off",
        "membership-missing", "no-rate-card", "no-through-route",
        "not-eligible", "not-found", "not-your-currency", "not-in-pilot", "partner-state", "partner-suspended", "pilot-limit",
        "sponsor-budget-used-up"]))),
    responses((status = 200, description = "The quote.", body = QuoteBody))
)]
async fn quote(
    partner: Sender<OrMember<QuotesWrite>>,
    shelf: Shelf,
    books: Data<Books>,
    quotes: Data<Quotes>,
    ledger: Data<Ledger>,
    Json(body): Json<NewQuote>,
) -> Result<web::Json<QuoteBody>, Error> {
    let is_member = partner.who.acted().is_some();
    let quoted = price(&partner, &shelf, &books, &quotes, &ledger, &body).await;
    Ok(web::Json(match is_member {
        true => quoted.map_err(refusal::for_member)?.for_member(),
        false => quoted?,
    }))
}

/// What a wish is quoted, as its partner sees it.
async fn price(
    partner: &Sender<OrMember<QuotesWrite>>,
    shelf: &Shelf,
    books: &Books,
    quotes: &Quotes,
    ledger: &Ledger,
    body: &NewQuote,
) -> Result<QuoteBody, Error> {
    let (member, channel, wish) = (&body.member, body.channel.as_ref(), &body.wish()?);
    let Some(between) = &body.through else {
        let price = async |moment| {
            let (_, book) = books.at(moment, &shelf.pool).await?;
            must_be_proved(&book, &partner.who)?;
            super::offer(shelf, books, partner.asking(moment), member, wish, channel).await
        };
        let (_, offer) = ledger.at_present(partner.moment, price).await?;
        let token = quotes.sign(&offer.quote)?;
        return quoted::show(&shelf.ids, &offer, token);
    };
    let price = async |moment| {
        let (_, book) = books.at(moment, &shelf.pool).await?;
        must_be_proved(&book, &partner.who)?;
        let asking = partner.asking(moment);
        through::offer(shelf, books, asking, member, wish, between, channel).await
    };
    let (_, legs) = Box::pin(ledger.at_present(partner.moment, price)).await?;
    let token = quotes.sign(&legs[0].quote)?;
    quoted::show_through(&shelf.ids, &legs, token)
}

/// Refuses a member that has not proved itself as the programme asks whose points it converts: that of the partner
/// that acts for it.
pub(super) fn must_be_proved(book: &Book, who: &Who) -> Result<(), Problem> {
    let Some(acted) = who.acted() else {
        return Ok(());
    };
    let terms = book.directory.link_terms(acted.partner);
    let now = clock::machine_now().timestamp();
    link_terms::api::must_be_met(&terms.step_up, &who.proof, now)
}

/// A quote to take.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConversion {
    /// The token of the quote.
    quote: String,
    /// What you call it: unique among your conversions for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
}

/// Take a quote
///
/// Turns the points, or refuses and turns none. A quote is good for one conversion, of whoever asked for it: a
/// member takes its own, without a reference.
#[utoipa::path(
    post, path = "/v1/conversions", operation_id = "createConversion", tag = "conversions",
    security(("partner" = ["conversions:write"]), ("member" = ["conversions:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewConversion,
    extensions(("x-problems" = json!(["balance-too-low", "campaign-budget-used-up", "campaign-limit-reached",
        "insufficient-user-authentication", "kept-by-partner", "limit-reached", "link-cooling-off",
        "partner-cap-reached", "partner-cover-short", "not-in-pilot", "partner-state", "partner-suspended", "pilot-limit",
        "quote-expired", "quote-invalid", "quote-taken", "reference-taken", "sponsor-budget-used-up"]))),
    responses((status = 201, description = "The conversion.", body = ConversionBody))
)]
async fn create(
    partner: Sender<OrMember<ConversionsWrite>>,
    shelf: Shelf,
    books: Data<Books>,
    quotes: Data<Quotes>,
    ledger: Data<Ledger>,
    write: Write<NewConversion>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&shelf.secrets, &write);
    let NewConversion { quote, reference } = write.body;
    if partner.who.acted().is_some() && reference.is_some() {
        let rule =
            "nothing: references are the partner's, and a member finds a conversion by its id";
        return Err(Problem::field("/reference", rule).into());
    }
    let taking = Taking {
        quote: own_quote(&partner, &shelf, &quotes, &quote)?,
        reference,
        attested: None,
    };
    take(&partner, &shelf, &books, &ledger, (claim, taking)).await
}

/// The quote of a token, when it is that of who sends it.
pub fn own_quote<S>(
    partner: &Sender<S>,
    shelf: &Shelf,
    quotes: &Quotes,
    token: &str,
) -> Result<Quote, Problem> {
    let member = partner.who.acted().map(|acted| Some(acted.member));
    let is_theirs = |quote: &Quote| {
        let of_member = quote.member.as_deref();
        let of_member = of_member.map(|member| shelf.ids.read(id::Kind::Member, member));
        let of_partner = shelf.ids.read(id::Kind::Partner, &quote.partner);
        of_partner == Some(partner.partner) && of_member == member
    };
    let quote = quotes.read(token).ok().filter(is_theirs);
    quote.ok_or_else(super::invalid)
}

/// What a partner, or its member, takes.
pub struct Taking {
    pub quote: Quote,
    pub reference: Option<text::Reference>,
    /// What the partner debited on its own side.
    pub attested: Option<Attested>,
}

/// Takes a quote of who sends it.
pub async fn take<S>(
    partner: &Sender<S>,
    shelf: &Shelf,
    books: &Books,
    ledger: &Ledger,
    (claim, taking): (Claim, Taking),
) -> Result<HttpResponse, Error> {
    let Taking {
        quote,
        reference: text,
        attested,
    } = taking;

    let reference = shelf.reference(partner.partner, Kind::Conversion, &text);
    let stamp = |version| ledger::stamp(&partner.who, claim, version, reference.clone());
    let refuse = |refusal| refusal::told(&shelf.ids, refusal);
    let take = async |moment| {
        let (version, book) = books.at(moment, &shelf.pool).await?;
        must_be_proved(&book, &partner.who)?;
        let order = super::order(shelf, &book, moment, &quote, attested).await?;
        Ok((order, stamp(version)))
    };
    let pass = async |moment, then| {
        let (version, book) = books.at(moment, &shelf.pool).await?;
        must_be_proved(&book, &partner.who)?;
        let passage = through::order(shelf, &book, moment, &quote, then, attested).await?;
        Ok((passage, stamp(version)))
    };
    let taken = match &quote.then {
        None => ledger.carry_out(partner.moment, take, refuse).await,
        Some(then) => {
            let pass = async |moment| pass(moment, then).await;
            Box::pin(ledger.carry_out(partner.moment, pass, refuse)).await
        }
    };
    let (operation, viewer) = match partner.who.acted() {
        None => (taken?, Viewer::Partner(partner.partner)),
        Some(_) => (taken.map_err(refusal::for_member)?, Viewer::Member),
    };
    let named = shelf
        .named(partner.moment, operation, text.map(String::from))
        .await?;
    let names = names_of(shelf, &named).await?;
    let progress = Progress::at_first(&named.operation);
    let body = show(&shelf.ids, &named, viewer, progress, &names)?;
    let code = code_for(shelf, &named, viewer);
    Ok(HttpResponse::Created().json(body.with_code(code)))
}

/// Look a conversion up by your reference
#[utoipa::path(
    get, path = "/v1/conversions", operation_id = "findConversion", tag = "conversions",
    description = "The conversion that you gave this reference.",
    security(("partner" = ["ledger:read"])),
    params(ByReference),
    extensions(("x-problems" = json!(["not-found"]))),
    responses((status = 200, description = "The conversion.", body = ConversionBody))
)]
async fn find(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    query: Query<ByReference>,
) -> Result<web::Json<ConversionBody>, Error> {
    let named = shelf
        .by_reference(partner.partner, &[Kind::Conversion], &query.0.reference)
        .await?;
    let progress = progress_of(&shelf, &named).await?;
    let names = names_of(&shelf, &named).await?;
    let viewer = Viewer::Partner(partner.partner);
    let body = show(&shelf.ids, &named, viewer, progress, &names)?;
    let code = code_for(&shelf, &named, viewer);
    Ok(web::Json(body.with_code(code)))
}

/// Read a conversion
#[utoipa::path(
    get, path = "/v1/conversions/{conversion}", operation_id = "readConversion", tag = "conversions",
    description = "A conversion that gave or got a currency you issue; for a member, one that gave points of its that the partner issues that acts. Each side sees its own money only, and a member none.",
    security(("partner" = ["ledger:read"]), ("member" = ["ledger:read"]), ("person" = [])),
    params(("conversion" = String, Path, description = "The conversion's id.")),
    responses((status = 200, description = "The conversion.", body = ConversionBody))
)]
async fn read(
    reader: Reader<OrMember<LedgerRead>, AnyRole>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<ConversionBody>, Error> {
    let kinds = &[Kind::Conversion];
    let (named, viewer) = match reader.who.acted() {
        None => {
            let named = shelf.by_id(reader.partner(), kinds, &path).await?;
            (named, Viewer::from(reader.partner()))
        }
        Some(acted) => (shelf.by_id_of(acted, kinds, &path).await?, Viewer::Member),
    };
    let progress = progress_of(&shelf, &named).await?;
    let names = names_of(&shelf, &named).await?;
    let body = show(&shelf.ids, &named, viewer, progress, &names)?;
    let code = code_for(&shelf, &named, viewer);
    Ok(web::Json(body.with_code(code)))
}

/// The code of a conversion, for the partner whose member converted, for the member, and for nobody else.
fn code_for(shelf: &Shelf, named: &Named, viewer: Viewer) -> Option<Code> {
    let leg = named.operation.out?;
    let given = named.directory.currency_no(leg.wallet.asset())?;
    let is_told = match viewer {
        Viewer::Hub => false,
        Viewer::Partner(partner) => partner == given.issuer,
        Viewer::Member => true,
    };
    is_told.then_some(())?;
    code_of(&shelf.ids, &shelf.secrets, &named.operation)
}

async fn progress_of(shelf: &Shelf, named: &Named) -> Result<Progress, Error> {
    let mut conn = shelf.pool.get().await?;
    let id = named.operation.id;
    let follow_ups = store::follow_ups(&mut conn, id).await?;
    let first = Progress::at_first(&named.operation);
    Ok(Progress {
        reversed: follow_ups.of(Kind::ConversionReversal),
        is_credited: first.is_credited
            || credits::state_of(&mut conn, id).await? == Some(State::Acknowledged),
    })
}

/// What the campaigns of a conversion are called.
async fn names_of(shelf: &Shelf, named: &Named) -> Result<Names, Error> {
    let ids = campaigns_in(&named.operation);
    match ids.is_empty() {
        true => Ok(Names::new()),
        false => campaigns::names(&mut *shelf.pool.get().await?, &ids).await,
    }
}
