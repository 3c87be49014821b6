//! A member's token for what names the member (RFC 8693): a partner's program acts for one of its members.
//!
//! The client proves itself as always and is the actor; there is no other. What names the member is
//!
//! | `subject_token_type` | `subject_token` | for whom |
//! |----------------------|-----------------|----------|
//! | `urn:ietf:params:oauth:token-type:jwt` | signed by the client, about the member's number ([`assertion`](super::assertion)) | clients with keys |
//! | `urn:interline:token-type:membership` | the id of the membership | clients with either |
//!
//! A number of another programme cannot be said, and the id of another's membership is refused as one that
//! does not exist. When and how the member last proved itself to the partner (`auth_time`, `acr`) is the partner's
//! word: in the JWT, or beside the id. What a programme asks of it is among its
//! [link terms](crate::partners::link_terms).

use super::request::Refusal;
use crate::access::Proof;
use crate::access::who::is_acr;

pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub const MEMBERSHIP: &str = "urn:interline:token-type:membership";

/// Who a program says the member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// By a JWT, to be checked.
    Signed(String),
    /// By the public id of a membership, and how the member proved itself.
    Membership { id: String, proof: Proof },
}

impl Subject {
    /// What was sent as it, of which nothing is believed yet.
    pub fn of(
        kind: Option<&str>,
        token: String,
        (auth_time, acr): (Option<&str>, Option<&str>),
    ) -> Result<Subject, Refusal> {
        match kind {
            Some(JWT) if auth_time.is_some() || acr.is_some() => Err(Refusal::InvalidRequest(
                "auth_time and acr are said in the JWT",
            )),
            Some(JWT) => Ok(Subject::Signed(token)),
            Some(MEMBERSHIP) => {
                let auth_time = auth_time.map(|at| at.parse().map_err(|_| WHEN));
                let acr = acr.map(|acr| is_acr(acr).then(|| acr.to_owned()).ok_or(HOW));
                let proof = Proof {
                    auth_time: auth_time.transpose()?,
                    acr: acr.transpose()?,
                };
                Ok(Subject::Membership { id: token, proof })
            }
            Some(_) => Err(Refusal::InvalidRequest(
                "subject_token_type is urn:interline:token-type:membership or urn:ietf:params:oauth:token-type:jwt",
            )),
            None => Err(Refusal::InvalidRequest("subject_token_type is missing")),
        }
    }
}

/// Whether a member can have proved itself then; clocks may be half a minute apart.
pub fn check_time(auth_time: Option<i64>, now: i64) -> Result<(), Refusal> {
    let is_past = auth_time.is_none_or(|at| (0..=now + 30).contains(&at));
    is_past.then_some(()).ok_or(WHEN)
}

const WHEN: Refusal =
    Refusal::InvalidRequest("auth_time is when the member proved itself, in seconds since 1970");

const HOW: Refusal = Refusal::InvalidRequest(
    "acr names how the member proved itself: up to 128 visible ASCII characters, without spaces, quotes and backslashes",
);

/// The refusal of every subject token that is not good, whatever the reason.
pub const NOBODY: Refusal = Refusal::InvalidRequest(
    "subject_token is the id of a membership of yours, or a JWT that you sign as an assertion, with the number of a member of yours as its sub and a jti never used before",
);

/// The refusal of a client that may not act for members.
pub const NO_SCOPE: Refusal =
    Refusal::UnauthorizedClient("this needs a credential with the scope members:act");
pub const NO_STANDING: Refusal =
    Refusal::UnauthorizedClient("the partner may not act for its members in the state it is in");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_of_a_known_kind_and_says_its_time_once() {
        let of = |kind, said| Subject::of(kind, "x".to_owned(), said);
        let signed = Ok(Subject::Signed("x".to_owned()));
        assert_eq!(of(Some(JWT), (None, None)), signed);
        let membership = |auth_time, acr: Option<&str>| Subject::Membership {
            id: "x".to_owned(),
            proof: Proof {
                auth_time,
                acr: acr.map(str::to_owned),
            },
        };
        let bare = of(Some(MEMBERSHIP), (None, None));
        assert_eq!(bare, Ok(membership(None, None)));
        let proved = of(Some(MEMBERSHIP), (Some("7"), Some("urn:a:2fa")));
        assert_eq!(proved, Ok(membership(Some(7), Some("urn:a:2fa"))));
        for (kind, said) in [
            (None, (None, None)),
            (Some("jwt"), (None, None)),
            (Some(ACCESS_TOKEN), (None, None)),
            (Some(JWT), (Some("7"), None)),
            (Some(JWT), (None, Some("2fa"))),
            (Some(MEMBERSHIP), (Some("soon"), None)),
            (Some(MEMBERSHIP), (None, Some(""))),
            (Some(MEMBERSHIP), (None, Some("2fa pin"))),
            (Some(MEMBERSHIP), (None, Some("\"2fa\""))),
        ] {
            assert!(of(kind, said).is_err(), "{kind:?} {said:?}");
        }
    }

    #[test]
    fn nobody_proved_itself_in_the_future() {
        assert_eq!(check_time(None, 100), Ok(()));
        assert_eq!(check_time(Some(130), 100), Ok(()));
        assert!(check_time(Some(131), 100).is_err() && check_time(Some(-1), 100).is_err());
    }
}
