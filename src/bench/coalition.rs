//! Who takes part in the bench: twelve brands, thirty routes, many members with every wallet filled.

use chrono::Duration;
use futures_util::{StreamExt, TryStreamExt};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

use crate::access::request_limits::{self, Policy};
use crate::access::scope::SCOPES;
use crate::access::{Party, Role, ScopeSet, Who, credentials};
use crate::clock::Timestamp;
use crate::conversions::decision::{Order, Side};
use crate::conversions::quote::Quote;
use crate::db::{self, Connection};
use crate::error::Error;
use crate::id::Kind;
use crate::ledger::awards::{Award, Place, Reason};
use crate::ledger::caps::{self, terms::Terms};
use crate::ledger::command::Stamp;
use crate::ledger::programme::Programme;
use crate::members::{self, Enrolment};
use crate::partners::expiry::ExpiryPolicy;
use crate::partners::{self, Currency, Keeper, NewCurrency, NewPartner, Partner};
use crate::points::account::{Account, Asset};
use crate::points::amount::Scale;
use crate::points::money::Micros;
use crate::rates::condition::Asker;
use crate::rates::draft::Draft;
use crate::rates::exchange::{self, NewExchangeRate};
use crate::rates::{self, Speakers};
use crate::server::Hub;
use crate::web::Origin;
use crate::web::once::Claim;

const BRANDS: usize = 12;

/// How far apart the two brands of a route are, for the thirty routes: twelve neighbours, twelve
/// next but one, six across.
const HOPS: [(usize, usize); 3] = [(1, 12), (2, 12), (6, 6)];

/// What an ordinary conversion gives.
pub const GIVEN: i64 = 100;

/// Of every currency, for every member: enough for any run.
const HOLDING: i64 = 1_000_000_000;

/// Quotes of the bench outlive every history it makes.
const PROMISED: Duration = Duration::days(3650);

/// How much each brand may owe: more than any run comes to.
const CAP: Micros = Micros(1_000_000_000_000_000);

/// How often a brand may ask: more than any run does.
const REQUESTS: Policy = Policy {
    per_second: Policy::MOST_PER_SECOND,
    burst: Policy::MOST_AT_ONCE,
};

/// Members enrolled at a time.
const CROWD: usize = members::MOST / BRANDS;

pub struct Coalition {
    pub members: usize,
    pub member_ids: Vec<i64>,
    pub codes: Vec<String>,
    /// By brand.
    pub programmes: Vec<Programme>,
    /// By brand, then by member.
    pub wallets: Vec<Vec<i64>>,
    pub routes: Vec<Route>,
    clients: Vec<(String, String)>,
}

pub struct Route {
    pub from: usize,
    pub to: usize,
    /// An order of the route; wallets, amounts and the quote's id are to be filled in.
    pub order: Order,
}

struct Brand {
    partner: Partner,
    currency: Currency,
    who: Who,
    client: (String, String),
}

