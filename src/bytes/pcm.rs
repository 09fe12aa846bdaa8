//! Audio of which every sample has a place of its own: PCM, floats and G.711 in any container.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::Encoding;

/// How one sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    /// Whole numbers of 1 to 4 bytes, left-justified in them.
    Integer {
        /// Bytes of a sample.
        width: usize,
        /// Highest byte first.
        big: bool,
        /// Silence is half of the range, not 0.
        unsigned: bool,
    },
    /// IEEE 754, full scale is 1, in 4 or 8 bytes.
    Float {
        /// Bytes of a sample.
        width: usize,
        /// Highest byte first.
        big: bool,
    },
    /// G.711.
    Companded(Encoding),
}

impl Sample {
    /// Bytes of one sample of one channel.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Integer { width, .. } | Self::Float { width, .. } => width,
            Self::Companded(law) => law.bytes_per_sample(),
        }
    }

    fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::Companded(law) => law.decode(bytes, out),
            Self::Integer { width, big, unsigned } => {
                let flip = if unsigned { i32::MIN } else { 0 };
                out.extend(bytes.chunks_exact(width).map(|sample| {
                    let mut four = [0; 4];
                    for (at, &byte) in sample.iter().enumerate() {
                        four[if big { at } else { width - 1 - at }] = byte;
                    }
                    (f64::from(i32::from_be_bytes(four) ^ flip) / 2f64.powi(31)) as f32
                }));
            }
            Self::Float { width: 8, big } => out.extend(bytes.as_chunks::<8>().0.iter().map(|&eight| {
                let wide = if big {
                    f64::from_be_bytes(eight)
                } else {
                    f64::from_le_bytes(eight)
                };
                wide as f32
            })),
            Self::Float { big, .. } => out.extend(bytes.as_chunks::<4>().0.iter().map(|&four| {
                if big {
                    f32::from_be_bytes(four)
                } else {
                    f32::from_le_bytes(four)
                }
            })),
        }
    }
}

/// Frames of samples, over several stretches of a file.
pub(super) struct Pcm {
    bytes: Arc<Vec<u8>>,
    sample: Sample,
    frame: usize,
    spans: VecDeque<Range<usize>>,
    /// Whether the container promised more than there is.
    pub(super) truncated: bool,
}

/// Frames of one block: small enough to forget, large enough not to be felt.
pub(super) const BLOCK_FRAMES: usize = 4_096;

impl Pcm {
    /// The frames in `spans`, which lie inside `bytes`.
    pub(super) fn new(bytes: &Arc<Vec<u8>>, sample: Sample, channels: u16, spans: Vec<Range<usize>>) -> Self {
        Self {
            bytes: Arc::clone(bytes),
            sample,
            frame: sample.width() * usize::from(channels),
            spans: spans.into(),
            truncated: false,
        }
    }

    /// Appends the next block of interleaved samples; `false` at the end.
    pub(super) fn fill(&mut self, out: &mut Vec<f32>) -> bool {
        while let Some(span) = self.spans.front_mut() {
            let frames = (span.len() / self.frame).min(BLOCK_FRAMES);
            if frames == 0 {
                self.spans.pop_front();
                continue;
            }
            let end = span.start + frames * self.frame;
            self.sample
                .decode(self.bytes.get(span.start..end).unwrap_or_default(), out);
            span.start = end;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sample: Sample, audio: &[u8]) -> Vec<f32> {
        // Some file before the audio, in two stretches, and something between and behind.
        let half = audio.len() / sample.width() / 2 * sample.width();
        let bytes = [b"header", &audio[..half], b"mid", &audio[half..], b"LIST"].concat();
        let spans = vec![6..6 + half, 9 + half..9 + audio.len()];
        let mut source = Pcm::new(&Arc::new(bytes), sample, 1, spans);
        let mut out = Vec::new();
        while source.fill(&mut out) {}
        out
    }

    #[test]
    fn full_scale_half_and_silence_are_the_same_at_every_width() {
        let integer = |width, big, audio: &[u8]| {
            let unsigned = width == 1;
            read(Sample::Integer { width, big, unsigned }, audio)
        };
        let expected = [-1.0, 0.5, 0.0];
        assert_eq!(integer(1, false, &[0, 192, 128]), expected);
        assert_eq!(integer(2, false, &[0, 0x80, 0, 0x40, 0, 0]), expected);
        assert_eq!(integer(2, true, &[0x80, 0, 0x40, 0, 0, 0]), expected);
        assert_eq!(integer(3, false, &[0, 0, 0x80, 0, 0, 0x40, 0, 0, 0]), expected);
        assert_eq!(
            integer(4, true, &[0x80, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]),
            expected
        );
        let floats: Vec<u8> = expected.iter().flat_map(|x: &f32| x.to_le_bytes()).collect();
        assert_eq!(read(Sample::Float { width: 4, big: false }, &floats), expected);
        let doubles: Vec<u8> = expected
            .iter()
            .flat_map(|&x: &f32| f64::from(x).to_be_bytes())
            .collect();
        assert_eq!(read(Sample::Float { width: 8, big: true }, &doubles), expected);
        assert_eq!(
            read(Sample::Companded(Encoding::Mulaw), &[0xFF, 0x7F]),
            [0.0, 0.0]
        );
    }
}
