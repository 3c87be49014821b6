//! The shelf: where a handler finds a member's wallet, an operation, and what they are called.
//!
//! What is another partner's is not found: an operation is there for the issuers of the currencies
//! it moved, a member for the partners it has a membership with. A partner that acts for a member finds of that what is the
//! member's, and no more.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use super::command::Reference;
use super::operation::{Kind, Operation};
use super::programme::Programme;
use super::{api, store};
use crate::access::caller::unauthenticated;
use crate::access::{Acted, Asking};
use crate::clock::Timestamp;
use crate::db::{Connection, Moment, Pool};
use crate::error::{Error, Problem, Slug};
use crate::id::{self, Ids};
use crate::members::{self, Attested, Wallets, Wanted};
use crate::partners::{AmountBody, Currency, Directories, Directory};
use crate::points::account::Account;
use crate::secret::Secrets;
use crate::web::text;

#[derive(Clone)]
pub struct Shelf {
    pub pool: Data<Pool>,
    pub ids: Data<Ids>,
    pub secrets: Data<Secrets>,
    pub directories: Data<Directories>,
    pub wallets: Data<Wallets>,
    pub attested: Data<Attested>,
}

/// A member's wallets, and the moment when they were found.
pub struct Found {
    pub from: Account,
    pub to: Account,
    /// Since when the two have been one member's by a link; none where neither came by one.
    pub linked_at: Option<Timestamp>,
    pub moment: Moment,
}

/// A member's wallet and an amount in its currency, as published at `version`.
#[derive(Clone)]
pub struct Taken {
    pub version: i64,
    pub wallet: Account,
    pub amount: i64,
    pub programme: Programme,
}

/// An operation with what its partner calls it and the directory to print it by.
pub struct Named {
    pub operation: Operation,
    pub reference: Option<String>,
    pub directory: Arc<Directory>,
}

impl FromRequest for Shelf {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = (
            request.app_data(),
            request.app_data(),
            request.app_data(),
            request.app_data(),
            request.app_data(),
            request.app_data(),
        );
        ready(match found {
            (
                Some(pool),
                Some(ids),
                Some(secrets),
                Some(directories),
                Some(wallets),
                Some(attested),
            ) => Ok(Shelf {
                pool: Data::clone(pool),
                ids: Data::clone(ids),
                secrets: Data::clone(secrets),
                directories: Data::clone(directories),
                wallets: Data::clone(wallets),
                attested: Data::clone(attested),
            }),
            _ => Err(anyhow::anyhow!("the server was built without its parts").into()),
        })
    }
}

impl Shelf {
    /// What an issuer needs to move points of one of its members.
    pub async fn take(
        &self,
        asking: Asking,
        member: &str,
        amount: &AmountBody,
    ) -> Result<Taken, Error> {
        let (version, directory) = self.directories.at(asking.moment, &self.pool).await?;
        let (currency, amount) = amount.read(&directory, "/amount")?;
        api::must_issue(asking.partner, currency)?;
        api::must_keep(currency)?;
        let wanted = (member, &**currency, &**currency);
        let wallet = self.wallets_of(asking, wanted).await?.from;
        let programme = Programme::of(&directory, currency);
        Ok(Taken {
            version,
            wallet,
            amount,
            programme,
        })
    }

    /// A member of the partner's programme, by its public id; a member finds itself only.
    pub async fn member(
        &self,
        conn: &mut Connection,
        (partner, acted): (i64, Option<Acted>),
        text: &str,
    ) -> Result<i64, Error> {
        let member = self.own_member(acted, text)?;
        match members::is_member_of(conn, member, partner).await? {
            true => Ok(member),
            false => Err(no_member().into()),
        }
    }

    /// The id of a member; when a partner acts for one, of that one only.
    fn own_member(&self, acted: Option<Acted>, text: &str) -> Result<i64, Problem> {
        let member = self.ids.read(id::Kind::Member, text);
        let is_own = |member: &i64| acted.is_none_or(|acted| acted.member == *member);
        member.filter(is_own).ok_or_else(no_member)
    }

    /// The account of a wallet and its currency, when the partner issues that; for a member, when the wallet
    /// is its own, too. Whether there is such a wallet is for what is read of it to say.
    pub async fn own_wallet(
        &self,
        (partner, acted): (i64, Option<Acted>),
        moment: Moment,
        text: &str,
    ) -> Result<(Account, Arc<Currency>), Error> {
        let wallet = self.ids.read(id::Kind::Wallet, text).map(Account);
        let wallet = wallet.ok_or_else(store::no_wallet)?;
        let (_, directory) = self.directories.at(moment, &self.pool).await?;
        let currency = issued_by(&directory, partner, wallet).ok_or_else(store::no_wallet)?;
        if let Some(acted) = acted
            && !self.owns(acted, wallet).await?
        {
            return Err(store::no_wallet().into());
        }
        Ok((wallet, currency.clone()))
    }

    /// Whether a wallet is the member's.
    async fn owns(&self, acted: Acted, wallet: Account) -> Result<bool, Error> {
        members::owns(&mut *self.pool.get().await?, acted.member, wallet.0).await
    }

