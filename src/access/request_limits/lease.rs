//! A hub's share of a partner's allowance.
//!
//! The allowance is one bucket in the database: it gains `per_second` tokens a second and holds `burst`, and a
//! request takes one. A hub takes a slice of a tenth of a second's tokens at a time, and spends it without
//! asking anybody.
//!
//! | left of the slice | in the bucket | the request                                       |
//! |-------------------|---------------|---------------------------------------------------|
//! | something         |               | is admitted                                       |
//! | nothing, or it is older than a second | something | waits while a slice is asked for  |
//! | nothing           | nothing       | is refused; nobody is asked before a token is due |
//!
//! A hub learns with its next slice that the allowance was changed. So all hubs together admit at most `burst`, and `per_second` for each second, and the slices that they
//! hold. What is in the bucket is what it was at the last asking and what came since: another hub may have
//! taken of it.

use std::time::{Duration, Instant};

/// How long a slice is good for.
const LIFE: Duration = Duration::from_secs(1);

/// How often a partner may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub per_second: u32,
    pub burst: u32,
}

impl Policy {
    /// Of a partner for whom nothing else was set.
    pub const ORDINARY: Policy = Policy {
        per_second: 50,
        burst: 100,
    };

    pub const MOST_PER_SECOND: u32 = 100_000;
    pub const MOST_AT_ONCE: u32 = 1_000_000;

    /// The `RateLimit-Policy` of the draft: the burst, and in how many seconds it comes back whole.
    pub fn header(self) -> String {
        let window = self.burst.div_ceil(self.per_second.max(1));
        format!("\"partner\";q={};w={window}", self.burst)
    }
}

/// How a partner stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub policy: Policy,
    /// How many more it may send at once.
    pub left: u32,
    /// In how many seconds it may send all at once again, or, refused, send one.
    pub resets_in: u64,
    pub is_admitted: bool,
}

impl Standing {
    /// The `RateLimit` of the draft.
    pub fn header(self) -> String {
        format!("\"partner\";r={};t={}", self.left, self.resets_in)
    }
}

/// What a request is told when it asks for a share of the bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    pub policy: Policy,
    pub is_admitted: bool,
    /// What comes with it for requests after it.
    pub surplus: u32,
    /// What stays in the bucket.
    pub in_bucket: f64,
}

/// Deals the tokens that were taken for `asked` requests to them: one to each in their order, what is more
/// to the first.
pub fn deal(
    policy: Policy,
    granted: u32,
    in_bucket: f64,
    asked: u32,
) -> impl Iterator<Item = Share> {
    (0..asked).map(move |place| Share {
        policy,
        is_admitted: place < granted,
        surplus: if place == 0 {
            granted.saturating_sub(asked)
        } else {
            0
        },
        in_bucket,
    })
}

/// What a hub holds for a partner, and last saw of its bucket.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    policy: Policy,
    left: u32,
    in_bucket: f64,
    seen_at: Instant,
}

impl Lease {
    /// Before anything was asked.
    pub fn of(share: &Share, now: Instant) -> Lease {
        Lease {
            policy: share.policy,
            left: 0,
            in_bucket: share.in_bucket,
            seen_at: now,
        }
    }

    /// Decides a request, unless the bucket has to be asked.
    pub fn take(&mut self, now: Instant) -> Option<Standing> {
        if now.saturating_duration_since(self.seen_at) > LIFE {
            self.left = 0;
            return None;
        }
        if self.left > 0 {
            self.left -= 1;
            return Some(self.standing(true, now));
        }
        let is_empty = self.bucket(now) < 1.0;
        is_empty.then(|| self.standing(false, now))
    }

    /// Decides the request that asked.
    pub fn settle(&mut self, share: &Share, now: Instant) -> Standing {
        self.policy = share.policy;
        self.left = (self.left + share.surplus).min(share.policy.burst);
        self.in_bucket = share.in_bucket;
        self.seen_at = now;
        self.standing(share.is_admitted, now)
    }

    fn bucket(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.seen_at).as_secs_f64();
        let gained = since * f64::from(self.policy.per_second);
        (self.in_bucket + gained).min(f64::from(self.policy.burst))
    }

    fn standing(&self, is_admitted: bool, now: Instant) -> Standing {
        let Policy { per_second, burst } = self.policy;
        let bucket = self.bucket(now);
        let missing = match is_admitted {
            true => f64::from(burst) - bucket - f64::from(self.left),
            false => 1.0 - bucket,
        };
        let wait = Duration::try_from_secs_f64(missing / f64::from(per_second.max(1)));
        let wait = wait.unwrap_or_default();
        let left = (bucket as u32 + self.left).min(burst);
        Standing {
            policy: self.policy,
            left: if is_admitted { left } else { 0 },
            resets_in: wait.as_secs()
                + u64::from(wait.subsec_nanos() > 0).max(u64::from(!is_admitted && wait.is_zero())),
            is_admitted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        per_second: 10,
        burst: 20,
    };

    fn share(is_admitted: bool, surplus: u32, in_bucket: f64) -> Share {
        Share {
            policy: POLICY,
            is_admitted,
            surplus,
            in_bucket,
        }
    }

    fn standing(left: u32, resets_in: u64, is_admitted: bool) -> Standing {
        Standing {
            policy: POLICY,
            left,
            resets_in,
            is_admitted,
        }
    }

    #[test]
    fn a_slice_is_spent_without_asking_and_an_empty_bucket_is_not_asked() {
        let start = Instant::now();
        let first = share(true, 2, 0.0);
        let mut lease = Lease::of(&first, start);
        assert_eq!(lease.settle(&first, start), standing(2, 2, true));
        assert_eq!(lease.take(start), Some(standing(1, 2, true)));
        assert_eq!(lease.take(start), Some(standing(0, 2, true)));
        assert_eq!(lease.take(start), Some(standing(0, 1, false)));
        assert_eq!(
            lease.take(start + Duration::from_millis(99)),
            Some(standing(0, 1, false))
        );
        assert_eq!(lease.take(start + Duration::from_millis(101)), None);

        let later = start + Duration::from_millis(1001);
        let mut old = Lease { left: 5, ..lease };
        assert_eq!(old.take(later), None, "it may be somebody else's by now");
        assert_eq!(old.left, 0);

        let refused = share(false, 0, 0.5);
        assert_eq!(lease.settle(&refused, start), standing(0, 1, false));
    }

    #[test]
    fn tokens_go_to_who_asked_first_and_the_rest_stays_for_later() {
        let dealt = |granted, asked| -> Vec<(bool, u32)> {
            let shares = deal(POLICY, granted, 0.0, asked);
            shares
                .map(|share| (share.is_admitted, share.surplus))
                .collect()
        };
        assert_eq!(dealt(5, 2), [(true, 3), (true, 0)]);
        assert_eq!(dealt(1, 2), [(true, 0), (false, 0)]);
        assert_eq!(dealt(0, 1), [(false, 0)]);
    }

    #[test]
    fn headers_are_those_of_the_draft() {
        assert_eq!(POLICY.header(), "\"partner\";q=20;w=2");
        assert_eq!(Policy::ORDINARY.header(), "\"partner\";q=100;w=2");
        assert_eq!(standing(7, 2, true).header(), "\"partner\";r=7;t=2");
    }
}
