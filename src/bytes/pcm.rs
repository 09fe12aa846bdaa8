//! One sample from its bytes: the only place that knows what a full-scale sample looks like.

use super::g711;

/// How one sample is stored in a WAV file or a raw stream, always little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Unsigned 8 bit, 128 is silence.
    U8,
    /// Signed 16 bit.
    S16,
    /// Signed 24 bit in three bytes.
    S24,
    /// Signed 32 bit.
    S32,
    /// IEEE 754 single precision, full scale is 1.
    F32,
    /// G.711 mu-law.
    Mulaw,
    /// G.711 A-law.
    Alaw,
}

impl Coding {
    /// Bytes of one sample of one channel.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::U8 | Self::Mulaw | Self::Alaw => 1,
            Self::S16 => 2,
            Self::S24 => 3,
            Self::S32 | Self::F32 => 4,
        }
    }

    /// Appends the samples of `bytes`; bytes behind the last whole sample are left alone.
    pub(super) fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::U8 => out.extend(bytes.iter().map(|&byte| (f32::from(byte) - 128.0) / 128.0)),
            Self::Mulaw => out.extend(bytes.iter().map(|&byte| from_i16(g711::mulaw_decode(byte)))),
            Self::Alaw => out.extend(bytes.iter().map(|&byte| from_i16(g711::alaw_decode(byte)))),
            Self::S16 => out.extend(words(bytes).map(|word| from_i16(i16::from_le_bytes(word)))),
            // The low byte stays zero: a 24-bit sample is a 32-bit one with less to say.
            Self::S24 => out.extend(words(bytes).map(|[a, b, c]| from_i32([0, a, b, c]))),
            Self::S32 => out.extend(words(bytes).map(from_i32)),
            Self::F32 => out.extend(words(bytes).map(f32::from_le_bytes)),
        }
    }
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

fn from_i16(value: i16) -> f32 {
    f32::from(value) / 32_768.0
}

fn from_i32(bytes: [u8; 4]) -> f32 {
    (f64::from(i32::from_le_bytes(bytes)) / 2_147_483_648.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(coding: Coding, bytes: &[u8]) -> f32 {
        let mut out = Vec::new();
        coding.decode(bytes, &mut out);
        assert_eq!(out.len(), 1);
        out[0]
    }

    #[test]
    fn full_scale_is_minus_one_and_silence_is_nought_in_every_integer_coding() {
        assert_eq!((one(Coding::U8, &[0]), one(Coding::U8, &[128])), (-1.0, 0.0));
        for (coding, loudest) in [
            (Coding::S16, vec![0x00, 0x80]),
            (Coding::S24, vec![0x00, 0x00, 0x80]),
            (Coding::S32, vec![0x00, 0x00, 0x00, 0x80]),
        ] {
            assert_eq!(one(coding, &loudest), -1.0);
            assert_eq!(one(coding, &vec![0; coding.width()]), 0.0);
        }
        assert_eq!(
            (one(Coding::Mulaw, &[0xFF]), one(Coding::F32, &1f32.to_le_bytes())),
            (0.0, 1.0)
        );
    }

    #[test]
    fn half_of_full_scale_is_a_half_whatever_the_width() {
        assert_eq!(one(Coding::S16, &[0x00, 0x40]), 0.5);
        assert_eq!(one(Coding::S24, &[0x00, 0x00, 0x40]), 0.5);
        assert_eq!(one(Coding::S32, &[0x00, 0x00, 0x00, 0x40]), 0.5);
        assert_eq!(one(Coding::U8, &[192]), 0.5);
    }
}
