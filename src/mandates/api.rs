//! Mandates over HTTP, and the awards that are made under them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::award::{NotInForce, Refusal};
use super::mandate::{Cap, Caps, Funding, Mandate, State, Terms};
use super::{Proposed, store, unknown};
use crate::access::{
    Asking, Auditor, AwardsWrite, Finance, Operator, Partner, RatesRead, RatesWrite, Reader, Sender,
};
use crate::approvals::api::ReadProposal;
use crate::db::Pool;
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::ledger::awards::api::{self as awards, AwardBody};
use crate::ledger::awards::{Award, Place, Reason};
use crate::ledger::command::Reference;
use crate::ledger::operation;
use crate::ledger::programme::Programme;
use crate::ledger::shelf::Shelf;
use crate::ledger::{self, Ledger};
use crate::partners::expiry::end_of_day;
use crate::partners::{AmountBody, Currency, Directories, Directory};
use crate::points::agreed::{Price, Share};
use crate::points::money::Micros;
use crate::rates::Books;
use crate::secret::Secrets;
use crate::web::body::{object, object_or_none};
use crate::web::text::{self, Mark};
use crate::web::{NoFields, Page, Paging, Query, Write, once};

/// What every step of a mandate needs of the server.
type Desk = (Data<Ids>, Data<Pool>, Data<Directories>);

pub fn routes(cfg: &mut ServiceConfig) {
    let step = |path: &str| web::resource(format!("/v1/mandates/{{mandate}}/{path}"));
    cfg.service(
        web::resource("/v1/mandates")
            .route(web::get().to(list))
            .route(web::post().to(propose)),
    )
    .service(web::resource("/v1/mandates/{mandate}").route(web::get().to(one)))
    .service(step("approve").route(web::post().to(approve)))
    .service(step("reject").route(web::post().to(reject)))
    .service(step("end").route(web::post().to(end)))
    .service(step("awards").route(web::post().to(award)));
}

#[derive(OpenApi)]
#[openapi(
    paths(list, propose, one, approve, reject, end, award),
    components(schemas(NewMandate, FundingBody, NewCapsBody, MandateBody, CapsBody, NewMandatedAward)),
    tags((name = "mandates", description = "Points that another than their issuer awards."))
)]
pub struct Doc;

/// That a partner awards points of another's currency.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMandate {
    /// The code of the currency.
    #[schema(example = "MILE")]
    currency: String,
    /// Who is to award it: you, where another issues it; or whom you let.
    #[schema(example = "ptr_0123456789abcdef")]
    partner: String,
    #[serde(deserialize_with = "object")]
    funding: FundingBody,
    /// For which reasons.
    reasons: Vec<Reason>,
    /// How much at the most; as much as the partner likes when left out.
    #[serde(default, deserialize_with = "object_or_none")]
    caps: Option<NewCapsBody>,
    /// The first day it is in force, where the issuer is at home.
    #[schema(value_type = String, format = Date, example = "2027-01-01")]
    first_day: NaiveDate,
    /// The last one.
    #[schema(value_type = String, format = Date, example = "2027-12-31")]
    last_day: NaiveDate,
}

/// Who pays: `purchased`, the partner buys what it awards; `mandated`, the issuer gives it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = MandateFunding)]
pub enum FundingBody {
    Purchased {
        /// For one printed unit, in the money the issuer settles in.
        #[schema(value_type = String, example = "0.014")]
        price: Price,
        /// The hub's part of that, which the issuer does not get: below 1.
        #[schema(value_type = String, example = "0.025")]
        commission: Share,
    },
    Mandated {
        /// What the issuer pays the partner for each award, in the issuer's money.
        #[schema(value_type = String, example = "0.50")]
        fee: Micros,
    },
}

/// The most that may be awarded.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMandateCaps)]
pub struct NewCapsBody {
    /// At once.
    #[serde(default, deserialize_with = "object_or_none")]
    each: Option<AmountBody>,
    /// On a day of the calendar where the issuer is at home.
    #[serde(default, deserialize_with = "object_or_none")]
    day: Option<AmountBody>,
    /// In all.
    #[serde(default, deserialize_with = "object_or_none")]
    total: Option<AmountBody>,
}

