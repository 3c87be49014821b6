//! Which member is next: every one as likely, or by a Zipf law, where a few do most.

use rand::RngExt;
use rand::rngs::SmallRng;

/// Chooses members by their number.
pub enum Pick {
    Uniform(usize),
    /// How likely the first so many members are together, for each so many.
    Zipf(Vec<f64>),
}

impl Pick {
    /// Exponent 1: the second member half as often as the first, the third a third as often.
    pub fn zipf(members: usize) -> Pick {
        let mut sum = 0.0;
        let sums = (1..=members).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Pick::Zipf(sums.collect())
    }

    pub fn member(&self, random: &mut SmallRng) -> usize {
        match self {
            Pick::Uniform(members) => random.random_range(0..*members),
            Pick::Zipf(sums) => {
                let all = sums.last().copied().unwrap_or(1.0);
                let at = random.random_range(0.0..all);
                sums.partition_point(|sum| *sum <= at)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn by_zipf_the_first_comes_twice_as_often_as_the_second() {
        let (pick, mut random) = (Pick::zipf(1000), SmallRng::seed_from_u64(1));
        let mut seen = vec![0u32; 1000];
        for _ in 0..100_000 {
            seen[pick.member(&mut random)] += 1;
        }
        let times = f64::from(seen[0]) / f64::from(seen[1]);
        assert!((1.9..2.1).contains(&times), "{times}");
        let share = f64::from(seen[0]) / 100_000.0;
        assert!((0.125..0.142).contains(&share), "one in 7.49: {share}");
    }
}
