//! Opus packets to frames at 48 kHz (RFC 6716), with the header that Ogg and WebM share (RFC 7845).

use ropus::{Channels, DecodeMode, Decoder};

use super::contained::{self, contained};

/// Opus is decoded at 48 kHz whatever it was recorded at: pre-skip and positions count in that rate.
pub(super) const RATE: u32 = 48_000;

/// The longest packet: 120 ms (RFC 6716 section 3.2.5).
const LONGEST_PACKET: usize = 5_760;

/// The identification header `OpusHead` (RFC 7845 section 5.1; the `CodecPrivate` of WebM).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Number of channels in the output.
    pub channels: u8,
    /// Frames to drop from the start: the decoder needs them to settle.
    pub pre_skip: u16,
    /// Gain to apply, in 1/256 dB.
    pub gain: i16,
}

impl Head {
    /// Reads the header.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let Some((head, mapping)) = bytes.split_at_checked(19) else {
            return Err(format!(
                "the Opus header has {} bytes of at least 19",
                bytes.len()
            ));
        };
        if !head.starts_with(b"OpusHead") {
            return Err("the Opus header does not begin with 'OpusHead'".into());
        }
        if head[8] >> 4 != 0 {
            return Err(format!("Opus header version {} is not known", head[8]));
        }
        let channels = head[9];
        // One stream, coupled when stereo; mapping family 0 implies it, the others spell it out.
        if head[18] != 0 && channels <= 2 && mapping.get(..2) != Some(&[1, channels.saturating_sub(1)]) {
            return Err("the Opus channels are spread over several streams".into());
        }
        Ok(Self {
            channels,
            pre_skip: u16::from_le_bytes([head[10], head[11]]),
            gain: i16::from_le_bytes([head[16], head[17]]),
        })
    }
}

impl Head {
    /// Reads the same out of MP4's `dOps` box ("Encapsulation of Opus in ISO Base Media File Format", 4.3.2),
    /// where numbers have their highest byte first.
    pub(super) fn read_box(bytes: &[u8]) -> Result<Self, String> {
        let Some((head, mapping)) = bytes.split_at_checked(11) else {
            return Err(format!("an Opus box of {} bytes of at least 11", bytes.len()));
        };
        let mut own = b"OpusHead\x01".to_vec();
        own.extend([head[1], head[3], head[2], 0, 0, 0, 0, head[9], head[8], head[10]]);
        own.extend(mapping);
        Self::read(&own)
    }
}

/// A decoder that drops the pre-skip and applies the gain.
pub(super) struct OpusPackets {
    decoder: Decoder,
    channels: usize,
    to_skip: usize,
    packet: Vec<f32>,
}

impl OpusPackets {
    /// A decoder of the stream that `head` begins.
    pub(super) fn new(head: Head) -> Result<Self, String> {
        let layout = match head.channels {
            1 => Channels::Mono,
            2 => Channels::Stereo,
            other => return Err(format!("{other} channels of Opus")),
        };
        let decoder = contained(contained::DECODER, || {
            let mut decoder = Decoder::new(RATE, layout).map_err(|fault| fault.to_string())?;
            let gain = i32::from(head.gain);
            decoder.set_gain(gain).map_err(|fault| fault.to_string())?;
            Ok(decoder)
        })?;
        let channels = usize::from(head.channels);
        Ok(Self {
            decoder,
            channels,
            to_skip: usize::from(head.pre_skip),
            packet: vec![0.0; LONGEST_PACKET * channels],
        })
    }

    /// How many channels the decoded samples have, interleaved.
    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// Appends the interleaved samples of one packet to `out`, less `trim_end` frames at its end.
    pub(super) fn decode(
        &mut self,
        packet: &[u8],
        trim_end: usize,
        out: &mut Vec<f32>,
    ) -> Result<(), String> {
        if packet.is_empty() {
            return Err("an Opus packet without a single byte".into());
        }
        let frames = self
            .decoder
            .decode_float(packet, &mut self.packet, DecodeMode::Normal)
            .map_err(|fault| format!("the Opus packet cannot be decoded ({fault})"))?;
        let end = frames.saturating_sub(trim_end);
        let start = self.to_skip.min(end);
        self.to_skip -= self.to_skip.min(frames);
        out.extend_from_slice(&self.packet[start * self.channels..end * self.channels]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(channels: u8, family: u8, mapping: &[u8]) -> Vec<u8> {
        let mut bytes = b"OpusHead\x01".to_vec();
        bytes.push(channels);
        bytes.extend([0x38, 0x01, 0x80, 0xBB, 0, 0, 0x00, 0xFF, family]);
        bytes.extend(mapping);
        bytes
    }

    #[test]
    fn the_header_gives_channels_pre_skip_and_gain() {
        let read = Head::read(&head(2, 0, &[])).unwrap();
        assert_eq!(
            read,
            Head {
                channels: 2,
                pre_skip: 312,
                gain: -256
            }
        );
        assert_eq!(Head::read(&head(2, 1, &[1, 1, 0, 1])).unwrap().channels, 2);
    }

    #[test]
    fn a_header_that_is_short_foreign_or_of_several_streams_is_refused() {
        assert!(
            Head::read(b"OpusHead\x01\x01")
                .unwrap_err()
                .contains("10 bytes of at least 19")
        );
        assert!(
            Head::read(&[b'x'; 19])
                .unwrap_err()
                .contains("does not begin with 'OpusHead'")
        );
        assert!(
            Head::read(&head(2, 255, &[2, 0, 0, 1]))
                .unwrap_err()
                .contains("several streams")
        );
    }

    proptest! {
        // Below the container's checksums, where damaged files do not reach.
        #[test]
        fn any_bytes_are_a_packet_or_an_error(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..8),
            channels in 1u8..3,
            trim in 0usize..6_000,
        ) {
            let head = Head { channels, pre_skip: 312, gain: 0 };
            let mut opus = OpusPackets::new(head).unwrap();
            for packet in packets {
                let mut out = Vec::new();
                let _ = opus.decode(&packet, trim, &mut out);
                prop_assert!(out.len() <= LONGEST_PACKET * usize::from(channels));
                prop_assert!(out.iter().all(|sample| sample.is_finite()));
            }
        }
    }
}
