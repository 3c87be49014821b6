//! Quotes and conversions over HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::bonus::{self, Line};
use super::decision::Refusal;
use super::limits::{Limit, Reached};
use super::postings;
use super::quote::Quotes;
use super::sentence::{self, Told};
use super::worth::{self, Worth};
use super::{Offer, Wish, local};
use crate::access::{AnyRole, ConversionsWrite, LedgerRead, Partner, QuotesWrite, Reader};
use crate::clock::Timestamp;
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::ledger::api::{self, ByReference};
use crate::ledger::follow_ups::SoFar;
use crate::ledger::operation::{Kind, Leg};
use crate::ledger::shelf::{Named, Shelf};
use crate::ledger::{self, Ledger, store};
use crate::partners::{AmountBody, Currency, Directory, MoneyBody};
use crate::points::account::{Account, Asset};
use crate::points::amount::{self, Scale};
use crate::points::money::Micros;
use crate::rates::Books;
use crate::rates::allowance::Most;
use crate::rates::card::{Card, Evaluated};
use crate::rates::funding::Funder;
use crate::rates::price::Priced;
use crate::rates::sentence as card_sentence;
use crate::web::body::object_or_none;
use crate::web::problem::{ReadProblems, WriteProblems};
use crate::web::text::{self, Word};
use crate::web::{Json, Query, Write};
use chrono::{DateTime, SecondsFormat, Utc};

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
        BonusBody
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

/// A price the hub promises until it expires.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuoteBody {
    /// The token that takes it: send it to /v1/conversions as it is.
    quote: String,
    id: Uuid,
    /// The version of the rate card that priced it.
    card: String,
    /// What leaves the wallet.
    gives: AmountBody,
    /// What of the amount asked for stays in the wallet, because it does not divide.
    left: AmountBody,
    /// What the member gets, bonuses included.
    gains: AmountBody,
    /// What of it the rate alone gives.
    base: AmountBody,
    /// What of it are bonuses, each rounded down by itself.
    bonuses: Vec<AmountBody>,
    /// What the member pays you in money; null when nothing.
    fee: Option<MoneyBody>,
    /// What both sides are worth to a member, as their issuers say.
    worth: WorthBody,
    /// What it costs you in settlement.
    cost: CostBody,
    /// `at_once`: with the conversion. Otherwise when it can be used, if it is taken now.
    arrives: String,
    /// Limits of the card within a period, as they stand before the conversion.
    limits: Vec<LimitBody>,
    expires_at: DateTime<Utc>,
    sentence: SentenceBody,
}

/// Amounts by the display values that the issuers publish.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorthBody {
    gives: MoneyBody,
    gains: MoneyBody,
    /// What is gained against what is given, in percent of that, both in the giving issuer's money at the
    /// locked rate: -29 when it is 29 % less. Null where what is given is worth nothing.
    difference: Option<i64>,
}

/// How much a limit of the card leaves, before the conversion.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitBody {
    /// The period, such as `a calendar month` or `any 24 hours`.
    #[schema(example = "a calendar month")]
    within: String,
    /// What may still be given or gained; null for a limit of times.
    left: Option<AmountBody>,
    /// How often more; null for a limit of an amount.
    times_left: Option<i64>,
    /// When something comes back; null when nothing is used, or it never does.
    renews_at: Option<DateTime<Utc>>,
}

/// What the partner whose points are given pays.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostBody {
    gross: MoneyBody,
    /// The hub's part of it.
    commission: MoneyBody,
    /// What bonuses cost on top that the partner whose points are given pays for; null when nothing.
    bonuses: Option<MoneyBody>,
}

/// The same in words, for the member.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentenceBody {
    en: String,
    #[serde(rename = "zh-Hant")]
    zh_hant: String,
}

