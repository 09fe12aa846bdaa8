//! How a stream's audio is written, by the names that carriers give it.

use super::StreamFault;
use crate::units::Hertz;

/// How samples are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoundName {
    /// G.711 mu-law.
    Mulaw,
    /// G.711 A-law.
    Alaw,
    /// Signed 16-bit PCM, little-endian for certain.
    PcmS16le,
    /// Signed 16-bit PCM, of a byte order that has to be found out: RTP's L16 is big-endian (RFC 3551
    /// section 4.5.11), and not every carrier that says L16 means that.
    L16,
    /// G.722 at 64 kbit/s.
    G722,
}

/// A stream's audio: one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// How samples are written.
    pub name: SoundName,
    /// Samples a second, decoded.
    pub rate: Hertz,
}

impl Sound {
    /// What the telephone network itself uses.
    pub(super) const TELEPHONE: Self = Self {
        name: SoundName::Mulaw,
        rate: Hertz(8_000),
    };

    /// Reads a carrier's name of an encoding, with the rate and channels beside it.
    ///
    /// # Errors
    /// [`StreamFault::Unsupported`] with `remedy` for what is not read here.
    pub(super) fn read(
        encoding: &str,
        rate: u64,
        channels: u64,
        remedy: &'static str,
    ) -> Result<Self, StreamFault> {
        let plain = encoding.trim().to_ascii_lowercase();
        let plain = plain.strip_prefix("audio/").unwrap_or(&plain);
        let name = match plain.split(';').next().unwrap_or("").trim() {
            "x-mulaw" | "pcmu" | "mulaw" => Some(SoundName::Mulaw),
            "x-alaw" | "pcma" | "alaw" => Some(SoundName::Alaw),
            "x-l16" | "l16" => Some(SoundName::L16),
            "x-g722" | "g722" => Some(SoundName::G722),
            _ => None,
        };
        let fits = matches!(
            (name, rate),
            (Some(SoundName::L16 | SoundName::G722), 8_000 | 16_000) | (Some(_), 8_000)
        );
        // RTP's clock of G.722 says 8000, and its samples are twice as many (RFC 3551 section 4.5.2).
        let rate = if name == Some(SoundName::G722) && fits {
            16_000
        } else {
            rate
        };
        match (name, u32::try_from(rate)) {
            (Some(name), Ok(rate)) if fits && channels == 1 => Ok(Self {
                name,
                rate: Hertz(rate),
            }),
            _ => Err(StreamFault::Unsupported {
                encoding: encoding.chars().take(64).collect(),
                rate,
                channels,
                remedy,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_known_in_every_spelling_and_unreadable_ones_named() {
        let read = |encoding, rate, channels| Sound::read(encoding, rate, channels, "ask for PCMU").ok();
        for spelling in ["audio/x-mulaw", "PCMU", "audio/PCMU", "pcmu"] {
            assert_eq!(read(spelling, 8_000, 1), Some(Sound::TELEPHONE), "{spelling}");
        }
        let linear = read("audio/x-l16", 16_000, 1).unwrap();
        assert_eq!((linear.name, linear.rate), (SoundName::L16, Hertz(16_000)));
        assert_eq!(read("PCMA", 8_000, 1).unwrap().name, SoundName::Alaw);
        for rate in [8_000, 16_000] {
            let wide = read("G722", rate, 1).unwrap();
            assert_eq!((wide.name, wide.rate), (SoundName::G722, Hertz(16_000)));
        }
        for (encoding, rate, channels) in [
            ("G722", 48_000, 1),
            ("G722", 16_000, 2),
            ("OPUS", 48_000, 1),
            ("AMR-WB", 16_000, 1),
            ("PCMU", 16_000, 1),
            ("PCMU", 8_000, 2),
            ("L16", 44_100, 1),
            ("L16", u64::MAX, 1),
        ] {
            let said = Sound::read(encoding, rate, channels, "ask for PCMU")
                .unwrap_err()
                .to_string();
            assert!(said.contains(encoding) && said.contains("ask for PCMU"), "{said}");
        }
    }
}
