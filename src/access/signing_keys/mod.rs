//! The keys that sign access tokens, and how the next one comes in.
//!
//! An operator rotates: a new key stands in the published set at once, and signs from five minutes
//! later, when every hub has read it. What the old key signed stays good until it ends, and so the
//! next rotation waits for half an hour: no more than two keys are ever live.

pub mod api;

use super::audit::Subject;
use super::{Who, audit};
use crate::db::Connection;
use crate::error::{Error, Problem, Slug};
use crate::secret;

/// Makes the next key.
pub async fn rotate(conn: &mut Connection, who: &Who) -> Result<(), Error> {
    who.must_be_fresh()?;
    let made = secret::rotate_token_key(conn).await?;
    let too_young = || {
        Problem::new(
            Slug::SigningKeyTooYoung,
            "the newest key was made less than half an hour ago",
        )
    };
    let generation = made.ok_or_else(too_young)?;
    audit::record(
        conn,
        who,
        Subject::SigningKey.no(generation).of_all(),
        None,
        "published",
    )
    .await
}
