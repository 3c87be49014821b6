//! What happened, in the words that a reader of events looks for.

use crate::ledger::operation::Kind;

/// The type of the event that an operation of this kind is: what it happened to, and what.
pub fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Award => "award.completed",
        Kind::Redemption => "redemption.completed",
        Kind::Conversion => "conversion.completed",
        Kind::Expiry => "lot.expired",
        Kind::Hold => "hold.created",
        Kind::Capture => "hold.captured",
        Kind::Release => "hold.released",
        Kind::Adjustment => "adjustment.completed",
        Kind::Delivery => "delivery.completed",
        Kind::AwardReversal => "award.reversed",
        Kind::RedemptionReversal => "redemption.reversed",
        Kind::ConversionReversal => "conversion.reversed",
        Kind::CaptureReversal => "capture.reversed",
    }
}

/// The type of a test event, which only webhooks send.
pub const PING: &str = "webhook.ping";

/// Every type of event in the feed, sorted, and the schema of its data.
pub const TYPES: [(&str, &str); 13] = [
    ("adjustment.completed", "AdjustedBody"),
    ("award.completed", "AwardBody"),
    ("award.reversed", "ReversalBody"),
    ("capture.reversed", "ReversalBody"),
    ("conversion.completed", "ConversionBody"),
    ("conversion.reversed", "ReversalBody"),
    ("delivery.completed", "DeliveryBody"),
    ("hold.captured", "HoldStepBody"),
    ("hold.created", "HoldBody"),
    ("hold.released", "HoldStepBody"),
    ("lot.expired", "ExpiryBody"),
    ("redemption.completed", "RedemptionBody"),
    ("redemption.reversed", "ReversalBody"),
];

pub fn is_known(name: &str) -> bool {
    TYPES.iter().any(|(known, _)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own_in_two_words() {
        let mut names = Kind::ALL.map(name);
        names.sort_unstable();
        assert!(names.into_iter().all(is_known) && !is_known(PING));
        for two in names.windows(2) {
            assert_ne!(two[0], two[1]);
        }
        assert_eq!(names, TYPES.map(|(name, _)| name));
        let word = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase());
        for name in names {
            let (what, happened) = name.split_once('.').expect("two words");
            assert!(word(what) && word(happened), "{name}");
        }
    }
}
