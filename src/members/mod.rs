//! Members: who holds which memberships, and which wallets are theirs.
//!
//! A member is a person and nothing is known of the person here but the numbers that programmes
//! gave. Each membership brings one wallet per currency that its partner issues. A currency that
//! is issued later brings its wallets when they are first needed ([`wallet`]): most never are.
//!
//! A second brand links the same member with a token that the member carried there ([`link`]); the
//! brands never exchange their numbers, and each sees its own membership only.
//!
//! What a brand knows of its member and rate cards may ask for, it attests ([`claims`]).
//!
//! What is unique is for the database to say, so that of two who enrol one number at once the
//! second is refused. Lock order: the membership, then the wallet.

pub mod api;
pub mod claims;
pub mod link;
pub mod membership;
mod store;
pub mod wallets;

pub use claims::{Attested, Claims};
pub use membership::{Enrolment, Membership};
pub use store::{all_memberships, find, is_member_of, list, with_numbers};
pub use wallets::{Owned, Wallets, Wanted, all_of, owns_one, wallet, wallet_of, wallets_of};

use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::db::Connection;
use crate::error::Error;
use crate::partners::{self, life::Act};
use crate::points::account::Asset;
use crate::web::text::Number;

/// A new member, with a membership of one partner and its wallets there.
pub async fn enrol(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    number: &Number,
) -> Result<Membership, Error> {
    let member = store::insert_members(conn, 1).await?;
    join(conn, who, member[0], partner, number).await
}

/// A member joins the programme of a partner, with wallets in all it issues.
pub async fn join(
    conn: &mut Connection,
    who: &Who,
    member: i64,
    partner: i64,
    number: &Number,
) -> Result<Membership, Error> {
    partners::must_allow(conn, partner, Act::Enrol).await?;
    let membership = store::insert_membership(conn, member, partner, number).await?;
    let issued = wallets::list_currencies(conn, &[partner]).await?;

    let owners: Vec<(i64, Asset)> = issued
        .iter()
        .map(|(_, currency)| (member, *currency))
        .collect();

    wallets::open(conn, &owners).await?;
    let about = Subject::Membership.no(membership.id).of([partner]);
    audit::record(conn, who, about, None, "joined").await?;
    Ok(membership)
}

/// The most memberships that one transaction makes.
pub const MOST: usize = 2_000;

/// Enrols many people at once, in up to [`MOST`] programmes together; answers their ids in order.
pub async fn enrol_many(
    conn: &mut Connection,
    who: &Who,
    people: &[Enrolment],
) -> Result<Vec<i64>, Error> {
    let members = store::insert_members(conn, people.len() as i64).await?;
    let rows: Vec<(i64, i64, &Number)> = members
        .iter()
        .zip(people)
        .flat_map(|(member, person)| {
            person
                .memberships
                .iter()
                .map(|(partner, number)| (*member, *partner, number))
        })
        .collect();
    let partners: Vec<i64> = rows.iter().map(|(_, partner, _)| *partner).collect();
    let issued = wallets::list_currencies(conn, &partners).await?;

    let currencies = |partner: i64| {
        issued
            .iter()
            .filter(move |(issuer, _)| *issuer == partner)
            .map(|(_, no)| *no)
    };
    let owners: Vec<(i64, Asset)> = rows
        .iter()
        .flat_map(|(member, partner, _)| currencies(*partner).map(|no| (*member, no)))
        .collect();

    let memberships = store::insert_memberships(conn, &rows).await?;
    wallets::open(conn, &owners).await?;
    audit::record_all(
        conn,
        who,
        Subject::Membership,
        &memberships,
        &partners,
        "joined",
    )
    .await?;
    Ok(members)
}