/// Lets everybody in. The wallets are empty.
pub async fn load(hub: &Hub, members: usize) -> anyhow::Result<Coalition> {
    let mut conn = hub.pool.get().await?;
    let hub_person = Who::at_the_console(1_000_001, Role::Operator);
    let checker = Who::at_the_console(1_000_002, Role::Operator);
    let mut brands = Vec::new();
    for nth in 0..BRANDS {
        brands.push(
            db::transaction(&mut conn, async |conn| {
                admit(conn, hub, [&hub_person, &checker], nth).await
            })
            .await?,
        );
    }
    db::transaction(&mut conn, async |conn| {
        publish_rate(conn, hub, &hub_person).await
    })
    .await?;
    for brand in &brands {
        db::transaction(&mut conn, async |conn| {
            cap(conn, hub, &brand.partner, [&hub_person, &checker]).await
        })
        .await?;
    }
    let mut pairs = Vec::new();
    for (hop, count) in HOPS {
        pairs.extend((0..count).map(|from| (from, (from + hop) % BRANDS)));
    }
    for (from, to) in &pairs {
        let (source, target) = (&brands[*from], &brands[*to]);
        db::transaction(&mut conn, async |conn| {
            publish_card(conn, hub, source, target, &checker).await
        })
        .await?;
    }
    let member_ids = enrol(&mut conn, &hub_person, &brands, members).await?;
    let wallets = wallets(&mut conn, &brands, &member_ids).await?;
    let (_, book) = hub.books.current(&mut conn).await?;
    let now = db::now(&mut conn).await?;

    let route = |(from, to): (usize, usize)| route(hub, (&book, now), &brands, from, to);
    Ok(Coalition {
        members,
        member_ids,
        codes: brands
            .iter()
            .map(|brand| brand.currency.code.clone())
            .collect(),
        programmes: brands
            .iter()
            .map(|brand| Programme::of(&book.directory, &Arc::new(brand.currency.clone())))
            .collect(),
        routes: pairs
            .into_iter()
            .map(route)
            .collect::<anyhow::Result<_>>()?,
        clients: brands.into_iter().map(|brand| brand.client).collect(),
        wallets,
    })
}

async fn admit(
    conn: &mut Connection,
    hub: &Hub,
    people: [&Who; 2],
    nth: usize,
) -> Result<Brand, Error> {
    let (_, directory) = hub.directories.current(conn).await?;
    let money = if nth.is_multiple_of(2) { "HKD" } else { "USD" };
    let money = directory
        .money_by_code(money)
        .ok_or_else(|| broken("no such money"))?
        .no;
    let code = format!("B{:02}", nth + 1);
    let new = NewPartner {
        code: code.clone().try_into().map_err(broken)?,
        name: code.clone().try_into().map_err(broken)?,
        name_zh: None,
        kind: "brand".to_owned().try_into().map_err(broken)?,
        money,
        zone: "Asia/Hong_Kong".parse().map_err(broken)?,
    };
    let operator = people[0];
    let partner = partners::steps::admit_live(conn, people, &hub.ids, new).await?;
    let expiry: ExpiryPolicy =
        serde_json::from_str(r#"{"policy":"end_of_period","period":"year","after":2}"#)
            .map_err(broken)?;
    let new = NewCurrency {
        code: format!("C{:02}", nth + 1).try_into().map_err(broken)?,
        name: code.try_into().map_err(broken)?,
        name_zh: None,
        scale: Scale::WHOLE,
        issuer: partner.id,
        expiry,
        notice_days: Default::default(),
        display_value: "0.01".to_owned().try_into().map_err(broken)?,
        kept_by: Keeper::Hub,
    };
    let currency = partners::currencies::issue(conn, operator, &partner, new).await?;
    request_limits::set(conn, operator, partner.id, REQUESTS).await?;
    let scopes: Vec<String> = SCOPES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let scopes = ScopeSet::try_from(scopes).map_err(broken)?;
    let (credential, secret) =
        credentials::create(conn, operator, &hub.ids, partner.id, scopes, None).await?;
    let who = Who {
        party: Party::Partner(partner.id),
        ..Who::at_the_console(credential.id, Role::Operator)
    };
    Ok(Brand {
        partner,
        currency,
        who,
        client: (hub.ids.show(Kind::Credential, credential.id), secret),
    })
}

async fn publish_rate(conn: &mut Connection, hub: &Hub, who: &Who) -> Result<(), Error> {
    let (_, directory) = hub.directories.current(conn).await?;
    let money = |code: &str| {
        directory
            .money_by_code(code)
            .map(|money| money.no)
            .ok_or_else(|| broken("no such money"))
    };
    let new = NewExchangeRate {
        base: money("USD")?,
        quote: money("HKD")?,
        rate: "7.80000000".to_owned().try_into().map_err(broken)?,
        source: "bench".to_owned().try_into().map_err(broken)?,
        quoted_at: db::now(conn).await?,
    };
    exchange::publish(conn, who, new).await.map(drop)
}

async fn cap(
    conn: &mut Connection,
    hub: &Hub,
    partner: &Partner,
    [maker, checker]: [&Who; 2],
) -> Result<(), Error> {
    let change = |present, _| {
        let cap = Some(CAP);
        Ok(Terms { cap, ..present })
    };
    let hash = caps::propose(conn, maker, &hub.ids, partner, change).await?;
    caps::approve(conn, checker, partner, &hash).await
}

async fn publish_card(
    conn: &mut Connection,
    hub: &Hub,
    source: &Brand,
    target: &Brand,
    checker: &Who,
) -> Result<(), Error> {
    let (_, directory) = hub.directories.current(conn).await?;
    let card = json!({
        "terms": {"kind": "ratio", "give": 10, "get": 9, "min": 100, "step": 10},
        "settlement": {"kind": "cost_plus", "price": "0.010000", "commission": "0.025"},
    });
    let draft = Draft {
        from: source.currency.no,
        to: target.currency.no,
        card: serde_json::from_value(card).map_err(broken)?,
        valid_from: None,
        valid_to: None,
        origin: None,
    };
    let speakers = Speakers {
        source: &source.who,
        target: &target.who,
        hub: checker,
    };
    rates::publish_agreed(conn, &hub.ids, &hub.secrets, &directory, speakers, &draft)
        .await
        .map(drop)
}

async fn enrol(
    conn: &mut Connection,
    who: &Who,
    brands: &[Brand],
    members: usize,
) -> anyhow::Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(members);
    for begin in (0..members).step_by(CROWD) {
        let enrolment = |nth: usize| {
            let number = |brand: &Brand| {
                Ok((
                    brand.partner.id,
                    format!("M{nth:07}").try_into().map_err(broken)?,
                ))
            };
            Ok(Enrolment {
                memberships: brands.iter().map(number).collect::<Result<_, Error>>()?,
            })
        };
        let crowd: Vec<Enrolment> = (begin..members.min(begin + CROWD))
            .map(enrolment)
            .collect::<Result<_, Error>>()?;
        ids.extend(
            db::transaction(conn, async |conn| {
                members::enrol_many(conn, who, &crowd).await
            })
            .await?,
        );
    }
    Ok(ids)
}

