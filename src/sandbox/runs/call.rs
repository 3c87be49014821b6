//! A call: what a partner's program asked while its run was open, and how it was answered.

use uuid::Uuid;

/// Keys, bodies and answers are told apart by their hashes; what was in them is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub path: String,
    pub key: Option<Uuid>,
    pub body: Uuid,
    /// A list was read on from where one was.
    pub has_cursor: bool,
    /// The connection was closed in place of the answer.
    pub is_dropped: bool,
    pub status: u16,
    /// The code of a problem.
    pub code: Option<String>,
    pub answer: Uuid,
}

impl Call {
    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether both are one write.
    pub fn has_key_of(&self, other: &Call) -> bool {
        self.key.is_some() && self.key == other.key && self.path == other.path
    }

    /// Whether it was told what the other was, of the same request.
    pub fn repeats(&self, other: &Call) -> bool {
        let is_same = self.body == other.body && self.answer == other.answer;
        self.has_key_of(other) && is_same && self.is_done() && other.is_done()
    }
}
