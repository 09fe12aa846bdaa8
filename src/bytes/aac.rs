//! What an `AudioSpecificConfig` says of AAC (ISO/IEC 14496-3 clause 1.6.2), and a decoder for it.

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;

use super::codec::Codec;

/// Samples of a frame of each channel.
pub(super) const FRAME: u32 = 1_024;

/// Rates by their number.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

/// A stream of AAC.
pub(super) struct Aac {
    pub(super) codec: Codec,
    pub(super) rate: u32,
    pub(super) channels: u16,
}

/// Opens a decoder of low-complexity AAC. Of HE-AAC the core is decoded, at the core's rate and in its channels: it
/// holds the lower half of the spectrum as it was recorded. What spectral band replication and parametric stereo put
/// above and beside it is made from that half, and says nothing more of a voice.
///
/// # Errors
/// What of it is not supported, by name.
pub(super) fn open(config: &[u8]) -> Result<Aac, String> {
    let Some(Core {
        kind,
        rate,
        channels,
        short_frames,
    }) = core(config)
    else {
        return Err("AAC whose configuration is cut short".into());
    };
    let lc = 2;
    let name = match kind {
        1 => "Main",
        3 => "SSR",
        4 => "LTP",
        23 => "LD",
        39 => "ELD",
        42 => "xHE",
        _ => "an unknown profile",
    };
    if kind != lc {
        return Err(format!("AAC of another profile than LC ({name})"));
    }
    if short_frames {
        return Err("AAC in frames of 960 samples".into());
    }
    let Some(number) = RATES.iter().position(|known| *known == rate) else {
        return Err(format!("AAC at {rate} Hz"));
    };
    if !(1..=2).contains(&channels) {
        return Err(format!("AAC of channel configuration {channels}"));
    }
    let plain = [lc << 3 | (number as u8) >> 1, (number as u8) << 7 | channels << 3];
    let mut params = AudioCodecParameters::new();
    params
        .for_codec(CODEC_ID_AAC)
        .with_sample_rate(rate)
        .with_extra_data(Box::new(plain));
    Ok(Aac {
        codec: Codec::symphonia(&params)?,
        rate,
        channels: u16::from(channels),
    })
}

/// What a configuration says of the core.
#[derive(Debug, PartialEq)]
struct Core {
    /// The audio object type.
    kind: u8,
    rate: u32,
    /// The channel configuration.
    channels: u8,
    /// Frames of 960 samples instead of 1024.
    short_frames: bool,
}

fn core(config: &[u8]) -> Option<Core> {
    let mut bits = Bits { bytes: config, at: 0 };
    let mut kind = bits.kind()?;
    let rate = bits.rate()?;
    let channels = bits.take(4)? as u8;
    // Spectral band replication and parametric stereo, where they are said first, say the whole's rate.
    if matches!(kind, 5 | 29) {
        bits.rate()?;
        kind = bits.kind()?;
    }
    Some(Core {
        kind,
        rate,
        channels,
        short_frames: bits.take(1).unwrap_or(0) == 1,
    })
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for at in self.at..self.at + count {
            value = value << 1 | u32::from(self.bytes.get(at / 8)? >> (7 - at % 8) & 1);
        }
        self.at += count;
        Some(value)
    }

    fn kind(&mut self) -> Option<u8> {
        match self.take(5)? {
            31 => Some(32 + self.take(6)? as u8),
            kind => Some(kind as u8),
        }
    }

    fn rate(&mut self) -> Option<u32> {
        match self.take(4)? as usize {
            15 => self.take(24),
            number => RATES.get(number).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_of_every_aac_is_found_and_other_profiles_are_named() {
        let lc = |rate, channels| {
            let (kind, short_frames) = (2, false);
            Some(Core {
                kind,
                rate,
                channels,
                short_frames,
            })
        };
        assert_eq!(core(&[0x12, 0x10]), lc(44_100, 2));
        // HE-AAC that says so first: the core at 24 kHz, the whole at 48; with parametric stereo too.
        assert_eq!(core(&[0x2B, 0x09, 0x88, 0x00]), lc(24_000, 1));
        assert_eq!(core(&[0xEB, 0x09, 0x88, 0x00]), lc(24_000, 1));
        // HE-AAC that says so behind what older decoders read.
        assert_eq!(core(&[0x13, 0x08, 0x56, 0xE5, 0x98]), lc(24_000, 1));
        assert!(open(&[0x12, 0x08]).is_ok());
        assert_eq!(
            open(&[0x12, 0x0C]).err().as_deref(),
            Some("AAC in frames of 960 samples")
        );
        assert_eq!(
            open(&[0x12]).err().as_deref(),
            Some("AAC whose configuration is cut short")
        );
        assert_eq!(
            open(&[0x0A, 0x10]).err().as_deref(),
            Some("AAC of another profile than LC (Main)")
        );
        assert_eq!(
            open(&[0x12, 0x30]).err().as_deref(),
            Some("AAC of channel configuration 6")
        );
    }
}
