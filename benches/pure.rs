//! The pure parts: evaluating a card, signing and reading a quote, folding a group, looking for a pump.
//! What they cost with a database under them, `interline bench` says.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::hint::black_box;
use std::sync::Arc;

use chrono::{TimeDelta, TimeZone, Utc};
use divan::Bencher;
use divan::counter::ItemsCount;
use interline::clock::Timestamp;
use interline::conversions::decision::{Order, Side};
use interline::conversions::quote::{Quote, Quotes};
use interline::ledger::awards::{Award, Place, Reason};
use interline::ledger::command::Stamp;
use interline::ledger::history::{Books, Entry};
use interline::ledger::programme::Programme;
use interline::partners::expiry::ExpiryPolicy;
use interline::partners::life::Standing;
use interline::partners::{Currency, Keeper};
use interline::points::account::Account;
use interline::points::amount::{Scale, Scales};
use interline::rates::campaigns::limits::Limits;
use interline::rates::campaigns::spans::spans;
use interline::rates::campaigns::{Campaign, PublishedCampaign};
use interline::rates::card::{self, Card};
use interline::rates::pump::{self, Route};
use interline::web::Origin;
use interline::web::once::Claim;
use serde_json::json;
use uuid::Uuid;

/// As many as a writer takes at once.
const GROUP: usize = 512;

fn main() {
    divan::main();
}

#[divan::bench]
fn evaluate_a_card(bencher: Bencher<'_, '_>) {
    let (card, scales) = (card(), scales());
    bencher.bench(|| card::evaluate(&card, scales, None, black_box(12_340)).unwrap());
}

#[divan::bench]
fn sign_a_quote(bencher: Bencher<'_, '_>) {
    let (quotes, quote) = (Quotes::new(&[7; 32]), quote());
    bencher.bench(|| quotes.sign(black_box(&quote)).unwrap());
}

#[divan::bench]
fn read_a_quote(bencher: Bencher<'_, '_>) {
    let quotes = Quotes::new(&[7; 32]);
    let token = quotes.sign(&quote()).unwrap();
    bencher.bench(|| quotes.read(black_box(&token)).unwrap());
}

#[divan::bench]
fn fold_a_group_of_512_conversions(bencher: Bencher<'_, '_>) {
    let (from, to) = (programme(1_000), programme(1_001));
    let card = Arc::new(card());
    let wallet = |currency: i16, nth: usize| Account::wallet(currency, nth as i64);
    let award = |nth: usize| Award {
        wallet: wallet(1_000, nth),
        amount: 1_000,
        usable_from: None,
        programme: from.clone(),
        reason: Reason::Purchase,
        place: Place::default(),
        at: interline::clock::Timestamp::default(),
        imported: None,
    };
    let order = |nth: usize| Order {
        attested: None,
        sponsorship: None,
        quote: quote(),
        from: side(&from, wallet(1_000, nth)),
        to: side(&to, wallet(1_001, nth)),
        card_id: 1,
        card: card.clone(),
        exchange: None,
        fee_money: None,
        promises: Vec::new(),
        rates: Vec::new(),
        at: noon(),
    };
    let inputs = || {
        let mut books = Books::default();
        let awards = (0..GROUP).map(|nth| Entry::new(award(nth), stamp()));
        books.fold(awards.collect(), noon());
        let orders: Vec<Entry> = (0..GROUP)
            .map(|nth| Entry::new(order(nth), stamp()))
            .collect();
        (books, orders)
    };
    bencher
        .counter(ItemsCount::new(GROUP))
        .with_inputs(inputs)
        .bench_local_values(|(mut books, orders)| {
            assert_eq!(books.fold(orders, noon()), GROUP);
            books
        });
}

/// Sixty currencies, 1,500 cards, each a little below what its two currencies are worth.
#[divan::bench]
fn look_for_a_pump_among_1500_cards(bencher: Bencher<'_, '_>) {
    let cards = cards();
    bencher.bench(|| {
        let routes = cards.iter().map(|(from, to, card)| Route {
            card: from * 60 + to,
            from: *from as i16,
            to: *to as i16,
            best: card.best(std::iter::empty(), scales(), None).unwrap(),
            since: noon(),
            until: None,
        });
        pump::find(&routes.collect::<Vec<_>>(), black_box(noon()))
    });
}

fn cards() -> Vec<(i64, i64, Card)> {
    let worth = |currency: i64| 1_000 + currency * 7_919 % 997;
    let pairs = (0..60_i64).flat_map(|from| (1..26).map(move |step| (from, (from + step) % 60)));
    let card = |(from, to): (i64, i64)| {
        let (give, get) = (worth(to) * 1_000, worth(from) * (990 + (from + to) % 10));
        let terms = json!({"kind": "ratio", "give": give, "get": get});
        let settlement = json!({"kind": "cost_plus", "price": "0.01", "commission": "0"});
        let card = json!({"terms": terms, "settlement": settlement});
        (from, to, serde_json::from_value(card).unwrap())
    };
    pairs.map(card).collect()
}

