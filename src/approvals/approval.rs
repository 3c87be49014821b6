//! What an approval is, and what one more word makes of it.
//!
//! | state     | a word that agrees                     | a word against | 14 days pass | cancel    |
//! |-----------|----------------------------------------|----------------|--------------|-----------|
//! | created   | created; approved when it was the last | rejected       | expired      | cancelled |
//! | any other | refused                                | refused        | stays        | stays     |
//!
//! The order of the checks is part of the API: is it open, is it still what was read, may this
//! party speak, may this person.

use serde_json::Value;

use super::PartyName;
use crate::clock::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Created,
    Approved,
    Rejected,
    Expired,
    Cancelled,
}

/// What a party says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It made the request.
    Proposed,
    Approved,
    Rejected,
}

/// What is to be approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub kind: &'static str,
    pub id: i64,
    /// Its public id, for people to find it.
    pub shown: String,
}

#[derive(Debug, Clone)]
pub struct Approval {
    pub id: i64,
    pub subject: String,
    pub subject_shown: String,
    pub content_hash: Vec<u8>,
    /// What is wanted, until it closes; none when the subject holds that itself.
    pub proposed: Option<Value>,
    pub parties: Vec<PartyName>,
    pub state: State,
    /// The principal who asked.
    pub maker: i64,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub words: Vec<Word>,
}

/// What somebody said for a party.
#[derive(Debug, Clone)]
pub struct Word {
    pub party: PartyName,
    pub principal: i64,
    pub verdict: Verdict,
    pub at: Timestamp,
}

/// What a word made of the approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Everybody asked has agreed.
    pub complete: bool,
    /// Somebody has not.
    pub rejected: bool,
}

/// Why a word does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Closed(State),
    Expired(Timestamp),
    Changed,
    NotAsked,
    MakerIsChecker,
    HasSpoken,
}

impl Approval {
    /// Its state, seen from `now`: what nobody decided in time is expired, marked or not.
    pub fn state_at(&self, now: Timestamp) -> State {
        match self.state {
            State::Created if self.expires_at <= now => State::Expired,
            state => state,
        }
    }

    /// What becomes of it when a principal says this for a party.
    pub fn decide(
        &self,
        party: PartyName,
        principal: i64,
        content_hash: &[u8],
        verdict: Verdict,
        now: Timestamp,
    ) -> Result<Decision, Refusal> {
        match self.state_at(now) {
            State::Created => {}
            State::Expired => return Err(Refusal::Expired(self.expires_at)),
            closed => return Err(Refusal::Closed(closed)),
        }
        if !self.parties.contains(&party) {
            return Err(Refusal::NotAsked);
        }
        if self.content_hash != content_hash {
            return Err(Refusal::Changed);
        }
        let maker_spoke = |word: &Word| word.party == party && word.verdict == Verdict::Proposed;
        if principal == self.maker || self.words.iter().any(maker_spoke) {
            return Err(Refusal::MakerIsChecker);
        }
        if self
            .words
            .iter()
            .any(|word| word.party == party || word.principal == principal)
        {
            return Err(Refusal::HasSpoken);
        }

        let rejected = verdict == Verdict::Rejected;
        let has_agreed = |asked: &&PartyName| {
            self.words.iter().any(|word| word.party == **asked) || **asked == party
        };
        let complete =
            !rejected && self.parties.iter().filter(has_agreed).count() == self.parties.len();
        Ok(Decision { complete, rejected })
    }
}

macro_rules! names {
    ($($type:ident { $($variant:ident $name:literal),* })*) => { $(
        impl $type {
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),* }
            }

            pub fn named(name: &str) -> Option<$type> {
                match name { $($name => Some($type::$variant),)* _ => None }
            }
        }
    )* };
}

