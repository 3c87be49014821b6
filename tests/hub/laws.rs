//! Any sequence of what partners may send does to wallets what a small model says it does: awards,
//! redemptions, holds, conversions, reversals, expiry, the same again, something else under a known key,
//! things that do not exist. `LAW_CASES` and `LAW_STEPS` say how many sequences of what length.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use interline::clock::NEVER;
use interline::db;
use interline::demo::coalition::BRANDS;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Member, World, issuer};

type Timestamp = DateTime<Utc>;

const CURRENCIES: [&str; 3] = ["MILE", "HPT", "STAR"];
const ROUTES: [[&str; 2]; 3] = [["MILE", "HPT"], ["HPT", "STAR"], ["STAR", "MILE"]];

#[derive(Debug, Clone)]
enum Step {
    Award {
        currency: usize,
        amount: i64,
    },
    Redeem {
        currency: usize,
        amount: i64,
    },
    Hold {
        currency: usize,
        amount: i64,
        days: Option<i64>,
    },
    /// Captures or releases so many hundredths of a hold, or all that is left of it.
    Go {
        which: prop::sample::Index,
        captures: bool,
        part: Option<i64>,
    },
    /// Gets a quote for so many tens of thousands, and keeps it.
    Quote {
        route: usize,
        tens: i64,
    },
    /// Takes one of the quotes, new or old.
    Take {
        which: prop::sample::Index,
    },
    /// Undoes so many hundredths of an operation, or all that is left of it.
    Reverse {
        which: prop::sample::Index,
        part: Option<i64>,
        /// Of an award: what was spent is owed.
        owes: bool,
    },
    /// Sends one of the earlier writes again, as it was.
    Again {
        which: prop::sample::Index,
    },
    /// Sends something else under the key of an earlier write.
    Else {
        which: prop::sample::Index,
    },
    Forward {
        hours: i64,
    },
    Sweep,
    Unknown {
        what: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        5 => (0..3usize, 1..40_000i64).prop_map(|(currency, amount)| Step::Award { currency, amount }),
        4 => (0..3usize, 1..20_000i64).prop_map(|(currency, amount)| Step::Redeem { currency, amount }),
        3 => (0..3usize, 1..20_000i64, prop::option::of(1..=30i64))
            .prop_map(|(currency, amount, days)| Step::Hold { currency, amount, days }),
        6 => (index(), any::<bool>(), prop::option::of(1..80i64))
            .prop_map(|(which, captures, part)| Step::Go { which, captures, part }),
        4 => (0..3usize, 1..4i64).prop_map(|(route, tens)| Step::Quote { route, tens }),
        6 => index().prop_map(|which| Step::Take { which }),
        8 => (index(), prop::option::of(1..80i64), any::<bool>())
            .prop_map(|(which, part, owes)| Step::Reverse { which, part, owes }),
        2 => index().prop_map(|which| Step::Again { which }),
        2 => index().prop_map(|which| Step::Else { which }),
        1 => Just(Step::Forward { hours: 1 }),
        2 => (24..24 * 40i64).prop_map(|hours| Step::Forward { hours }),
        2 => (24..24 * 250i64).prop_map(|hours| Step::Forward { hours }),
        1 => Just(Step::Sweep),
        1 => (0..3usize).prop_map(|what| Step::Unknown { what }),
    ]
}

/// What a wallet holds, by when it expires.
type Lots = BTreeMap<Timestamp, i64>;

/// What an operation did to a wallet.
#[derive(Debug, Clone)]
struct Effect {
    currency: &'static str,
    changes: Lots,
    sum: i64,
}

/// What an operation took, or gave when it took nothing.
fn amount_of(effects: &[Effect]) -> i64 {
    let took = effects.iter().find(|effect| effect.sum < 0);
    took.or(effects.first())
        .map_or(0, |effect| effect.sum.abs())
}

