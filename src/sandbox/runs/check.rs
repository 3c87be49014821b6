//! What a program has to be seen to do before its partner goes live.
//!
//! Each check looks at the calls of a run, in their order, and at nothing else: what counts is what the
//! program did, not what somebody says it does.

use super::call::Call;

/// One thing to be seen.
pub struct Check {
    pub name: &'static str,
    /// What is missing as long as it was not seen.
    pub missing: &'static str,
    /// How to let it be seen.
    pub how: &'static str,
    seen: fn(&[Call]) -> bool,
}

/// Everything a program has to be seen to do.
pub const CHECKS: [Check; 12] = [
    Check {
        name: "a token is obtained",
        missing: "no token has been issued since the run began",
        how: "POST /oauth/token with grant_type=client_credentials and your sandbox credential",
        seen: |calls| {
            calls
                .iter()
                .any(|call| at(call, "/oauth/token") && call.is_done())
        },
    },
    Check {
        name: "points are awarded",
        missing: "no award has been answered with 201",
        how: "POST /v1/awards for a member of yours, in your own currency",
        seen: |calls| {
            calls
                .iter()
                .any(|call| at(call, "/v1/awards") && call.is_done())
        },
    },
    Check {
        name: "a price is asked for",
        missing: "no quote has been answered with 200",
        how: "POST /v1/quotes for a member of yours that holds points of yours",
        seen: |calls| {
            calls
                .iter()
                .any(|call| at(call, "/v1/quotes") && call.is_done())
        },
    },
    Check {
        name: "a quote is taken",
        missing: "no conversion has been answered with 201",
        how: "POST /v1/conversions with the token of a quote",
        seen: |calls| {
            calls
                .iter()
                .any(|call| at(call, "/v1/conversions") && call.is_done())
        },
    },
    Check {
        name: "a repeated write is answered as the first",
        missing: "no write has been sent again with the same key and body",
        how: "send an award or a conversion again, with the same Idempotency-Key and the same bytes",
        seen: |calls| pairs(calls).any(|(first, then)| !first.is_dropped && then.repeats(first)),
    },
    Check {
        name: "a key is not reused for something else",
        missing: "no used key has been refused with another body",
        how: "send another body with the key of a write that was done; it is refused as idempotency-key-reused",
        seen: |calls| {
            calls
                .iter()
                .any(|call| says(call, "idempotency-key-reused"))
        },
    },
    Check {
        name: "a dropped connection is no lost write",
        missing: "no write whose connection was dropped has been sent again with its key",
        how: "award 900011: the connection closes without an answer; send the same again with the same key",
        seen: |calls| pairs(calls).any(|(first, then)| first.is_dropped && then.repeats(first)),
    },
    Check {
        name: "a busy hub is waited for",
        missing: "no write that was refused as too-busy has been sent again with its key and been done",
        how: "award 900008: 503 with Retry-After; wait, then send the same again with the same key",
        seen: |calls| {
            pairs(calls).any(|(first, then)| {
                says(first, "too-busy") && then.has_key_of(first) && then.is_done()
            })
        },
    },
    Check {
        name: "something is undone",
        missing: "no reversal has been answered with 201",
        how: "POST /v1/reversals naming an award, a redemption or a conversion of yours",
        seen: |calls| {
            calls
                .iter()
                .any(|call| at(call, "/v1/reversals") && call.is_done())
        },
    },
    Check {
        name: "an expired quote is not taken",
        missing: "no expired quote has been refused",
        how: "ask for a quote, turn the clock forward by 11 minutes at POST /v1/sandbox/clock, then take the quote",
        seen: |calls| calls.iter().any(|call| says(call, "quote-expired")),
    },
    Check {
        name: "the feed is read on from a cursor",
        missing: "the feed has not been read with a cursor",
        how: "GET /v1/events, then GET /v1/events?after= with the cursor that the page ended with",
        seen: |calls| {
            let read_on = |call: &Call| at(call, "/v1/events") && call.has_cursor && call.is_done();
            calls.iter().any(read_on)
        },
    },
    Check {
        name: "a webhook is verified",
        missing: "no webhook check of an endpoint has been answered with 200",
        how: "make an endpoint, then POST /v1/sandbox/webhook-checks naming it: right letters are to be taken, forged ones refused",
        seen: |calls| {
            calls
                .iter()
                .any(|call| at(call, "/v1/sandbox/webhook-checks") && call.is_done())
        },
    },
];

