//! IMA ADPCM as Apple packs it: 34 bytes a channel for 64 frames. A packet repeats where the last one left off,
//! coarsely; the decoder goes on from where it was.

use audio_codec_algorithms::{AdpcmImaState, decode_adpcm_ima_ima4};

/// Bytes of a packet of one channel, and its samples.
pub(super) const BYTES: usize = 34;
pub(super) const FRAMES: usize = 64;

/// A decoder of one or two channels.
pub(super) struct Ima4 {
    rate: u32,
    states: Vec<AdpcmImaState>,
}

impl Ima4 {
    pub(super) fn new(rate: u32, channels: u16) -> Self {
        Self {
            rate,
            states: (0..channels).map(|_| AdpcmImaState::new()).collect(),
        }
    }

    /// Appends the frames of one packet of each channel; its rate and channels.
    ///
    /// # Errors
    /// When it is short.
    pub(super) fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<(u32, usize), String> {
        let channels = self.states.len();
        let packets = packet.as_chunks::<BYTES>().0;
        if packets.len() < channels {
            return Err("an IMA packet that is cut short".into());
        }
        out.resize(FRAMES * channels, 0.0);
        for (channel, (packet, state)) in packets.iter().zip(&mut self.states).enumerate() {
            let mut samples = [0; FRAMES];
            decode_adpcm_ima_ima4(packet, state, &mut samples);
            for (place, sample) in out[channel..].iter_mut().step_by(channels).zip(samples) {
                *place = f32::from(sample) / 32_768.0;
            }
        }
        Ok((self.rate, channels))
    }
}