/// The same cards with 40 campaigns into ten of the currencies, each for ten days from another hour on, three
/// of them experiments with three arms: what is looked at whenever a card or a campaign is published.
#[divan::bench]
fn look_for_a_pump_among_1500_cards_and_40_campaigns(bencher: Bencher<'_, '_>) {
    let cards = cards();
    let campaigns: Vec<PublishedCampaign> = (0..40).map(campaign).collect();
    bencher.bench(|| {
        let routes = cards.iter().flat_map(|(from, to, card)| {
            let of_route = campaigns.iter();
            let of_route = of_route.filter(|it| it.is_open(*from as i16, *to as i16));
            let of_route: Vec<&PublishedCampaign> = of_route.collect();
            let spans = spans(&of_route, noon(), None).into_iter();
            spans.flat_map(move |span| {
                let bonuses = span.bonuses.into_iter();
                bonuses.map(move |bonuses| Route {
                    card: from * 60 + to,
                    from: *from as i16,
                    to: *to as i16,
                    best: card.best(bonuses.into_iter(), scales(), None).unwrap(),
                    since: span.since,
                    until: span.until,
                })
            })
        });
        pump::find(&routes.collect::<Vec<_>>(), black_box(noon()))
    });
}

/// A thousandth more and less: what the cards keep back is more than that of all campaigns at once.
fn campaign(nth: i64) -> PublishedCampaign {
    let thousandth = |num: i64| json!({"kind": "percent", "num": num, "den": 10_000});
    let arms = ["a", "b", "c"].into_iter().zip(1..);
    let arms = arms.map(|(name, num)| json!({"name": name, "weight": 1, "bonus": thousandth(num)}));
    let mut terms = json!({
        "zone": "UTC", "judged_at": "request", "funders": [{"partner": 1, "weight": 1}],
    });
    match nth % 13 {
        0 if nth > 0 => terms["arms"] = arms.collect(),
        _ => terms["bonus"] = thousandth(1),
    }
    let target = (nth % 10) as i16;
    let starts_at = noon() + TimeDelta::hours(nth * 7);
    PublishedCampaign {
        id: nth,
        campaign: Campaign {
            name: "Campaign".to_owned(),
            name_zh: "推廣".to_owned(),
            sources: (0..60).filter(|source| *source != target).collect(),
            target,
            starts_at,
            ends_at: starts_at + TimeDelta::days(10),
            terms: serde_json::from_value(terms).unwrap(),
        },
        limits: Limits::default(),
        halted: Vec::new(),
    }
}

fn noon() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 11, 1, 12, 0, 0).unwrap()
}

fn card() -> Card {
    serde_json::from_value(json!({
        "terms": {"kind": "ratio", "give": 10, "get": 9, "min": 100, "step": 10},
        "settlement": {"kind": "cost_plus", "price": "0.010000", "commission": "0.025"},
    }))
    .unwrap()
}

fn scales() -> Scales {
    Scales {
        source: Scale::WHOLE,
        target: Scale::WHOLE,
    }
}

fn quote() -> Quote {
    Quote {
        jti: Uuid::now_v7(),
        partner: "par_0000000000000000".to_owned(),
        member: None,
        card: "crd_0000000000000000".to_owned(),
        exchange_rate: None,
        from_wallet: "wal_0000000000000000".to_owned(),
        to_wallet: "wal_0000000000000001".to_owned(),
        given: 100,
        gained: 90,
        linked: None,
        exp: noon().timestamp() + 600,
        campaigns: Vec::new(),
        rates: Vec::new(),
        then: None,
        covered: false,
    }
}

fn programme(no: i16) -> Programme {
    let currency = Currency {
        no,
        code: format!("C{no}"),
        name: format!("C{no}"),
        name_zh: None,
        scale: Scale::WHOLE,
        issuer: i64::from(no),
        expiry: ExpiryPolicy::Rolling { months: 24 },
        notice_days: Default::default(),
        zone: chrono_tz::Asia::Hong_Kong,
        display_value: "0.01".to_owned().try_into().unwrap(),
        kept_by: Keeper::Hub,
        award_limits: vec![],
        created_at: noon(),
    };
    Programme {
        currency: Arc::new(currency),
        standing: Standing::LIVE,
        link_terms: Arc::default(),
    }
}

fn side(programme: &Programme, wallet: Account) -> Side {
    Side {
        wallet,
        programme: programme.clone(),
        position: Account::position(programme.currency.issuer, 840),
        moved_at: None,
    }
}

fn stamp() -> Stamp {
    Stamp {
        claim: Claim {
            key_hash: Uuid::new_v4(),
            body_hash: Uuid::nil(),
        },
        principal_id: 1,
        is_confirmed: true,
        request_id: Uuid::now_v7(),
        origin: Origin::Console,
        version: None,
        reference: None,
    }
}
