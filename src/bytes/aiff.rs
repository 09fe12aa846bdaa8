//! AIFF and AIFF-C (Apple, "Audio Interchange File Format", 1989 and 1991): chunks, the highest byte first.

use super::boxes::be;
use super::layout::{Coding, Layout};
use super::pcm::Sample;
use super::{Container, DecodeError, Encoding};

/// What the common chunk says.
struct Common {
    channels: u16,
    rate: u32,
    coding: Coding,
}

/// Walks the chunks to the audio.
pub(super) fn walk(bytes: &[u8]) -> Result<Layout, DecodeError> {
    let mut common = None;
    let mut sound = None;
    let mut at = 12;
    while let Some(header) = bytes.get(at..at + 8) {
        let size = be(header, 4, 4) as usize;
        let body = at + 8;
        let end = body.saturating_add(size).min(bytes.len());
        match &header[..4] {
            b"COMM" => common = Some(read_common(&bytes[body..end], body)?),
            b"SSND" => {
                // Two words stand before the samples: how far they are from here, and a block size.
                let offset = bytes
                    .get(body..body + 8)
                    .map_or(0, |words| be(words, 0, 4) as usize);
                let start = body.saturating_add(8).saturating_add(offset).min(end);
                sound = Some((start..end, size > bytes.len() - body));
            }
            _ => {}
        }
        at = body.saturating_add(size).saturating_add(size & 1);
    }
    let Some(common) = common else {
        return Err(Container::Aiff.broken(bytes.len(), "the file ends and there was no 'COMM' chunk"));
    };
    let Some((span, truncated)) = sound else {
        return Err(Container::Aiff.broken(bytes.len(), "the file ends and there was no 'SSND' chunk"));
    };
    Ok(Layout {
        container: Container::Aiff,
        rate: common.rate,
        channels: common.channels,
        coding: common.coding,
        spans: vec![span],
        truncated,
        beyond: None,
    })
}

fn read_common(body: &[u8], at: usize) -> Result<Common, DecodeError> {
    if body.len() < 18 {
        return Err(Container::Aiff.broken(at, "the 'COMM' chunk is cut short"));
    }
    let channels = be(body, 0, 2) as u16;
    if channels == 0 {
        return Err(Container::Aiff.broken(at, "the header states 0 channels"));
    }
    let bits = be(body, 6, 2) as usize;
    let coding = body
        .get(18..22)
        .map_or(b"NONE", |kind| kind.first_chunk().unwrap_or(b"NONE"));
    let integer = |width: usize, big| {
        Coding::Plain(Sample::Integer {
            width,
            big,
            unsigned: false,
        })
    };
    let width = bits.div_ceil(8);
    let coding = match coding {
        b"NONE" | b"twos" if (1..=4).contains(&width) => integer(width, true),
        b"sowt" if (1..=4).contains(&width) => integer(width, false),
        b"raw " => Coding::Plain(Sample::Integer {
            width: 1,
            big: true,
            unsigned: true,
        }),
        b"in24" => integer(3, true),
        b"in32" => integer(4, true),
        b"fl32" | b"FL32" => Coding::Plain(Sample::Float { width: 4, big: true }),
        b"fl64" | b"FL64" => Coding::Plain(Sample::Float { width: 8, big: true }),
        b"ulaw" | b"ULAW" => Coding::Plain(Sample::Companded(Encoding::Mulaw)),
        b"alaw" | b"ALAW" => Coding::Plain(Sample::Companded(Encoding::Alaw)),
        b"ima4" => Coding::Ima4,
        other => {
            return Err(DecodeError::Unsupported {
                what: format!("an AIFF-C file of '{}' with {bits} bits", other.escape_ascii()),
                at: at as u64,
            });
        }
    };
    Ok(Common {
        channels,
        rate: extended(&body[8..18]),
        coding,
    })
}

/// A whole number out of IEEE 754's extended precision: 15 bits of exponent, 64 of mantissa.
fn extended(ten: &[u8]) -> u32 {
    let exponent = be(ten, 0, 2) as i32 & 0x7FFF;
    let value = be(ten, 2, 8) as f64 * 2f64.powi(exponent - 16_383 - 63);
    value.clamp(0.0, f64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_eighty_bits_is_a_whole_number_of_hertz() {
        assert_eq!(extended(&[0x40, 0x0E, 0xAC, 0x44, 0, 0, 0, 0, 0, 0]), 44_100);
        assert_eq!(extended(&[0x40, 0x0B, 0xFA, 0, 0, 0, 0, 0, 0, 0]), 8_000);
        assert_eq!(extended(&[0; 10]), 0);
        assert_eq!(extended(&[0xFF; 10]), u32::MAX);
    }
}
