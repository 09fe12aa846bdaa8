//! The header of a WAV file, for raw audio that is to say of itself what it is.

use super::Encoding;
use crate::units::Hertz;

/// Bytes of a header.
pub const WAV_HEADER_BYTES: usize = 44;

/// What a WAV header says (as [`super::Decoder`] reads it) of the bytes behind it.
#[derive(Debug, Clone, Copy)]
pub struct WavHeader {
    /// Microsoft's format tag.
    tag: u16,
    channels: u16,
    rate: Hertz,
    /// Bits of one sample of one channel.
    bits: u16,
}

impl WavHeader {
    /// The header of interleaved samples of this encoding.
    pub fn of(encoding: Encoding, rate: Hertz, channels: u16) -> Self {
        Self {
            tag: match encoding {
                Encoding::PcmS16le => 1,
                Encoding::Alaw => 6,
                Encoding::Mulaw => 7,
            },
            channels,
            rate,
            bits: 8 * encoding.bytes_per_sample() as u16,
        }
    }

    /// One channel of G.722 at 64 kbit/s, by the tag that ffmpeg writes.
    pub fn g722() -> Self {
        Self {
            tag: 0x28F,
            channels: 1,
            rate: Hertz(16_000),
            bits: 4,
        }
    }

    /// The header of a file with so many bytes of audio. Over 4 GiB it states the largest number, which readers take for
    /// "to the end".
    pub fn bytes(self, audio: usize) -> [u8; WAV_HEADER_BYTES] {
        let audio = u32::try_from(audio).unwrap_or(u32::MAX);
        let frame_bits = u32::from(self.channels) * u32::from(self.bits);
        let block = (frame_bits / 8).max(1) as u16;
        let mut header = [0; WAV_HEADER_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            header[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(b"RIFF");
        put(&audio.saturating_add(36).to_le_bytes());
        put(b"WAVEfmt \x10\0\0\0");
        put(&self.tag.to_le_bytes());
        put(&self.channels.to_le_bytes());
        put(&self.rate.0.to_le_bytes());
        put(&self.rate.0.saturating_mul(frame_bits).div_euclid(8).to_le_bytes());
        put(&block.to_le_bytes());
        put(&self.bits.to_le_bytes());
        put(b"data");
        put(&audio.to_le_bytes());
        header
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Decoder, Limits, RawStream};
    use super::*;

    #[test]
    fn raw_audio_behind_its_header_is_read_as_the_same_samples() {
        let bytes: Vec<u8> = (0..=255).cycle().take(4_000).collect();
        for encoding in [Encoding::PcmS16le, Encoding::Mulaw, Encoding::Alaw] {
            let mut streamed = Vec::new();
            RawStream::new(encoding, 2).push(&bytes, &mut streamed);
            let header = WavHeader::of(encoding, Hertz(8_000), 2).bytes(bytes.len());
            let file = [&header[..], &bytes].concat();
            let mut decoder = Decoder::open(file, &Limits::default()).unwrap();
            assert_eq!(
                (decoder.format().rate, decoder.format().channels),
                (Hertz(8_000), 2)
            );
            let mut read = Vec::new();
            while let Some(block) = decoder.next_block().unwrap() {
                read.extend_from_slice(block);
            }
            assert_eq!(read, streamed, "{encoding:?}");
            assert_eq!(decoder.unheard(), None);
        }
    }
}