impl Check {
    pub fn passed(&self, calls: &[Call]) -> bool {
        (self.seen)(calls)
    }
}

fn at(call: &Call, path: &str) -> bool {
    call.path == path
}

fn says(call: &Call, code: &str) -> bool {
    call.code.as_deref() == Some(code)
}

/// Each call with each that came after it and has its key.
fn pairs(calls: &[Call]) -> impl Iterator<Item = (&Call, &Call)> {
    calls.iter().enumerate().flat_map(|(place, first)| {
        let later = calls[place + 1..].iter();
        let same_key = later.filter(|then| then.has_key_of(first));
        same_key.map(move |then| (first, then))
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn call(path: &str, key: u128, body: u128, status: u16, answer: u128) -> Call {
        Call {
            path: path.to_owned(),
            key: (key > 0).then(|| Uuid::from_u128(key)),
            body: Uuid::from_u128(body),
            has_cursor: false,
            is_dropped: false,
            status,
            code: None,
            answer: Uuid::from_u128(answer),
        }
    }

    fn refused(code: &str, first: Call) -> Call {
        Call {
            code: Some(code.to_owned()),
            ..first
        }
    }

    fn dropped(first: Call) -> Call {
        Call {
            is_dropped: true,
            ..first
        }
    }

    fn passed(name: &str, calls: &[Call]) -> bool {
        let check = CHECKS.iter().find(|check| check.name == name);
        check.expect(name).passed(calls)
    }

    #[test]
    fn nothing_passes_of_a_program_that_did_nothing() {
        for check in &CHECKS {
            assert!(!check.passed(&[]), "{}", check.name);
        }
    }

    #[test]
    fn a_repeat_has_the_key_the_body_and_the_answer_of_the_first() {
        let award = |key, body, answer| call("/v1/awards", key, body, 201, answer);
        let repeated = "a repeated write is answered as the first";
        let cases = [
            (vec![award(1, 1, 1), award(1, 1, 1)], true),
            (vec![award(1, 1, 1), award(2, 1, 1)], false),
            (vec![award(1, 1, 1), award(1, 2, 1)], false),
            (vec![award(1, 1, 1), award(1, 1, 2)], false),
            (vec![award(0, 1, 1), award(0, 1, 1)], false),
            (vec![award(1, 1, 1), call("/v1/holds", 1, 1, 201, 1)], false),
            (vec![dropped(award(1, 1, 1)), award(1, 1, 1)], false),
        ];
        for (calls, expected) in cases {
            assert_eq!(passed(repeated, &calls), expected, "{calls:?}");
        }
    }

    #[test]
    fn what_was_dropped_or_refused_for_now_is_sent_again_with_its_key() {
        let award = |key, status, answer| call("/v1/awards", key, 1, status, answer);
        let lost = "a dropped connection is no lost write";
        assert!(passed(lost, &[dropped(award(1, 201, 1)), award(1, 201, 1)]));
        assert!(!passed(
            lost,
            &[dropped(award(1, 201, 1)), award(2, 201, 2)]
        ));
        assert!(!passed(
            lost,
            &[award(1, 201, 1), dropped(award(1, 201, 1))]
        ));

        let busy = "a busy hub is waited for";
        let first = refused("too-busy", award(1, 503, 0));
        assert!(passed(busy, &[first.clone(), award(1, 201, 1)]));
        assert!(!passed(busy, &[first.clone(), award(2, 201, 1)]));
        assert!(!passed(busy, &[first.clone(), first]));
    }
}
