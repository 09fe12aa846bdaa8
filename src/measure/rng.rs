//! Numbers that look random and are the same in every run.

use std::f64::consts::TAU;

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"): small, fast,
/// and easily written down in any language, so that another implementation can repeat every draw.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Random numbers, the same for the same `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Random numbers for one of many tasks under one seed: tasks can then be done in any order, on any thread.
    pub const fn for_task(seed: u64, task: u64) -> Self {
        let mut rng = Self(seed ^ task.wrapping_mul(0xd6e8_feb8_6659_fd93));
        rng.next();
        rng
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number below `sides` (0 when there are no sides), by the high half of a product (Lemire 2019,
    /// without the rejection: its bias is below `sides` / 2^64).
    pub const fn below(&mut self, sides: usize) -> usize {
        ((self.next() as u128 * sides as u128) >> 64) as usize
    }

    /// Brings `count` of `items`, drawn without replacement, to the front (Fisher and Yates).
    pub(crate) fn draw<T>(&mut self, items: &mut [T], count: usize) {
        for at in 0..count.min(items.len()) {
            let other = at + self.below(items.len() - at);
            items.swap(at, other);
        }
    }

    /// Puts `items` into any order, each as likely (Fisher and Yates, from the end).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    /// A fraction, 0 to 1, without 1.
    pub const fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number of a standard normal distribution (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_those_of_the_published_generator() {
        // From the reference implementation with the seed 1234567.
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn every_side_comes_up_about_as_often() {
        let mut rng = Rng::new(1);
        let mut seen = [0u32; 6];
        (0..60_000).for_each(|_| seen[rng.below(6)] += 1);
        assert!(
            seen.iter().all(|count| (9_600..10_400).contains(count)),
            "{seen:?}"
        );
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn shuffling_keeps_every_item_and_puts_each_first_about_as_often() {
        let mut rng = Rng::new(3);
        let (mut shuffled_first, mut drawn_first) = ([0u32; 5], [0u32; 5]);
        for _ in 0..50_000 {
            let (mut shuffled, mut drawn) = ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]);
            rng.shuffle(&mut shuffled);
            rng.draw(&mut drawn, 1);
            shuffled_first[shuffled[0]] += 1;
            drawn_first[drawn[0]] += 1;
            for mut items in [shuffled, drawn] {
                items.sort_unstable();
                assert_eq!(items, [0, 1, 2, 3, 4]);
            }
        }
        let even = |seen: [u32; 5]| seen.iter().all(|count| (9_600..10_400).contains(count));
        assert!(
            even(shuffled_first) && even(drawn_first),
            "{shuffled_first:?} {drawn_first:?}"
        );
    }

    #[test]
    fn normal_numbers_have_mean_nought_and_variance_one() {
        let mut rng = Rng::new(2);
        let drawn: Vec<f64> = (0..100_000).map(|_| rng.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 1e5;
        let variance = drawn.iter().map(|x| x * x).sum::<f64>() / 1e5;
        assert!(
            mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03,
            "{mean} {variance}"
        );
    }
}