/// Ask for a quote
///
/// Prices an amount to give, or the least that gains what is wanted, for one of your members, and promises
/// the price for ten minutes. Of the rate cards of the pair whose conditions the member and the channel meet,
/// the one of the highest priority decides. Nothing is stored or reserved, so a quote needs no Idempotency-Key.
#[utoipa::path(
    post, path = "/v1/quotes", operation_id = "createQuote", tag = "conversions",
    security(("partner" = ["quotes:write"])),
    request_body = NewQuote,
    responses((status = 200, description = "The quote.", body = QuoteBody), WriteProblems)
)]
async fn quote(
    partner: Partner<QuotesWrite>,
    shelf: Shelf,
    books: Data<Books>,
    quotes: Data<Quotes>,
    Json(body): Json<NewQuote>,
) -> Result<web::Json<QuoteBody>, Error> {
    let offer = super::offer(
        &shelf,
        &books,
        (partner.partner, partner.moment),
        &body.member,
        body.wish()?,
        body.channel.as_ref(),
    )
    .await?;
    let token = quotes.sign(&offer.quote)?;
    Ok(web::Json(show_offer(&offer, token)?))
}

fn show_offer(offer: &Offer, token: String) -> Result<QuoteBody, Error> {
    let Offer {
        quote,
        evaluated,
        from,
        to,
        exchange,
        book,
        card,
        limits,
        now,
    } = offer;
    let (priced, figures) = (&evaluated.priced, &evaluated.figures);
    let directory = &book.directory;
    let amounts = [(from, priced.used), (from, priced.left), (to, priced.total)];
    let [gives, left, gains] = amounts.map(|(currency, units)| AmountBody::of(currency, units));
    let words =
        |amount: &AmountBody| format!("{} {}", sentence::grouped(&amount.amount), amount.currency);
    let (gives_words, gains_words, left_words) = (words(&gives), words(&gains), words(&left));
    let until = local(quote.expires_at(), from);
    let fee_money = super::fee_money(directory, card);
    let fee = postings::fee(evaluated, fee_money);
    let fee_words = fee_money.zip(priced.fee).filter(|_| fee.is_some());
    let fee_words = fee_words.map(|(money, units)| {
        let scale = Scale::new(money.scale).unwrap_or(Scale::WHOLE);
        format!(
            "{} {}",
            money.code,
            sentence::grouped(&amount::print(units, scale))
        )
    });
    let delivery = card.terms.delivery;
    let arrives_words = delivery.map(|delivery| local(delivery.arrives(to.zone, *now), to));
    let extra: i64 = bonuses(priced).sum();
    let bonus = (extra > 0).then(|| words(&AmountBody::of(to, extra)));
    let worth = worth::of((from, priced.used), (to, priced.total), *exchange);
    let worth = worth.map_err(anyhow::Error::from)?;
    let told = Told {
        gives: &gives_words,
        gains: &gains_words,
        left: (priced.left > 0).then_some(left_words.as_str()),
        difference: worth.difference,
        bonus: bonus.as_deref(),
        fee: fee_words.as_deref(),
        arrives: arrives_words.as_deref(),
        until: &until,
    };
    Ok(QuoteBody {
        id: quote.jti,
        card: quote.card.clone(),
        fee: fee
            .map(|(no, fee)| money_no(directory, no, fee))
            .transpose()?,
        base: AmountBody::of(to, priced.base),
        bonuses: bonuses(priced)
            .map(|units| AmountBody::of(to, units))
            .collect(),
        worth: WorthBody::of(directory, (from, to), &worth)?,
        cost: CostBody {
            gross: money(directory, from, figures.gross)?,
            commission: money(directory, from, figures.commission)?,
            bonuses: match source_pays(evaluated) {
                Micros::ZERO => None,
                cost => Some(money(directory, from, cost)?),
            },
        },
        arrives: arrives(card, to, *now),
        limits: limits
            .iter()
            .map(|limit| LimitBody::of(limit, from, to))
            .collect(),
        expires_at: quote.expires_at(),
        sentence: SentenceBody {
            en: sentence::english(&told),
            zh_hant: sentence::chinese(&told),
        },
        quote: token,
        gives,
        left,
        gains,
    })
}

/// The bonuses that are any, the block bonus first.
fn bonuses(priced: &Priced) -> impl Iterator<Item = i64> {
    let block = std::iter::once(priced.block_bonus);
    let all = block.chain(priced.bonuses.iter().copied());
    all.filter(|units| *units > 0)
}

