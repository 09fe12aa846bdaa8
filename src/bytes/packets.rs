//! FLAC, Ogg and WebM: containers borrowed from Symphonia.
//!
//! Neither crate promises never to panic on hostile bytes, so every call into them is contained: a
//! panic becomes a [`DecodeError`] and the borrowed decoder is not called again.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::packet::Packet;
use symphonia::default::formats::{FlacReader, MkvReader, OggReader};

use super::codec::Codec;
use super::contained::{self, contained};
use super::opus::{self, OpusPackets};
use super::watched::Watched;
use super::{Container, DecodeError, Format, MOST_CHANNELS};
use super::{ebml, ogg, vorbis};
use crate::units::{Hertz, Seconds};

/// How many packets behind one that cannot be decoded tell whether the others can.
const LOOKED_AT: usize = 50;

/// A file of packets, decoded one packet at a time.
pub(super) struct PacketSource {
    container: Container,
    reader: Box<dyn FormatReader>,
    track: u32,
    codec: Codec,
    format: Format,
    announced: Option<Seconds>,
    exact_frames: Option<u64>,
    /// A WebM file that lacks nothing at its end: that is no cut, though its demuxer thinks so.
    whole: bool,
    frames: u64,
    truncated: bool,
}

/// What came of asking the container for a packet.
enum Next {
    Packet(Packet),
    /// One of another track.
    Foreign,
    End,
    /// The bytes end where the container says there should be more.
    Cut,
}

