//! An amount as a card prints it, before it is known how many decimals its currency has.
//!
//! | JSON      | means | at scale 0 | at scale 2 |
//! |-----------|-------|-----------:|-----------:|
//! | `3000`    | 3000  |       3000 |     300000 |
//! | `"12.50"` | 12.50 |    refused |       1250 |
//!
//! A JSON number with a point, such as `12.5`, is refused: reading it would make it floating
//! point on the way.

use std::fmt;

use rust_decimal::Decimal;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::refusal::{BadTerms, Reason};
use crate::points::amount::{self, MAX_UNITS, Scale};

/// A whole number or a plain decimal of at most 4 decimals, in printed units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Printed(Decimal);

impl Printed {
    /// The count of smallest units at this scale; `field` is named when there is none.
    pub fn units(self, scale: Scale, field: &str) -> Result<i64, BadTerms> {
        let units = self.0 * Decimal::from(scale.factor());
        if !units.is_integer() {
            return Err(BadTerms::new(field, Reason::FinerThanScale));
        }
        i64::try_from(units)
            .ok()
            .filter(|units| (0..=MAX_UNITS).contains(units))
            .ok_or_else(|| BadTerms::new(field, Reason::TooLarge))
    }

    /// So many smallest units, as they are printed.
    pub(super) fn of(units: i64, scale: Scale) -> Printed {
        Printed(Decimal::new(units, u32::from(scale.decimals())).normalize())
    }

    /// Whether the other is a whole number of times this.
    pub(super) fn divides(self, other: Printed) -> bool {
        other
            .0
            .checked_rem(self.0)
            .is_some_and(|rest| rest.is_zero())
    }

    /// How far the other is away.
    pub(super) fn distance(self, other: Printed) -> Printed {
        Printed((self.0 - other.0).abs())
    }

    fn read(text: &str) -> Option<Printed> {
        let (whole, decimals) = amount::digits(text).ok()?;
        let is_short = whole.len() <= 16 && decimals.len() <= 4;
        is_short
            .then(|| Decimal::from_str_exact(text).ok())?
            .map(Printed)
    }
}

impl From<u32> for Printed {
    fn from(whole: u32) -> Printed {
        Printed(whole.into())
    }
}

impl fmt::Display for Printed {
    /// With commas between thousands, as a member reads it: `1,250`, `12.50`.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        for (at, digit) in whole.chars().enumerate() {
            let begins_a_group = at > 0 && (whole.len() - at).is_multiple_of(3);
            write!(to, "{}{digit}", if begins_a_group { "," } else { "" })?;
        }
        write!(
            to,
            "{}{decimals}",
            if decimals.is_empty() { "" } else { "." }
        )
    }
}

impl Serialize for Printed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match u64::try_from(self.0) {
            Ok(whole) if self.0.is_integer() => to.serialize_u64(whole),
            _ => to.serialize_str(&self.0.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Printed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Printed, D::Error> {
        from.deserialize_any(PrintedVisitor)
    }
}

struct PrintedVisitor;

impl Visitor<'_> for PrintedVisitor {
    type Value = Printed;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a whole number or a decimal string of at most 4 decimals, not negative")
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Printed, E> {
        Ok(Printed(whole.into()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Printed, E> {
        let refused = || E::invalid_value(de::Unexpected::Str(text), &self);
        Printed::read(text).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Printed> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn a_printed_amount_waits_for_its_scale() {
        let two = Scale::new(2).unwrap();
        assert_eq!(read("3000").unwrap().units(two, "min"), Ok(300_000));
        assert_eq!(read("\"12.50\"").unwrap().units(two, "min"), Ok(1_250));
        let finer = BadTerms::new("min", Reason::FinerThanScale);
        assert_eq!(
            read("\"12.5\"").unwrap().units(Scale::WHOLE, "min"),
            Err(finer)
        );
        let large = BadTerms::new("min", Reason::TooLarge);
        assert_eq!(
            read("18446744073709551615").unwrap().units(two, "min"),
            Err(large)
        );
    }

    #[test]
    fn floating_point_signs_and_words_are_refused() {
        for json in [
            "12.5",
            "1e3",
            "-1",
            "\"-1\"",
            "\"1.00001\"",
            "\"many\"",
            "true",
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    #[test]
    fn thousands_are_grouped_for_a_reader() {
        let text = |json| read(json).unwrap().to_string();
        assert_eq!(text("1250"), "1,250");
        assert_eq!(text("999000"), "999,000");
        assert_eq!(text("\"1234567.50\""), "1,234,567.50");
        assert_eq!(text("100"), "100");
    }
}
