//! What the callers do while everything breaks. Each scene is chosen so that an effect too many or
//! too few shows.
//!
//! | scene | what would show |
//! |-------|-----------------|
//! | awards of 4^k | a digit of the balance in base 4 that is not 1 |
//! | two bodies under one key, at two hubs | both take effect, or none |
//! | six redemptions of what is there for four | more or fewer than four are done |
//! | a quote taken under two keys | two conversions of one quote |
//! | an award reversed under two keys | two reversals |
//! | two closers | a window closed twice |
//!
//! A balance is read after each acknowledgement, through whichever hub.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::Caller;
use super::tally::{Answer, Wallet, Write, in_base_four};

/// The powers of four that a wallet gets. More would not be taken in one award.
const DIGITS: u32 = 21;

/// Plays all scenes again and again until the caller is over.
pub async fn play(caller: &Caller, members: &[String]) {
    let awards = join_all((0..6).map(|_| awards(caller)));
    let conversions = join_all(members.iter().map(|member| conversions(caller, member)));
    let closings = join_all((0..2).map(|_| closings(caller)));
    tokio::join!(
        awards,
        conversions,
        closings,
        rivals(caller),
        last_points(caller),
        reversals(caller),
    );
}

async fn awards(caller: &Caller) {
    while !caller.is_over() {
        let Some(wallet) = enrol(caller, "AERO", "MILE").await else {
            return;
        };
        let (mut left, mut gained): (Vec<u32>, i64) = ((0..DIGITS).collect(), 0);
        while !left.is_empty() && !caller.is_over() {
            let at_once = 1 + caller.below(3);
            let few: Vec<i64> = (0..at_once.min(left.len()))
                .map(|_| 4_i64.pow(left.swap_remove(caller.below(left.len()))))
                .collect();
            gained += few.iter().sum::<i64>();
            join_all(few.into_iter().map(|amount| give(caller, &wallet, amount))).await;
            reads(caller, &wallet, gained).await;
            caller.pause(15).await;
        }
    }
}

/// A read that begins after an acknowledgement reflects it.
async fn reads(caller: &Caller, wallet: &Wallet, expected: i64) {
    if let Some(balance) = caller.balance(wallet).await
        && balance != expected
    {
        let (is, should) = (in_base_four(balance), in_base_four(expected));
        caller.tally.wrong(format!(
            "{} holds {is} {} in base 4, and after what was acknowledged should hold {should}",
            wallet.member, wallet.currency
        ));
    }
}

/// Of two bodies under one key, sent at once, one takes effect.
async fn rivals(caller: &Caller) {
    while !caller.is_over() {
        let one = enrol(caller, "AERO", "MILE").await;
        let other = enrol(caller, "AERO", "MILE").await;
        let Some(wallets) = one.zip(other).map(|(one, other)| [one, other]) else {
            return;
        };
        for digit in 0..DIGITS {
            if caller.is_over() {
                return;
            }
            let key = fresh();
            let bids = wallets.each_ref().map(|wallet| Write {
                key: key.clone(),
                ..award(wallet, 4_i64.pow(digit))
            });
            if let Some(winner) = one_of(caller, bids, "idempotency-key-reused").await {
                caller.tally.holds(&wallets[winner.0], 4_i64.pow(digit));
            }
            caller.pause(15).await;
        }
    }
}

/// What is there for four is spent four times, however many ask, and the rest stays.
async fn last_points(caller: &Caller) {
    while !caller.is_over() {
        let Some(wallet) = enrol(caller, "AERO", "MILE").await else {
            return;
        };
        give(caller, &wallet, 300).await;
        let answers = join_all((0..6).map(|_| caller.insist(redemption(&wallet, 70)))).await;
        let done = |answer: &&Answer| matches!(answer, Answer::Done(_));
        let short = Answer::Refused("balance-too-low".to_owned());
        let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(done);
        caller.tally.holds(&wallet, -70 * done.len() as i64);
        if done.len() != 4 || refused.iter().any(|refusal| **refusal != short) {
            let what = format!("300 MILE were spent by seventies, with these answers: {answers:?}");
            caller.tally.wrong(what);
        }
        caller.pause(30).await;
    }
}

/// A quote is good for one conversion.
async fn conversions(caller: &Caller, member: &str) {
    let from = Wallet::new("BAYVIEW", member, "HPT");
    let to = Wallet::new("CITYMART", member, "STAR");
    for wallet in [&from, &to] {
        if let Some(balance) = caller.balance(wallet).await {
            caller.tally.holds(wallet, balance);
        }
    }
    give(caller, &from, 4_000).await;
    while !caller.is_over() {
        give(caller, &from, 4_000).await;
        let gives = json!({"amount": "4000", "currency": "HPT"});
        let body = json!({"member": member, "gives": gives, "to": "STAR"});
        let quote = match caller.ask("BAYVIEW", "/v1/quotes", Some(&body)).await {
            Answer::Done(quote) => quote["quote"].clone(),
            Answer::Refused(code) => {
                caller.tally.wrong(format!("a quote was refused: {code}"));
                return;
            }
        };
        let orders = [(); 2].map(|()| {
            let order = |reference: &str| json!({"quote": quote, "reference": reference});
            named("BAYVIEW", "/v1/conversions", order)
        });
        if let Some((_, conversion)) = one_of(caller, orders, "quote-taken").await {
            caller.tally.holds(&from, -4_000);
            let gains = conversion["gains"]["amount"].as_str();
            let gains = gains.and_then(|amount| amount.parse().ok());
            caller.tally.holds(&to, gains.unwrap_or_default());
        }
        caller.pause(15).await;
    }
}

