//! One door for every container: bytes in, bounded blocks of checked samples out.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::parts::{self, Parts};
use super::sniff::sniff;
use super::source::Source;
use super::{DecodeError, Format, Limits, Unheard, alike, openers};
use crate::units::{Hertz, Seconds};

/// No sample of a sane recording lies 36 dB over full scale; one that does says that the file is on
/// another scale, and would overflow in the arithmetic behind.
const LOUDEST: f32 = 64.0;

/// Blocks that are compared in one turn at most: there are files of which each has a few frames, or none.
const BLOCKS_A_TURN: usize = 512;

/// Decodes one file, block by block.
///
/// The blocks, one after the other, are the interleaved samples of the file: finite, and between -1
/// and 1 except where a codec or a float file overshoots. A block holds at most 65 536 frames (4096 of
/// PCM), and none where the file cuts its packets away. Nothing grows with the length of the file but the input itself
/// and the places of its packets.
///
/// A file of several recordings, one behind the other, is one recording, as long as their rate is the same;
/// [`Decoder::unheard`] says what of it was not.
///
/// ```
/// use voxline::bytes::{DecodeError, Decoder, Encoding, Limits, WavHeader};
/// use voxline::units::Hertz;
///
/// let audio: Vec<u8> = (0..800_i16).flat_map(|at| (at * 20).to_le_bytes()).collect();
/// let header = WavHeader::of(Encoding::PcmS16le, Hertz(8_000), 1).bytes(audio.len());
/// let mut decoder = Decoder::open([&header[..], &audio].concat(), &Limits::default())?;
/// assert_eq!(decoder.format().rate, Hertz(8_000));
/// let mut samples = 0;
/// while let Some(block) = decoder.next_block()? {
///     samples += block.len();
/// }
/// assert_eq!(samples, 800);
/// # Ok::<(), DecodeError>(())
/// ```
pub struct Decoder {
    bytes: Arc<Vec<u8>>,
    source: Source,
    /// Channels of the part that is being read.
    part_channels: u16,
    parts: VecDeque<Range<usize>>,
    format: Format,
    /// Whether both channels are the same and one of them is given.
    folded: bool,
    limit: Seconds,
    frames: u64,
    block: Vec<f32>,
    ended: bool,
    truncated: bool,
    unheard: Option<Unheard>,
    /// While the channels are compared.
    comparison: Option<alike::Comparison>,
}

impl Decoder {
    /// Reads the header of `bytes`, whose container is told by their content.
    ///
    /// # Errors
    /// [`DecodeError`]: the input is empty, over a limit, not audio, of a kind, codec, rate or number
    /// of channels that is not accepted, or its header is broken or has no audio behind it.
    pub fn open(bytes: Vec<u8>, limits: &Limits) -> Result<Self, DecodeError> {
        let length = bytes.len() as u64;
        if length > limits.max_bytes {
            return Err(DecodeError::TooBig {
                bytes: length,
                limit: limits.max_bytes,
            });
        }
        Self::start(&Arc::new(bytes), limits.max_duration)
    }