/// A write that took effect, and what is known of it.
#[derive(Debug, Clone)]
struct Done {
    path: String,
    key: String,
    body: Value,
    answer: Value,
    /// The currency whose issuer sent it.
    sender: &'static str,
    effects: Vec<Effect>,
    /// In units of what it took, or gave when it took nothing.
    reversed: i64,
}

#[derive(Debug, Clone)]
struct Quoted {
    token: String,
    route: [&'static str; 2],
    given: i64,
    gained: i64,
    expires_at: Timestamp,
    is_taken: bool,
}

/// Points set aside: out of which lots, and how many of them are used up.
#[derive(Debug, Clone)]
struct Held {
    id: String,
    currency: &'static str,
    lots: Vec<(Timestamp, i64)>,
    used: i64,
    expires_at: Timestamp,
}

impl Held {
    fn left(&self) -> i64 {
        self.lots.iter().map(|(_, units)| units).sum::<i64>() - self.used
    }

    /// Uses up so many more, and says of which lots.
    fn next(&mut self, amount: i64) -> Vec<(Timestamp, i64)> {
        let (mut skip, mut rest, mut steps) = (self.used, amount, Vec::new());
        for (at, units) in &self.lots {
            let passed = skip.min(*units);
            let part = rest.min(units - passed);
            skip -= passed;
            rest -= part;
            steps.push((*at, part));
        }
        self.used += amount;
        steps
    }
}

#[derive(Default)]
struct Model {
    wallets: BTreeMap<&'static str, Lots>,
    done: Vec<Done>,
    quotes: Vec<Quoted>,
    holds: Vec<Held>,
    owed: BTreeMap<&'static str, i64>,
}

/// When points of a currency that are earned now expire, and whether that goes for the whole wallet.
fn policy(currency: &str, now: Timestamp) -> (Timestamp, bool) {
    let brand = BRANDS
        .iter()
        .find(|brand| brand.currency == currency)
        .expect(currency);
    let policy = brand.expiry_policy().expect(currency);
    let zone = brand.zone.parse().expect(brand.zone);
    (policy.expires_at(zone, now), policy.moves_with_activity())
}

impl Model {
    fn usable(&self, currency: &str, now: Timestamp) -> i64 {
        let lots = self.wallets.get(currency);
        lots.into_iter()
            .flatten()
            .filter(|(at, _)| **at > now)
            .map(|(_, amount)| amount)
            .sum()
    }

    /// The earliest lots first. None when there is less.
    fn take(
        &mut self,
        currency: &'static str,
        amount: i64,
        now: Timestamp,
        changes: &mut Lots,
    ) -> Option<()> {
        if self.usable(currency, now) < amount {
            return None;
        }
        let mut rest = amount;
        for (at, held) in self
            .wallets
            .get_mut(currency)?
            .iter_mut()
            .filter(|(at, _)| **at > now)
        {
            let part = rest.min(*held);
            *held -= part;
            rest -= part;
            *changes.entry(*at).or_default() -= part;
        }
        Some(())
    }

    fn give(&mut self, currency: &'static str, at: Timestamp, amount: i64, changes: &mut Lots) {
        *self
            .wallets
            .entry(currency)
            .or_default()
            .entry(at)
            .or_default() += amount;
        *changes.entry(at).or_default() += amount;
    }

    /// How much of what comes in pays what is owed.
    fn pay(&mut self, currency: &'static str, amount: i64) -> i64 {
        let owed = self.owed.entry(currency).or_default();
        let pays = amount.min(*owed);
        *owed -= pays;
        pays
    }

    /// What is alive moves to the later day, where activity counts.
    fn extend(&mut self, currency: &'static str, now: Timestamp, changes: &mut Lots) {
        let (until, moves) = policy(currency, now);
        let lots = self.wallets.entry(currency).or_default();
        let sooner: Vec<(Timestamp, i64)> = lots
            .iter()
            .filter(|(at, held)| moves && **at > now && **at < until && **held > 0)
            .map(|(at, held)| (*at, *held))
            .collect();
        for (at, held) in sooner {
            self.give(currency, at, -held, changes);
            self.give(currency, until, held, changes);
        }
    }

