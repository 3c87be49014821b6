//! What both sides of a conversion are worth to a member, by the display values their issuers publish.

use crate::partners::Currency;
use crate::points::agreed::Price;
use crate::points::money::{Micros, TooLarge};
use crate::points::ratio::Quotient;
use crate::rates::settlement::{Exchange, to_source};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worth {
    /// Each in the money its issuer settles in.
    pub gives: Micros,
    pub gains: Micros,
    /// By how many percent of `gives` is `gains` more, at the exchange rate; none of nothing.
    pub difference: Option<i64>,
}

/// So many smallest units given, and so many gained; the exchange of each card on the way.
pub fn of(
    (from, given): (&Currency, i64),
    (to, gained): (&Currency, i64),
    exchanges: &[Option<Exchange>],
) -> Result<Worth, TooLarge> {
    let (gives, gains) = (worth(from, given)?, worth(to, gained)?);
    let mut there = gains;
    for exchange in exchanges.iter().rev() {
        there = to_source(there, *exchange)?;
    }
    let difference = percent_more(gives, there);
    Ok(Worth {
        gives,
        gains,
        difference,
    })
}

fn worth(currency: &Currency, units: i64) -> Result<Micros, TooLarge> {
    match Price::new(currency.display_value.decimal()) {
        Ok(price) => Micros::worth(units, currency.scale, price),
        // A value of zero is no price.
        Err(_) => Ok(Micros::ZERO),
    }
}

fn percent_more(here: Micros, there: Micros) -> Option<i64> {
    let more = i128::from(there.0) - i128::from(here.0);
    let percent = Quotient::new(more * 100, here.0.into()).filter(|_| here.0 > 0)?;
    i64::try_from(percent.half_even()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_are_rounded_and_nothing_is_compared_with_nothing() {
        let cases = [
            (78, 61, Some(-22)),
            (100, 100, Some(0)),
            (3, 4, Some(33)),
            (0, 5, None),
            (9, 0, Some(-100)),
        ];
        for (here, there, expected) in cases {
            assert_eq!(
                percent_more(Micros(here), Micros(there)),
                expected,
                "{here} {there}"
            );
        }
    }
}
