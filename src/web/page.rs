//! Lists come in pages of at most 200, newest last or first as the list says, with an opaque
//! cursor that cannot be made up.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{Error, Problem, Slug};
use crate::id::Ids;

const LARGEST: i64 = 200;

/// How a caller asks for a page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// `next_cursor` of the page before. Leave it out for the first page.
    pub cursor: Option<String>,
    /// How many to return: 1 to 200, 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<i64>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

impl Paging {
    pub fn limit(&self) -> Result<i64, Error> {
        match self.limit.unwrap_or(50) {
            limit @ 1..=LARGEST => Ok(limit),
            _ => Err(Problem::field("/limit", format!("a page has 1 to {LARGEST} items")).into()),
        }
    }

    /// The id after which the page begins, when a cursor was given for this list.
    pub fn after(&self, ids: &Ids, list: &str) -> Result<Option<i64>, Error> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        match ids.read_cursor(list, cursor) {
            Some(id) => Ok(Some(id)),
            None => Err(Problem::new(
                Slug::CursorInvalid,
                "use next_cursor of the page before, unchanged",
            )
            .into()),
        }
    }
}

impl<T> Page<T> {
    /// Makes a page of rows read with one more than `limit`, so that the last page is known.
    pub fn of<R>(
        mut rows: Vec<R>,
        limit: i64,
        ids: &Ids,
        list: &str,
        id: impl Fn(&R) -> i64,
        show: impl Fn(&R) -> T,
    ) -> Page<T> {
        let more = rows.len() as i64 > limit;
        rows.truncate(limit as usize);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|last| ids.show_cursor(list, id(last)));
        Page {
            items: rows.iter().map(show).collect(),
            next_cursor,
        }
    }
}
