//! What a partner's credential is for. A credential holds some scopes, a token may narrow them,
//! and a handler names the one it needs in its signature: `Partner<AwardsWrite>`.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

/// A scope as a type, for signatures.
pub trait Scope: 'static {
    /// None when any token of a partner will do.
    const NEEDED: Option<&'static str>;
    /// Whether a member's token with it will do, too.
    const MEMBERS: bool = false;
}

/// A token with the scope `S`, of a partner or of one of its members. Whoever writes it sees to what a
/// member may do and see.
pub struct OrMember<S>(PhantomData<S>);

impl<S: Scope> Scope for OrMember<S> {
    const NEEDED: Option<&'static str> = S::NEEDED;
    const MEMBERS: bool = true;
}

/// What a member's token may be used for, where the credential that asks for it has the same.
pub const OF_MEMBERS: &[&str] = &[
    "conversions:write",
    "ledger:read",
    "members:read",
    "members:write",
    "quotes:write",
    "rates:read",
];

/// Any token of a partner will do.
pub struct AnyScope;

impl Scope for AnyScope {
    const NEEDED: Option<&'static str> = None;
}

macro_rules! scopes {
    ($($marker:ident $name:literal $allows:literal;)*) => {
        $(
            #[doc = $allows]
            pub struct $marker;

            impl Scope for $marker {
                const NEEDED: Option<&'static str> = Some($name);
            }
        )*

        /// Every scope and what it allows.
        pub const SCOPES: &[(&str, &str)] = &[$(($name, $allows)),*];
    };
}

scopes! {
    AwardsWrite "awards:write" "Award points of a currency that the partner issues.";
    ConversionsWrite "conversions:write" "Take a quote for a member.";
    CredentialsWrite "credentials:write" "List, create and revoke the partner's own credentials.";
    CreditsWrite "credits:write" "Answer what the partner is to credit in its own books, and match its days.";
    EventsRead "events:read" "Read the feed of what moved points of the partner's currencies.";
    ImportsWrite "imports:write" "Import members, memberships and awards from files, and read what became of them.";
    LedgerRead "ledger:read" "Read wallets, statements and operations of the partner's members.";
    MembersAct "members:act" "Get tokens that act for members of the partner's programme.";
    MembersRead "members:read" "Look up members of the partner's programme.";
    MembersWrite "members:write" "Create members, link and end memberships, and attest claims.";
    QuotesWrite "quotes:write" "Ask what an amount is worth elsewhere.";
    RatesRead "rates:read" "Read rate cards of the partner's currencies.";
    RatesWrite "rates:write" "Propose, approve and withdraw rate cards.";
    RedemptionsWrite "redemptions:write" "Take points that a member spends, or set them aside.";
    ReversalsWrite "reversals:write" "Undo an award, a redemption, a conversion or a capture.";
    SettlementRead "settlement:read" "Read the partner's positions and statements.";
    SettlementWrite "settlement:write" "Say where the partner is paid.";
    WebhooksWrite "webhooks:write" "Say where the partner is told of events, and have them sent again.";
}

/// Some scopes, each once, in the order of [`SCOPES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct ScopeSet(Vec<&'static str>);

impl ScopeSet {
    /// The scopes in a text as RFC 6749 writes them, with single spaces between.
    pub fn parse(text: &str) -> Result<ScopeSet, String> {
        ScopeSet::of(text.split(' '))
    }

    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Result<ScopeSet, String> {
        let mut wanted: Vec<&str> = names.collect();
        wanted.sort_unstable();
        wanted.dedup();
        let known: Vec<&'static str> = SCOPES
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| wanted.contains(name))
            .collect();
        match wanted.iter().find(|name| !known.contains(name)) {
            Some(_) => Err(format!("the scopes are {}", names_of_all())),
            None if known.is_empty() => Err("at least one scope is needed".to_owned()),
            None => Ok(ScopeSet(known)),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// Those of them that a member's token may have; none when there are none.
    pub fn of_members(&self) -> Option<ScopeSet> {
        let kept = self.0.iter().copied();
        let kept: Vec<_> = kept.filter(|name| OF_MEMBERS.contains(name)).collect();
        (!kept.is_empty()).then_some(ScopeSet(kept))
    }

    pub fn is_within(&self, other: &ScopeSet) -> bool {
        self.0.iter().all(|name| other.has(name))
    }
}

fn names_of_all() -> String {
    SCOPES
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(", ")
}

impl TryFrom<Vec<String>> for ScopeSet {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<ScopeSet, String> {
        ScopeSet::of(names.iter().map(String::as_str))
    }
}

impl From<ScopeSet> for Vec<String> {
    fn from(scopes: ScopeSet) -> Vec<String> {
        scopes.0.into_iter().map(str::to_owned).collect()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_known_and_each_stands_once() {
        let scopes = ScopeSet::parse("quotes:write awards:write awards:write").unwrap();
        assert_eq!(scopes.to_string(), "awards:write quotes:write");
        assert!(scopes.has("quotes:write") && !scopes.has("quotes"));
        for text in [
            "",
            " ",
            "awards",
            "awards:write  quotes:write",
            "AWARDS:WRITE",
        ] {
            assert!(ScopeSet::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_members_token_has_no_more_than_its_credential_and_than_is_for_members() {
        let of_members = |text: &str| {
            let scopes = ScopeSet::parse(text).unwrap().of_members();
            scopes.map(|scopes| scopes.to_string())
        };
        assert_eq!(
            of_members("awards:write ledger:read members:act quotes:write").as_deref(),
            Some("ledger:read quotes:write")
        );
        assert_eq!(of_members("members:act awards:write"), None);
        assert!(ScopeSet::parse(&OF_MEMBERS.join(" ")).is_ok());
    }

    #[test]
    fn a_part_is_within_the_whole() {
        let whole = ScopeSet::parse("awards:write quotes:write").unwrap();
        let part = ScopeSet::parse("quotes:write").unwrap();
        assert!(part.is_within(&whole) && !whole.is_within(&part));
    }
}