/// What the source pays for bonuses.
fn source_pays(evaluated: &Evaluated) -> Micros {
    let grants = evaluated.grants.iter();
    let own = grants.filter(|grant| grant.funder == Funder::Source);
    Micros(own.map(|grant| grant.charge.0).sum())
}

/// When what is gained under a card can be used, if it is converted now.
pub fn arrives(card: &Card, to: &Currency, now: Timestamp) -> String {
    match card.terms.delivery {
        None => "at_once".to_owned(),
        Some(delivery) => {
            let at = delivery.arrives(to.zone, now);
            at.to_rfc3339_opts(SecondsFormat::Secs, true)
        }
    }
}

fn money_no(directory: &Directory, no: Asset, micros: Micros) -> Result<MoneyBody, Error> {
    let money = directory.money(no);
    let money = money.ok_or_else(|| anyhow::anyhow!("there is no money {no}"))?;
    Ok(MoneyBody::of(money, micros))
}

impl LimitBody {
    pub fn of(limit: &Limit, from: &Currency, to: &Currency) -> LimitBody {
        let Limit {
            allowance,
            standing,
        } = limit;
        let left = standing.left();
        LimitBody {
            within: card_sentence::period(allowance.period),
            left: match allowance.most {
                Most::Given(_) => Some(AmountBody::of(from, left)),
                Most::Gained(_) => Some(AmountBody::of(to, left)),
                Most::Times(_) => None,
            },
            times_left: matches!(allowance.most, Most::Times(_)).then_some(left),
            renews_at: standing.renews_at,
        }
    }
}

impl WorthBody {
    pub fn of(
        directory: &Directory,
        (from, to): (&Currency, &Currency),
        worth: &Worth,
    ) -> Result<WorthBody, Error> {
        Ok(WorthBody {
            gives: money(directory, from, worth.gives)?,
            gains: money(directory, to, worth.gains)?,
            difference: worth.difference,
        })
    }
}

fn money(directory: &Directory, currency: &Currency, micros: Micros) -> Result<MoneyBody, Error> {
    let money = directory.money_of(currency.issuer);
    let money =
        money.ok_or_else(|| anyhow::anyhow!("the issuer of {} has no money", currency.code))?;
    Ok(MoneyBody::of(money, micros))
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

/// Points that became points of another brand.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversionBody {
    id: String,
    /// `completed`, `partially_reversed` or `reversed`.
    status: String,
    quote: Option<Uuid>,
    card: Option<String>,
    gives: AmountBody,
    /// What the member got, bonuses included.
    gains: AmountBody,
    /// What of it were bonuses, by who paid for them.
    bonuses: Vec<BonusBody>,
    /// What the member paid in money to the partner whose points were given; null when nothing.
    fee: Option<MoneyBody>,
    /// What it costs the partner whose points were given; shown to that partner and to the hub's people.
    cost: Option<CostBody>,
    /// What the partner whose points were got is owed, bonuses apart; shown to that partner and to the hub's people.
    value: Option<MoneyBody>,
    /// How much of what was given has been given back.
    reversed: Option<AmountBody>,
    /// The last reversal, when there is one.
    reversed_by: Option<String>,
    reference: Option<String>,
    at: DateTime<Utc>,
}

/// A part of a bonus.
#[derive(Debug, Serialize, ToSchema)]
pub struct BonusBody {
    amount: AmountBody,
    /// What its funder pays for it, whoever that is; shown to the funder and to the hub's people.
    cost: Option<MoneyBody>,
    /// What the partner whose points were got is owed for it; shown to that partner and to the hub's people.
    value: Option<MoneyBody>,
}

