//! What a file is, from its first bytes and never from its name.

use super::gsm::BYTES as GSM_FRAME;
use super::id3::id3_length;
use super::{Container, DecodeError, adts, amr, gsm, sphere};

/// The container that `bytes` begin with, and how many bytes of tag stand before it.
pub(super) fn sniff(bytes: &[u8]) -> Result<(Container, usize), DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let tag = id3_length(bytes);
    let body = bytes.get(tag..).unwrap_or_default();
    match body {
        [b'f', b'L', b'a', b'C', ..] => Ok((Container::Flac, tag)),
        _ if is_layer_three(body) => Ok((Container::Mp3, tag)),
        _ if adts::begins(body) => Ok((Container::Adts, tag)),
        // An ID3 tag is found on nothing else that is read here; the MP3 reader finds its way past
        // padding behind the tag, or says that it did not.
        _ if tag > 0 => Ok((Container::Mp3, tag.min(bytes.len()))),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..]
        | [b'R', b'F', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..]
        | [b'B', b'W', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Ok((Container::Wav, 0)),
        [
            b'F',
            b'O',
            b'R',
            b'M',
            _,
            _,
            _,
            _,
            b'A',
            b'I',
            b'F',
            b'F' | b'C',
            ..,
        ] => Ok((Container::Aiff, 0)),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] | [_, _, _, _, b'm', b'o', b'o', b'v', ..] => {
            Ok((Container::Mp4, 0))
        }
        [b'c', b'a', b'f', b'f', ..] => Ok((Container::Caf, 0)),
        [b'.', b's', b'n', b'd', ..] => Ok((Container::Au, 0)),
        _ if body.starts_with(amr::MAGIC) => Ok((Container::Amr, 0)),
        _ if body.starts_with(sphere::MAGIC) => Ok((Container::Sphere, 0)),
        _ if body.starts_with(b"riff") && body.get(24..28) == Some(b"wave") => Ok((Container::W64, 0)),
        _ if is_gsm(body) => Ok((Container::Gsm, 0)),
        [b'O', b'g', b'g', b'S', ..] => Ok((Container::Ogg, 0)),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Ok((Container::WebM, 0)),
        // Cut inside the twelve bytes that would say so.
        [b'R', b'I', b'F', b'F', rest @ ..] if rest.len() < 8 => {
            Err(Container::Wav.broken(bytes.len(), "the file ends inside the RIFF header"))
        }
        _ => Err(refusal(bytes)),
    }
}

/// A frame header of MPEG-1, 2 or 2.5 layer III with nothing reserved in it (ISO/IEC 11172-3, 2.4.1.3).
fn is_layer_three(bytes: &[u8]) -> bool {
    let [0xFF, second, third, ..] = *bytes else {
        return false;
    };
    let (sync, version, layer) = (second & 0xE0, second >> 3 & 3, second >> 1 & 3);
    sync == 0xE0 && version != 1 && layer == 1 && third >> 4 != 15 && third >> 2 & 3 != 3
}

/// Whether bytes without a header are GSM full rate: every one of the first frames of 33 bytes has its signature
/// of four bits, and there are eight of them at least, or the file ends with one.
fn is_gsm(bytes: &[u8]) -> bool {
    let frames = bytes.chunks_exact(GSM_FRAME);
    let (count, whole) = (frames.len(), frames.remainder().is_empty());
    (count >= 8 || (whole && count >= 2)) && frames.take(64).all(|frame| frame[0] >> 4 == gsm::SIGNATURE)
}

/// The audio containers that are recognised in order to be refused by name: magic, offset, name.
pub(super) const REFUSED: [(&[u8], usize, &str); 26] = [
    (b"RIFX", 0, "RIFX, the big-endian WAV,"),
    (b"FORM", 0, "an IFF file other than AIFF"),
    (b"#!AMR-WB", 0, "an AMR-WB file"),
    (b"#!AMR", 0, "an AMR file of several channels"),
    (b"#!iLBC", 0, "an iLBC file"),
    (b"#!EVRC", 0, "an EVRC file"),
    (b"#!SILK", 0, "a SILK file"),
    (b"\x02#!SILK", 0, "a SILK file"),
    (b"RIFF", 0, "a RIFF file other than WAVE"),
    (
        b"\x30\x26\xB2\x75\x8E\x66\xCF\x11",
        0,
        "a Windows Media file (WMA, ASF)",
    ),
    (b"Creative Voice File", 0, "a Creative VOC file"),
    (b"MAC ", 0, "a Monkey's Audio file"),
    (b"wvpk", 0, "a WavPack file"),
    (b"TTA1", 0, "a True Audio file"),
    (b"MPCK", 0, "a Musepack file"),
    (b"MP+", 0, "a Musepack file"),
    (b".RMF", 0, "a RealMedia file"),
    (b".ra\xFD", 0, "a RealAudio file"),
    (b"ajkg", 0, "a Shorten file"),
    (b"DSD ", 0, "a DSD file"),
    (b"MThd", 0, "a MIDI file"),
    (b"FLV\x01", 0, "a Flash video file"),
    (b"\x0B\x77", 0, "an AC-3 stream"),
    (b"\x00\x00\x01\xBA", 0, "an MPEG programme stream"),
    (b"2BIT", 0, "an AVR file"),
    (b"\x64\xA3", 0, "an IRCAM file"),
];