    /// The wallets in two currencies of one of the partner's members, and when they were found.
    pub async fn wallets_of(
        &self,
        asking: Asking,
        (member, from, to): (&str, &Currency, &Currency),
    ) -> Result<Found, Error> {
        let member = self.own_member(asking.acted, member)?;
        let wanted = Wanted {
            sender: asking.unconfirmed,
            member,
            partner: asking.partner,
            from: from.no,
            to: to.no,
        };
        let owned = self.wallets.find(&self.pool, wanted).await?;
        if !owned.is_sender_live {
            return Err(unauthenticated().into());
        }
        if !owned.is_member {
            return Err(no_member().into());
        }
        let missing = |currency: &Currency| {
            let detail = format!("the member has no wallet in {}", currency.code);
            Problem::new(Slug::MembershipMissing, detail)
        };
        let source = owned.from.ok_or_else(|| missing(from))?;
        let target = owned.to.ok_or_else(|| missing(to))?;
        Ok(Found {
            from: Account(source),
            to: Account(target),
            linked_at: owned.linked_at,
            moment: owned.moment,
        })
    }

    pub fn reference(
        &self,
        partner: i64,
        kind: Kind,
        text: &Option<text::Reference>,
    ) -> Option<Reference> {
        text.as_deref()
            .map(|text| super::reference(&self.secrets, partner, kind, text))
    }

    /// An operation of one of these kinds, by its public id: the partner's, or anybody's when a
    /// person of the hub asks.
    pub async fn by_id(
        &self,
        partner: impl Into<Option<i64>>,
        kinds: &[Kind],
        text: &str,
    ) -> Result<Named, Error> {
        let mut conn = self.pool.get().await?;
        let id = kinds
            .iter()
            .find_map(|kind| self.ids.read(super::id_kind(*kind), text));
        let found = match id {
            Some(id) => store::find(&mut conn, id)
                .await?
                .filter(|operation| kinds.contains(&operation.kind)),
            None => None,
        };
        let operation = found.ok_or_else(nothing_here)?;
        let (_, directory) = self.directories.current(&mut conn).await?;
        let Some(partner) = partner.into() else {
            return Ok(Named {
                operation,
                reference: None,
                directory,
            });
        };
        if !concerns(&directory, partner, &operation) {
            return Err(nothing_here());
        }
        let reference = store::reference_of(&mut conn, operation.id, partner).await?;
        Ok(Named {
            operation,
            reference,
            directory,
        })
    }

    /// An operation that took points of a member out of a wallet of the partner that acts, by its public id.
    pub async fn by_id_of(&self, acted: Acted, kinds: &[Kind], text: &str) -> Result<Named, Error> {
        let named = self.by_id(None, kinds, text).await?;
        let wallet = named.operation.out.map(|leg| leg.wallet);
        let of_partner =
            |wallet: &Account| issued_by(&named.directory, acted.partner, *wallet).is_some();
        let wallet = wallet.filter(of_partner).ok_or_else(nothing_here)?;
        match self.owns(acted, wallet).await? {
            true => Ok(named),
            false => Err(nothing_here()),
        }
    }

    /// The operation that the partner gave this reference.
    pub async fn by_reference(
        &self,
        partner: i64,
        kinds: &[Kind],
        text: &str,
    ) -> Result<Named, Error> {
        let mut conn = self.pool.get().await?;
        let hash = super::reference_hash(&self.secrets, partner, text);
        for kind in kinds {
            if let Some(operation) = store::by_reference(&mut conn, partner, *kind, hash).await? {
                let (_, directory) = self.directories.current(&mut conn).await?;
                return Ok(Named {
                    operation,
                    reference: Some(text.to_owned()),
                    directory,
                });
            }
        }
        Err(nothing_here())
    }

    /// An operation that was just carried out.
    pub async fn named(
        &self,
        moment: Moment,
        operation: Operation,
        reference: Option<String>,
    ) -> Result<Named, Error> {
        let (_, directory) = self.directories.at(moment, &self.pool).await?;
        Ok(Named {
            operation,
            reference,
            directory,
        })
    }
}

/// Whether an operation moved points of a currency that the partner issues, also only from one operation
/// of its programme into another; or its money.
pub fn concerns(directory: &Directory, partner: i64, operation: &Operation) -> bool {
    if is_paid_by_or_to(partner, operation) {
        return true;
    }
    let is_theirs = |account: Account| issued_by(directory, partner, account).is_some();
    let legs = [operation.out, operation.into];
    let wallets = legs.iter().flatten().map(|leg| leg.wallet);
    let others = operation.transfers.iter().map(|transfer| transfer.debit);
    wallets.chain(others).any(is_theirs)
}

/// Whether a partner is on one of the two sides of the operation's money.
pub fn is_paid_by_or_to(partner: i64, operation: &Operation) -> bool {
    let sides = operation.figures.iter().flat_map(|it| [it.pays, it.paid]);
    sides
        .into_iter()
        .any(|position| position.owner() == partner)
}

/// The currency of an account, when the partner issues it.
fn issued_by(directory: &Directory, partner: i64, account: Account) -> Option<&Arc<Currency>> {
    let currency = directory.currency_no(account.asset());
    currency.filter(|currency| currency.issuer == partner)
}

fn no_member() -> Problem {
    Problem::new(Slug::NotFound, "there is no such member of yours")
}

pub fn nothing_here() -> Error {
    Problem::new(
        Slug::NotFound,
        "no operation of yours has this id or reference",
    )
    .into()
}
