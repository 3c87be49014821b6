//! Members: who holds which memberships, and which wallets are theirs.
//!
//! A member is a person and nothing is known of the person here but the numbers that programmes
//! gave. Each membership brings one wallet per currency that its partner issues. A currency that
//! is issued later brings its wallets when they are first needed ([`wallet`]): most never are.
//!
//! A second brand links the same member with a token that the member carried there ([`mod@link`]); the
//! brands never exchange their numbers, and each sees its own membership only. What was linked can be unlinked:
//! a membership then goes on by itself. Linked or not, a wallet stays what it is, and whose it is changes in one
//! row: nothing is posted.
//!
//! How young a link is counts where a programme lets nothing be converted over a new one
//! ([`link_terms`](crate::partners::link_terms)): a link between two memberships is as old as the one that
//! joined last. The wallets carry it too, where a quote finds it without another look.
//!
//! What a brand knows of its member and rate cards may ask for, it attests ([`claims`]).
//!
//! What is unique is for the database to say, so that of two who enrol one number at once the
//! second is refused. Lock order: the members, the membership, then the wallet.

pub mod api;
pub mod claims;
pub mod link;
pub mod membership;
mod store;
pub mod wallets;

pub use claims::{Attested, Claims};
pub use membership::{Enrolment, Membership};
pub use store::{find, is_member_of, list, with_numbers};
pub use wallets::{Owned, Wallets, Wanted, all_of, links_of, owns, wallet, wallet_of, wallets_of};

use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::partners::pilots::{self, Room};
use crate::partners::{self, life::Act};
use crate::points::account::Asset;
use crate::web::text::Number;
use link::Shown;
use membership::Came;

/// A new member, with a membership of one partner and its wallets there.
pub async fn enrol(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    number: &Number,
) -> Result<Membership, Error> {
    let member = store::insert_members(conn, 1).await?;
    join(conn, who, member[0], partner, number, Came::AsOwn).await
}

/// A member joins the programme of a partner, with wallets in all it issues.
async fn join(
    conn: &mut Connection,
    who: &Who,
    member: i64,
    partner: i64,
    number: &Number,
    by: Came,
) -> Result<Membership, Error> {
    let room = room(conn, partner).await?;
    if let Some(full) = room.filter(|room| room.left == 0) {
        return Err(pilots::api::no_room(full).into());
    }
    let membership = store::insert_membership(conn, member, partner, number, by).await?;
    let issued = wallets::list_currencies(conn, &[partner]).await?;

    let owners: Vec<(i64, Asset)> = issued
        .iter()
        .map(|(_, currency)| (member, *currency))
        .collect();

    wallets::open(conn, &owners, membership.linked_at).await?;
    record(conn, who, &membership, "joined").await?;
    Ok(membership)
}

/// Refuses a partner that lets nobody join now, and says how many more its pilot lets, where it does. Neither
/// changes until the transaction ends.
pub async fn room(conn: &mut Connection, partner: i64) -> Result<Option<Room>, Error> {
    let partner = partners::must_go_on_allowing(conn, partner, Act::Enrol).await?;
    let count = async |conn: &mut Connection| store::count_members_of(conn, partner.id).await;
    pilots::room(conn, &partner, count).await
}

/// Links a member to the programme of another partner, once by what it brought from the first. A number that
/// stands alone there becomes the member's, with the wallets that go with it; a new one is a new membership.
pub async fn link(
    conn: &mut Connection,
    who: &Who,
    (member, shown): (i64, &Shown),
    partner: i64,
    number: &Number,
) -> Result<Membership, Error> {
    if !store::use_link(conn, shown.id, shown.expires_at).await? {
        let detail = "a link token links one membership";
        return Err(Problem::new(Slug::LinkUsed, detail).into());
    }
    let known = store::list(conn, partner, Some(number), 0, 1).await?.pop();
    let Some(known) = known else {
        return join(conn, who, member, partner, number, Came::Linked).await;
    };
    if known.member == member {
        let detail = "the member is linked to you already, with this number";
        return Err(Problem::new(Slug::AlreadyMember, detail).into());
    }
    partners::must_go_on_allowing(conn, partner, Act::Enrol).await?;
    let moves = (known.member, member);
    let taken = || {
        let detail =
            "the member with this number is linked to other programmes; it unlinks yours first";
        Problem::new(Slug::NumberTaken, detail)
    };
    store::lock_members(conn, &[known.member, member]).await?;
    if store::count_memberships(conn, known.member).await? != 1 {
        return Err(taken().into());
    }
    // Between the look and the lock it may have been unlinked.
    let moved = store::move_membership(conn, known.id, moves, Came::Linked).await?;
    let membership = moved.ok_or_else(taken)?;
    wallets::move_wallets(conn, partner, moves, membership.linked_at).await?;
    store::delete_member(conn, known.member).await?;
    record(conn, who, &membership, "linked").await?;
    Ok(membership)
}

/// Ends the link of a partner's membership with the others: it goes on by itself, with its number and wallets,
/// as a member of its own.
pub async fn unlink(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    id: i64,
) -> Result<Option<Membership>, Error> {
    let Some(found) = store::find_own(conn, partner, id).await? else {
        return Ok(None);
    };
    let is_alone = || Problem::new(Slug::MembershipAlone, "the member has no other membership");
    store::lock_members(conn, &[found.member]).await?;
    if store::count_memberships(conn, found.member).await? < 2 {
        return Err(is_alone().into());
    }
    let moves = (found.member, store::insert_members(conn, 1).await?[0]);
    // Of two who unlink at once, the second finds it gone.
    let moved = store::move_membership(conn, id, moves, Came::AsOwn).await?;
    let membership = moved.ok_or_else(is_alone)?;
    wallets::move_wallets(conn, partner, moves, membership.linked_at).await?;
    record(conn, who, &membership, "unlinked").await?;
    wallets::end_quotes(conn, partner, moves.1).await?;
    Ok(Some(membership))
}

async fn record(
    conn: &mut Connection,
    who: &Who,
    membership: &Membership,
    after: &str,
) -> Result<(), Error> {
    let about = Subject::Membership.no(membership.id);
    audit::record(conn, who, about.of([membership.partner]), None, after).await
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
    wallets::open(conn, &owners, None).await?;
    let joined = |(id, partner): (&i64, &i64)| audit::Changed {
        id: *id,
        partner: *partner,
        after: "joined".to_owned(),
    };
    let joined = memberships.iter().zip(&partners).map(joined).collect();
    audit::record_all(conn, who, Subject::Membership, joined).await?;
    Ok(members)
}
