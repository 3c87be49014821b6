//! The event feed over HTTP.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::told::{self, ExpiringBody, Owner, WarningBody};
use super::{Asked, Happened, LOOKED_AT, Whose, event, store};
use crate::access::audit::{Change, Subject};
use crate::access::{Auditor, EventsRead, Operator, Reader};
use crate::clock;
use crate::conversions;
use crate::conversions::body::{ConversionBody, Progress};
use crate::db::Connection;
use crate::error::Error;
use crate::id::{Ids, Kind as IdKind};
use crate::ledger::adjustments::api::AdjustedBody;
use crate::ledger::awards::api::AwardBody;
use crate::ledger::deliveries::api::DeliveryBody;
use crate::ledger::freeze;
use crate::ledger::holds::body::{HoldBody, HoldStepBody};
use crate::ledger::operation::{Kind, Operation};
use crate::ledger::redemptions::api::RedemptionBody;
use crate::ledger::reversals::api::ReversalBody;
use crate::ledger::seals::seal::Seal;
use crate::ledger::shelf::{Named, Shelf};
use crate::ledger::{
    self, adjustments, api as ledger_api, awards, deliveries, holds, redemptions, reversals,
};
use crate::partners::{AmountBody, Directory};
use crate::points::account::Account;
use crate::rates::campaigns::{self, Names};
use crate::web::{Paging, Query};

#[derive(OpenApi)]
#[openapi(
    paths(list),
    components(schemas(
        EventsBody,
        EventBody,
        DataBody,
        ExpiryBody,
        ExpiringBody,
        FreezeBody,
        WarningBody,
        ChangeBody,
        SealBody
    ))
)]
pub struct Doc;

/// The list that cursors into the feed are of.
pub const CURSOR: &str = "events";

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/v1/events").route(web::get().to(list)));
}

/// Where in the feed to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// `next_cursor` of the answer before. Leave it out to begin with the oldest event.
    after: Option<String>,
    /// How many to return: 1 to 200, 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// Events, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsBody {
    items: Vec<EventBody>,
    /// Where to go on: always there, also when nothing of yours was found on the way.
    next_cursor: String,
    /// The last seal: events up to it can be read, and never change. Null before the first.
    sealed_through: Option<SealBody>,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventBody {
    /// The same however often it is read.
    pub id: String,
    /// `award.completed`, `redemption.completed`, `conversion.completed`, `lot.expired`, `lot.frozen`, `lot.thawed`,
    /// `conversion.pending`, `credit.acknowledged`, `credit.rejected`, `hold.created`, `hold.captured`, `hold.released`, `adjustment.completed`, `delivery.completed`,
    /// `award.reversed`, `redemption.reversed`, `conversion.reversed`, `capture.reversed`; or the name of
    /// `lot.expiring`, `match.made`, `limit.warning`, `limit.warning_ended`; or the name of something and `.changed`, like `card.changed`, `limit.changed` or `partner.changed`. There may be more.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "award.completed")]
    pub kind: &'static str,
    /// Where it is in the feed.
    #[serde(skip)]
    pub place: i64,
    occurred_at: DateTime<Utc>,
    /// The id of what it happened to: what was undone, say, by a reversal.
    subject: String,
    /// The how many-eth event of that it is: 1, 2, 3. Numbers that you do not see are events of others.
    #[schema(example = 1)]
    sequence: i64,
    data: DataBody,
}

/// What it was, as it was when it happened: a conversion is `completed` here, also when it was
/// reversed since, or `pending`, also when its credit was acknowledged since. Those are events of their own.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum DataBody {
    Award(Box<AwardBody>),
    Redemption(Box<RedemptionBody>),
    Conversion(Box<ConversionBody>),
    Expiry(ExpiryBody),
    Freeze(FreezeBody),
    Hold(Box<HoldBody>),
    HoldStep(Box<HoldStepBody>),
    Adjustment(AdjustedBody),
    Delivery(Box<DeliveryBody>),
    Reversal(Box<ReversalBody>),
    Change(ChangeBody),
    LimitWarning(WarningBody),
    Expiring(ExpiringBody),
}

/// Something that is another than it was. Ask for it to see how it is now.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeBody {
    /// `rate_card`, `campaign`, `partner`, `credential`, `membership`, ... of that the `subject` is one.
    #[schema(value_type = String, example = "rate_card")]
    of: &'static str,
    /// Null when it was not there.
    #[schema(example = "proposed")]
    before: Option<String>,
    #[schema(example = "active")]
    after: String,
}

/// Points whose time had come.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExpiryBody {
    id: String,
    wallet: String,
    amount: AmountBody,
    /// When they could no longer be spent: at `at` it was written down.
    expires_at: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
}

/// Points of an import that nobody can use any more, or that can be used again.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreezeBody {
    #[schema(example = "frz_0123456789abcdef")]
    id: String,
    wallet: String,
    amount: AmountBody,
    #[schema(example = "imp_0123456789abcdef")]
    import: String,
    at: DateTime<Utc>,
}

