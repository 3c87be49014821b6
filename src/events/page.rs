//! One page of two kinds of events, each looked at on its own.

use super::Asked;

/// What was looked at of one kind.
#[derive(Debug, diesel::QueryableByName)]
pub struct Looked {
    /// The last place of all; none when there was none.
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::BigInt>)]
    pub last: Option<i64>,
    /// How many were looked at.
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub count: i64,
    /// Those that were asked for, in order.
    #[diesel(sql_type = diesel::sql_types::Array<diesel::sql_types::BigInt>)]
    pub found: Vec<i64>,
}

/// A page.
#[derive(Debug, PartialEq, Eq)]
pub struct Paged {
    pub places: Vec<i64>,
    /// Where to go on.
    pub next: i64,
}

/// The first of all that were found. Of a kind of which there is more to look at, or more was found
/// than is asked for, nothing is known behind the last.
pub fn of(asked: &Asked, looked: [Looked; 2]) -> Paged {
    let is_cut = |it: &Looked| it.count == asked.looked_at || it.found.len() as i64 == asked.limit;
    let end = |it: &Looked| match it.found.len() as i64 == asked.limit {
        true => it.found.last().copied(),
        false => it.last,
    };
    let cut = looked.iter().filter(|it| is_cut(it));
    let known = cut.filter_map(end).min().unwrap_or(i64::MAX);
    let last = looked.iter().filter_map(|it| it.last).max();

    let found = looked.into_iter().flat_map(|it| it.found);
    let mut places: Vec<i64> = found.filter(|place| *place <= known).collect();
    places.sort_unstable();
    let most = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    places.truncate(most);
    let next = match places.len() == most {
        true => places.last().copied(),
        false => last.map(|last| last.min(known)),
    };
    Paged {
        places,
        next: next.unwrap_or(asked.after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads what there is page by page: places, and whether each is asked for.
    fn read(kinds: [&[(i64, bool)]; 2], limit: i64, looked_at: i64) -> Vec<i64> {
        let (mut read, mut after) = (Vec::new(), 0);
        loop {
            let asked = Asked {
                after,
                whose: None,
                limit,
                looked_at,
            };
            let looked = kinds.map(|kind| {
                let next = kind.iter().filter(|(place, _)| *place > after);
                let next: Vec<_> = next.take(looked_at as usize).collect();
                let found = next.iter().filter(|(_, is_asked)| *is_asked);
                Looked {
                    last: next.last().map(|(place, _)| *place),
                    count: next.len() as i64,
                    found: found
                        .map(|(place, _)| *place)
                        .take(limit as usize)
                        .collect(),
                }
            });
            let page = of(&asked, looked);
            assert!(page.places.len() as i64 <= limit);
            read.extend(page.places);
            if page.next == after {
                return read;
            }
            assert!(page.next > after);
            after = page.next;
        }
    }

    proptest! {
        #[test]
        fn page_by_page_everything_comes_once_and_in_order(
            places in proptest::collection::btree_map(1_i64..200, (any::<bool>(), any::<bool>()), 0..60),
            limit in 1_i64..6,
            looked_at in 1_i64..9,
        ) {
            let kind = |which: bool| -> Vec<(i64, bool)> {
                let of = places.iter().filter(|(_, (kind, _))| *kind == which);
                of.map(|(place, (_, is_asked))| (*place, *is_asked)).collect()
            };
            let wanted: Vec<i64> = places.iter().filter(|(_, (_, is_asked))| *is_asked).map(|(place, _)| *place).collect();
            prop_assert_eq!(read([&kind(true), &kind(false)], limit, looked_at), wanted);
        }
    }
}