impl PacketSource {
    /// Reads the header of the `container` that lies in a stretch of the file.
    pub(super) fn open(
        container: Container,
        all: &Arc<Vec<u8>>,
        span: Range<usize>,
    ) -> Result<Self, DecodeError> {
        let bytes = &all[span.clone()];
        let extent = match container {
            Container::WebM => ebml::extent(bytes),
            _ => ebml::Extent::default(),
        };
        if !extent.beyond.is_empty() && !extent.has_cluster {
            let at = span.end as u64;
            return Err(DecodeError::NoAudio { container, at });
        }
        let named_at = (span.start + codec_at(container, bytes)) as u64;
        let looked = Arc::new(AtomicU64::new(0));
        let source = Watched::new(all, span.clone(), extent.beyond, &looked);
        let unreadable = |cause: String| DecodeError::Unreadable {
            container,
            within: span.start as u64 + looked.load(Ordering::Relaxed),
            cause,
        };
        let unsupported = |codec: &str| DecodeError::Unsupported {
            what: format!("the codec of this {container} file ({codec})"),
            at: named_at,
        };
        if let Some(codec) = (container == Container::Ogg)
            .then(|| ogg::foreign(bytes))
            .flatten()
        {
            return Err(unsupported(codec));
        }
        let why = |cause: String| unreadable(ogg::broken_comments(bytes).map_or(cause, Into::into));
        let reader = contained(contained::READER, || read_header(container, source)).map_err(why)?;
        // A codec that Symphonia cannot even name leaves no audio track at all.
        let Some((track, params)) = audio_track(reader.as_ref()) else {
            return Err(unsupported("unknown"));
        };
        let (codec, format) = open_codec(container, &params).map_err(|fault| match fault {
            Refusal::Codec => unsupported(&codec_name(&params)),
            Refusal::Channels(channels) => DecodeError::Channels { channels },
            Refusal::Header(cause) => unreadable(cause),
        })?;
        let counts_frames = container == Container::Flac;
        let exact_frames = counts_frames.then(|| frames_of(reader.as_ref(), track)).flatten();
        let announced = length_of(reader.as_ref(), track);
        Ok(Self {
            container,
            reader,
            track,
            codec,
            format,
            announced,
            exact_frames,
            whole: extent.whole,
            frames: 0,
            truncated: false,
        })
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// How long the header says the audio is, when it does; it may be out by a packet.
    pub(super) fn announced(&self) -> Option<Seconds> {
        self.announced
    }

    pub(super) fn truncated(&self) -> bool {
        self.truncated
    }

    /// Appends the next packet's interleaved samples, which may be none; `false` at the end.
    pub(super) fn fill(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError> {
        match contained(contained::DECODER, || self.fill_uncontained(out)) {
            Ok(more) => {
                self.frames += (out.len() / usize::from(self.format.channels)) as u64;
                Ok(more)
            }
            Err(cause) => Err(self.damaged(cause)),
        }
    }

    fn fill_uncontained(&mut self, out: &mut Vec<f32>) -> Result<bool, String> {
        let packet = match self.next()? {
            Next::Packet(packet) => packet,
            Next::Foreign => return Ok(true),
            Next::Cut => {
                self.truncated = !self.whole;
                return Ok(false);
            }
            Next::End => {
                self.truncated |= self.exact_frames.is_some_and(|promised| self.frames < promised);
                return Ok(false);
            }
        };
        if let Err(cause) = self.decode(&packet, out) {
            // The last packet of a file that was cut is no damage, only the cut.
            out.clear();
            if self.frames > 0 && !matches!(self.next(), Ok(Next::Packet(_) | Next::Foreign)) {
                self.truncated = true;
                return Ok(false);
            }
            return Err(self.of_another_codec().unwrap_or(cause));
        }
        Ok(true)
    }

    /// What is wrong where a track that is labelled Opus holds something else, told by the packets behind one that
    /// cannot be decoded: of damaged Opus few are like it, of any other coding two in five or more (RFC 6716 section
    /// 3.4: what the first byte says of a packet must fit its length).
    fn of_another_codec(&mut self) -> Option<String> {
        if !matches!(self.codec, Codec::Opus(_)) {
            return None;
        }
        let (mut packets, mut foreign, mut samples) = (0, 0, Vec::new());
        while packets < LOOKED_AT {
            match self.next() {
                Ok(Next::Packet(packet)) => {
                    samples.clear();
                    packets += 1;
                    foreign += usize::from(self.decode(&packet, &mut samples).is_err());
                }
                Ok(Next::Foreign) => {}
                _ => break,
            }
        }
        (foreign >= LOOKED_AT / 5).then(|| {
            format!(
                "{foreign} of the next {packets} packets are no Opus, which the file says it holds (some recorders \
                 write telephone sound, PCMU, under that name: have it sent as WAV)"
            )
        })
    }

    fn next(&mut self) -> Result<Next, String> {
        match self.reader.next_packet() {
            Ok(Some(packet)) if packet.track_id == self.track => Ok(Next::Packet(packet)),
            Ok(Some(_)) => Ok(Next::Foreign),
            Ok(None) => Ok(Next::End),
            Err(Error::IoError(fault)) if fault.kind() == ErrorKind::UnexpectedEof => Ok(Next::Cut),
            Err(Error::ResetRequired) => Err("a second recording is chained to the first".into()),
            Err(fault) => Err(fault.to_string()),
        }
    }

    fn decode(&mut self, packet: &Packet, out: &mut Vec<f32>) -> Result<(), String> {
        let (rate, channels) = self.codec.decode(&packet.as_packet_ref(), out)?;
        if rate != self.format.rate.0 || channels != usize::from(self.format.channels) {
            return Err(format!("the stream changes to {rate} Hz, {channels} channel(s)"));
        }
        Ok(())
    }

    fn damaged(&self, cause: String) -> DecodeError {
        DecodeError::Damaged {
            container: self.container,
            frame: self.frames,
            cause,
        }
    }
}

/// Why no codec was opened.
enum Refusal {
    Codec,
    Channels(u32),
    Header(String),
}

fn read_header(container: Container, source: Watched) -> Result<Box<dyn FormatReader>, String> {
    let source = MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default());
    let options = FormatOptions::default();
    let read = || -> Result<Box<dyn FormatReader>, Error> {
        Ok(match container {
            Container::Flac => Box::new(FlacReader::try_new(source, options)?),
            Container::Ogg => Box::new(OggReader::try_new(source, options)?),
            Container::WebM => Box::new(MkvReader::try_new(source, options)?),
            _ => return Err(Error::Unsupported("a reader of its own")),
        })
    };
    read().map_err(|fault| match fault {
        Error::IoError(fault) if fault.kind() == ErrorKind::UnexpectedEof => {
            "the file ends before its first packet of audio".into()
        }
        fault => fault.to_string(),
    })
}

fn audio_track(reader: &dyn FormatReader) -> Option<(u32, AudioCodecParameters)> {
    let track = reader.default_track(TrackType::Audio)?;
    match &track.codec_params {
        Some(CodecParameters::Audio(params)) => Some((track.id, params.clone())),
        _ => None,
    }
}

fn open_codec(container: Container, params: &AudioCodecParameters) -> Result<(Codec, Format), Refusal> {
    if params.codec == CODEC_ID_OPUS {
        let head =
            opus::Head::read(params.extra_data.as_deref().unwrap_or_default()).map_err(Refusal::Header)?;
        let channels = u16::from(head.channels);
        if channels > MOST_CHANNELS {
            return Err(Refusal::Channels(u32::from(channels)));
        }
        let opus = OpusPackets::new(head).map_err(Refusal::Header)?;
        let format = Format {
            container,
            rate: Hertz(opus::RATE),
            channels,
        };
        return Ok((Codec::Opus(Box::new(opus)), format));
    }
    let missing = |what: &str| Refusal::Header(format!("it does not state the {what}"));
    let rate = params.sample_rate.ok_or_else(|| missing("sampling rate"))?;
    let channels = params
        .channels
        .as_ref()
        .ok_or_else(|| missing("number of channels"))?
        .count();
    let channels = match u16::try_from(channels) {
        Ok(channels) if (1..=MOST_CHANNELS).contains(&channels) => channels,
        _ => return Err(Refusal::Channels(channels as u32)),
    };
    if params.codec == CODEC_ID_VORBIS {
        vorbis::check(params.extra_data.as_deref().unwrap_or_default()).map_err(Refusal::Header)?;
    }
    let codec = Codec::symphonia(params).map_err(|_| Refusal::Codec)?;
    Ok((
        codec,
        Format {
            container,
            rate: Hertz(rate),
            channels,
        },
    ))
}

/// How many frames the header counts; a streaming encoder leaves it at 0.
fn frames_of(reader: &dyn FormatReader, track: u32) -> Option<u64> {
    let track = reader.tracks().iter().find(|t| t.id == track)?;
    track.num_frames.filter(|&frames| frames > 0)
}

/// The length by the track, or by the whole file where a container keeps it there.
fn length_of(reader: &dyn FormatReader, track: u32) -> Option<Seconds> {
    let track = reader.tracks().iter().find(|t| t.id == track)?;
    let of_track = track.time_base.zip(track.duration);
    let of_file = reader.media_info().time_base.zip(reader.media_info().duration);
    let (base, duration) = of_track.or(of_file)?;
    Seconds::checked(duration.get() as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get()))
}

/// Where a container names its codec: behind the header of the first Ogg page (27 bytes and one
/// segment), or in the `CodecID` of Matroska, which begins `A_` for every audio codec.
fn codec_at(container: Container, bytes: &[u8]) -> usize {
    match container {
        Container::Ogg => 28,
        Container::WebM => bytes
            .windows(2)
            .take(4_096)
            .position(|two| two == b"A_")
            .unwrap_or(0),
        _ => 0,
    }
}

fn codec_name(params: &AudioCodecParameters) -> String {
    use symphonia::core::codecs::audio::well_known as id;
    let known = [
        (id::CODEC_ID_VORBIS, "Vorbis"),
        (id::CODEC_ID_FLAC, "FLAC"),
        (id::CODEC_ID_AAC, "AAC"),
        (id::CODEC_ID_MP3, "MP3"),
        (id::CODEC_ID_PCM_S16LE, "PCM"),
        (id::CODEC_ID_SPEEX, "Speex"),
    ];
    let name = known.iter().find(|(codec, _)| *codec == params.codec);
    name.map_or_else(|| format!("number {}", params.codec), |(_, name)| (*name).into())
}
