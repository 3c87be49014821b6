//! What changes, whom it concerns, and the digest by which it is sealed.
//!
//! The digest is SHA-256 over, one after another: `position`, `at`, `principal_id` and `subject_id`
//! as numbers; the 16 bytes of `request_id`; `origin`, `subject` and `after` as texts; `before` as a
//! text, or the number -1 when there is none; `concerns` as the number of its partners and each as a
//! number, or -1 when it is everybody. A number is eight bytes, the highest first, negative ones in two's
//! complement; an instant is the number of microseconds since 1970; a text is the number of its
//! bytes, and its bytes in UTF-8.

use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Timestamp;

macro_rules! subjects {
    ($($subject:ident $name:literal $event:literal;)*) => {
        /// Something that has states.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Subject {
            $($subject,)*
        }

        impl Subject {
            pub const ALL: &[Subject] = &[$(Subject::$subject,)*];

            /// As the database has it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Subject::$subject => $name,)*
                }
            }

            /// The type of the event that says it changed.
            pub fn event(self) -> &'static str {
                match self {
                    $(Subject::$subject => $event,)*
                }
            }
        }
    };
}

subjects! {
    Adjustment "adjustment" "adjustment.changed";
    Approval "approval" "approval.changed";
    BankAccount "bank_account" "bank_account.changed";
    BuyOut "buy_out" "buy_out.changed";
    Calendar "settlement_calendar" "calendar.changed";
    Campaign "campaign" "campaign.changed";
    Cap "partner_cap" "limit.changed";
    Certification "certification" "certification.changed";
    CertificationRun "certification_run" "certification_run.changed";
    Clock "clock" "clock.changed";
    Credential "credential" "credential.changed";
    Credit "credit" "credit.acknowledged";
    Currency "currency" "currency.changed";
    ExchangeRate "exchange_rate" "exchange_rate.changed";
    ExpiringLot "expiring_lot" "lot.expiring";
    Import "import" "import.changed";
    LimitWarning "limit_warning" "limit.warning";
    LinkTerms "link_terms" "link_terms.changed";
    Mandate "mandate" "mandate.changed";
    Match "match" "match.made";
    Membership "membership" "membership.changed";
    Partner "partner" "partner.changed";
    Person "person" "person.changed";
    Pilot "pilot" "pilot.changed";
    RateCard "rate_card" "card.changed";
    RequestLimit "request_limit" "request_limit.changed";
    Session "session" "session.changed";
    SigningKey "signing_key" "signing_key.changed";
    WebhookEndpoint "webhook_endpoint" "webhook_endpoint.changed";
    Window "window" "window.changed";
}

impl Subject {
    pub fn named(name: &str) -> Option<Subject> {
        Subject::ALL.iter().copied().find(|it| it.name() == name)
    }

    /// One of them, whose changes the hub's people alone are told.
    pub fn no(self, id: i64) -> About {
        About {
            subject: self,
            id,
            concerns: Some(Vec::new()),
        }
    }
}

/// One thing, and whom its change concerns.
#[derive(Debug, Clone)]
pub struct About {
    pub subject: Subject,
    pub id: i64,
    /// Partners; all when none.
    pub concerns: Option<Vec<i64>>,
}

impl About {
    /// These partners too.
    pub fn of(self, partners: impl IntoIterator<Item = i64>) -> About {
        About {
            concerns: Some(partners.into_iter().collect()),
            ..self
        }
    }

    /// Every partner too.
    pub fn of_all(self) -> About {
        About {
            concerns: None,
            ..self
        }
    }
}

