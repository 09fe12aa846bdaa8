//! The kinds of file that are read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of file that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// RIFF/WAVE, also RF64 and BW64.
    Wav,
    /// Sony's Wave64.
    W64,
    /// Native FLAC.
    Flac,
    /// MPEG-1, 2 and 2.5 layer III.
    Mp3,
    /// AAC in ADTS frames.
    Adts,
    /// MP4, M4A, QuickTime and 3GP, holding AAC, ALAC, Opus or AMR narrow-band.
    Mp4,
    /// Ogg, holding Opus, Vorbis or FLAC.
    Ogg,
    /// WebM or Matroska, holding Opus, Vorbis, FLAC or PCM.
    WebM,
    /// AMR narrow-band in its storage format.
    Amr,
    /// GSM full rate without a container.
    Gsm,
    /// Sun's and NeXT's AU.
    Au,
    /// Apple's AIFF and AIFF-C.
    Aiff,
    /// Apple's Core Audio Format.
    Caf,
    /// NIST's SPHERE.
    Sphere,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wav => "WAV",
            Self::W64 => "Wave64",
            Self::Flac => "FLAC",
            Self::Mp3 => "MP3",
            Self::Adts => "AAC",
            Self::Mp4 => "MP4",
            Self::Ogg => "Ogg",
            Self::WebM => "WebM",
            Self::Amr => "AMR",
            Self::Gsm => "GSM",
            Self::Au => "AU",
            Self::Aiff => "AIFF",
            Self::Caf => "CAF",
            Self::Sphere => "SPHERE",
        })
    }
}