/// A seal over everything that happened up to then. Keep it: whoever has an old one can tell
/// whether the past is still the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct SealBody {
    /// 1, 2, 3 and so on.
    seal: i64,
    /// SHA-256 over the seal before and what has happened since, in hexadecimal.
    hash: String,
    at: DateTime<Utc>,
}

/// Read events
///
/// Everything that moved points of a currency you issue, and every change of something that is yours
/// or that you are a party to, in an order that never changes, within a second or so of its happening. Go on with `next_cursor`: nothing is skipped and nothing comes
/// twice. An empty page is not the end; ask again later. The hub's people see the events of all.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "listEvents", tag = "events",
    security(("partner" = ["events:read"]), ("person" = ["operator", "auditor"])),
    params(Place),
    extensions(("x-problems" = json!(["cursor-invalid"]))),
    responses((status = 200, description = "The next events.", body = EventsBody))
)]
async fn list(
    reader: Reader<EventsRead, (Operator, Auditor)>,
    shelf: Shelf,
    Query(place): Query<Place>,
) -> Result<web::Json<EventsBody>, Error> {
    let paging = Paging {
        cursor: place.after,
        limit: place.limit,
    };
    let (limit, after) = (paging.limit()?, paging.after(&shelf.ids, CURSOR)?);
    let mut conn = shelf.pool.get().await?;
    let (_, directory) = shelf.directories.current(&mut conn).await?;
    let partner = reader.partner();
    let asked = asked(&directory, partner, after.unwrap_or_default(), limit);

    let found = super::read(&mut conn, &asked).await?;
    let items = bodies(&mut conn, &shelf.ids, &directory, partner, found.happened).await?;
    Ok(web::Json(EventsBody {
        items,
        next_cursor: shelf.ids.show_cursor(CURSOR, found.next),
        sealed_through: found.sealed_through.as_ref().map(show_seal),
    }))
}

/// What is to be asked of the feed for a partner; for the hub's people when none.
pub fn asked(directory: &Directory, partner: Option<i64>, after: i64, limit: i64) -> Asked {
    Asked {
        after,
        whose: partner.map(|partner| whose(directory, partner)),
        limit,
        looked_at: LOOKED_AT,
    }
}

/// A partner, with what it issues.
pub fn whose(directory: &Directory, partner: i64) -> Whose {
    let (issued, money) = (directory.issued_by(partner), directory.money_of(partner));
    Whose {
        partner,
        currencies: issued.iter().map(|it| it.no).collect(),
        position: money.map(|money| Account::position(partner, money.no)),
    }
}

/// The events of what happened as `partner` sees them, in their order.
pub async fn bodies(
    conn: &mut Connection,
    ids: &Ids,
    directory: &Arc<Directory>,
    partner: Option<i64>,
    happened: Happened,
) -> Result<Vec<EventBody>, Error> {
    let places = happened.places();
    let sequences = store::sequences(conn, &places).await?;
    let sequence = |place: i64| sequences.get(&place).copied().unwrap_or(1);
    let Happened {
        operations,
        changes,
    } = happened;
    let mut references = match partner {
        Some(partner) => store::references(conn, partner, &places).await?,
        None => Default::default(),
    };
    let campaigns = operations.iter().flat_map(conversions::body::campaigns_in);
    let names = campaigns::names(conn, &campaigns.collect::<Vec<_>>()).await?;

    let named = operations.into_iter().map(|operation| Named {
        reference: references.remove(&operation.id),
        operation,
        directory: Arc::clone(directory),
    });
    let operations = named.map(|named| {
        let sequence = sequence(named.operation.id);
        show(ids, &named, partner, &names, sequence)
    });
    let of_lots = |change: &&Change| change.subject == Subject::ExpiringLot.name();
    let wallets: Vec<i64> = changes
        .iter()
        .filter(of_lots)
        .map(|it| it.subject_id)
        .collect();
    let owners = store::owners(conn, &wallets).await?;
    let changes = changes.into_iter().map(|change| {
        let sequence = sequence(change.position);
        show_change(ids, directory, &owners, change, sequence)
    });
    let mut events = operations.chain(changes).collect::<Result<Vec<_>, _>>()?;
    events.sort_unstable_by_key(|event| event.place);
    Ok(events)
}

fn show_change(
    ids: &Ids,
    directory: &Directory,
    owners: &HashMap<i64, Owner>,
    change: Change,
    sequence: i64,
) -> Result<EventBody, Error> {
    let unknown = || anyhow::anyhow!("a change of {} is none that I know", change.subject);
    let subject = Subject::named(&change.subject).ok_or_else(unknown)?;
    Ok(EventBody {
        id: ids.show(IdKind::Event, change.position),
        kind: event::of_change(subject, change.before.as_deref(), &change.after),
        place: change.position,
        occurred_at: change.at,
        subject: shown(ids, directory, subject, change.subject_id),
        sequence,
        data: match subject {
            Subject::LimitWarning => {
                DataBody::LimitWarning(told::show_warning(ids, directory, &change)?)
            }
            Subject::ExpiringLot => {
                DataBody::Expiring(told::show_expiring(ids, directory, owners, &change)?)
            }
            _ => DataBody::Change(ChangeBody {
                of: subject.name(),
                before: change.before,
                after: change.after,
            }),
        },
    })
}

