//! What happened, in the words that a reader of events looks for.

use crate::access::audit::Subject;
use crate::ledger::operation::{Kind, Leg, Operation};

/// The type of the event that an operation is. A conversion into what its issuer keeps is not completed before
/// that has credited it.
pub fn of_operation(operation: &Operation) -> &'static str {
    let waits = |leg: Leg| leg.wallet.is_kept_by_partner();
    match operation.kind {
        Kind::Conversion if operation.into.is_some_and(waits) => CONVERSION_PENDING,
        kind => name(kind),
    }
}

const CONVERSION_PENDING: &str = "conversion.pending";

/// The type of the event that an operation of this kind is: what it happened to, and what.
fn name(kind: Kind) -> &'static str {
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
        Kind::Freeze => "lot.frozen",
        Kind::Thaw => "lot.thawed",
        Kind::AwardReversal => "award.reversed",
        Kind::RedemptionReversal => "redemption.reversed",
        Kind::ConversionReversal => "conversion.reversed",
        Kind::CaptureReversal => "capture.reversed",
    }
}

/// The type of the event that a change is.
pub fn of_change(subject: Subject, before: Option<&str>, after: &str) -> &'static str {
    match (subject, before, after) {
        (Subject::LimitWarning, Some(_), _) => LIMIT_WARNING_ENDED,
        (Subject::Credit, _, "rejected") => CREDIT_REJECTED,
        _ => subject.event(),
    }
}

const CREDIT_REJECTED: &str = "credit.rejected";
const LIMIT_WARNING_ENDED: &str = "limit.warning_ended";

/// The type of a test event, which only webhooks send.
pub const PING: &str = "webhook.ping";

/// Every type of event in the feed, sorted, and the schema of its data.
pub const TYPES: [(&str, &str); 48] = [
    ("adjustment.changed", "ChangeBody"),
    ("adjustment.completed", "AdjustedBody"),
    ("approval.changed", "ChangeBody"),
    ("award.completed", "AwardBody"),
    ("award.reversed", "ReversalBody"),
    ("bank_account.changed", "ChangeBody"),
    ("buy_out.changed", "ChangeBody"),
    ("calendar.changed", "ChangeBody"),
    ("campaign.changed", "ChangeBody"),
    ("capture.reversed", "ReversalBody"),
    ("card.changed", "ChangeBody"),
    ("certification.changed", "ChangeBody"),
    ("certification_run.changed", "ChangeBody"),
    ("clock.changed", "ChangeBody"),
    ("conversion.completed", "ConversionBody"),
    ("conversion.pending", "ConversionBody"),
    ("conversion.reversed", "ReversalBody"),
    ("credential.changed", "ChangeBody"),
    ("credit.acknowledged", "ChangeBody"),
    ("credit.rejected", "ChangeBody"),
    ("currency.changed", "ChangeBody"),
    ("delivery.completed", "DeliveryBody"),
    ("exchange_rate.changed", "ChangeBody"),
    ("hold.captured", "HoldStepBody"),
    ("hold.created", "HoldBody"),
    ("hold.released", "HoldStepBody"),
    ("import.changed", "ChangeBody"),
    ("limit.changed", "ChangeBody"),
    ("limit.warning", "LimitWarningBody"),
    ("limit.warning_ended", "LimitWarningBody"),
    ("link_terms.changed", "ChangeBody"),
    ("lot.expired", "ExpiryBody"),
    ("lot.expiring", "ExpiringBody"),
    ("lot.frozen", "FreezeBody"),
    ("lot.thawed", "FreezeBody"),
    ("mandate.changed", "ChangeBody"),
    ("match.made", "ChangeBody"),
    ("membership.changed", "ChangeBody"),
    ("partner.changed", "ChangeBody"),
    ("person.changed", "ChangeBody"),
    ("pilot.changed", "ChangeBody"),
    ("redemption.completed", "RedemptionBody"),
    ("redemption.reversed", "ReversalBody"),
    ("request_limit.changed", "ChangeBody"),
    ("session.changed", "ChangeBody"),
    ("signing_key.changed", "ChangeBody"),
    ("webhook_endpoint.changed", "ChangeBody"),
    ("window.changed", "ChangeBody"),
];

pub fn is_known(name: &str) -> bool {
    TYPES.iter().any(|(known, _)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_and_each_subject_has_a_name_of_its_own_in_two_words() {
        let changes = Subject::ALL.iter().map(|subject| subject.event());
        let mut names: Vec<&str> = Kind::ALL.map(name).into_iter().chain(changes).collect();
        names.push(CONVERSION_PENDING);
        names.push(of_change(Subject::LimitWarning, Some("{}"), "{}"));
        names.push(of_change(Subject::Credit, Some("pending"), "rejected"));
        names.sort_unstable();
        assert!(names.iter().all(|name| is_known(name)) && !is_known(PING));
        for two in names.windows(2) {
            assert_ne!(two[0], two[1]);
        }
        assert_eq!(names, TYPES.map(|(name, _)| name));
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        for name in names {
            let (what, happened) = name.split_once('.').expect("two words");
            assert!(
                what.bytes().all(is_word) && happened.bytes().all(is_word),
                "{name}"
            );
        }
    }
}
