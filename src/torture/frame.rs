//! Messages of PostgreSQL's wire protocol, cut out of a stream of bytes.
//!
//! | part | bytes | |
//! |------|------:|--|
//! | type | 1 | missing in the first message of a client |
//! | length | 4 | of itself and what follows |
//! | body | length − 4 | |

/// Gathers bytes and gives whole messages.
pub struct Frames {
    bytes: Vec<u8>,
    /// The next message has no type: it is a client's first.
    is_first: bool,
}

impl Frames {
    pub fn of_client() -> Frames {
        Frames {
            bytes: Vec::new(),
            is_first: true,
        }
    }

    pub fn of_server() -> Frames {
        Frames {
            is_first: false,
            ..Frames::of_client()
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message with its type and length, when all of it has come.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        let at = usize::from(!self.is_first);
        let length = self.bytes.get(at..at + 4)?.try_into().ok()?;
        let end = at + u32::from_be_bytes(length) as usize;
        if self.bytes.len() < end {
            return None;
        }
        self.is_first = false;
        let rest = self.bytes.split_off(end);
        Some(std::mem::replace(&mut self.bytes, rest))
    }
}

/// Whether a client's message asks to commit. The hub does it by a simple query.
pub fn asks_to_commit(frame: &[u8]) -> bool {
    text_of(frame, b'Q').is_some_and(|text| text.trim().eq_ignore_ascii_case("commit"))
}

/// Whether a server's message says that a transaction ended, and if so, whether by a commit.
pub fn ends_transaction(frame: &[u8]) -> Option<bool> {
    match text_of(frame, b'C')? {
        "COMMIT" => Some(true),
        "ROLLBACK" => Some(false),
        _ => None,
    }
}

/// The text of a message of a type, which ends with a zero.
fn text_of(frame: &[u8], kind: u8) -> Option<&str> {
    let (first, rest) = frame.split_first()?;
    let text = rest.get(4..)?.strip_suffix(&[0])?;
    (*first == kind)
        .then(|| std::str::from_utf8(text).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, text: &str) -> Vec<u8> {
        let length = (text.len() as u32 + 5).to_be_bytes();
        [&[kind], &length[..], text.as_bytes(), &[0]].concat()
    }

    #[test]
    fn messages_come_out_whole_wherever_the_bytes_are_cut() {
        let startup = [&12_u32.to_be_bytes()[..], &[0, 3, 0, 0], b"user"].concat();
        let sent = [
            startup,
            message(b'Q', "select 1"),
            message(b'S', ""),
            message(b'Q', "Commit"),
        ];
        let all = sent.concat();
        for size in 1..=all.len() {
            let mut frames = Frames::of_client();
            let mut got = Vec::new();
            for bytes in all.chunks(size) {
                frames.push(bytes);
                got.extend(std::iter::from_fn(|| frames.next()));
            }
            assert_eq!(got, sent, "in pieces of {size}");
        }
    }

    #[test]
    fn only_a_commit_is_one() {
        assert!(asks_to_commit(&message(b'Q', "commit")));
        assert!(asks_to_commit(&message(b'Q', "COMMIT ")));
        for other in [message(b'Q', "rollback"), message(b'P', "commit"), vec![]] {
            assert!(!asks_to_commit(&other), "{other:?}");
        }
        assert_eq!(ends_transaction(&message(b'C', "COMMIT")), Some(true));
        assert_eq!(ends_transaction(&message(b'C', "ROLLBACK")), Some(false));
        assert_eq!(ends_transaction(&message(b'C', "INSERT 0 1")), None);
    }
}