/// An operation is reversed once.
async fn reversals(caller: &Caller) {
    while !caller.is_over() {
        let Some(wallet) = enrol(caller, "AERO", "MILE").await else {
            return;
        };
        // Enough for every reversal twice: that one is refused is not for want of points.
        give(caller, &wallet, 1_000).await;
        for _ in 0..10 {
            if caller.is_over() {
                return;
            }
            let Some(given) = give(caller, &wallet, 64).await else {
                return;
            };
            let reversals = [(); 2].map(|()| {
                let body =
                    |reference: &str| json!({"operation": given["id"], "reference": reference});
                named("AERO", "/v1/reversals", body)
            });
            if one_of(caller, reversals, "already-reversed")
                .await
                .is_some()
            {
                caller.tally.holds(&wallet, -64);
            }
            caller.pause(15).await;
        }
    }
}

/// Closes whatever window is open; the other closer may have been first.
async fn closings(caller: &Caller) {
    while !caller.is_over() {
        let path = "/v1/settlement/windows";
        let newest = caller
            .ask("finance", &format!("{path}?limit=1"), None)
            .await;
        let Answer::Done(newest) = newest else {
            caller.tally.wrong(format!("{path}: {newest:?}"));
            return;
        };
        let open = newest["items"][0]["id"].as_str().unwrap_or_default();
        let close = Write {
            who: "finance",
            path: format!("{path}/{open}/close"),
            key: fresh(),
            reference: None,
            body: json!({}),
        };
        let answer = caller.insist(close).await;
        if let Answer::Refused(code) = answer
            && code != "window-closed"
        {
            caller.tally.wrong(format!("closing {open}: {code}"));
        }
        caller.pause(200).await;
    }
}

/// Sends two writes at once of which one must be done and the other refused with a code. Answers
/// which was done, and its answer.
async fn one_of(caller: &Caller, writes: [Write; 2], code: &str) -> Option<(usize, Value)> {
    let path = writes[0].path.clone();
    let [one, other] = writes;
    match join(caller.insist(one), caller.insist(other)).await {
        (Answer::Done(body), Answer::Refused(refusal)) if refusal == code => Some((0, body)),
        (Answer::Refused(refusal), Answer::Done(body)) if refusal == code => Some((1, body)),
        answers => {
            let what = format!("{path}: one of two had to be done, the other {code}: {answers:?}");
            caller.tally.wrong(what);
            None
        }
    }
}

/// A new member with an empty wallet.
async fn enrol(caller: &Caller, who: &'static str, currency: &'static str) -> Option<Wallet> {
    let number = fresh();
    let enrolment = Write {
        who,
        path: "/v1/members".to_owned(),
        key: number.clone(),
        reference: None,
        body: json!({"number": number}),
    };
    let member = caller.done(enrolment).await?;
    Some(Wallet::new(who, member["id"].as_str()?, currency))
}

async fn give(caller: &Caller, wallet: &Wallet, amount: i64) -> Option<Value> {
    let given = caller.done(award(wallet, amount)).await?;
    caller.tally.holds(wallet, amount);
    Some(given)
}

fn award(wallet: &Wallet, amount: i64) -> Write {
    let Wallet {
        who,
        member,
        currency,
    } = wallet;
    let amount = json!({"amount": amount.to_string(), "currency": currency});
    named(
        who,
        "/v1/awards",
        |reference| json!({"member": member, "amount": amount, "reason": "event", "reference": reference}),
    )
}

fn redemption(wallet: &Wallet, amount: i64) -> Write {
    let Wallet {
        who,
        member,
        currency,
    } = wallet;
    let amount = json!({"amount": amount.to_string(), "currency": currency});
    named(
        who,
        "/v1/redemptions",
        |reference| json!({"member": member, "amount": amount, "reference": reference}),
    )
}

/// A write under a fresh key, of an operation with a reference of its own.
fn named(who: &'static str, path: &str, body: impl Fn(&str) -> Value) -> Write {
    let reference = fresh();
    Write {
        who,
        path: path.to_owned(),
        key: fresh(),
        body: body(&reference),
        reference: Some(reference),
    }
}

fn fresh() -> String {
    Uuid::new_v4().simple().to_string()
}