    /// As [`Decoder::open`], for whoever hears one channel only: where none is named and both are the same, as
    /// browsers record one microphone, the recording has one channel.
    ///
    /// Two channels are decoded twice, as far as it takes to see that they differ; [`Decoder::compare_channels`] does it in turns.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub fn for_channel(bytes: Vec<u8>, channel: Option<u16>, limits: &Limits) -> Result<Self, DecodeError> {
        let mut decoder = Self::open(bytes, limits)?;
        while channel.is_none() && decoder.compare_channels(limits.max_duration)? {}
        Ok(decoder)
    }

    /// Compares two channels, of a recording that was just opened and of which nothing was taken yet, for the next
    /// `audio`; to be called until it gives `false`. Then the decoder is at its start, with one channel where both are
    /// the same. One channel is nothing to compare.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub fn compare_channels(&mut self, audio: Seconds) -> Result<bool, DecodeError> {
        if self.format.channels != 2 {
            return Ok(false);
        }
        let rate = self.format.rate;
        let wanted = (audio.get() * f64::from(rate.0)) as u64;
        let until = self.frames.saturating_add(wanted);
        let begun = self.comparison.take();
        let mut comparison = begun.unwrap_or_else(|| alike::Comparison::new(rate));
        let mut blocks = 0;
        let are_same = loop {
            match self.next_block() {
                Ok(Some(block)) if comparison.take(block) => blocks += 1,
                Ok(Some(_)) => break false,
                // What cannot be decoded is the same as what came before.
                Ok(None) | Err(_) => break comparison.is_same(),
            }
            if self.frames >= until || blocks == BLOCKS_A_TURN {
                self.comparison = Some(comparison);
                return Ok(true);
            }
        };
        *self = Self::start(&Arc::clone(&self.bytes), self.limit)?;
        if are_same {
            self.folded = true;
            self.format.channels = 1;
        }
        Ok(false)
    }

    fn start(bytes: &Arc<Vec<u8>>, limit: Seconds) -> Result<Self, DecodeError> {
        let (container, tag) = sniff(bytes)?;
        let Parts { first, others, rest } = parts::split(container, bytes, tag);
        let mut opened = openers::open(container, bytes, first)?;
        let mut unheard = opened.unheard.take();
        let part_channels = opened.format.channels;
        let mut format = opened.format;
        let mut announced = opened.announced;
        let mut readable = VecDeque::new();
        for part in others {
            let next = openers::open(container, bytes, part.clone());
            let why = match &next {
                Ok(next) if next.format.rate == format.rate => {
                    format.channels = format.channels.max(next.format.channels);
                    announced = announced.zip(next.announced).map(|(one, two)| one.plus(two));
                    unheard = Unheard::sum(unheard, next.unheard);
                    readable.push_back(part);
                    continue;
                }
                Ok(_) => "it is another recording, at another sampling rate than the first",
                Err(_) => "it is another recording, which cannot be read",
            };
            let lost = Unheard {
                at: part.start as u64,
                bytes: part.len() as u64,
                length: next.ok().and_then(|next| next.announced),
                why,
            };
            unheard = Unheard::sum(unheard, Some(lost));
        }
        let slack = opened.slack;
        if let Some(came) = announced.filter(|came| came.get() > limit.plus(slack).get()) {
            return Err(DecodeError::TooLong {
                came,
                limit,
                at_least: false,
            });
        }
        Ok(Self {
            bytes: Arc::clone(bytes),
            source: opened.source,
            part_channels,
            parts: readable,
            format,
            folded: false,
            limit,
            frames: 0,
            block: Vec::new(),
            ended: false,
            truncated: false,
            unheard: Unheard::sum(unheard, rest),
            comparison: None,
        })
    }

    /// What the file holds.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The next block of interleaved samples, which may be empty, or `None` at the end (and after an error).
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
        self.truncated || self.source.truncated()
    }

    /// What of the file is not read: recordings behind the first that cannot be joined to it, and audio that the
    /// header leaves out.
    pub fn unheard(&self) -> Option<Unheard> {
        self.unheard
    }

    fn read_block(&mut self) -> Result<bool, DecodeError> {
        let container = self.format.container;
        while !self.source.fill(&mut self.block)? {
            let Some(part) = self.parts.pop_front() else {
                return if self.frames == 0 {
                    Err(DecodeError::NoAudio {
                        container,
                        at: self.bytes.len() as u64,
                    })
                } else {
                    Ok(false)
                };
            };
            self.truncated |= self.source.truncated();
            let next = openers::open(container, &self.bytes, part)?;
            self.part_channels = next.format.channels;
            self.source = next.source;
        }
        self.match_channels();
        self.check_block()?;
        Ok(true)
    }

    /// One channel twice where another part has two; one of two where both are the same.
    fn match_channels(&mut self) {
        let stored = if self.folded { 2 } else { self.format.channels };
        if self.folded && self.part_channels == 2 {
            self.block = self.block.iter().copied().step_by(2).collect();
        } else if !self.folded && self.part_channels < stored {
            self.block = self.block.iter().flat_map(|&sample| [sample; 2]).collect();
        }
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
        for &sample in samples {
            writer.write_sample(sample).unwrap();
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    fn drain(bytes: Vec<u8>, limits: &Limits) -> Result<usize, DecodeError> {
        let mut decoder = Decoder::open(bytes, limits)?;
        let mut samples = 0;
        while let Some(block) = decoder.next_block()? {
            assert!(block.len() <= super::super::pcm::BLOCK_FRAMES);
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