/// An agreement by which a partner awards points of a currency that another issues.
#[derive(Debug, Serialize, ToSchema)]
pub struct MandateBody {
    #[schema(example = "mdt_0123456789abcdef")]
    id: String,
    /// `proposed`, `agreed`, `rejected`, `withdrawn` or `ended`.
    #[schema(example = "agreed")]
    state: &'static str,
    #[schema(example = "MILE")]
    currency: String,
    #[schema(example = "ptr_0123456789abcdef")]
    issuer: String,
    /// Who may award.
    #[schema(example = "ptr_0123456789abcdef")]
    partner: String,
    /// Who proposed it: the other one agrees.
    #[schema(example = "ptr_0123456789abcdef")]
    proposed_by: String,
    funding: FundingBody,
    reasons: Vec<Reason>,
    caps: CapsBody,
    #[schema(value_type = String, format = Date, example = "2027-01-01")]
    first_day: NaiveDate,
    #[schema(value_type = String, format = Date, example = "2027-12-31")]
    last_day: NaiveDate,
    /// Hexadecimal. Send it when you approve: it says what you read.
    content_hash: String,
    created_at: DateTime<Utc>,
}

/// The most that may be awarded; null where as much as the partner likes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MandateCaps)]
pub struct CapsBody {
    each: Option<AmountBody>,
    day: Option<AmountBody>,
    total: Option<AmountBody>,
}

/// Points to give to a member under a mandate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMandatedAward {
    /// The id of a member of yours, who has linked a membership with the issuer.
    #[schema(example = "mem_0123456789abcdef")]
    member: String,
    /// How much, in the mandate's currency.
    #[serde(deserialize_with = "object")]
    amount: AmountBody,
    reason: Reason,
    /// From when the member can use them: within 366 days, before they expire. At once when left out.
    usable_from: Option<DateTime<Utc>>,
    /// How it came about (`store`, `app`), in your own code.
    #[schema(value_type = Option<String>, max_length = 64)]
    channel: Option<Mark>,
    /// Where it came about: a shop of a mall, say.
    #[schema(value_type = Option<String>, max_length = 64)]
    location: Option<Mark>,
    /// What it is awarded for: unique among all awards of the issuer's points by whoever, for ever. Needed when
    /// the issuer pays for them.
    #[schema(value_type = Option<String>, max_length = 128, example = "TPE-01-000123")]
    receipt: Option<text::Reference>,
    /// What you call it where it has no receipt: unique among your awards for ever.
    #[schema(value_type = Option<String>, max_length = 128)]
    reference: Option<text::Reference>,
}

/// Where in the list to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// `next_cursor` of the page before. Leave it out for the first page.
    cursor: Option<String>,
    /// How many to return: 1 to 200, 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// What cursors into the list of mandates are for.
const LIST: &str = "mandates";

/// List mandates
#[utoipa::path(
    get, path = "/v1/mandates", operation_id = "listMandates", tag = "mandates",
    description = "Newest first: those between you and others. The hub's people see all.",
    security(("partner" = ["rates:read"]), ("person" = ["operator", "finance", "auditor"])),
    params(Wanted),
    responses((status = 200, description = "A page of mandates.", body = Page<MandateBody>))
)]
async fn list(
    reader: Reader<RatesRead, (Operator, Finance, Auditor)>,
    (ids, pool, directories): Desk,
    Query(Wanted { cursor, limit }): Query<Wanted>,
) -> Result<web::Json<Page<MandateBody>>, Error> {
    let paging = Paging { cursor, limit };
    let (limit, before) = (paging.limit()?, paging.after(&ids, LIST)?);
    let mut conn = pool.get().await?;
    let (_, directory) = directories.current(&mut conn).await?;
    let before = before.unwrap_or(i64::MAX);
    let found = store::list(&mut conn, reader.partner(), before, limit).await?;
    let show = |mandate: &Mandate| show(&ids, &directory, mandate);
    Ok(web::Json(Page::of(
        found,
        limit,
        &ids,
        LIST,
        |it| it.id,
        show,
    )))
}

