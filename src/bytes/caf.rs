//! CAF, Apple's Core Audio Format (specification 1.0): chunks of 64-bit sizes, the highest byte first.

use std::ops::Range;
use std::sync::Arc;

use super::boxes::be;
use super::layout::{Coding, Layout};
use super::mp4::{self, Sound};
use super::pcm::Sample;
use super::source::Opened;
use super::tables::most_packets;
use super::{Container, DecodeError, Encoding};

/// What the `desc` chunk says.
struct Description {
    rate: f64,
    kind: [u8; 4],
    flags: u32,
    frames_a_packet: u32,
    bytes_a_packet: u32,
    channels: u16,
    bits: u32,
}

/// The chunks that matter.
#[derive(Default)]
struct Chunks {
    description: Option<Description>,
    cookie: Range<usize>,
    table: Range<usize>,
    data: Option<Range<usize>>,
    truncated: bool,
}

/// Opens the audio: PCM, floats, G.711 and IMA lie in the open; AAC and ALAC in packets.
///
/// # Errors
/// [`DecodeError`]: a broken header, no audio, a codec that is not read.
pub(super) fn open(bytes: &Arc<Vec<u8>>) -> Result<Opened, DecodeError> {
    let chunks = walk(bytes);
    let Some(about) = &chunks.description else {
        return Err(Container::Caf.broken(bytes.len(), "the file ends and there was no 'desc' chunk"));
    };
    let Some(data) = chunks.data.clone() else {
        return Err(Container::Caf.broken(bytes.len(), "the file ends and there was no 'data' chunk"));
    };
    if about.channels == 0 {
        return Err(Container::Caf.broken(44, "the header states 0 channels"));
    }
    if let Some(coding) = coding(about) {
        let layout = Layout {
            container: Container::Caf,
            rate: about.rate.clamp(0.0, f64::from(u32::MAX)) as u32,
            channels: about.channels,
            coding,
            spans: vec![data],
            truncated: chunks.truncated,
            beyond: None,
        };
        return layout.open(bytes);
    }
    let cookie = bytes.get(chunks.cookie.clone()).unwrap_or_default();
    let config = match &about.kind {
        b"aac " => mp4::configuration(cookie).unwrap_or(cookie).to_vec(),
        // Older cookies wrap the configuration in atoms of 12 bytes each.
        b"alac" if cookie.get(4..8) == Some(b"frma") => cookie.get(24..).unwrap_or_default().to_vec(),
        b"alac" => cookie.to_vec(),
        _ => {
            return Err(DecodeError::Unsupported {
                what: format!("a Core Audio file of '{}'", about.kind.escape_ascii()),
                at: 28,
            });
        }
    };
    let table = bytes.get(chunks.table.clone()).unwrap_or_default();
    let (places, kept) = packets(about, table, data);
    let sound = Sound {
        container: Container::Caf,
        kind: about.kind,
        config,
        timescale: about.rate as u32,
        places,
        kept: vec![kept],
        truncated: chunks.truncated,
    };
    sound.open(bytes)
}

fn walk(bytes: &[u8]) -> Chunks {
    let mut chunks = Chunks::default();
    let mut at = 8usize;
    while let Some(header) = at.checked_add(12).and_then(|end| bytes.get(at..end)) {
        let (size, body) = (be(header, 4, 8), at + 12);
        let available = bytes.len() - body;
        // A recorder that still writes leaves -1.
        let stated = usize::try_from(size).unwrap_or(usize::MAX);
        let end = body + stated.min(available);
        match &header[..4] {
            b"desc" => chunks.description = bytes.get(body..end).and_then(describe),
            b"kuki" => chunks.cookie = body..end,
            b"pakt" => chunks.table = body..end,
            b"data" => {
                // An edit count of four bytes comes first.
                chunks.data = Some((body + 4).min(end)..end);
                chunks.truncated = stated > available && size != u64::MAX;
            }
            _ => {}
        }
        at = body.saturating_add(stated);
    }
    chunks
}

fn describe(body: &[u8]) -> Option<Description> {
    let body = body.get(..32)?;
    let word = |at: usize| be(body, at, 4) as u32;
    Some(Description {
        rate: f64::from_bits(be(body, 0, 8)),
        kind: body[8..12].first_chunk().copied()?,
        flags: word(12),
        bytes_a_packet: word(16),
        frames_a_packet: word(20),
        channels: u16::try_from(word(24)).unwrap_or(u16::MAX),
        bits: word(28),
    })
}

fn coding(about: &Description) -> Option<Coding> {
    let (float, little) = (about.flags & 1 != 0, about.flags & 2 != 0);
    let width = about.bits.div_ceil(8) as usize;
    Some(match &about.kind {
        b"lpcm" if float && matches!(width, 4 | 8) => Coding::Plain(Sample::Float { width, big: !little }),
        b"lpcm" if !float && (1..=4).contains(&width) => Coding::Plain(Sample::Integer {
            width,
            big: !little,
            unsigned: false,
        }),
        b"ulaw" => Coding::Plain(Sample::Companded(Encoding::Mulaw)),
        b"alaw" => Coding::Plain(Sample::Companded(Encoding::Alaw)),
        b"ima4" => Coding::Ima4,
        _ => return None,
    })
}

/// Where the packets lie, and which of their frames are the recording.
fn packets(about: &Description, table: &[u8], data: Range<usize>) -> (Vec<Range<usize>>, Range<u64>) {
    let Some(head) = table.get(..24) else {
        let size = about.bytes_a_packet.max(1) as usize;
        let places = data.clone().step_by(size).map(|at| at..(at + size).min(data.end));
        let places = places.take(most_packets(&data));
        return (places.collect(), 0..u64::MAX);
    };
    let (valid, priming) = (be(head, 8, 8), be(head, 16, 4));
    let mut sizes = table[24..].iter();
    let mut places = Vec::new();
    let mut at = data.start;
    // A size in groups of seven bits; where packets last differently long, their frames stand behind it.
    let mut variable = || {
        let mut value = 0usize;
        loop {
            let byte = *sizes.next()?;
            value = value.checked_shl(7)? | usize::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
    };
    while at < data.end && places.len() < most_packets(&data) {
        let size = if about.bytes_a_packet > 0 {
            Some(about.bytes_a_packet as usize)
        } else {
            variable()
        };
        let Some(size) = size.filter(|&size| size > 0) else {
            break;
        };
        if about.frames_a_packet == 0 && variable().is_none() {
            break;
        }
        places.push(at..at.saturating_add(size).min(data.end));
        at = at.saturating_add(size);
    }
    let valid = if valid > 0 { valid } else { u64::MAX };
    (places, priming..priming.saturating_add(valid))
}