    fn award(&mut self, currency: &'static str, amount: i64, now: Timestamp) -> Vec<Effect> {
        let mut changes = Lots::new();
        self.extend(currency, now, &mut changes);
        let rest = amount - self.pay(currency, amount);
        self.give(currency, policy(currency, now).0, rest, &mut changes);
        vec![Effect {
            currency,
            changes,
            sum: amount,
        }]
    }

    fn redeem(
        &mut self,
        currency: &'static str,
        amount: i64,
        now: Timestamp,
    ) -> Option<Vec<Effect>> {
        let mut changes = Lots::new();
        self.take(currency, amount, now, &mut changes)?;
        self.extend(currency, now, &mut changes);
        Some(vec![Effect {
            currency,
            changes,
            sum: -amount,
        }])
    }

    fn convert(&mut self, quote: &Quoted, now: Timestamp) -> Option<Vec<Effect>> {
        let [from, to] = quote.route;
        let mut effects = self.redeem(from, quote.given, now)?;
        effects.extend(self.award(to, quote.gained, now));
        Some(effects)
    }

    /// The mirror of units `before` to `after`: back into the same lots; taken from those that were
    /// filled, then from the rest. What is taken back so far is rounded up.
    fn reverse(
        &mut self,
        effects: &[Effect],
        (before, after): (i64, i64),
        owes: bool,
        now: Timestamp,
    ) -> Option<Vec<Effect>> {
        let whole = amount_of(effects);
        let mut mirrored = Vec::new();
        for effect in effects.iter().filter(|effect| effect.sum > 0) {
            let up_to = |units: i64| (effect.sum * units + whole - 1) / whole;
            let back = up_to(after) - up_to(before);
            let filled: Vec<Timestamp> = effect
                .changes
                .iter()
                .filter(|(_, change)| **change > 0)
                .map(|(at, _)| *at)
                .collect();
            let lots = self.wallets.entry(effect.currency).or_default().clone();
            let others = lots.keys().filter(|at| **at > now && !filled.contains(at));
            let order = filled.iter().chain(others);
            let held: i64 = order.clone().filter_map(|at| lots.get(at)).sum();
            if held < back && !owes {
                return None;
            }
            let (mut rest, mut changes) = (back, Lots::new());
            for at in order {
                let part = rest.min(lots.get(at).copied().unwrap_or_default());
                rest -= part;
                self.give(effect.currency, *at, -part, &mut changes);
            }
            *self.owed.entry(effect.currency).or_default() += rest;
            mirrored.push(Effect {
                currency: effect.currency,
                changes,
                sum: -back,
            });
        }
        for effect in effects.iter().filter(|effect| effect.sum < 0) {
            let pays = self.pay(effect.currency, after - before);
            let (mut skip, mut rest) = (before + pays, after - before - pays);
            let mut changes = Lots::new();
            for (at, change) in effect.changes.iter().filter(|(_, change)| **change < 0) {
                let passed = skip.min(-change);
                let part = rest.min(-change - passed);
                skip -= passed;
                rest -= part;
                self.give(effect.currency, *at, part, &mut changes);
            }
            mirrored.push(Effect {
                currency: effect.currency,
                changes,
                sum: after - before,
            });
        }
        Some(mirrored)
    }

    fn release(&mut self, place: usize, amount: i64) {
        let currency = self.holds[place].currency;
        for (at, part) in self.holds[place].next(amount) {
            self.give(currency, at, part, &mut Lots::new());
        }
    }

    fn capture(&mut self, place: usize, amount: i64) -> Vec<Effect> {
        let currency = self.holds[place].currency;
        let lots = self.holds[place].next(amount).into_iter();
        let changes = lots.map(|(at, part)| (at, -part)).collect();
        vec![Effect {
            currency,
            changes,
            sum: -amount,
        }]
    }