/// Look up a mandate
#[utoipa::path(
    get, path = "/v1/mandates/{mandate}", operation_id = "readMandate", tag = "mandates",
    description = "A mandate between you and another.",
    security(("partner" = ["rates:read"]), ("person" = ["operator", "finance", "auditor"])),
    params(("mandate" = String, Path, description = "The mandate's id.")),
    responses((status = 200, description = "The mandate.", body = MandateBody))
)]
async fn one(
    reader: Reader<RatesRead, (Operator, Finance, Auditor)>,
    (ids, pool, directories): Desk,
    path: Path<String>,
) -> Result<web::Json<MandateBody>, Error> {
    let id = ids.read(Kind::Mandate, &path).ok_or_else(unknown)?;
    let mut conn = pool.get().await?;
    let mandate = super::seen(&mut conn, id, reader.partner()).await?;
    let (_, directory) = directories.current(&mut conn).await?;
    Ok(web::Json(show(&ids, &directory, &mandate)))
}

/// Propose a mandate
///
/// By the issuer of the currency or by who is to award it; the other one agrees. `purchased`: the partner owes
/// the price of what it awards, the issuer is owed that less the commission, each in its own money at the
/// exchange rate of the award. `mandated`: the issuer pays a fee an award at most. Terms never change: propose
/// other ones, and end these.
#[utoipa::path(
    post, path = "/v1/mandates", operation_id = "proposeMandate", tag = "mandates",
    security(("partner" = ["rates:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewMandate,
    extensions(("x-problems" = json!(["amount-scale", "amount-too-large", "kept-by-partner", "not-in-pilot", "not-your-currency",
        "partner-state", "partner-suspended"]))),
    responses((status = 201, description = "The mandate.", body = MandateBody))
)]
async fn propose(
    partner: Partner<RatesWrite>,
    (ids, pool, directories): Desk,
    secrets: Data<Secrets>,
    write: Write<NewMandate>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let proposed = write.body.read(&ids, &directory, partner.partner)?;
        let made = super::propose(conn, &partner.who, &ids, partner.partner, &proposed).await?;
        Ok(show(&ids, &directory, &made))
    })
    .await
}

/// Approve a mandate
#[utoipa::path(
    post, path = "/v1/mandates/{mandate}/approve", operation_id = "approveMandate", tag = "mandates",
    description = "By the side that did not propose it. It is in force from its first day on.",
    security(("partner" = ["rates:write"])),
    params(("mandate" = String, Path, description = "The mandate's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "maker-is-checker", "mandate-state",
        "not-in-pilot", "partner-state", "partner-suspended"]))),
    responses((status = 200, description = "The mandate.", body = MandateBody))
)]
async fn approve(
    partner: Partner<RatesWrite>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    decide((partner, secrets), desk, path, write, true).await
}

/// Reject a mandate
#[utoipa::path(
    post, path = "/v1/mandates/{mandate}/reject", operation_id = "rejectMandate", tag = "mandates",
    description = "By the side that did not propose it. Either may propose another.",
    security(("partner" = ["rates:write"])),
    params(("mandate" = String, Path, description = "The mandate's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = ReadProposal,
    extensions(("x-problems" = json!(["approval-changed", "approval-closed", "maker-is-checker", "mandate-state"]))),
    responses((status = 200, description = "The mandate.", body = MandateBody))
)]
async fn reject(
    partner: Partner<RatesWrite>,
    desk: Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<ReadProposal>,
) -> Result<HttpResponse, Error> {
    decide((partner, secrets), desk, path, write, false).await
}

