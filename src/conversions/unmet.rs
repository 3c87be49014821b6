//! Why no card of a pair decides a quote, and what would make one.
//!
//! There is no card, or each is for others. Cards are published, so what they ask for is no secret, and
//! who is refused learns it of all of them, the highest priority first. What is attested of the member
//! is not said.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::error::{Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::Currency;
use crate::rates::sentence::{Issuers, conditions};
use crate::rates::{Book, PublishedCard};

/// The refusal of a quote that no card decides.
pub fn problem(
    ids: &Ids,
    book: &Book,
    (from, to): (&Currency, &Currency),
    now: Timestamp,
) -> Problem {
    let code = |id| {
        book.directory
            .partner(id)
            .map_or("?", |partner| &partner.code)
    };
    let issuers = Issuers {
        source: code(from.issuer),
        target: code(to.issuer),
    };
    let needed = |card: &Arc<PublishedCard>| {
        let [en, zh_hant] = conditions(card.card.when.as_ref()?, issuers);
        let card = ids.show(Kind::RateCard, card.id);
        Some(json!({"card": card, "en": en, "zh-Hant": zh_hant}))
    };
    let cards = book.cards_of(from.no, to.no, now);
    let needs: Vec<Value> = cards.filter_map(needed).collect();
    let route = format!("{} into {}", from.code, to.code);
    if needs.is_empty() {
        return Problem::new(Slug::NoRateCard, format!("no rate card turns {route} now"));
    }
    let each: Vec<&str> = needs.iter().filter_map(|it| it["en"].as_str()).collect();
    let detail = format!("the cards that turn {route} are {}", each.join("; or "));
    Problem::new(Slug::NotEligible, detail).with("needs", needs)
}
