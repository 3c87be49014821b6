//! Where the operations of a group were asked for, in their order: `203.0.113.0/24*3 hub 198.51.100.0/24*2`.
//! Those in a row that came from one place are counted, one alone is not; so what hundreds of operations carry
//! is a few words on their group.

use std::fmt::Write;

use crate::web::Origin;

/// The origins of a group's operations as they are kept.
pub fn written(origins: &[Origin]) -> String {
    let mut text = String::new();
    for same in origins.chunk_by(|one, next| one == next) {
        let gap = if text.is_empty() { "" } else { " " };
        // Writing to a text does not fail.
        let _ = match same.len() {
            1 => write!(text, "{gap}{}", same[0]),
            count => write!(text, "{gap}{}*{count}", same[0]),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The origin of the operation at a place of the group.
    fn at(written: &str, place: usize) -> Option<&str> {
        let mut next = 0;
        for word in written.split(' ') {
            let (origin, count) = match word.split_once('*') {
                None => (word, 1),
                Some((origin, count)) => (origin, count.parse().ok()?),
            };
            next += count;
            if place < next && !origin.is_empty() {
                return Some(origin);
            }
        }
        None
    }

    #[test]
    fn each_place_has_the_origin_it_was_written_with() {
        let network = |last: u8| Origin::of(Some([203, 0, last, 9].into()));
        let (one, other) = (network(1), network(2));
        let origins = [
            one,
            one,
            one,
            Origin::Hub,
            other,
            one,
            Origin::Console,
            Origin::Console,
        ];
        let text = written(&origins);
        assert_eq!(
            text,
            "203.0.1.0/24*3 hub 203.0.2.0/24 203.0.1.0/24 console*2"
        );
        for (place, origin) in origins.iter().enumerate() {
            assert_eq!(at(&text, place), Some(origin.to_string().as_str()));
        }
        assert_eq!(at(&text, origins.len()), None);
        assert_eq!(at(&written(&[]), 0), None);
    }
}
