//! One packet to samples, whichever codec and whoever wrote it.

use std::ops::Range;

use symphonia::core::audio::layouts;
use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

use super::amr::{self, Amr};
use super::contained::{self, contained};
use super::g722::G722;
use super::gsm;
use super::ima4::Ima4;
use super::opus::{self, OpusPackets};

/// Where packets lie in the bytes of a file, one after the other.
pub(super) type Feed = Box<dyn Iterator<Item = Range<usize>> + Send>;

/// A decoder of packets.
pub(super) enum Codec {
    /// MP3, AAC, ALAC, FLAC and Vorbis.
    Symphonia(Box<dyn AudioDecoder>),
    /// Opus.
    Opus(Box<OpusPackets>),
    /// AMR narrow-band, with its header of one byte.
    Amr(Box<Amr>),
    /// GSM full rate in frames of 33 bytes.
    Gsm(Box<gsm::Decoder>),
    /// GSM full rate in pairs of 65 bytes.
    GsmPairs(Box<gsm::Decoder>),
    /// G.722 at 64 kbit/s.
    G722(Box<G722>),
    /// ADPCM in blocks.
    Adpcm(Adpcm),
    /// ADPCM in Apple's packets.
    Ima4(Ima4),
}

/// The frames a second and channels of what a packet gave.
pub(super) type Shape = (u32, usize);

impl Codec {
    /// One of Symphonia's decoders of one or two channels.
    ///
    /// # Errors
    /// What it says against these parameters.
    pub(super) fn symphonia(params: &AudioCodecParameters) -> Result<Self, String> {
        let options = AudioDecoderOptions::default();
        contained(contained::DECODER, || {
            let made = symphonia::default::get_codecs().make_audio_decoder(params, &options);
            made.map(Self::Symphonia).map_err(|fault| fault.to_string())
        })
    }

    /// Appends the interleaved samples of one packet, less `packet.trim_end` for Opus.
    ///
    /// # Errors
    /// What is wrong with the packet.
    pub(super) fn decode(&mut self, packet: &PacketRef<'_>, out: &mut Vec<f32>) -> Result<Shape, String> {
        match self {
            Self::Opus(opus) => {
                opus.decode(packet.data, packet.trim_end.get() as usize, out)?;
                return Ok((opus::RATE, opus.channels()));
            }
            Self::Symphonia(decoder) => {
                let decoded = decoder.decode_ref(packet).map_err(|fault| fault.to_string())?;
                let shape = (decoded.spec().rate(), decoded.spec().channels().count());
                decoded.copy_to_vec_interleaved(out);
                return Ok(shape);
            }
            Self::Adpcm(adpcm) => return adpcm.decode(packet.data, out),
            Self::Ima4(ima) => return ima.decode(packet.data, out),
            Self::Amr(decoder) => decoder.decode(packet.data, out),
            Self::G722(decoder) => {
                out.extend(decoder.push(packet.data).into_iter().map(scaled));
                return Ok((16_000, 1));
            }
            Self::Gsm(decoder) => {
                let frame = packet.data.first_chunk().ok_or("a GSM frame of under 33 bytes")?;
                let coded = gsm::Coded::from_frame(frame).ok_or("a GSM frame without its signature")?;
                out.extend(decoder.decode(&coded).map(scaled));
            }
            Self::GsmPairs(decoder) => {
                let pair = packet.data.first_chunk().ok_or("a GSM block of under 65 bytes")?;
                for coded in gsm::Coded::from_pair(pair) {
                    out.extend(decoder.decode(&coded).map(scaled));
                }
            }
        }
        Ok((amr::RATE, 1))
    }
}

fn scaled(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// The two kinds of ADPCM in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdpcmKind {
    /// Microsoft's.
    Ms,
    /// IMA's (also Intel's DVI) in blocks of a WAV file.
    ImaWav,
}

impl AdpcmKind {
    fn id(self) -> AudioCodecId {
        match self {
            Self::Ms => id::CODEC_ID_ADPCM_MS,
            Self::ImaWav => id::CODEC_ID_ADPCM_IMA_WAV,
        }
    }

    /// How many frames so many bytes of a block hold.
    pub(super) fn frames(self, bytes: usize, channels: usize) -> usize {
        match self {
            Self::Ms => {
                (bytes.saturating_sub(7 * channels)) * 2 / channels + 2 * usize::from(bytes >= 7 * channels)
            }
            Self::ImaWav if bytes < 4 * channels => 0,
            Self::ImaWav => (bytes - 4 * channels) / (4 * channels) * 8 + 1,
        }
    }
}

/// ADPCM blocks through Symphonia, which wants them whole: the last one of a file may be shorter.
pub(super) struct Adpcm {
    kind: AdpcmKind,
    block: usize,
    channels: usize,
    rate: u32,
    decoder: Box<dyn AudioDecoder>,
}

impl Adpcm {
    /// A decoder of blocks of so many bytes; one or two channels.
    ///
    /// # Errors
    /// When no frame fits into a block.
    pub(super) fn new(kind: AdpcmKind, block: usize, rate: u32, channels: u16) -> Result<Self, String> {
        let frames = kind.frames(block, usize::from(channels));
        if frames < 2 {
            return Err(format!("ADPCM blocks of {block} bytes hold no audio"));
        }
        let layout = if channels == 1 {
            layouts::CHANNEL_LAYOUT_MONO
        } else {
            layouts::CHANNEL_LAYOUT_STEREO
        };
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(kind.id())
            .with_sample_rate(rate)
            .with_channels(layout)
            .with_max_frames_per_packet(frames as u64)
            .with_frames_per_block(frames as u64);
        let Codec::Symphonia(decoder) = Codec::symphonia(&params)? else {
            return Err("no ADPCM decoder".into());
        };
        Ok(Self {
            kind,
            block,
            channels: usize::from(channels),
            rate,
            decoder,
        })
    }

    fn decode(&mut self, data: &[u8], out: &mut Vec<f32>) -> Result<Shape, String> {
        let held = self.kind.frames(data.len().min(self.block), self.channels);
        let mut whole = data.to_vec();
        whole.resize(self.block, 0);
        let frames = self.kind.frames(self.block, self.channels) as u64;
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::from(frames), &whole);
        let decoded = self
            .decoder
            .decode_ref(&packet)
            .map_err(|fault| fault.to_string())?;
        decoded.copy_to_vec_interleaved(out);
        out.truncate(held * self.channels);
        Ok((self.rate, self.channels))
    }
}

/// Packets of one size, over several stretches of a file; the last of each may be shorter.
pub(super) fn of_size(size: usize, spans: Vec<Range<usize>>) -> Feed {
    let size = size.max(1);
    let cut = move |span: Range<usize>| {
        let end = span.end;
        (span.start..end)
            .step_by(size)
            .map(move |at| at..(at + size).min(end))
    };
    Box::new(spans.into_iter().flat_map(cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A book of Vorbis with a word of 33 bits, past the end of the decoder's table of lengths.
    #[test]
    fn a_decoder_that_panics_while_it_is_made_is_an_error() {
        let mut headers = b"\x01vorbis\0\0\0\0\x01\x40\x1F\0\0".to_vec();
        headers.extend([0; 12]);
        headers.extend(b"\xB8\x01\x05vorbis\0BCV\x01\0\x02\0\0\x7F\x01\0");
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(id::CODEC_ID_VORBIS)
            .with_extra_data(Box::from(&headers[..]));
        let refused = Codec::symphonia(&params).err();
        assert_eq!(refused.as_deref(), Some("its decoder gave up on it"));
    }
}
