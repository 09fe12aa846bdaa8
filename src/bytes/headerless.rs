//! Audio without a container, as files: nothing in them says what they are, so whoever sends one has to.

use thiserror::Error;

use super::sniff::{names_another_kind, sniff};
use super::{Container, Encoding, WAV_HEADER_BYTES, WavHeader};
use crate::units::{Hertz, read_words, words};

words! {
    /// What a file without a header may hold: one channel of telephone audio at the codec's own rate.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Headerless {
        /// G.722 at 64 kbit/s: 16 kHz.
        G722 = "g722",
        /// G.711 mu-law at 8 kHz.
        Mulaw = "mulaw",
        /// G.711 A-law at 8 kHz.
        Alaw = "alaw",
    }
}

/// A name that is none of [`Headerless`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not one of g722, mulaw and alaw")]
pub struct UnknownHeaderless;

impl Headerless {
    /// The one that a media type names: `audio/G722`, `audio/PCMU` or `audio/PCMA` (RFC 3551), at the rate that these
    /// have when none is stated.
    pub fn of_media_type(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next()?;
        let usual = |parameter: &str| {
            let parameter = parameter.to_ascii_lowercase();
            matches!(parameter.as_str(), "rate=8000" | "channels=1")
        };
        if !parts.all(usual) {
            return None;
        }
        Self::ALL
            .into_iter()
            .find(|one| essence.eq_ignore_ascii_case(one.media_type()))
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::G722 => "audio/G722",
            Self::Mulaw => "audio/PCMU",
            Self::Alaw => "audio/PCMA",
        }
    }

    /// `bytes` with the WAV header that says so, in one copy. A file that names itself keeps its own word, also one of a
    /// kind that is refused.
    pub fn with_header(self, bytes: Vec<u8>) -> Vec<u8> {
        // Frames of MP3, AAC and GSM are told by some bits, which the first samples of raw audio may have too.
        let names_itself = match sniff(&bytes) {
            Ok((Container::Mp3 | Container::Adts | Container::Gsm, tag)) => tag > 0,
            Ok(_) => true,
            Err(_) => bytes.is_empty() || names_another_kind(&bytes),
        };
        if names_itself {
            return bytes;
        }
        let narrow = |law| WavHeader::of(law, Hertz(8_000), 1);
        let header = match self {
            Self::G722 => WavHeader::g722(),
            Self::Mulaw => narrow(Encoding::Mulaw),
            Self::Alaw => narrow(Encoding::Alaw),
        };
        let mut file = Vec::with_capacity(WAV_HEADER_BYTES + bytes.len());
        file.extend(header.bytes(bytes.len()));
        file.extend(bytes);
        file
    }
}

read_words!(Headerless, UnknownHeaderless);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_names_one_at_its_own_rate_and_nothing_else() {
        let of = Headerless::of_media_type;
        assert_eq!(of("audio/G722"), Some(Headerless::G722));
        assert_eq!(of("audio/pcmu; rate=8000"), Some(Headerless::Mulaw));
        assert_eq!(of("AUDIO/PCMA;channels=1"), Some(Headerless::Alaw));
        for other in ["audio/wav", "audio/PCMU;rate=16000", "audio/PCMA;channels=2", ""] {
            assert_eq!(of(other), None, "{other}");
        }
        assert!(
            Headerless::ALL
                .iter()
                .all(|one| one.to_string().parse() == Ok(*one))
        );
        assert_eq!("wav".parse::<Headerless>(), Err(UnknownHeaderless));
    }

    #[test]
    fn a_file_that_names_itself_keeps_its_own_word() {
        for own in [
            b"RIFF\x24\0\0\0WAVEfmt ".as_slice(),
            b"fLaC\0\0\0\x22",
            b"ID3\x04\0\0\0\0\0\x02..",
            b"",
        ] {
            assert_eq!(Headerless::Mulaw.with_header(own.to_vec()), own);
        }
    }

    #[test]
    fn what_is_refused_by_its_name_is_refused_whatever_is_said_of_it() {
        let refused = super::super::sniff::REFUSED;
        let others = [
            &b"\x89PNG\r\n"[..],
            b"\xFF\xD8\xFF\xE0",
            b"%PDF-1.7",
            b"PK\x03\x04",
            b"\x1F\x8B\x08\0",
        ];
        let named = refused.iter().filter(|(magic, ..)| magic.len() >= 4);
        let mut count = 0;
        for magic in named.map(|(magic, ..)| *magic).chain(others) {
            let file = [magic, &[7; 900]].concat();
            let own = sniff(&file).unwrap_err();
            for said in Headerless::ALL {
                assert_eq!(sniff(&said.with_header(file.clone())), Err(own.clone()), "{own}");
            }
            count += 1;
        }
        assert!(count > 25, "{count}");
    }

    #[test]
    fn raw_audio_that_looks_like_a_file_by_chance_is_raw_audio() {
        // Quiet mu-law like a frame of MP3, the silence of A-law, which is text, and magics of two and three bytes.
        for quiet in [
            &[0xFF, 0xFB, 0x7B, 0x7D, 0xFE][..],
            &[0x55; 600],
            b"\x0B\x77\xFE",
            b"MP+",
            b"\x1F\x8B\x70",
        ] {
            let named = Headerless::Mulaw.with_header(quiet.to_vec());
            assert!(named.starts_with(b"RIFF") && named.ends_with(quiet), "{quiet:?}");
        }
    }
}