async fn wallets(
    conn: &mut Connection,
    brands: &[Brand],
    members: &[i64],
) -> anyhow::Result<Vec<Vec<i64>>> {
    let mut wallets = Vec::new();
    for brand in brands {
        let no: Asset = brand.currency.no;
        let mut of_brand = Vec::with_capacity(members.len());
        for crowd in members.chunks(10_000) {
            let owners: Vec<(i64, Asset)> = crowd.iter().map(|member| (*member, no)).collect();
            let found = members::wallets_of(conn, &owners).await?;
            of_brand.extend(crowd.iter().filter_map(|member| found.get(&(*member, no))));
        }
        anyhow::ensure!(of_brand.len() == members.len(), "wallets are missing");
        wallets.push(of_brand);
    }
    Ok(wallets)
}

fn route(
    hub: &Hub,
    (book, now): (&rates::Book, Timestamp),
    brands: &[Brand],
    from: usize,
    to: usize,
) -> anyhow::Result<Route> {
    let (source, target) = (&brands[from], &brands[to]);
    let card = book.card_for(
        source.currency.no,
        target.currency.no,
        Asker::default(),
        now,
    );
    let card = card.ok_or_else(|| anyhow::anyhow!("a route has no card"))?;
    let exchange = book
        .exchange(source.partner.money, target.partner.money)
        .map_err(|_| anyhow::anyhow!("a route has no exchange rate"))?;
    let side = |brand: &Brand| Side {
        wallet: Account(0),
        programme: Programme::of(&book.directory, &Arc::new(brand.currency.clone())),
        position: Account::position(brand.partner.id, brand.partner.money),
        moved_at: None,
    };
    let quote = Quote {
        jti: Uuid::nil(),
        partner: hub.ids.show(Kind::Partner, source.partner.id),
        member: None,
        card: hub.ids.show(Kind::RateCard, card.id),
        exchange_rate: exchange.map(|(id, _)| hub.ids.show(Kind::ExchangeRate, id)),
        from_wallet: String::new(),
        to_wallet: String::new(),
        given: 0,
        gained: 0,
        covered: false,
        linked: None,
        exp: (now + PROMISED).timestamp(),
        campaigns: Vec::new(),
        rates: Vec::new(),
        then: None,
    };
    let order = Order {
        attested: None,
        sponsorship: None,
        quote,
        from: side(source),
        to: side(target),
        card_id: card.id,
        card: card.card.clone(),
        exchange,
        fee_money: None,
        promises: Vec::new(),
        rates: Vec::new(),
        at: now,
    };
    Ok(Route { from, to, order })
}

