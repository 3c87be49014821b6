//! Access: who is calling, and how they prove it.
//!
//! Two kinds of callers. A *partner's program* proves itself with a client id and a secret
//! ([`credentials`]) and gets an access token for them ([`oauth`]). A *person* of the hub signs in
//! with a password ([`people`]). Both then send the token ([`token`]) with each request, and a
//! handler says in its signature whom it admits ([`caller`]).
//!
//! A token could be believed until it ends. Here each request asks the database whether the
//! credential is still live or the person still employed in the role, so that revoking works at
//! once and on every hub. Requests that come at the same time ask together; the answer also tells
//! the publication and the time that the request then rests on. Whether a *partner* may act, suspended as it may be, is for the operation to say.
//!
//! | scope | allows |
//! |-------|--------|
//! | `awards:write` `redemptions:write` `reversals:write` | move points of the partner's own currencies |
//! | `quotes:write` `conversions:write` | ask for a price, and take it |
//! | `members:read` `members:write` | look up, create and link members, attest claims of them |
//! | `ledger:read` | wallets, statements, operations |
//! | `events:read` | the feed of operations |
//! | `rates:read` `rates:write` | rate cards |
//! | `settlement:read` | positions and statements |
//! | `webhooks:write` | where it is told of events, and what is sent again |
//! | `credentials:write` | the partner's own credentials |
//!
//! Lock order: an advisory lock per partner, then its credentials.

pub mod api;
pub mod audit;
pub mod caller;
pub mod credentials;
pub mod door;
pub mod oauth;
pub mod people;
pub mod role;
pub mod scope;
mod store;
pub mod token;
pub mod who;

pub use caller::{Partner, Reader, Staff};
pub use role::{AnyRole, Auditor, Finance, Operator, Role, Roles, Support};
pub use scope::{
    AnyScope, AwardsWrite, ConversionsWrite, CredentialsWrite, EventsRead, LedgerRead, MembersRead,
    MembersWrite, QuotesWrite, RatesRead, RatesWrite, RedemptionsWrite, ReversalsWrite, Scope,
    ScopeSet, SettlementRead, WebhooksWrite,
};
pub use who::{Party, Who};

use crate::gather::Gather;
use crate::secret::Secrets;
use people::SignIns;
use store::Presence;
use token::Tokens;

/// What the server keeps to know its callers.
pub struct Access {
    tokens: Tokens,
    sign_ins: SignIns,
    presence: Gather<Presence>,
}

impl Access {
    /// `issuer` is the hub's own address, without a slash at the end; `url` the database.
    pub fn new(issuer: &str, secrets: &Secrets, url: &str) -> anyhow::Result<Access> {
        Ok(Access {
            tokens: Tokens::new(issuer, &secrets.tokens)?,
            sign_ins: SignIns::default(),
            presence: Gather::start(url),
        })
    }

    /// The hub's own address.
    pub fn issuer(&self) -> &str {
        self.tokens.issuer()
    }

    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }
}