async fn decide(
    (partner, secrets): (Partner<RatesWrite>, Data<Secrets>),
    (ids, pool, directories): Desk,
    path: Path<String>,
    write: Write<ReadProposal>,
    agrees: bool,
) -> Result<HttpResponse, Error> {
    let id = ids.read(Kind::Mandate, &path).ok_or_else(unknown)?;
    let claim = partner.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let (read, of) = (write.body.hash()?, (id, partner.partner));
        let mandate = match agrees {
            true => super::approve(conn, &partner.who, of, &read).await?,
            false => super::reject(conn, &partner.who, of, &read).await?,
        };
        Ok(show(&ids, &directory, &mandate))
    })
    .await
}

/// End a mandate
#[utoipa::path(
    post, path = "/v1/mandates/{mandate}/end", operation_id = "endMandate", tag = "mandates",
    description = "At once and for good, by either side or an operator: nothing more is awarded under it. What was awarded stays, and can be reversed. A proposal is withdrawn.",
    security(("partner" = ["rates:write"]), ("person" = ["operator"])),
    params(("mandate" = String, Path, description = "The mandate's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NoFields,
    extensions(("x-problems" = json!(["mandate-state"]))),
    responses((status = 200, description = "The mandate.", body = MandateBody))
)]
async fn end(
    reader: Reader<RatesWrite, Operator>,
    (ids, pool, directories): Desk,
    secrets: Data<Secrets>,
    path: Path<String>,
    write: Write<NoFields>,
) -> Result<HttpResponse, Error> {
    let id = ids.read(Kind::Mandate, &path).ok_or_else(unknown)?;
    let claim = reader.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::OK, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let mandate = super::end(conn, &reader.who, (id, reader.partner())).await?;
        Ok(show(&ids, &directory, &mandate))
    })
    .await
}

/// Award points under a mandate
///
/// Gives points of another's currency to one of your members, who has linked a membership with its issuer. Who
/// pays, for which reasons and how much at the most is in the mandate. `GET /v1/awards/{award}` shows it to you
/// and to the issuer, each with its own money; either of you may reverse it, at the rate of then, and what it
/// used of the caps comes back.
#[utoipa::path(
    post, path = "/v1/mandates/{mandate}/awards", operation_id = "createMandatedAward", tag = "mandates",
    security(("partner" = ["awards:write"])),
    params(("mandate" = String, Path, description = "The mandate's id."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewMandatedAward,
    extensions(("x-problems" = json!(["amount-scale", "amount-too-large", "exchange-rate-missing", "kept-by-partner", "limit-reached",
        "mandate-not-in-force", "membership-missing", "not-in-pilot", "partner-cap-reached", "partner-cover-short",
        "partner-state", "partner-suspended", "pilot-limit", "receipt-taken", "reference-taken"]))),
    responses((status = 201, description = "The award.", body = AwardBody))
)]
async fn award(
    partner: Sender<AwardsWrite>,
    shelf: Shelf,
    books: Data<Books>,
    ledger: Data<Ledger>,
    path: Path<String>,
    write: Write<NewMandatedAward>,
) -> Result<HttpResponse, Error> {
    let id = shelf.ids.read(Kind::Mandate, &path).ok_or_else(unknown)?;
    let claim = partner.who.claim(&shelf.secrets, &write);
    let body = write.body;
    let build = async |moment| {
        let (version, book) = books.at(moment, &shelf.pool).await?;
        let asking = partner.asking(moment);
        let mandate = awardable(&shelf, asking, id, &body.member).await?;
        super::must_award(&book, partner.partner, moment.now)?;
        let currency = currency_of(&book.directory, &mandate)?;
        let (named, amount) = body.amount.read(&book.directory, "/amount")?;
        if named.no != currency.no {
            let rule = format!("{}, of which the mandate is", currency.code);
            return Err(Problem::field("/amount/currency", rule).into());
        }
        ledger::api::must_keep(currency)?;
        let name = body.name(&shelf, &mandate, partner.partner)?;
        let wanted = (&*body.member, &**currency, &**currency);
        let award = Award {
            wallet: shelf.wallets_of(asking, wanted).await?.from,
            amount,
            programme: Programme::of(&book.directory, currency),
            reason: body.reason,
            usable_from: body.usable_from,
            place: Place::of(&body.channel, &body.location),
            at: moment.now,
            imported: None,
        };
        let award = super::award(&book, mandate, award)?;
        Ok((award, ledger::stamp(&partner.who, claim, version, name)))
    };
    let carried_out = ledger
        .carry_out(partner.moment, build, |refusal| {
            told(&body.amount.currency, refusal)
        })
        .await;
    let operation = carried_out.map_err(|error| match (error, &body.receipt) {
        (Error::Refused(problem), Some(_)) if problem.slug == Slug::ReferenceTaken => {
            let detail = "points of the issuer were awarded for this receipt before";
            Problem::new(Slug::ReceiptTaken, detail).into()
        }
        (error, _) => error,
    })?;
    let reference = body.receipt.or(body.reference).map(String::from);
    let named = shelf.named(partner.moment, operation, reference).await?;
    let shown = awards::show(&shelf.ids, &named, Some(partner.partner))?;
    Ok(HttpResponse::Created().json(shown))
}

