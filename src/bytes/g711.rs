//! The two logarithmic laws of the telephone network (ITU-T G.711), 8 bits a sample.
//!
//! Values are 16-bit linear: mu-law spans 14 bits and A-law 13, both scaled up to 16 as the ITU-T
//! G.191 software tools do, so that ±32124 and ±32256 are their loudest values.

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

/// The linear 16-bit value of a mu-law octet.
pub fn mulaw_decode(octet: u8) -> i16 {
    decode_ulaw(octet)
}

/// The mu-law octet of a linear 16-bit value.
pub fn mulaw_encode(linear: i16) -> u8 {
    encode_ulaw(linear)
}

/// The linear 16-bit value of an A-law octet.
pub fn alaw_decode(octet: u8) -> i16 {
    decode_alaw(octet)
}

/// The A-law octet of a linear 16-bit value.
pub fn alaw_encode(linear: i16) -> u8 {
    encode_alaw(linear)
}

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
    fn the_tables_have_the_published_values_and_sums() {
        let mulaw = [
            (0x00, -32_124),
            (0x0F, -16_764),
            (0x7F, 0),
            (0x55, -716),
            (0xFE, 8),
        ];
        let alaw = [
            (0x00, -5_504),
            (0x2A, -32_256),
            (0x55, -8),
            (0xAA, 32_256),
            (0xD4, 24),
        ];
        assert!(mulaw.iter().all(|&(octet, value)| mulaw_decode(octet) == value));
        assert!(alaw.iter().all(|&(octet, value)| alaw_decode(octet) == value));
        let sum = |law: fn(u8) -> i16| (0..=255).map(|octet| i64::from(law(octet)).abs()).sum::<i64>();
        assert_eq!((sum(mulaw_decode), sum(alaw_decode)), (1_532_928, 1_564_672));
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
