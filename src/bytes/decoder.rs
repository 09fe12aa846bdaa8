//! One door for every container: bytes in, bounded blocks of checked samples out.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::packets::PacketSource;
use super::sniff::sniff;
use super::wav::WavSource;
use super::{DecodeError, HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS, riff};
use crate::units::{Hertz, Seconds};

/// What a file may cost: both are checked before decoding where the header tells, and while decoding
/// where it does not (or lies).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The largest input, in bytes.
    pub max_bytes: u64,
    /// The longest audio.
    pub max_duration: Seconds,
}

impl Default for Limits {
    /// 64 MiB and half an hour.
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_duration: Seconds::new(1_800.0),
        }
    }
}

/// The kinds of file that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// RIFF/WAVE.
    Wav,
    /// Native FLAC.
    Flac,
    /// MPEG-1, 2 and 2.5 layer III.
    Mp3,
    /// Ogg, holding Opus.
    Ogg,
    /// WebM or Matroska, holding Opus.
    WebM,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wav => "WAV",
            Self::Flac => "FLAC",
            Self::Mp3 => "MP3",
            Self::Ogg => "Ogg",
            Self::WebM => "WebM",
        })
    }
}

/// What a recording is, as far as its frames go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// The kind of file.
    pub container: Container,
    /// Frames per second: 8 to 48 kHz. Opus is always decoded at 48 kHz.
    pub rate: Hertz,
    /// Interleaved channels: one or two.
    pub channels: u16,
}

/// Frames of one block of PCM: small enough to forget, large enough not to be felt.
const BLOCK_FRAMES: usize = 4_096;

/// No sample of a sane recording lies 36 dB over full scale; one that does says that the file is on
/// another scale, and would overflow in the arithmetic behind.
const LOUDEST: f32 = 64.0;

/// How far the length in a compressed file's header may be out, by a packet and a codec's delay:
/// within it, the count while decoding decides.
const HEADER_SLACK: Seconds = Seconds::new(0.25);

/// Decodes one file, block by block.
///
/// The blocks, one after the other, are the interleaved samples of the file: finite, and between -1
/// and 1 except where a codec or a float file overshoots. A block holds at most 65 536 frames (4096 of
/// PCM), and nothing grows with the length of the file but the input itself.
pub struct Decoder {
    source: Source,
    format: Format,
    limit: Seconds,
    frames: u64,
    length: u64,
    block: Vec<f32>,
    ended: bool,
}

enum Source {
    Wav { audio: WavSource, truncated: bool },
    Packets(Box<PacketSource>),
}

impl Decoder {
    /// Reads the header of `bytes`, whose container is told by their content.
    ///
    /// # Errors
    /// [`DecodeError`]: the input is empty, over a limit, not audio, of a kind, codec, rate or number
    /// of channels that is not accepted, or its header is broken or has no audio behind it.
    pub fn open(mut bytes: Vec<u8>, limits: &Limits) -> Result<Self, DecodeError> {
        let length = bytes.len() as u64;
        if length > limits.max_bytes {
            return Err(DecodeError::TooBig {
                bytes: length,
                limit: limits.max_bytes,
            });
        }
        let (container, tag) = sniff(&bytes)?;
        let (source, format, announced, slack) = if container == Container::Wav {
            let (source, format, length) = open_wav(bytes)?;
            (source, format, Some(length), Seconds::ZERO)
        } else {
            bytes.drain(..tag.min(bytes.len()));
            let packets = PacketSource::open(container, bytes, tag)?;
            let (format, announced) = (packets.format(), packets.announced());
            check_format(format)?;
            (
                Source::Packets(Box::new(packets)),
                format,
                announced,
                HEADER_SLACK,
            )
        };
        let limit = limits.max_duration;
        if let Some(came) = announced.filter(|came| came.get() > limit.plus(slack).get()) {
            return Err(DecodeError::TooLong {
                came,
                limit,
                at_least: false,
            });
        }
        Ok(Self {
            source,
            format,
            limit,
            frames: 0,
            length,
            block: Vec::new(),
            ended: false,
        })
    }

    /// What the file holds.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The next block of interleaved samples, or `None` at the end (and after an error).
    ///
    /// # Errors
    /// [`DecodeError`]: damaged audio, a sample that is not finite or on another scale, no audio at
    /// all, or more of it than the limit.
    pub fn next_block(&mut self) -> Result<Option<&[f32]>, DecodeError> {
        self.block.clear();
        if self.ended {
            return Ok(None);
        }
        match self.read_block() {
            Ok(true) => Ok(Some(&self.block)),
            Ok(false) => {
                self.ended = true;
                Ok(None)
            }
            Err(fault) => {
                self.ended = true;
                Err(fault)
            }
        }
    }

    /// Whether the file was cut: it ends before its header or container says it should. What was
    /// decoded is good. Known once [`Decoder::next_block`] has given `None`.
    pub fn truncated(&self) -> bool {
        match &self.source {
            Source::Wav { truncated, .. } => *truncated,
            Source::Packets(packets) => packets.truncated(),
        }
    }

