//! The 16-bit arithmetic of GSM 06.10 section 5.1: results are part of the standard, to the last bit.

/// The product of two fractions of 2^15, cut off.
pub(super) const fn product(a: i16, b: i16) -> i16 {
    saturated((a as i32 * b as i32) >> 15)
}

/// The product of two fractions of 2^15, rounded.
pub(super) const fn rounded(a: i16, b: i16) -> i16 {
    saturated((a as i32 * b as i32 + 16_384) >> 15)
}

/// A number as near as 16 bits come to it.
pub(super) const fn saturated(wide: i32) -> i16 {
    if wide > i16::MAX as i32 {
        i16::MAX
    } else if wide < i16::MIN as i32 {
        i16::MIN
    } else {
        wide as i16
    }
}

/// How many places a number other than 0 can be shifted left before it meets its sign.
pub(super) const fn headroom(number: i32) -> u32 {
    if number < 0 {
        (!number).leading_zeros() - 1
    } else {
        number.leading_zeros() - 1
    }
}

/// The largest magnitude.
pub(super) fn loudest(samples: &[i16]) -> i16 {
    let magnitudes = samples.iter().map(|sample| sample.saturating_abs());
    magnitudes.max().unwrap_or(0)
}

/// `part` over `whole` as a fraction of 2^15, bit after bit; 0 <= `part` <= `whole`, and `whole` > 0.
pub(super) fn quotient(part: i16, whole: i16) -> i16 {
    let (mut rest, whole) = (i32::from(part), i32::from(whole));
    let mut quotient = 0;
    for _ in 0..15 {
        quotient <<= 1;
        rest <<= 1;
        if rest >= whole {
            rest -= whole;
            quotient += 1;
        }
    }
    quotient
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_sixteen_bits_ends_at_their_edge() {
        assert_eq!(
            (product(i16::MIN, i16::MIN), rounded(i16::MIN, i16::MIN)),
            (i16::MAX, i16::MAX)
        );
        assert_eq!((product(-1, 1), rounded(-1, 1)), (-1, 0));
        assert_eq!((headroom(1), headroom(-1), headroom(i32::MIN)), (30, 31, 0));
        assert_eq!(
            (quotient(0, 5), quotient(1, 2), quotient(5, 5)),
            (0, 16_384, i16::MAX)
        );
    }
}
