//! Exchange rates: what one money is in another.
//!
//! Finance publishes a rate with its source and the time it was quoted at. Rows are never changed:
//! a quote locks one by its id, and a conversion is settled at that one, whatever was published
//! since. The latest published row of two moneys serves both directions, whichever way round it
//! was quoted. What was not chosen: a rate per direction, which would let the two drift apart and
//! make going back and forth a business.

pub mod api;
mod store;

pub(super) use store::latest;
pub use store::{find, list};

use chrono::Duration;

use super::settlement::Exchange;
use crate::access::audit::Subject;
use crate::access::{Who, audit};
use crate::clock::{self, Timestamp};
use crate::db::{self, Connection};
use crate::error::{Error, Problem};
use crate::points::account::Asset;
use crate::points::agreed::Price;
use crate::web::text::Name;

/// How far the clock of who quotes a rate may be ahead of the hub's.
const AHEAD: Duration = Duration::minutes(5);

/// So many units of the quote money for one of the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeRate {
    pub id: i64,
    pub base: Asset,
    pub quote: Asset,
    pub rate: Price,
    /// Who quoted it.
    pub source: String,
    pub quoted_at: Timestamp,
    pub created_at: Timestamp,
}

/// A rate to be published.
#[derive(Debug, Clone)]
pub struct NewExchangeRate {
    pub base: Asset,
    pub quote: Asset,
    pub rate: Price,
    pub source: Name,
    pub quoted_at: Timestamp,
}

impl ExchangeRate {
    /// The rate as it is locked for a conversion whose source settles in this one of its moneys.
    pub fn out_of(&self, money: Asset) -> Exchange {
        Exchange {
            rate: self.rate,
            source_is_base: self.base == money,
        }
    }
}

/// Publishes a rate: quotes of these moneys lock it from now on.
pub async fn publish(
    conn: &mut Connection,
    who: &Who,
    new: NewExchangeRate,
) -> Result<ExchangeRate, Error> {
    let now = db::now(conn).await?;

    new.check(now)?;

    let rate = store::insert(conn, who, &new, now).await?;
    audit::record(
        conn,
        who,
        Subject::ExchangeRate.no(rate.id).of_all(),
        None,
        "published",
    )
    .await?;
    super::must_not_pump(conn).await?;
    db::publish(conn).await?;
    Ok(rate)
}

impl NewExchangeRate {
    fn check(&self, now: Timestamp) -> Result<(), Problem> {
        if self.base == self.quote {
            return Err(Problem::field("/quote", "another money than the base"));
        }
        if !clock::is_sensible(self.quoted_at) || self.quoted_at > now + AHEAD {
            return Err(Problem::field(
                "/quoted_at",
                "an instant since the year 2000 that is not in the future",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use chrono::DateTime;

    fn noon() -> Timestamp {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn price(text: &str) -> Price {
        Price::try_from(text.to_owned()).unwrap()
    }

    pub(crate) fn rate(id: i64, base: Asset, quote: Asset, rate: &str) -> ExchangeRate {
        let (quoted_at, created_at) = (noon(), noon());
        ExchangeRate {
            id,
            base,
            quote,
            rate: price(rate),
            source: "HKAB".into(),
            quoted_at,
            created_at,
        }
    }

    #[test]
    fn a_rate_is_of_two_moneys_and_was_quoted() {
        let new = |quote, minutes| {
            let source = Name::try_from("HKAB".to_owned()).unwrap();
            let quoted_at = noon() + Duration::minutes(minutes);
            NewExchangeRate {
                base: 840,
                quote,
                rate: price("7.8"),
                source,
                quoted_at,
            }
            .check(noon())
        };
        let pointer = |refused: Result<(), Problem>| refused.unwrap_err().errors[0].pointer.clone();
        assert!(new(344, -60).is_ok() && new(344, 4).is_ok());
        assert_eq!(pointer(new(840, 0)), "/quote");
        assert_eq!(pointer(new(344, 6)), "/quoted_at");
        assert_eq!(pointer(new(344, -60 * 24 * 366 * 40)), "/quoted_at");
    }

    #[test]
    fn a_rate_serves_both_directions() {
        let rate = rate(1, 840, 344, "7.8");
        assert!(rate.out_of(840).source_is_base && !rate.out_of(344).source_is_base);
    }
}