fn refusal(bytes: &[u8]) -> DecodeError {
    let known = REFUSED
        .iter()
        .find(|(magic, at, _)| bytes.get(*at..).is_some_and(|b| b.starts_with(magic)));
    if let Some(&(_, at, what)) = known {
        return DecodeError::Unsupported {
            what: what.into(),
            at: at as u64,
        };
    }
    if matches!(bytes, [0xFF, second, ..] if second & 0xF6 == 0xF0) {
        return DecodeError::Unsupported {
            what: "an AAC stream of which no second frame follows".into(),
            at: 0,
        };
    }
    let start = &bytes[..bytes.len().min(512)];
    let looks_like = if start.starts_with(b"\x89PNG") || start.starts_with(&[0xFF, 0xD8, 0xFF]) {
        "like a picture"
    } else if start.starts_with(b"%PDF") {
        "like a PDF document"
    } else if start.starts_with(b"PK\x03\x04") || start.starts_with(&[0x1F, 0x8B]) {
        "like a compressed archive"
    } else if start.iter().all(|&byte| byte == 0) {
        "with zeros"
    } else if is_text(start) {
        "like text"
    } else {
        "like no known file"
    };
    DecodeError::NotAudio { looks_like }
}

/// Whether bytes of no container that is read here name something else, by more than raw audio has by chance: four bytes.
pub(super) fn names_another_kind(bytes: &[u8]) -> bool {
    let refused = REFUSED
        .iter()
        .any(|(magic, at, _)| magic.len() >= 4 && bytes.get(*at..).is_some_and(|b| b.starts_with(magic)));
    let is_no_audio = matches!(
        bytes,
        [0x89, b'P', b'N', b'G', ..]
            | [0xFF, 0xD8, 0xFF, 0xDB | 0xE0..=0xEF, ..]
            | [b'%', b'P', b'D', b'F', ..]
            | [b'P', b'K', 3, 4, ..]
            | [0x1F, 0x8B, 8, 0..=0x1F, ..]
    );
    refused || is_no_audio
}

fn is_text(start: &[u8]) -> bool {
    let printable = |text: &str| text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace());
    match std::str::from_utf8(start) {
        Ok(text) => printable(text),
        // A character cut by the end of what is looked at is no fault of the text.
        Err(fault) if fault.error_len().is_none() => {
            std::str::from_utf8(&start[..fault.valid_up_to()]).is_ok_and(printable)
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_container_is_known_by_its_content() {
        let known = |bytes: &[u8]| sniff(bytes).unwrap();
        assert_eq!(known(b"RIFF\x24\0\0\0WAVEfmt "), (Container::Wav, 0));
        assert_eq!(known(b"fLaC\0\0\0\x22"), (Container::Flac, 0));
        assert_eq!(known(b"OggS\0\x02"), (Container::Ogg, 0));
        assert_eq!(known(&[0x1A, 0x45, 0xDF, 0xA3, 0x9F]), (Container::WebM, 0));
        assert_eq!(known(&[0xFF, 0xFB, 0x90, 0x00]), (Container::Mp3, 0));
        assert_eq!(
            known(b"ID3\x04\0\0\0\0\0\x02..\xFF\xFB\x90\x00"),
            (Container::Mp3, 12)
        );
        assert_eq!(known(b"ID3\x04\0\0\0\0\0\x02..fLaC"), (Container::Flac, 12));
    }

    #[test]
    fn what_is_not_read_is_named_in_the_refusal() {
        let said = |bytes: &[u8]| sniff(bytes).unwrap_err().to_string();
        assert!(said(b"").starts_with("empty input"));
        assert!(said(b"Dear sir, please find attached").starts_with("not audio: byte 0 begins like text"));
        assert!(said("čau, světe".as_bytes()).contains("like text"));
        assert!(said(b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6").starts_with("a Windows Media file (WMA, ASF)"));
        assert!(said(b"Creative Voice File\x1A").starts_with("a Creative VOC file is not supported"));
        assert!(said(b"RIFF\x24\0\0\0AVI LIST").starts_with("a RIFF file other than WAVE"));
        assert!(said(b"\x89PNG\r\n\x1a\n").contains("a picture"));
        assert!(said(&[0xFF, 0xF1, 0x50]).starts_with("an AAC stream"));
        assert!(said(&[7, 200, 3, 250]).contains("no known file"));
        assert!(said(b"RIFF\x24\0").contains("ends inside the RIFF header"));
    }
}