names! {
    State { Created "created", Approved "approved", Rejected "rejected", Expired "expired", Cancelled "cancelled" }
    Verdict { Proposed "proposed", Approved "approved", Rejected "rejected" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use chrono::DateTime;

    const SOURCE: PartyName = PartyName::Partner(1);
    const TARGET: PartyName = PartyName::Partner(2);
    const HUB: PartyName = PartyName::Hub;
    const GO: Result<Decision, Refusal> = Ok(Decision {
        complete: false,
        rejected: false,
    });
    const DONE: Result<Decision, Refusal> = Ok(Decision {
        complete: true,
        rejected: false,
    });
    const NO: Result<Decision, Refusal> = Ok(Decision {
        complete: false,
        rejected: true,
    });

    fn noon() -> Timestamp {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    /// A request of principal 10, with these words so far.
    fn asked(parties: &[PartyName], words: &[(PartyName, i64, Verdict)]) -> Approval {
        let word = |&(party, principal, verdict)| Word {
            party,
            principal,
            verdict,
            at: noon(),
        };
        Approval {
            id: 1,
            subject: "rate_card".into(),
            subject_shown: "card_1".into(),
            content_hash: vec![7],
            proposed: None,
            parties: parties.to_vec(),
            state: State::Created,
            maker: 10,
            created_at: clock::ALWAYS,
            expires_at: clock::NEVER,
            words: words.iter().map(word).collect(),
        }
    }

    fn say(
        approval: &Approval,
        party: PartyName,
        principal: i64,
        verdict: Verdict,
    ) -> Result<Decision, Refusal> {
        approval.decide(party, principal, &[7], verdict, noon())
    }

    #[test]
    fn the_last_to_agree_completes_and_one_against_is_enough() {
        let three = [SOURCE, TARGET, HUB];
        let first = asked(&three, &[(SOURCE, 10, Verdict::Proposed)]);
        assert_eq!(say(&first, TARGET, 20, Verdict::Approved), GO);
        assert_eq!(say(&first, HUB, 30, Verdict::Rejected), NO);
        let second = asked(
            &three,
            &[
                (SOURCE, 10, Verdict::Proposed),
                (TARGET, 20, Verdict::Approved),
            ],
        );
        assert_eq!(say(&second, HUB, 30, Verdict::Approved), DONE);
    }

    #[test]
    fn maker_is_never_checker() {
        let by_source = asked(&[SOURCE, TARGET], &[(SOURCE, 10, Verdict::Proposed)]);
        assert_eq!(
            say(&by_source, SOURCE, 10, Verdict::Approved),
            Err(Refusal::MakerIsChecker)
        );
        // Another credential of the same partner.
        assert_eq!(
            say(&by_source, SOURCE, 11, Verdict::Approved),
            Err(Refusal::MakerIsChecker)
        );
        let by_hub = asked(&[HUB], &[]);
        assert_eq!(
            say(&by_hub, HUB, 10, Verdict::Approved),
            Err(Refusal::MakerIsChecker)
        );
        assert_eq!(say(&by_hub, HUB, 11, Verdict::Approved), DONE);
    }

    #[test]
    fn nobody_speaks_twice_and_only_who_is_asked() {
        let halfway = asked(&[HUB, TARGET], &[(TARGET, 20, Verdict::Approved)]);
        assert_eq!(
            say(&halfway, TARGET, 21, Verdict::Rejected),
            Err(Refusal::HasSpoken)
        );
        assert_eq!(
            say(&halfway, SOURCE, 40, Verdict::Approved),
            Err(Refusal::NotAsked)
        );
    }

    #[test]
    fn an_approval_is_bound_to_what_was_read_and_to_its_time() {
        let open = asked(&[HUB], &[]);
        assert_eq!(
            open.decide(HUB, 11, &[8], Verdict::Approved, noon()),
            Err(Refusal::Changed)
        );
        let late = Approval {
            expires_at: noon(),
            ..asked(&[HUB], &[])
        };
        assert_eq!(
            say(&late, HUB, 11, Verdict::Approved),
            Err(Refusal::Expired(noon()))
        );
        for state in [State::Approved, State::Rejected, State::Cancelled] {
            let closed = Approval {
                state,
                ..asked(&[HUB], &[])
            };
            assert_eq!(
                say(&closed, HUB, 11, Verdict::Approved),
                Err(Refusal::Closed(state))
            );
        }
    }
}