/// The mandate of a partner that awards under it to a member of its own.
async fn awardable(shelf: &Shelf, asking: Asking, id: i64, member: &str) -> Result<Mandate, Error> {
    let mut conn = shelf.pool.get().await?;
    let mandate = super::seen(&mut conn, id, Some(asking.partner)).await?;
    if mandate.partner != asking.partner {
        let detail =
            "who awards under it is the other partner; yours you award with POST /v1/awards";
        return Err(Problem::new(Slug::Forbidden, detail).into());
    }
    let whose = (asking.partner, asking.acted);
    shelf.member(&mut conn, whose, member).await?;
    Ok(mandate)
}

fn currency_of<'d>(
    directory: &'d Directory,
    mandate: &Mandate,
) -> Result<&'d std::sync::Arc<Currency>, Error> {
    let currency = directory.currency_no(mandate.currency);
    Ok(currency.ok_or_else(|| anyhow::anyhow!("mandate {} has no currency", mandate.id))?)
}

impl NewMandate {
    fn read(&self, ids: &Ids, directory: &Directory, by: i64) -> Result<Proposed, Problem> {
        let currency = directory.currency(&self.currency).ok_or_else(|| {
            let rule = "the code of a currency; /v1/currencies lists them";
            Problem::field("/currency", rule)
        })?;
        let partner = ids.read(Kind::Partner, &self.partner);
        let partner =
            partner.filter(|id| directory.partner(*id).is_some() && *id != currency.issuer);
        let partner = partner.ok_or_else(|| {
            let rule = "the id of a partner other than the issuer of the currency";
            Problem::field("/partner", rule)
        })?;
        if by != currency.issuer && by != partner {
            let detail =
                "a mandate is proposed by the issuer of the currency or by who is to award it";
            return Err(Problem::new(Slug::NotYourCurrency, detail));
        }
        ledger::api::must_keep(currency)?;
        let caps = self.caps.as_ref();
        let cap = |body: Option<&AmountBody>, pointer: &str| match body {
            None => Ok(None),
            Some(body) => match body.read(directory, pointer)? {
                (named, units) if named.no == currency.no => Ok(Some(units)),
                _ => {
                    let rule = format!("{}, of which the mandate is", currency.code);
                    Err(Problem::field(format!("{pointer}/currency"), rule))
                }
            },
        };
        let funding = match self.funding.clone() {
            FundingBody::Purchased { price, commission } => {
                Funding::Purchased { price, commission }
            }
            FundingBody::Mandated { fee } => Funding::Mandated { fee },
        };
        let terms = Terms {
            funding,
            reasons: self.reasons.clone(),
            caps: Caps {
                each: cap(caps.and_then(|it| it.each.as_ref()), "/caps/each")?,
                day: cap(caps.and_then(|it| it.day.as_ref()), "/caps/day")?,
                total: cap(caps.and_then(|it| it.total.as_ref()), "/caps/total")?,
            },
            first_day: self.first_day,
            last_day: self.last_day,
        };
        Ok(Proposed {
            currency: currency.clone(),
            partner,
            terms,
        })
    }
}

