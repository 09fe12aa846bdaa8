//! The samples of a WAV file: integers and floats by `hound`, G.711, which it does not read, by our own
//! tables.
//!
//! `hound` is not shown the file's header. It takes sizes at their word and refuses much that people
//! have; our walk over the chunks has already found out what the file is and where its audio lies. It
//! reads the audio behind a header of its own making that says just that.

use std::io::{Chain, Cursor, Read};
use std::ops::Range;

use hound::{SampleFormat, WavReader, WavSpec};

use super::riff::{Coding, Wave};
use super::{Container, DecodeError, Encoding};

/// The audio of a WAV file, read block by block.
pub(super) enum WavSource {
    /// Integers of up to 32 bits and the one that full scale is.
    Integers { reader: Box<Reader>, full_scale: f64 },
    /// Floats whose full scale is 1.
    Floats(Box<Reader>),
    /// G.711, and where in the file the rest of it lies.
    Companded {
        law: Encoding,
        bytes: Vec<u8>,
        rest: Range<usize>,
    },
}

type Reader = WavReader<Chain<Cursor<Vec<u8>>, Cursor<Vec<u8>>>>;

impl WavSource {
    /// The audio of the file `bytes`, which is as `wave` says; its rate and channels are accepted ones.
    ///
    /// # Errors
    /// [`DecodeError::Header`] when `hound` will not read such audio.
    pub(super) fn open(bytes: Vec<u8>, wave: &Wave) -> Result<Self, DecodeError> {
        Ok(match wave.coding {
            Coding::Integer { bits } => Self::Integers {
                reader: Box::new(reader(bytes, wave, SampleFormat::Int, bits)?),
                full_scale: 2f64.powi(i32::from(bits) - 1),
            },
            Coding::Float => Self::Floats(Box::new(reader(bytes, wave, SampleFormat::Float, 32)?)),
            Coding::Companded(law) => Self::Companded {
                law,
                bytes,
                rest: wave.data.clone(),
            },
        })
    }

    /// Appends the next `most` samples to `out`, fewer at the end and then none.
    ///
    /// # Errors
    /// What `hound` says of a sample that it cannot read.
    pub(super) fn fill(&mut self, most: usize, out: &mut Vec<f32>) -> Result<(), hound::Error> {
        match self {
            Self::Integers { reader, full_scale } => {
                for sample in reader.samples::<i32>().take(most) {
                    out.push((f64::from(sample?) / *full_scale) as f32);
                }
            }
            Self::Floats(reader) => {
                for sample in reader.samples::<f32>().take(most) {
                    out.push(sample?);
                }
            }
            Self::Companded { law, bytes, rest } => {
                let end = rest.end.min(rest.start + most * law.bytes_per_sample());
                law.decode(&bytes[rest.start..end], out);
                rest.start = end;
            }
        }
        Ok(())
    }
}

fn reader(bytes: Vec<u8>, wave: &Wave, format: SampleFormat, bits: u16) -> Result<Reader, DecodeError> {
    let refused = |cause: String| DecodeError::Header {
        container: Container::Wav,
        at: wave.data.start as u64,
        cause,
    };
    let spec = WavSpec {
        channels: wave.channels,
        sample_rate: wave.rate,
        bits_per_sample: bits,
        sample_format: format,
    };
    // A header for a length not yet known, which is its last field.
    let mut header = spec.into_header_for_infinite_file();
    let length = u32::try_from(wave.data.len()).map_err(|_| refused("over 4 GiB of audio".to_owned()))?;
    header.truncate(header.len().saturating_sub(4));
    header.extend(length.to_le_bytes());
    let mut audio = Cursor::new(bytes);
    audio.set_position(wave.data.start as u64);
    WavReader::new(Cursor::new(header).chain(audio)).map_err(|cause| refused(cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(coding: Coding, audio: &[u8]) -> Vec<f32> {
        // Some file before the audio, and something behind it.
        let bytes = [b"header", audio, b"LIST"].concat();
        let wave = Wave {
            rate: 8_000,
            channels: 1,
            coding,
            data: 6..6 + audio.len(),
            truncated: false,
        };
        let mut source = WavSource::open(bytes, &wave).unwrap();
        let (mut out, mut before) = (Vec::new(), None);
        // One at a time: where a block ends makes no difference.
        while before != Some(out.len()) {
            before = Some(out.len());
            source.fill(1, &mut out).unwrap();
        }
        out
    }

    #[test]
    fn full_scale_is_minus_one_half_is_a_half_and_silence_nought_whatever_the_width() {
        let integer = |bits, audio: &[u8]| read(Coding::Integer { bits }, audio);
        let expected = [-1.0, 0.5, 0.0];
        assert_eq!(integer(8, &[0, 192, 128]), expected);
        assert_eq!(integer(16, &[0, 0x80, 0, 0x40, 0, 0]), expected);
        assert_eq!(integer(24, &[0, 0, 0x80, 0, 0, 0x40, 0, 0, 0]), expected);
        assert_eq!(integer(32, &[0, 0, 0, 0x80, 0, 0, 0, 0x40, 0, 0, 0, 0]), expected);
        let floats: Vec<u8> = expected.iter().flat_map(|x: &f32| x.to_le_bytes()).collect();
        assert_eq!(read(Coding::Float, &floats), expected);
        assert_eq!(
            read(Coding::Companded(Encoding::Mulaw), &[0xFF, 0x7F]),
            [0.0, 0.0]
        );
    }
}