    fn sweep(&mut self, now: Timestamp) {
        for place in 0..self.holds.len() {
            if self.holds[place].expires_at <= now {
                let left = self.holds[place].left();
                self.release(place, left);
            }
        }
        for lots in self.wallets.values_mut() {
            lots.retain(|at, _| *at > now);
        }
    }
}

/// A world, a member of it, and the model of the member's wallets.
struct Play {
    world: World,
    member: Member,
    model: Model,
    tokens: BTreeMap<&'static str, String>,
}

impl Play {
    async fn new() -> Play {
        let world = World::new().await;
        let member = world.member().await;
        let mut tokens = BTreeMap::new();
        for currency in CURRENCIES {
            tokens.insert(currency, world.token(issuer(currency)).await);
        }
        Play {
            world,
            member,
            model: Model::default(),
            tokens,
        }
    }

    async fn now(&self) -> Timestamp {
        db::now(&mut self.world.superuser().await)
            .await
            .expect("a clock")
    }

    /// Sends a write and sees that it is answered as the model says: with its effects, or refused so.
    async fn write(
        &mut self,
        path: &str,
        currency: &'static str,
        body: Value,
        expected: Result<Vec<Effect>, &str>,
    ) -> bool {
        let key = Uuid::new_v4().to_string();
        let answer = self
            .world
            .post_with_key(&self.tokens[currency], path, &key, body.clone())
            .await;
        match expected {
            Ok(effects) => {
                let done = Done {
                    path: path.to_owned(),
                    key,
                    body,
                    answer: answer.ok(),
                    sender: currency,
                    effects,
                    reversed: 0,
                };
                self.model.done.push(done);
                true
            }
            Err(code) => {
                assert_eq!(answer.problem(), code, "{path} {body}");
                false
            }
        }
    }

    async fn step(&mut self, step: Step) {
        let now = self.now().await;
        let amount = |amount: i64, currency: &str| json!({"amount": amount.to_string(), "currency": currency});
        match step {
            Step::Award {
                currency,
                amount: units,
            } => {
                let currency = CURRENCIES[currency];
                let effects = self.model.award(currency, units, now);
                let body = json!({"member": self.member.id, "amount": amount(units, currency), "reason": "event"});
                self.write("/v1/awards", currency, body, Ok(effects)).await;
            }
            Step::Redeem {
                currency,
                amount: units,
            } => {
                let currency = CURRENCIES[currency];
                let effects = self
                    .model
                    .redeem(currency, units, now)
                    .ok_or("balance-too-low");
                let body = json!({"member": self.member.id, "amount": amount(units, currency)});
                self.write("/v1/redemptions", currency, body, effects).await;
            }
            Step::Hold {
                currency,
                amount: units,
                days,
            } => {
                let currency = CURRENCIES[currency];
                let mut changes = Lots::new();
                let taken = self.model.take(currency, units, now, &mut changes);
                let mut body = json!({"member": self.member.id, "amount": amount(units, currency)});
                if let Some(days) = days {
                    body["expires_at"] = json!(now + Duration::days(days));
                }
                let expected = taken.map(|()| Vec::new()).ok_or("balance-too-low");
                if self.write("/v1/holds", currency, body, expected).await {
                    let made = &self.model.done.last().expect("a hold").answer;
                    let ends = serde_json::from_value(made["expires_at"].clone());
                    let lots = changes.into_iter().map(|(at, change)| (at, -change));
                    self.model.holds.push(Held {
                        id: made["id"].as_str().expect("an id").to_owned(),
                        currency,
                        lots: lots.filter(|(_, units)| *units > 0).collect(),
                        used: 0,
                        expires_at: ends.expect("an instant"),
                    });
                }
            }
            Step::Go {
                which,
                captures,
                part,
            } => self.go(which, captures, part, now).await,
            Step::Quote { route, tens } => self.quote(ROUTES[route], tens * 10_000).await,
            Step::Take { which } => {
                if self.model.quotes.is_empty() {
                    return;
                }
                let place = which.index(self.model.quotes.len());
                let quote = self.model.quotes[place].clone();
                let expected = match () {
                    () if quote.is_taken => Err("quote-taken"),
                    () if quote.expires_at <= now => Err("quote-expired"),
                    () => self.model.convert(&quote, now).ok_or("balance-too-low"),
                };
                let body = json!({"quote": quote.token});
                let taken = self
                    .write("/v1/conversions", quote.route[0], body, expected)
                    .await;
                self.model.quotes[place].is_taken |= taken;
            }
            Step::Reverse { which, part, owes } => self.reverse(which, part, owes, now).await,
            Step::Again { which } => {
                let Some(done) = self.earlier(which) else {
                    return;
                };
                let token = &self.tokens[done.sender];
                let again = self
                    .world
                    .post_with_key(token, &done.path, &done.key, done.body)
                    .await;
                assert_eq!(again.ok(), done.answer);
            }
            Step::Else { which } => {
                let Some(done) = self.earlier(which) else {
                    return;
                };
                let mut body = done.body.clone();
                body["reference"] = json!(Uuid::new_v4().to_string());
                let token = &self.tokens[done.sender];
                let answer = self
                    .world
                    .post_with_key(token, &done.path, &done.key, body)
                    .await;
                assert_eq!(answer.problem(), "idempotency-key-reused");
            }
            Step::Forward { hours } => self.world.forward(Duration::hours(hours)).await,
            Step::Sweep => {
                let hub = &self.world.hub;
                hub.ledger.sweep(&hub.secrets).await.expect("a sweep");
                self.model.sweep(now);
            }
            Step::Unknown { what } => {
                let (path, body, code) = [
                    ("/v1/awards", json!({"member": "mem_0123456789abcdef", "amount": amount(1, "HPT"), "reason": "event"}), "not-found"),
                    ("/v1/conversions", json!({"quote": "none of ours"}), "quote-invalid"),
                    ("/v1/reversals", json!({"operation": "awd_0123456789abcdef"}), "not-found"),
                ][what].clone();
                self.write(path, "HPT", body, Err(code)).await;
            }
        }
    }

