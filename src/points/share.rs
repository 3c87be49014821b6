//! A whole number split in exact shares.

/// Splits `total`, zero or more, by whole weights: each part is its exact share rounded down, and what
/// is left goes, one each, to the parts that lost the largest fraction (the first of equals). The parts
/// sum to the total; without any weight there are none to give to, and all parts are zero.
///
/// This is the method of the largest remainder (Hamilton).
pub fn by_largest_remainder(total: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if sum <= 0 {
        return vec![0; weights.len()];
    }
    let exact = |weight: &i64| i128::from(total) * i128::from(*weight);
    // A share is never more than the total.
    let floor = |weight: &i64| (exact(weight) / sum) as i64;
    let mut parts: Vec<i64> = weights.iter().map(floor).collect();
    let left = total - parts.iter().sum::<i64>();

    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(exact(&weights[*at]) % sum));
    for at in order.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        parts[at] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_left_goes_to_who_lost_most() {
        let cases: [(i64, &[i64], &[i64]); 6] = [
            (100, &[1, 1], &[50, 50]),
            (101, &[1, 1], &[51, 50]),
            (100, &[1, 2], &[33, 67]),
            (5, &[1, 1, 1], &[2, 2, 1]),
            (7, &[0, 3], &[0, 7]),
            (7, &[0, 0], &[0, 0]),
        ];
        for (total, weights, parts) in cases {
            assert_eq!(
                by_largest_remainder(total, weights),
                parts,
                "{total} {weights:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_total_and_none_is_off_by_one(
            total in 0..1_000_000_000_000_000_i64,
            weights in prop::collection::vec(0..1_000_000_i64, 1..6),
        ) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let sum: i64 = weights.iter().sum();
            let parts = by_largest_remainder(total, &weights);
            prop_assert_eq!(parts.iter().sum::<i64>(), total);
            for (part, weight) in parts.iter().zip(&weights) {
                let share = i128::from(total) * i128::from(*weight);
                let off = i128::from(*part) * i128::from(sum) - share;
                prop_assert!(off.abs() < i128::from(sum), "{} of {}", part, weight);
            }
        }
    }
}
