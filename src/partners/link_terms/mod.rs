//! Link terms: what a programme asks before points of its members leave it.
//!
//! Whoever gets into a member's account links it to an own one elsewhere and converts: conversions out are how
//! points are stolen. A programme therefore lets a new link cool off, so that the member sees what was linked
//! before anything is gone, and asks that a member who converts itself has proved itself just now.
//!
//! * What is barred while a link cools off is converting over it, out of the programme whose terms they are: to
//!   whichever of the two brands was linked last. Earning, converting in, redeeming at the own brand and
//!   conversions to brands that were linked before go on.
//! * It counts how long ago the link was made, also before the terms were. Who unlinks and links again begins
//!   anew.
//! * A step-up is asked of a member's token only ([`exchange`](crate::access::oauth::exchange)): when a
//!   partner's own program converts, the partner knows best whom it has before it. Tokens live by the machine's
//!   clock, and so does what they prove.
//!
//! The terms are the programme's own: no other brand's members or money depend on them, so they need nobody's
//! word. Setting them is a publication, so no conversion is decided by what they were before.

pub mod api;
mod store;
pub mod terms;

pub(super) use store::rows;
pub use terms::LinkTerms;

use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::db::{self, Connection};
use crate::error::Error;

/// Replaces the terms of a partner's programme.
pub async fn set(
    conn: &mut Connection,
    who: &Who,
    partner: i64,
    terms: &LinkTerms,
) -> Result<(), Error> {
    terms.check().map_err(api::bad)?;

    let before = store::replace(conn, partner, terms).await?;
    let about = Subject::LinkTerms.no(partner).of_all();
    let (before, after) = (before.to_string(), terms.to_string());
    audit::record(conn, who, about, Some(&before), &after).await?;
    db::publish(conn).await
}