/// Take a quote
///
/// Turns the points, or refuses and turns none. A quote is good for one conversion.
#[utoipa::path(
    post, path = "/v1/conversions", operation_id = "createConversion", tag = "conversions",
    security(("partner" = ["conversions:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewConversion,
    responses((status = 201, description = "The conversion.", body = ConversionBody), WriteProblems)
)]
async fn create(
    partner: Partner<ConversionsWrite>,
    shelf: Shelf,
    books: Data<Books>,
    quotes: Data<Quotes>,
    ledger: Data<Ledger>,
    write: Write<NewConversion>,
) -> Result<HttpResponse, Error> {
    let claim = partner.who.claim(&shelf.secrets, &write);
    let body = write.body;
    let quote = quotes
        .read(&body.quote)
        .ok()
        .filter(|quote| shelf.ids.read(id::Kind::Partner, &quote.partner) == Some(partner.partner));
    let quote = quote.ok_or_else(super::invalid)?;

    let operation = ledger
        .carry_out(
            partner.moment,
            async |moment| {
                let (version, order) = super::order(&shelf, &books, moment, &quote).await?;
                let reference = shelf.reference(partner.partner, Kind::Conversion, &body.reference);
                Ok((
                    order,
                    ledger::stamp(&partner.who, claim, version, reference),
                ))
            },
            |refusal| told(&shelf.ids, refusal),
        )
        .await?;
    let named = shelf
        .named(partner.moment, operation, body.reference.map(String::from))
        .await?;
    let body = show(&shelf.ids, &named, Some(partner.partner), SoFar::default())?;
    Ok(HttpResponse::Created().json(body))
}

/// The refusal of what goes over a limit of the card.
pub fn limit_reached(reached: &Reached, from: &Currency, to: &Currency) -> Problem {
    let Reached { limit, needed } = reached;
    let shown = LimitBody::of(limit, from, to);
    let detail = match limit.allowance.most {
        Most::Times(_) => format!("{} times {}", limit.standing.most, shown.within),
        Most::Given(_) => format!(
            "{} {} {}",
            sentence::grouped(&amount::print(limit.standing.most, from.scale)),
            from.code,
            shown.within
        ),
        Most::Gained(_) => format!(
            "{} {} {}",
            sentence::grouped(&amount::print(limit.standing.most, to.scale)),
            to.code,
            shown.within
        ),
    };
    let needed = match limit.allowance.most {
        Most::Times(_) => json!(needed),
        Most::Given(_) => json!(AmountBody::of(from, *needed)),
        Most::Gained(_) => json!(AmountBody::of(to, *needed)),
    };
    let left = match shown.times_left {
        Some(times) => json!(times),
        None => json!(shown.left),
    };
    Problem::new(Slug::LimitReached, format!("the card allows {detail}"))
        .with("left", left)
        .with("needed", needed)
        .with("renews_at", json!(shown.renews_at))
}

fn told(ids: &Ids, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Suspended(suspended) => api::suspended(suspended).into(),
        Refusal::QuoteExpired(at) => {
            Problem::new(Slug::QuoteExpired, format!("the quote ended at {at}")).into()
        }
        Refusal::QuoteTaken { by } => {
            let by = ids.show(id::Kind::Conversion, by);
            Problem::new(Slug::QuoteTaken, format!("conversion {by} took it"))
                .with("conversion", by)
                .into()
        }
        Refusal::BalanceTooLow(short, currency) => api::balance_too_low(short, &currency).into(),
        Refusal::LimitReached(reached, currencies) => {
            let [from, to] = &*currencies;
            limit_reached(&reached, from, to).into()
        }
        Refusal::NotAsQuoted(now) => {
            anyhow::anyhow!("a quote and its conversion disagree: {now:?}").into()
        }
    }
}

/// Look a conversion up by your reference
#[utoipa::path(
    get, path = "/v1/conversions", operation_id = "findConversion", tag = "conversions",
    description = "The conversion that you gave this reference.",
    security(("partner" = ["ledger:read"])),
    params(ByReference),
    responses((status = 200, description = "The conversion.", body = ConversionBody), ReadProblems)
)]
async fn find(
    partner: Partner<LedgerRead>,
    shelf: Shelf,
    query: Query<ByReference>,
) -> Result<web::Json<ConversionBody>, Error> {
    let named = shelf
        .by_reference(partner.partner, &[Kind::Conversion], &query.0.reference)
        .await?;
    let so_far = reversed_so_far(&shelf, &named).await?;
    Ok(web::Json(show(
        &shelf.ids,
        &named,
        Some(partner.partner),
        so_far,
    )?))
}