impl Route {
    /// What is given, and what is gained for it.
    pub fn amounts(&self, too_much: bool) -> (i64, i64) {
        match too_much {
            true => (4 * HOLDING, 4 * HOLDING / 10 * 9),
            false => (GIVEN, GIVEN / 10 * 9),
        }
    }
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

/// The stamp of a caller in this process, under a key of its own.
pub fn stamp() -> Stamp {
    let claim = Claim {
        key_hash: Uuid::new_v4(),
        body_hash: Uuid::nil(),
    };
    Stamp {
        claim,
        principal_id: 1,
        is_confirmed: true,
        request_id: Uuid::now_v7(),
        origin: Origin::Console,
        version: None,
        reference: None,
    }
}

impl Coalition {
    /// Fills every wallet.
    pub async fn fill(&self, hub: &Hub) -> anyhow::Result<()> {
        let everywhere =
            (0..BRANDS).flat_map(|brand| (0..self.members).map(move |member| (brand, member)));
        futures_util::stream::iter(everywhere)
            .map(|(brand, member)| async move {
                let award = self.award(brand, member, HOLDING);
                let done = hub.ledger.hand_in(award, stamp()).await;
                done.map_err(|failed| anyhow::anyhow!("an award failed: {failed:?}"))
            })
            .buffer_unordered(2048)
            .try_for_each(async |_| Ok(()))
            .await
    }

    /// Points of a brand for a member.
    pub fn award(&self, brand: usize, member: usize, amount: i64) -> Award {
        Award {
            wallet: Account(self.wallets[brand][member]),
            amount,
            programme: self.programmes[brand].clone(),
            imported: None,
            usable_from: None,
            reason: Reason::Purchase,
            place: Place::default(),
            at: Timestamp::default(),
        }
    }

    /// A member's order to take a quote of a route, for what everybody has or for too much.
    pub fn order(&self, route: usize, member: usize, too_much: bool) -> Order {
        let route = &self.routes[route];
        let mut order = route.order.clone();
        order.quote.jti = Uuid::now_v7();
        (order.quote.given, order.quote.gained) = route.amounts(too_much);
        order.from.wallet = Account(self.wallets[route.from][member]);
        order.to.wallet = Account(self.wallets[route.to][member]);
        order
    }

    /// An access token for each brand.
    pub async fn tokens(&self, http: &Client, base_url: &str) -> anyhow::Result<Vec<String>> {
        let mut tokens = Vec::new();
        for (id, secret) in &self.clients {
            let request = http
                .post(format!("{base_url}/oauth/token"))
                .basic_auth(id, Some(secret))
                .header("content-type", "application/x-www-form-urlencoded")
                .body("grant_type=client_credentials");
            tokens.push(
                request
                    .send()
                    .await?
                    .error_for_status()?
                    .json::<Token>()
                    .await?
                    .access_token,
            );
        }
        Ok(tokens)
    }
}

fn broken(cause: impl std::fmt::Display) -> Error {
    anyhow::anyhow!("the bench: {cause}").into()
}
