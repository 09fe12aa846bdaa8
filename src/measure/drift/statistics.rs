//! Two-sample tests that ask nothing of the distributions.

/// The largest difference of two empirical distributions; both rise.
pub(super) fn kolmogorov_distance(one: &[f64], other: &[f64]) -> f64 {
    let share =
        |values: &[f64], at: f64| values.partition_point(|value| *value <= at) as f64 / values.len() as f64;
    let at = one.iter().chain(other);
    at.map(|at| (share(one, *at) - share(other, *at)).abs())
        .fold(0.0, f64::max)
}

/// The probability of a distance of two samples of one distribution that is at least this: Kolmogorov's series, with
/// Stephens' correction for samples that are not large (Stephens 1970).
pub(super) fn kolmogorov_p(distance: f64, one: usize, other: usize) -> f64 {
    let (one, other) = (one as f64, other as f64);
    let root = (one * other / (one + other)).sqrt();
    let lambda = (root + 0.12 + 0.11 / root) * distance;
    if lambda < 0.3 {
        // The series converges slowly there, and the probability is 1 to five figures.
        return 1.0;
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 1.0 } else { -1.0 };
        sign * (-2.0 * f64::from(k * k) * lambda * lambda).exp()
    };
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

/// Pearson's test of homogeneity. An outcome that never came takes its degree of freedom with it.
pub(super) fn chi_square_p(one: [usize; 3], other: [usize; 3]) -> f64 {
    let sides = [one, other].map(|side| side.iter().sum::<usize>());
    let all = (sides[0] + sides[1]) as f64;
    let (mut sum, mut outcomes) = (0.0, 0_u32);
    for (one, other) in one.into_iter().zip(other) {
        let both = (one + other) as f64;
        if both == 0.0 {
            continue;
        }
        outcomes += 1;
        for (count, side) in [one, other].into_iter().zip(sides) {
            let expected = both * side as f64 / all;
            sum += (count as f64 - expected).powi(2) / expected;
        }
    }
    match outcomes {
        0 | 1 => 1.0,
        // Of one degree: the two tails of the normal distribution.
        2 => normal_tails(sum.sqrt()),
        // Of two degrees the distribution function is elementary.
        _ => (-sum / 2.0).exp(),
    }
}

/// The probability outside of `-z..z` of the normal distribution (Abramowitz and Stegun 7.1.26, within 1.5e-7).
fn normal_tails(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let sum = series.iter().rev().fold(0.0, |sum, factor| (sum + factor) * t);
    (sum * (-x * x).exp()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By counting lattice paths exactly (Python, whole numbers), for samples of these sizes.
    const EXACT: [(usize, usize, f64, f64); 4] = [
        (60, 80, 0.25, 0.023_391_7),
        (100, 100, 0.12, 0.469_506_5),
        (50, 200, 0.3, 0.001_218_8),
        (120, 90, 1.0 / 3.0, 0.000_015_1),
    ];

    #[test]
    fn the_probability_of_a_distance_is_near_the_exact_one() {
        for (one, other, distance, exact) in EXACT {
            let p = kolmogorov_p(distance, one, other);
            assert!(
                (p / exact - 1.0).abs() < 0.25,
                "{one} {other} {distance}: {p} and {exact}"
            );
        }
        assert_eq!(kolmogorov_p(0.0, 100, 100), 1.0);
        assert!(kolmogorov_p(1.0, 100, 100) < 1e-12);
    }

    #[test]
    fn the_distance_is_the_largest_difference_of_the_shares_below_any_value() {
        assert_eq!(
            kolmogorov_distance(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0]),
            0.0
        );
        assert_eq!(kolmogorov_distance(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        assert_eq!(
            kolmogorov_distance(&[1.0, 2.0, 2.0, 5.0], &[2.0, 2.0, 6.0, 7.0]),
            0.5
        );
    }

    #[test]
    fn outcomes_are_tested_as_by_integrating_the_chi_square_density() {
        let two = chi_square_p([60, 25, 15], [40, 35, 25]);
        assert!((two - 0.016_851_2).abs() < 1e-6, "{two}");
        let one = chi_square_p([60, 40, 0], [45, 55, 0]);
        assert!((one - 0.033_672_1).abs() < 1e-6, "{one}");
        assert_eq!(chi_square_p([60, 0, 0], [10, 0, 0]), 1.0);
    }
}