/// What is said for something that changed.
pub fn shown(ids: &Ids, directory: &Directory, subject: Subject, id: i64) -> String {
    let kind = match subject {
        Subject::Adjustment => IdKind::Adjustment,
        Subject::Approval => IdKind::Approval,
        Subject::Campaign => IdKind::Campaign,
        Subject::BankAccount
        | Subject::Cap
        | Subject::Certification
        | Subject::LimitWarning
        | Subject::LinkTerms
        | Subject::Partner
        | Subject::Pilot
        | Subject::RequestLimit => IdKind::Partner,
        Subject::CertificationRun => IdKind::CertificationRun,
        Subject::Credential => IdKind::Credential,
        Subject::Credit => IdKind::Credit,
        Subject::ExchangeRate => IdKind::ExchangeRate,
        Subject::ExpiringLot => IdKind::Wallet,
        Subject::Import => IdKind::Import,
        Subject::Mandate => IdKind::Mandate,
        Subject::Membership => IdKind::Membership,
        Subject::Person => IdKind::Person,
        Subject::RateCard => IdKind::RateCard,
        Subject::Session => IdKind::Session,
        Subject::WebhookEndpoint => IdKind::WebhookEndpoint,
        Subject::Window => IdKind::Window,
        Subject::Calendar | Subject::Clock | Subject::SigningKey => return id.to_string(),
        Subject::BuyOut | Subject::Currency | Subject::Match => {
            let no = id.try_into().ok();
            let code = no.and_then(|no| directory.code_of(no));
            return code.map_or_else(|| id.to_string(), str::to_owned);
        }
    };
    ids.show(kind, id)
}

/// The event of an operation as `partner` sees it; as the hub's people do when none.
pub fn show(
    ids: &Ids,
    named: &Named,
    partner: Option<i64>,
    names: &Names,
    sequence: i64,
) -> Result<EventBody, Error> {
    let operation = &named.operation;
    let data = match operation.kind {
        Kind::Award => DataBody::Award(awards::api::show(ids, named, partner)?.into()),
        Kind::Redemption => DataBody::Redemption(redemptions::api::show(ids, named)?.into()),
        Kind::Conversion => DataBody::Conversion(
            conversions::body::show(ids, named, partner, Progress::at_first(operation), names)?
                .into(),
        ),
        Kind::Expiry => DataBody::Expiry(show_expiry(ids, named)?),
        Kind::Hold => DataBody::Hold(holds::body::show_made(ids, named)?.into()),
        Kind::Capture | Kind::Release => {
            DataBody::HoldStep(holds::body::show_step(ids, named)?.into())
        }
        Kind::Adjustment => DataBody::Adjustment(adjustments::api::show_posted(ids, named)?),
        Kind::Freeze | Kind::Thaw => DataBody::Freeze(show_freeze(ids, named)?),
        Kind::Delivery => DataBody::Delivery(deliveries::api::show(ids, named)?.into()),
        Kind::AwardReversal
        | Kind::RedemptionReversal
        | Kind::ConversionReversal
        | Kind::CaptureReversal => DataBody::Reversal(reversals::api::show(ids, named)?.into()),
    };
    Ok(EventBody {
        id: ids.show(IdKind::Event, operation.id),
        kind: event::of_operation(operation),
        place: operation.id,
        occurred_at: operation.at,
        subject: match operation.followed() {
            Some((kind, id)) => ids.show(ledger::id_kind(kind), id),
            None => ledger::shown(ids, operation),
        },
        sequence,
        data,
    })
}

fn show_expiry(ids: &Ids, named: &Named) -> Result<ExpiryBody, Error> {
    let Operation {
        id, at, out, lots, ..
    } = &named.operation;
    let leg = out.ok_or_else(|| anyhow::anyhow!("expiry {id} takes nothing"))?;
    let expires_at = lots.first().map(|lot| lot.lot.expires_at);
    Ok(ExpiryBody {
        id: ids.show(IdKind::Expiry, *id),
        wallet: ids.show(IdKind::Wallet, leg.wallet.0),
        amount: ledger_api::amount(&named.directory, leg)?,
        expires_at: expires_at.filter(|at| *at != clock::NEVER),
        at: *at,
    })
}

fn show_freeze(ids: &Ids, named: &Named) -> Result<FreezeBody, Error> {
    let operation = &named.operation;
    let parts = operation.into.zip(freeze::import_of(operation));
    let (leg, import) =
        parts.ok_or_else(|| anyhow::anyhow!("operation {} is not whole", operation.id))?;
    Ok(FreezeBody {
        id: ledger::shown(ids, operation),
        wallet: ids.show(IdKind::Wallet, leg.wallet.0),
        amount: ledger_api::amount(&named.directory, leg)?,
        import: ids.show(IdKind::Import, import),
        at: operation.at,
    })
}

fn show_seal(seal: &Seal) -> SealBody {
    SealBody {
        seal: seal.id,
        hash: hex::encode(&seal.hash),
        at: seal.at,
    }
}
