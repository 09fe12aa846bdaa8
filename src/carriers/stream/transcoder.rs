//! A stream's payloads in an encoding that calls are opened with.

use super::byte_order::Straightener;
use super::{Sound, SoundName};
use crate::bytes::{Encoding, G722};
use crate::carriers::ByteOrder;
use crate::units::Hertz;

/// Turns payloads, in the order in which they were sent, into audio of [`Transcoder::encoding`] at
/// [`Transcoder::rate`].
///
/// A payload that was lost is not made up for. Each of the others is read whole: G.711 and L16 have no memory, and what
/// G.722 remembers of the stretch before a gap is forgotten within some hundredths of a second (ITU-T G.722, the leak of
/// its predictors and scale factors).
#[derive(Debug)]
pub struct Transcoder {
    encoding: Encoding,
    rate: Hertz,
    way: Way,
}

#[derive(Debug)]
enum Way {
    AsItCame,
    Straightened(Straightener),
    G722(Box<G722>),
}

impl Transcoder {
    /// A transcoder of this sound; `l16` is the byte order of L16.
    pub fn new(sound: Sound, l16: ByteOrder) -> Self {
        let (encoding, way) = match sound.name {
            SoundName::Mulaw => (Encoding::Mulaw, Way::AsItCame),
            SoundName::Alaw => (Encoding::Alaw, Way::AsItCame),
            SoundName::PcmS16le => (Encoding::PcmS16le, Way::AsItCame),
            SoundName::L16 => (Encoding::PcmS16le, Way::Straightened(Straightener::new(l16))),
            SoundName::G722 => (Encoding::PcmS16le, Way::G722(Box::default())),
        };
        Self {
            encoding,
            rate: sound.rate,
            way,
        }
    }

    /// How what is given is written.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Samples a second of what is given.
    pub const fn rate(&self) -> Hertz {
        self.rate
    }

    /// Takes the next payload and gives what can be read of it so far.
    pub fn push(&mut self, payload: Vec<u8>) -> Vec<u8> {
        match &mut self.way {
            Way::AsItCame => payload,
            Way::Straightened(straightener) => straightener.push(payload),
            Way::G722(decoder) => {
                let samples = decoder.push(&payload);
                samples.into_iter().flat_map(i16::to_le_bytes).collect()
            }
        }
    }

    /// What was still held back at the end.
    pub fn finish(&mut self) -> Vec<u8> {
        match &mut self.way {
            Way::Straightened(straightener) => straightener.finish(),
            Way::AsItCame | Way::G722(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &[u8] = include_bytes!("../../../tests/data/audio/streams/alice-1.g722");
    /// By ffmpeg: the second second.
    const GOLDEN: &[u8] = include_bytes!("../../../tests/data/audio/streams/alice-1.g722.golden.s16");
    /// Octets of 20 ms, as RTP packs them.
    const PACKET: usize = 160;

    fn samples(bytes: &[u8]) -> Vec<i16> {
        let words = bytes.as_chunks::<2>().0.iter();
        words.map(|word| i16::from_le_bytes(*word)).collect()
    }

    fn through<'a>(packets: impl Iterator<Item = &'a [u8]>) -> Vec<i16> {
        let sound = Sound {
            name: SoundName::G722,
            rate: Hertz(16_000),
        };
        let mut transcoder = Transcoder::new(sound, ByteOrder::Auto);
        assert_eq!(
            (transcoder.encoding(), transcoder.rate()),
            (Encoding::PcmS16le, Hertz(16_000))
        );
        let mut out: Vec<u8> = packets
            .flat_map(|packet| transcoder.push(packet.to_vec()))
            .collect();
        out.extend(transcoder.finish());
        samples(&out)
    }

    #[test]
    fn g722_in_packets_is_what_another_decoder_hears() {
        let heard = through(CALL.chunks(PACKET));
        assert_eq!(heard.len(), 2 * CALL.len());
        let worst = heard[16_000..32_000]
            .iter()
            .zip(samples(GOLDEN))
            .map(|(ours, theirs)| (i32::from(*ours) - i32::from(theirs)).abs())
            .max();
        assert!(worst <= Some(1), "{worst:?} least bits");
    }

    #[test]
    fn a_lost_packet_of_g722_costs_itself_and_a_moment_after() {
        let packets: Vec<&[u8]> = CALL.chunks(PACKET).collect();
        let whole = through(packets.iter().copied());
        for lost in [50, 117, 230] {
            let rest = packets.iter().enumerate().filter(|(at, _)| *at != lost);
            let torn = through(rest.map(|(_, packet)| *packet));
            assert_eq!(torn.len(), whole.len() - 2 * PACKET);
            let gap = 2 * PACKET * lost;
            assert_eq!(torn[..gap], whole[..gap]);
            // A fifth of a second later nothing is left of it but the least bits.
            let after = gap + 3_200;
            let (mut noise, mut signal) = (0.0, 0.0);
            for (torn, whole) in torn[after..].iter().zip(&whole[after + 2 * PACKET..]) {
                noise += f64::from(i32::from(*torn) - i32::from(*whole)).powi(2);
                signal += f64::from(*whole).powi(2);
            }
            let snr = 10.0 * (signal / f64::max(noise, 1.0)).log10();
            assert!(snr > 40.0, "{lost}: {snr:.1} dB");
        }
    }
}
