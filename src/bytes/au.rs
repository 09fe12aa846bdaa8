//! AU, the audio of Sun and NeXT: a header of 24 bytes or more, and the samples.

use super::layout::{Coding, Layout};
use super::pcm::Sample;
use super::{Container, DecodeError, Encoding};

/// Reads the header.
pub(super) fn walk(bytes: &[u8]) -> Result<Layout, DecodeError> {
    let container = Container::Au;
    let word = |at: usize| {
        let four = bytes.get(at..at + 4).and_then(<[u8]>::first_chunk);
        four.map(|four| u32::from_be_bytes(*four))
            .ok_or_else(|| container.broken(bytes.len(), "the file ends inside its header of 24 bytes"))
    };
    let (start, size, number, rate, channels) = (word(4)?, word(8)?, word(12)?, word(16)?, word(20)?);
    let integer = |width| {
        Coding::Plain(Sample::Integer {
            width,
            big: true,
            unsigned: false,
        })
    };
    let coding = match number {
        1 => Coding::Plain(Sample::Companded(Encoding::Mulaw)),
        27 => Coding::Plain(Sample::Companded(Encoding::Alaw)),
        2..=5 => integer(number as usize - 1),
        6 => Coding::Plain(Sample::Float { width: 4, big: true }),
        7 => Coding::Plain(Sample::Float { width: 8, big: true }),
        24 => Coding::G722,
        23 | 25 | 26 => {
            return Err(DecodeError::Unsupported {
                what: "an AU file of G.721 or G.723 ADPCM".into(),
                at: 12,
            });
        }
        _ => {
            return Err(DecodeError::Unsupported {
                what: format!("an AU file of encoding {number}"),
                at: 12,
            });
        }
    };
    let start = (start.max(24) as usize).min(bytes.len());
    let available = bytes.len() - start;
    // All ones is a writer's that did not know; some leave 0.
    let stated = if matches!(size, 0 | u32::MAX) {
        available
    } else {
        size as usize
    };
    let channels = u16::try_from(channels).unwrap_or(u16::MAX);
    if channels == 0 {
        return Err(container.broken(20, "the header states 0 channels"));
    }
    let end = start + stated.min(available);
    Ok(Layout {
        container,
        rate,
        channels,
        coding,
        spans: std::iter::once(start..end).collect(),
        truncated: stated > available,
        beyond: (end < bytes.len()).then_some(end..bytes.len()),
    })
}
