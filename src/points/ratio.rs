//! A ratio of two whole numbers, and the exact quotient it makes of an amount.
//!
//! ```text
//! gained = given × get / give        3 to 1.1 is 30 to 11;  2 000 at 3 to 2 is 4 000 / 3
//! ```
//!
//! A ratio never rounds by itself. It answers a [`Quotient`], and the reader sees which way it
//! goes: `floor` for what a member gains, `ceil` for what a member is charged, `half_even` for
//! money. Of 242 published ratios 35 have no finite decimal, which is why a rate is not one.

/// So many gained for so many given, both positive and without a common divisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio {
    give: i64,
    get: i64,
}

impl Ratio {
    /// The ratio in lowest terms, or nothing when a part is not positive.
    pub fn new(give: i64, get: i64) -> Option<Ratio> {
        if give < 1 || get < 1 {
            return None;
        }
        let shared = gcd(give, get);
        Some(Ratio {
            give: give / shared,
            get: get / shared,
        })
    }

    /// What is given, in lowest terms.
    pub fn give(self) -> i64 {
        self.give
    }

    /// What is gained, in lowest terms.
    pub fn get(self) -> i64 {
        self.get
    }

    /// What so many units become, exactly. Two `i64` always multiply within an `i128`.
    pub fn apply(self, units: i64) -> Quotient {
        Quotient {
            num: i128::from(units) * i128::from(self.get),
            den: i128::from(self.give),
        }
    }

    /// The way back: what must be given for so many units, exactly.
    pub fn invert(self) -> Ratio {
        Ratio {
            give: self.get,
            get: self.give,
        }
    }
}

/// An exact fraction with a positive denominator, not yet rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotient {
    num: i128,
    den: i128,
}

impl Quotient {
    /// A fraction, or nothing when the denominator is not positive.
    pub fn new(num: i128, den: i128) -> Option<Quotient> {
        (den > 0).then_some(Quotient { num, den })
    }

    /// A whole number as a fraction.
    pub fn whole(num: i128) -> Quotient {
        Quotient { num, den: 1 }
    }

    /// The numerator, over [`Quotient::den`].
    pub fn num(self) -> i128 {
        self.num
    }

    /// The denominator, positive.
    pub fn den(self) -> i128 {
        self.den
    }

    /// The largest whole number not above it: what a member gains.
    pub fn floor(self) -> i128 {
        self.num.div_euclid(self.den)
    }

    /// The smallest whole number not below it: what a member is charged.
    pub fn ceil(self) -> i128 {
        self.floor() + i128::from(!self.is_whole())
    }

    /// The nearest whole number, and of two equally near the even one: money.
    pub fn half_even(self) -> i128 {
        let (floor, rest) = (self.floor(), self.num.rem_euclid(self.den));
        match rest.cmp(&(self.den - rest)) {
            std::cmp::Ordering::Less => floor,
            std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
            std::cmp::Ordering::Greater => floor + 1,
        }
    }

    /// Whether nothing is lost by rounding.
    pub fn is_whole(self) -> bool {
        self.num.rem_euclid(self.den) == 0
    }

    /// What [`Quotient::floor`] drops: at least zero and less than one.
    pub fn dropped(self) -> Quotient {
        Quotient {
            num: self.num.rem_euclid(self.den),
            den: self.den,
        }
    }
}

/// The greatest common divisor of two positive numbers.
pub(crate) fn gcd<N>(left: N, right: N) -> N
where
    N: Copy + PartialEq + Default + std::ops::Rem<Output = N>,
{
    if right == N::default() {
        left
    } else {
        gcd(right, left % right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotient(num: i128, den: i128) -> Quotient {
        Quotient::new(num, den).unwrap()
    }

    #[test]
    fn ten_to_seven_pays_63_for_90() {
        assert_eq!(Ratio::new(10, 7).unwrap().apply(90).floor(), 63);
        assert_eq!(Ratio::new(3, 2).unwrap().apply(2_000).floor(), 1_333);
        assert_eq!(Ratio::new(3, 2).unwrap().apply(2_000).ceil(), 1_334);
    }

    #[test]
    fn a_ratio_is_kept_in_lowest_terms() {
        assert_eq!(Ratio::new(300, 400), Ratio::new(3, 4));
        assert_eq!(Ratio::new(0, 4), None);
        assert_eq!(Ratio::new(4, -1), None);
        assert_eq!(
            Ratio::new(3, 4).unwrap().invert(),
            Ratio::new(4, 3).unwrap()
        );
    }

    #[test]
    fn a_half_goes_to_the_even_side() {
        let cases = [(1, 0), (3, 2), (5, 2), (7, 4), (-1, 0), (-3, -2)];
        for (halves, even) in cases {
            assert_eq!(quotient(halves, 2).half_even(), even, "{halves}/2");
        }
        assert_eq!(quotient(2, 3).half_even(), 1);
        assert_eq!(quotient(1, 3).half_even(), 0);
    }

    #[test]
    fn the_largest_amount_at_the_largest_part_does_not_overflow() {
        let steep = Ratio::new(1, i64::MAX).unwrap();
        let squared = i128::from(i64::MAX) * i128::from(i64::MAX);
        assert_eq!(steep.apply(i64::MAX).floor(), squared);
    }
}