impl NewMandatedAward {
    /// What the award is called: by its receipt among all of the issuer's, or by who makes it.
    fn name(
        &self,
        shelf: &Shelf,
        mandate: &Mandate,
        partner: i64,
    ) -> Result<Option<Reference>, Problem> {
        let is_given = matches!(mandate.terms.funding, Funding::Mandated { .. });
        match (&self.receipt, &self.reference) {
            (Some(_), Some(_)) => Err(Problem::field("/reference", "nothing beside `receipt`")),
            (None, _) if is_given => {
                let rule = "the receipt it is awarded for: the issuer pays for it";
                Err(Problem::field("/receipt", rule))
            }
            (None, _) => Ok(shelf.reference(partner, operation::Kind::Award, &self.reference)),
            (Some(receipt), None) => {
                let issuer = mandate.issuer;
                let named = [b"receipt", &issuer.to_be_bytes()[..], receipt.as_bytes()];
                Ok(Some(Reference {
                    partner_id: issuer,
                    kind: operation::Kind::Award,
                    hash: shelf.secrets.hash(&named),
                    text: String::from(receipt.clone()),
                }))
            }
        }
    }
}

fn show(ids: &Ids, directory: &Directory, mandate: &Mandate) -> MandateBody {
    let Terms {
        funding,
        reasons,
        caps,
        first_day,
        last_day,
    } = &mandate.terms;
    let currency = directory.currency_no(mandate.currency);
    let cap = |units: Option<i64>| Some(AmountBody::of(currency?, units?));
    MandateBody {
        id: ids.show(Kind::Mandate, mandate.id),
        state: mandate.state.name(),
        currency: currency.map_or_else(String::new, |currency| currency.code.clone()),
        issuer: ids.show(Kind::Partner, mandate.issuer),
        partner: ids.show(Kind::Partner, mandate.partner),
        proposed_by: ids.show(Kind::Partner, mandate.proposed_by),
        funding: match *funding {
            Funding::Purchased { price, commission } => {
                FundingBody::Purchased { price, commission }
            }
            Funding::Mandated { fee } => FundingBody::Mandated { fee },
        },
        reasons: reasons.clone(),
        caps: CapsBody {
            each: cap(caps.each),
            day: cap(caps.day),
            total: cap(caps.total),
        },
        first_day: *first_day,
        last_day: *last_day,
        content_hash: hex::encode(&mandate.content_hash),
        created_at: mandate.created_at,
    }
}

/// The refusal of a step that does not lead from where the mandate is.
pub(super) fn no_such_step(mandate: &Mandate) -> Problem {
    let state = mandate.state.name();
    Problem::new(Slug::MandateState, format!("it is {state}")).with("state", state)
}

fn told(code: &str, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Award(refusal) => awards::told(refusal),
        Refusal::NotInForce(why) => not_in_force(why).into(),
        Refusal::Reason => {
            let rule = "one of the mandate's `reasons`";
            Problem::field("/reason", rule).into()
        }
        Refusal::CapReached(reached, currency, day) => {
            let of = match reached.cap {
                Cap::Each => "at once",
                Cap::Day => "on a day",
                Cap::Total => "in all",
            };
            let renews_at = match reached.cap {
                Cap::Day => Some(end_of_day(currency.zone, day)),
                Cap::Each | Cap::Total => None,
            };
            let left = AmountBody::of(&currency, reached.left);
            let detail = format!("the mandate lets no more {code} be awarded {of}");
            Problem::new(Slug::LimitReached, detail)
                .with("left", json!(left))
                .with("renews_at", json!(renews_at))
                .into()
        }
    }
}

fn not_in_force(why: NotInForce) -> Problem {
    let (state, detail) = match why {
        NotInForce::State(state) => (state, format!("it is {}", state.name())),
        NotInForce::Day => {
            let detail = "its first day is not here yet, or its last one is over".to_owned();
            (State::Agreed, detail)
        }
    };
    Problem::new(Slug::MandateNotInForce, detail).with("state", state.name())
}