    fn read_block(&mut self) -> Result<bool, DecodeError> {
        let more = match &mut self.source {
            Source::Packets(packets) => packets.fill(&mut self.block)?,
            Source::Wav { audio, .. } => {
                let most = BLOCK_FRAMES * usize::from(self.format.channels);
                let read = audio.fill(most, &mut self.block);
                read.map_err(|cause| DecodeError::Damaged {
                    container: Container::Wav,
                    frame: self.frames,
                    cause: cause.to_string(),
                })?;
                !self.block.is_empty()
            }
        };
        if !more {
            let container = self.format.container;
            let silent = self.frames == 0;
            return if silent {
                Err(DecodeError::NoAudio {
                    container,
                    at: self.length,
                })
            } else {
                Ok(false)
            };
        }
        self.check_block()?;
        Ok(true)
    }

    fn check_block(&mut self) -> Result<(), DecodeError> {
        let channels = u64::from(self.format.channels);
        if let Some(index) = self
            .block
            .iter()
            .position(|value| !value.is_finite() || value.abs() > LOUDEST)
        {
            let sample = self.frames * channels + index as u64;
            let value = self.block[index];
            let finite = value.is_finite();
            return Err(if finite {
                DecodeError::OffScale { sample, value }
            } else {
                DecodeError::NotFinite { sample }
            });
        }
        self.frames += self.block.len() as u64 / channels;
        let came = seconds(self.frames, self.format.rate);
        if came.get() > self.limit.get() {
            return Err(DecodeError::TooLong {
                came,
                limit: self.limit,
                at_least: true,
            });
        }
        Ok(())
    }
}

/// The format and progress only: the samples are somebody's voice.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("format", &self.format)
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

fn open_wav(bytes: Vec<u8>) -> Result<(Source, Format, Seconds), DecodeError> {
    let wave = riff::walk(&bytes)?;
    let format = Format {
        container: Container::Wav,
        rate: Hertz(wave.rate),
        channels: wave.channels,
    };
    // Before the audio is opened: `hound` multiplies rate and channels without a look.
    check_format(format)?;
    let frames = wave.data.len() / (wave.coding.width() * usize::from(wave.channels));
    let length = seconds(frames as u64, format.rate);
    let source = Source::Wav {
        audio: WavSource::open(bytes, &wave)?,
        truncated: wave.truncated,
    };
    Ok((source, format, length))
}

fn check_format(format: Format) -> Result<(), DecodeError> {
    if !(1..=MOST_CHANNELS).contains(&format.channels) {
        return Err(DecodeError::Channels {
            channels: u32::from(format.channels),
        });
    }
    if !(LOWEST_RATE..=HIGHEST_RATE).contains(&format.rate) {
        return Err(DecodeError::Rate { rate: format.rate });
    }
    Ok(())
}

fn seconds(frames: u64, rate: Hertz) -> Seconds {
    rate.seconds(usize::try_from(frames).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A float WAV at 8 kHz, one channel.
    fn float_wav(samples: &[f32]) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut file = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        samples
            .iter()
            .for_each(|&sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        file.into_inner()
    }

    fn drain(bytes: Vec<u8>, limits: &Limits) -> Result<usize, DecodeError> {
        let mut decoder = Decoder::open(bytes, limits)?;
        let mut samples = 0;
        while let Some(block) = decoder.next_block()? {
            assert!(block.len() <= BLOCK_FRAMES);
            samples += block.len();
        }
        Ok(samples)
    }

    #[test]
    fn every_sample_comes_out_in_blocks_of_bounded_size() {
        assert_eq!(
            drain(float_wav(&vec![0.1; 10_000]), &Limits::default()),
            Ok(10_000)
        );
    }

    #[test]
    fn a_sample_that_is_not_finite_is_refused_with_its_index() {
        let mut samples = vec![0.0; 6_000];
        samples[5_000] = f32::NAN;
        assert_eq!(
            drain(float_wav(&samples), &Limits::default()),
            Err(DecodeError::NotFinite { sample: 5_000 })
        );
        samples[5_000] = 1e30;
        let said = drain(float_wav(&samples), &Limits::default())
            .unwrap_err()
            .to_string();
        assert!(
            said.starts_with("sample 5000 is 1e30 where full scale is 1"),
            "{said}"
        );
    }

    #[test]
    fn limits_are_checked_before_decoding_and_are_inclusive() {
        let bytes = float_wav(&[0.0; 8_000]);
        let second = Limits {
            max_duration: Seconds::new(1.0),
            ..Limits::default()
        };
        assert_eq!(drain(bytes.clone(), &second), Ok(8_000));
        let half = Limits {
            max_duration: Seconds::new(0.5),
            ..Limits::default()
        };
        let said = Decoder::open(bytes.clone(), &half).unwrap_err().to_string();
        assert_eq!(
            said,
            "0:00:01 of audio; the limit is 0:00:00.500: cut the recording"
        );
        let small = Limits {
            max_bytes: 100,
            ..Limits::default()
        };
        assert!(matches!(
            Decoder::open(bytes, &small),
            Err(DecodeError::TooBig { limit: 100, .. })
        ));
    }

    #[test]
    fn nothing_comes_after_an_error() {
        let mut decoder = Decoder::open(float_wav(&[f32::INFINITY; 9]), &Limits::default()).unwrap();
        assert!(decoder.next_block().is_err());
        assert_eq!(decoder.next_block(), Ok(None));
    }
}
