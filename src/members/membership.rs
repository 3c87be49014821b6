//! A membership: the link of a member to a partner's programme.

use crate::clock::Timestamp;
use crate::web::text::Number;

#[derive(Debug, Clone)]
pub struct Membership {
    pub id: i64,
    pub member: i64,
    pub partner: i64,
    pub number: String,
    pub joined_at: Timestamp,
    /// When a link made it this member's; none for one that was the member's from the beginning.
    pub linked_at: Option<Timestamp>,
}

/// How a membership came to its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The member began with it, or goes on with it alone.
    AsOwn,
    Linked,
}

/// A person to enrol in several programmes at once: each partner's id, and the number there.
#[derive(Debug, Clone)]
pub struct Enrolment {
    pub memberships: Vec<(i64, Number)>,
}