/// Read a conversion
#[utoipa::path(
    get, path = "/v1/conversions/{conversion}", operation_id = "readConversion", tag = "conversions",
    description = "A conversion that gave or got a currency you issue. Each side sees its own money only.",
    security(("partner" = ["ledger:read"]), ("person" = [])),
    params(("conversion" = String, Path, description = "The conversion's id.")),
    responses((status = 200, description = "The conversion.", body = ConversionBody), ReadProblems)
)]
async fn read(
    reader: Reader<LedgerRead, AnyRole>,
    shelf: Shelf,
    path: Path<String>,
) -> Result<web::Json<ConversionBody>, Error> {
    let named = shelf
        .by_id(reader.partner(), &[Kind::Conversion], &path)
        .await?;
    let so_far = reversed_so_far(&shelf, &named).await?;
    Ok(web::Json(show(
        &shelf.ids,
        &named,
        reader.partner(),
        so_far,
    )?))
}

async fn reversed_so_far(shelf: &Shelf, named: &Named) -> Result<SoFar, Error> {
    let mut conn = shelf.pool.get().await?;
    let follow_ups = store::follow_ups(&mut conn, named.operation.id).await?;
    Ok(follow_ups.of(Kind::ConversionReversal))
}

/// A conversion as `partner` sees it; as the hub's people do when none.
pub fn show(
    ids: &Ids,
    named: &Named,
    partner: Option<i64>,
    so_far: SoFar,
) -> Result<ConversionBody, Error> {
    let Named {
        operation,
        reference,
        directory,
    } = named;
    let parts = operation.out.zip(operation.into).zip(operation.figures);
    let ((out, into), figures) =
        parts.ok_or_else(|| anyhow::anyhow!("conversion {} is not whole", operation.id))?;
    let sees = |position: Account| partner.is_none_or(|partner| partner == position.owner());
    let money = |account: Account, micros| money_no(directory, account.asset(), micros);
    let bonuses = bonus::lines(&operation.transfers);
    let source_pays = Micros(
        bonuses
            .iter()
            .filter_map(|line| line.charge)
            .filter(|(funder, _)| *funder == figures.pays)
            .map(|(_, charge)| charge.0)
            .sum(),
    );
    let cost = || {
        let gross = money(figures.pays, figures.gross)?;
        Ok::<_, Error>(CostBody {
            gross,
            commission: money(figures.pays, figures.commission)?,
            bonuses: match source_pays {
                Micros::ZERO => None,
                cost => Some(money(figures.pays, cost)?),
            },
        })
    };
    let bonus_body = |line: &Line| {
        let amount = api::amount(
            directory,
            Leg {
                amount: line.units,
                ..into
            },
        )?;
        let charge = line.charge.filter(|(funder, _)| sees(*funder));
        let value = sees(figures.paid).then_some(line.value);
        Ok::<_, Error>(BonusBody {
            amount,
            cost: charge
                .map(|(funder, charge)| money(funder, charge))
                .transpose()?,
            value: value.map(|value| money(figures.paid, value)).transpose()?,
        })
    };
    let fee = postings::fee_kept(operation.memo.as_ref());
    let is_reversed = so_far.amount > 0;
    Ok(ConversionBody {
        id: ids.show(id::Kind::Conversion, operation.id),
        status: match so_far.amount {
            0 => "completed",
            part if part < out.amount => "partially_reversed",
            _ => "reversed",
        }
        .to_owned(),
        quote: operation.quote,
        card: operation
            .card_id
            .map(|card| ids.show(id::Kind::RateCard, card)),
        gives: api::amount(directory, out)?,
        gains: api::amount(directory, into)?,
        bonuses: bonuses.iter().map(bonus_body).collect::<Result<_, _>>()?,
        fee: fee
            .map(|(no, fee)| money_no(directory, no, fee))
            .transpose()?,
        cost: sees(figures.pays).then(cost).transpose()?,
        value: sees(figures.paid)
            .then(|| money(figures.paid, figures.value))
            .transpose()?,
        reversed: is_reversed
            .then(|| {
                let amount = so_far.amount;
                api::amount(directory, Leg { amount, ..out })
            })
            .transpose()?,
        reversed_by: is_reversed.then(|| ids.show(id::Kind::Reversal, so_far.last)),
        reference: reference.clone(),
        at: operation.at,
    })
}