/// A row of the audit trail.
#[derive(Debug, Clone, diesel::QueryableByName)]
pub struct Change {
    #[diesel(sql_type = BigInt)]
    pub position: i64,
    #[diesel(sql_type = Timestamptz)]
    pub at: Timestamp,
    #[diesel(sql_type = BigInt)]
    pub principal_id: i64,
    #[diesel(sql_type = SqlUuid)]
    pub request_id: Uuid,
    /// An [`Origin`](crate::web::Origin) as it is written.
    #[diesel(sql_type = Text)]
    pub origin: String,
    #[diesel(sql_type = Text)]
    pub subject: String,
    #[diesel(sql_type = BigInt)]
    pub subject_id: i64,
    #[diesel(sql_type = Nullable<Text>)]
    pub before: Option<String>,
    #[diesel(sql_type = Text)]
    pub after: String,
    #[diesel(sql_type = Nullable<Array<BigInt>>)]
    pub concerns: Option<Vec<i64>>,
}

impl Change {
    pub const COLUMNS: &str = "position, at, principal_id, request_id, origin, subject, subject_id, before, after, concerns";

    pub fn digest(&self) -> [u8; 32] {
        let Change {
            position,
            at,
            principal_id,
            request_id,
            origin,
            subject,
            subject_id,
            before,
            after,
            concerns,
        } = self;
        let mut digest = Sha256::new();
        for number in [*position, at.timestamp_micros(), *principal_id, *subject_id] {
            digest.update(number.to_be_bytes());
        }
        digest.update(request_id.as_bytes());
        for text in [Some(origin), Some(subject), Some(after), before.as_ref()] {
            let length = text.map_or(-1, |text| text.len() as i64);
            digest.update(length.to_be_bytes());
            digest.update(text.map_or(&[][..], |text| text.as_bytes()));
        }
        let count = concerns.as_ref().map_or(-1, |all| all.len() as i64);
        digest.update(count.to_be_bytes());
        for partner in concerns.iter().flatten() {
            digest.update(partner.to_be_bytes());
        }
        digest.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Change {
        Change {
            position: (7 << 12) + 2048,
            at: Timestamp::from_timestamp_micros(1_700_000_000_000_001).expect("an instant"),
            principal_id: 3,
            request_id: Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
            origin: "203.0.113.0/24".to_owned(),
            subject: "rate_card".to_owned(),
            subject_id: 12,
            before: Some("draft".to_owned()),
            after: "proposed".to_owned(),
            concerns: Some(vec![1, 2]),
        }
    }

    /// Computed with another program from the text above.
    #[test]
    fn a_change_has_the_digest_that_its_form_gives() {
        assert_eq!(hex::encode(change().digest()), WHOLE);
        let bare = Change {
            before: None,
            concerns: None,
            ..change()
        };
        assert_eq!(hex::encode(bare.digest()), BARE);
    }

    #[test]
    fn whatever_is_changed_the_digest_is_another() {
        type Forge = fn(&mut Change);
        let forges: [Forge; 10] = [
            |it| it.position += 1,
            |it| it.at += chrono::TimeDelta::microseconds(1),
            |it| it.principal_id += 1,
            |it| it.request_id = Uuid::nil(),
            |it| it.origin = "hub".to_owned(),
            |it| it.subject = "campaign".to_owned(),
            |it| it.subject_id += 1,
            |it| it.before = None,
            |it| it.after = "agreed".to_owned(),
            |it| it.concerns = Some(vec![2, 1]),
        ];
        for (at, forge) in forges.into_iter().enumerate() {
            let mut forged = change();
            forge(&mut forged);
            assert_ne!(forged.digest(), change().digest(), "{at}");
        }
    }

    #[test]
    fn each_subject_has_a_name_and_an_event_of_its_own() {
        for subject in Subject::ALL {
            assert_eq!(Subject::named(subject.name()), Some(*subject));
            let same = |it: &&Subject| it.event() == subject.event();
            assert_eq!(Subject::ALL.iter().filter(same).count(), 1, "{subject:?}");
        }
    }

    const WHOLE: &str = "9503ab2d35783b41dd2e1bc26120e48c707ff112adc8cfc4aebc289046b1f8af";
    const BARE: &str = "81f7d133c7584b9753ac3965ae04dc148caa6ed11a7d44d91e8bfb755ecd695c";
}
