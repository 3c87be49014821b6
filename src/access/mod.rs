//! Access: who is calling, and how they prove it.
//!
//! Three kinds of callers. A *partner's program* proves itself with a client id and a secret, or with a
//! signature ([`credentials`]), and gets an access token for them ([`oauth`]). For one of its *members* it
//! exchanges what names the member ([`oauth::exchange`]), and then acts as that member and no more. A
//! *person* of the hub signs in with a password and a code ([`people`], [`second_factor`]) and has a session ([`sessions`]). All then send
//! their token with each request, and a handler says in its signature whom it admits ([`caller`]). How often a
//! partner may ask is counted over all hubs ([`request_limits`]).
//!
//! A token could be believed until it ends. Here the database is asked at each request whether the
//! credential is still live or the person still employed in the role, so that revoking works at
//! once and on every hub: of a command by the group that carries it out, of all else beforehand. Requests
//! that come at the same time ask together; the answer also tells the publication and the time that the
//! request then rests on. Whether a *partner* may act, suspended as it may be, is for the operation to say.
//!
//! | scope | allows |
//! |-------|--------|
//! | `awards:write` `redemptions:write` `reversals:write` | move points of the partner's own currencies |
//! | `quotes:write` `conversions:write` | ask for a price, and take it |
//! | `members:read` `members:write` | look up, create and link members, attest claims of them |
//! | `members:act` | get tokens that act for its members |
//! | `imports:write` | members, memberships and awards from files |
//! | `ledger:read` | wallets, statements, operations |
//! | `events:read` | the feed of operations |
//! | `rates:read` `rates:write` | rate cards |
//! | `settlement:read` | positions, statements, bank account |
//! | `settlement:write` | propose a bank account |
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
pub mod permission;
pub mod request_limits;
mod ring;
pub mod role;
pub mod scope;
pub mod second_factor;
pub mod sessions;
pub mod signing_keys;
mod store;
pub mod token;
pub mod who;

pub use caller::{Asking, Partner, Reader, Sender, Staff};
pub use role::{AnyRole, Auditor, Finance, Operator, Role, Roles, Support};
pub use scope::{
    AnyScope, AwardsWrite, ConversionsWrite, CredentialsWrite, CreditsWrite, EventsRead,
    ImportsWrite, LedgerRead, MembersRead, MembersWrite, OrMember, QuotesWrite, RatesRead,
    RatesWrite, RedemptionsWrite, ReversalsWrite, Scope, ScopeSet, SettlementRead, SettlementWrite,
    WebhooksWrite,
};
pub use store::LIVE;
pub use who::{Acted, Party, Who};

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::db::{Connection, Latest, Moment, Pool};
use crate::error::Error;
use crate::gather::Gather;
use crate::secret::{self, Secrets};
use oauth::Failures;
use people::Hashing;
use request_limits::RequestLimits;
use sessions::Session;
use store::{Acting, Presence};
use token::{Subject, Tokens};

/// What the server keeps to know its callers.
pub struct Access {
    tokens: Tokens,
    hashing: Hashing,
    presence: Gather<Presence>,
    acting: Gather<Acting>,
    limits: RequestLimits,
    /// Clients that did not prove who they are, by address.
    failures: Failures,
    pool: Pool,
    /// When the keys of tokens were read last.
    renewed: Mutex<Instant>,
    latest: Arc<Latest>,
}

/// How old the keys of tokens may be when one is made, or when a token names another.
const FRESH: Duration = Duration::from_secs(1);

impl Access {
    /// `issuer` is the hub's own address, without a slash at the end.
    pub fn new(
        issuer: &str,
        secrets: &Secrets,
        pool: Pool,
        latest: Arc<Latest>,
    ) -> anyhow::Result<Access> {
        Ok(Access {
            tokens: Tokens::new(issuer, &secrets.tokens)?,
            hashing: Hashing::default(),
            presence: Gather::start(pool.url()),
            acting: Gather::start(pool.url()),
            limits: RequestLimits::start(pool.url()),
            failures: Failures::default(),
            pool,
            renewed: Mutex::new(Instant::now()),
            latest,
        })
    }

    /// The partner of a credential, if it is live, and the present.
    async fn ask(&self, credential: i64) -> Result<(Moment, Option<i64>), Error> {
        let answer = self.presence.ask(credential).await?;
        self.latest.saw(answer.0);
        Ok(answer)
    }

    /// The live session of a token, if it has one, and the present.
    async fn session(&self, token: &str) -> Result<Option<(Session, Moment)>, Error> {
        let mut conn = self.pool.get().await?;
        let found = sessions::find(&mut conn, token).await?;
        if let Some((_, moment)) = found {
            self.latest.saw(moment);
        }
        Ok(found)
    }

    /// Whether a credential may act for a member now, and the present.
    async fn ask_acting(&self, credential: i64, acted: Acted) -> Result<(Moment, bool), Error> {
        let asked = (credential, acted.membership);
        let (moment, whose) = self.acting.ask(asked).await?;
        self.latest.saw(moment);
        Ok((moment, whose == Some((acted.member, acted.partner))))
    }

    /// Learns of the keys that other hubs made, unless it did within [`FRESH`]. Nobody waits for a connection
    /// while others wait for these keys.
    async fn renew(&self, conn: &mut Connection) -> Result<(), Error> {
        let mut renewed = self.renewed.lock().await;
        if renewed.elapsed() >= FRESH {
            self.tokens.renew(&secret::token_keys(conn).await?)?;
            *renewed = Instant::now();
        }
        Ok(())
    }

    async fn is_fresh(&self) -> bool {
        self.renewed.lock().await.elapsed() < FRESH
    }

    /// A token for a subject, by the key that signs now.
    async fn mint(
        &self,
        conn: &mut Connection,
        subject: Subject,
        now: Timestamp,
    ) -> Result<String, Error> {
        self.renew(conn).await?;
        Ok(self.tokens.mint(subject, Uuid::new_v4().to_string(), now)?)
    }

    /// Whom a token speaks for, or nothing.
    async fn read(&self, token: &str, now: Timestamp) -> Result<Option<Subject>, Error> {
        let read = self.tokens.read(token, now);
        if read.is_some() || !self.tokens.is_of_unknown_key(token) {
            return Ok(read);
        }
        Box::pin(self.published()).await?;
        Ok(self.tokens.read(token, now))
    }

    /// The public halves of the live keys, newest first.
    pub async fn published(&self) -> Result<JwkSet, Error> {
        if !self.is_fresh().await {
            self.renew(&mut *self.pool.get().await?).await?;
        }
        Ok(self.tokens.published())
    }

    /// The hub's own address.
    pub fn issuer(&self) -> &str {
        self.tokens.issuer()
    }

    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }
}
