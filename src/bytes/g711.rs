//! The two logarithmic laws of the telephone network (ITU-T G.711), 8 bits a sample.
//!
//! Values are 16-bit linear: mu-law spans 14 bits and A-law 13, both scaled up to 16 as the ITU-T
//! G.191 software tools do, so that ±32124 and ±32256 are their loudest values.

pub use audio_codec_algorithms::{
    decode_alaw as alaw_decode, decode_ulaw as mulaw_decode, encode_alaw as alaw_encode,
    encode_ulaw as mulaw_encode,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Mu-law by its formula (G.711 table 2): sign, 3 bits of chord, 4 of step, all inverted, and a
    /// bias of 33 that makes the chords continuous.
    fn mulaw_by_formula(octet: u8) -> i32 {
        let bits = i32::from(!octet);
        let (chord, step) = (bits >> 4 & 7, bits & 15);
        let magnitude = ((2 * step + 33) << chord) - 33;
        4 * if bits & 0x80 == 0 { magnitude } else { -magnitude }
    }

    /// A-law by its formula (G.711 table 1): every second bit inverted, a linear first chord.
    fn alaw_by_formula(octet: u8) -> i32 {
        let bits = i32::from(octet ^ 0x55);
        let (chord, step) = (bits >> 4 & 7, bits & 15);
        let magnitude = if chord == 0 {
            2 * step + 1
        } else {
            (2 * step + 33) << (chord - 1)
        };
        8 * if bits & 0x80 == 0 { -magnitude } else { magnitude }
    }

    #[test]
    fn every_octet_of_both_laws_decodes_by_the_formula_of_the_standard() {
        for octet in 0..=255u8 {
            assert_eq!(i32::from(mulaw_decode(octet)), mulaw_by_formula(octet));
            assert_eq!(i32::from(alaw_decode(octet)), alaw_by_formula(octet));
        }
    }

    #[test]
    fn encoding_undoes_decoding() {
        for octet in 0..=255u8 {
            assert_eq!(alaw_encode(alaw_decode(octet)), octet);
            // Mu-law has two zeros, and a linear zero can only come back as one of them.
            let expected = if octet == 0x7F { 0xFF } else { octet };
            assert_eq!(mulaw_encode(mulaw_decode(octet)), expected);
        }
    }

    #[test]
    fn no_linear_value_moves_further_than_half_a_step_of_its_chord() {
        for linear in i16::MIN..=i16::MAX {
            for (near, finest) in [
                (mulaw_decode(mulaw_encode(linear)), 8),
                (alaw_decode(alaw_encode(linear)), 16),
            ] {
                let moved = (i32::from(near) - i32::from(linear)).abs();
                let allowed = finest.max(i32::from(linear).abs() / 32 + 8);
                assert!(
                    moved <= allowed || i32::from(linear).abs() > 32_124,
                    "{linear}: {moved}"
                );
            }
        }
    }
}
