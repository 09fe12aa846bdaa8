//! SPHERE, the files of NIST and of speech corpora: a header of lines, and the samples.

use super::layout::{Coding, Layout};
use super::pcm::Sample;
use super::{Container, DecodeError, Encoding};

/// What a file begins with.
pub(super) const MAGIC: &[u8] = b"NIST_1A\n";

/// No header is longer; the usual one has 1024 bytes.
const LONGEST_HEADER: usize = 65_536;

/// Reads the header.
pub(super) fn walk(bytes: &[u8]) -> Result<Layout, DecodeError> {
    let broken = |at, cause: String| Container::Sphere.broken(at, cause);
    let length = bytes.get(8..16).and_then(|line| std::str::from_utf8(line).ok());
    let length: Option<usize> = length.and_then(|line| line.trim().parse().ok());
    let length = length.filter(|&length| (16..=LONGEST_HEADER.min(bytes.len())).contains(&length));
    let length =
        length.ok_or_else(|| broken(8, "no length of the header is stated that the file has".into()))?;
    let header = String::from_utf8_lossy(&bytes[16..length]);
    let field = |name: &str| {
        let mut lines = header.lines().map(str::split_whitespace);
        lines.find_map(|mut words| (words.next() == Some(name)).then(|| words.nth(1)).flatten())
    };
    let number = |name: &str| field(name).and_then(|value| value.parse::<u32>().ok());
    let needed = |name: &str| number(name).ok_or_else(|| broken(16, format!("'{name}' is not stated")));
    let (rate, channels) = (needed("sample_rate")?, number("channel_count").unwrap_or(1));
    let channels = u16::try_from(channels).unwrap_or(u16::MAX);
    if channels == 0 {
        return Err(broken(16, "the header states 0 channels".into()));
    }
    let coding = field("sample_coding").unwrap_or("pcm");
    let width = number("sample_n_bytes").unwrap_or(if coding == "pcm" { 2 } else { 1 }) as usize;
    let sample = match (coding, width) {
        ("pcm", 1..=4) => Sample::Integer {
            width,
            big: field("sample_byte_format").is_some_and(|order| order.starts_with('1')),
            unsigned: false,
        },
        ("ulaw" | "mu-law", _) => Sample::Companded(Encoding::Mulaw),
        ("alaw", _) => Sample::Companded(Encoding::Alaw),
        (coding, _) if coding.contains("shorten") => {
            return Err(named("a SPHERE file compressed with Shorten"));
        }
        (coding, _) if coding.contains(',') => return Err(named("a compressed SPHERE file")),
        _ => return Err(named("a SPHERE file of a coding not known here")),
    };
    let available = bytes.len() - length;
    let frame = sample.width() * usize::from(channels);
    let stated = number("sample_count").map_or(available, |count| (count as usize).saturating_mul(frame));
    let end = length + stated.min(available);
    Ok(Layout {
        container: Container::Sphere,
        rate,
        channels,
        coding: Coding::Plain(sample),
        spans: std::iter::once(length..end).collect(),
        truncated: stated > available,
        beyond: (bytes.len() - end >= frame).then_some(end..bytes.len()),
    })
}

fn named(what: &str) -> DecodeError {
    DecodeError::Unsupported {
        what: what.into(),
        at: 16,
    }
}