    async fn go(
        &mut self,
        which: prop::sample::Index,
        captures: bool,
        part: Option<i64>,
        now: Timestamp,
    ) {
        if self.model.holds.is_empty() {
            return;
        }
        let place = which.index(self.model.holds.len());
        let held = self.model.holds[place].clone();
        let (left, whole) = (held.left(), held.left() + held.used);
        let units = part.map_or(left, |part| 1 + whole * part / 100);
        let expected = match () {
            () if left == 0 => Err("hold-closed"),
            () if units > left => Err("more-than-left"),
            () if captures && held.expires_at <= now => Err("hold-expired"),
            () if captures => Ok(self.model.capture(place, units)),
            () => {
                self.model.release(place, units);
                Ok(Vec::new())
            }
        };
        let mut body = json!({});
        if part.is_some() {
            body["amount"] = json!({"amount": units.to_string(), "currency": held.currency});
        }
        let step = if captures { "capture" } else { "release" };
        let path = format!("/v1/holds/{}/{step}", held.id);
        self.write(&path, held.currency, body, expected).await;
    }

    async fn quote(&mut self, route: [&'static str; 2], given: i64) {
        let gives = json!({"amount": given.to_string(), "currency": route[0]});
        let body = json!({"member": self.member.id, "gives": gives, "to": route[1]});
        let quote = self
            .world
            .post(&self.tokens[route[0]], "/v1/quotes", body)
            .await
            .ok();
        assert_eq!(quote["left"]["amount"], "0");
        let gained = quote["gains"]["amount"].as_str().expect("an amount");
        self.model.quotes.push(Quoted {
            token: quote["quote"].as_str().expect("a token").to_owned(),
            route,
            given,
            gained: gained.parse().expect("an amount"),
            expires_at: serde_json::from_value(quote["expires_at"].clone()).expect("an instant"),
            is_taken: false,
        });
    }

    async fn reverse(
        &mut self,
        which: prop::sample::Index,
        part: Option<i64>,
        owes: bool,
        now: Timestamp,
    ) {
        let reversible: Vec<usize> = (0..self.model.done.len())
            .filter(|place| is_reversible(&self.model.done[*place].path))
            .collect();
        if reversible.is_empty() {
            return;
        }
        let place = reversible[which.index(reversible.len())];
        let done = self.model.done[place].clone();
        let owes = owes && done.path == "/v1/awards";
        let whole = amount_of(&done.effects);
        let left = whole - done.reversed;
        let amount = part.map_or(left, |part| 1 + whole * part / 100);
        let after = done.reversed + amount;
        let expected = match () {
            () if left == 0 => Err("already-reversed"),
            () if amount > left => Err("more-than-left"),
            () => self
                .model
                .reverse(&done.effects, (done.reversed, after), owes, now)
                .ok_or("reversal-spent"),
        };
        let mut body = json!({"operation": done.answer["id"]});
        if owes {
            body["receivable"] = json!(true);
        }
        if part.is_some() {
            let currency = done.sender;
            body["amount"] = json!({"amount": amount.to_string(), "currency": currency});
        }
        let reversed = self
            .write("/v1/reversals", done.sender, body, expected)
            .await;
        if reversed {
            self.model.done[place].reversed = after;
        }
    }

    fn earlier(&self, which: prop::sample::Index) -> Option<Done> {
        let done = &self.model.done;
        (!done.is_empty()).then(|| done[which.index(done.len())].clone())
    }

    /// The hub's wallets are the model's, lot by lot, and the books are right.
    async fn assert_as_modelled(&self) {
        let now = self.now().await;
        for currency in CURRENCIES {
            let path = format!("/v1/members/{}/wallets", self.member.id);
            let wallets = self.world.get(&self.tokens[currency], &path).await.ok();
            let wallet = &wallets["items"][0];
            assert_eq!(
                wallet["available"]["amount"],
                self.model.usable(currency, now).to_string()
            );
            let holds = self.model.holds.iter();
            let held: i64 = holds
                .filter(|held| held.currency == currency)
                .map(Held::left)
                .sum();
            assert_eq!(wallet["held"]["amount"], held.to_string());
            let owed = self.model.owed.get(currency).copied().unwrap_or_default();
            assert_eq!(wallet["owed"]["amount"], owed.to_string());
            let lots: Lots = wallet["lots"]
                .as_array()
                .expect("lots")
                .iter()
                .map(|lot| {
                    let at = lot["expires_at"]
                        .as_str()
                        .map_or(NEVER, |at| at.parse().expect("an instant"));
                    (
                        at,
                        lot["amount"]["amount"]
                            .as_str()
                            .and_then(|amount| amount.parse().ok())
                            .expect("an amount"),
                    )
                })
                .collect();
            let mut modelled = self
                .model
                .wallets
                .get(currency)
                .cloned()
                .unwrap_or_default();
            modelled.retain(|at, amount| *at > now && *amount > 0);
            assert_eq!(lots, modelled, "{currency}");
        }
        World::assert_right(&self.world.verify().await);
    }
}

fn is_reversible(path: &str) -> bool {
    path.ends_with("/capture")
        || ["/v1/awards", "/v1/redemptions", "/v1/conversions"].contains(&path)
}

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable)
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread")]
async fn wallets_are_what_a_simple_model_says_after_any_sequence() {
    let mut runner = TestRunner::new(Config::default());
    let steps = number("LAW_STEPS", 60);
    let sequences = prop::collection::vec(step(), steps..=steps);
    for _ in 0..number("LAW_CASES", 12) {
        let sequence = sequences
            .new_tree(&mut runner)
            .expect("a sequence")
            .current();
        let mut play = Play::new().await;
        for (nth, step) in sequence.into_iter().enumerate() {
            // What a failure shows.
            eprintln!("{nth:3} {step:?}");
            play.step(step).await;
        }
        play.assert_as_modelled().await;
    }
}
