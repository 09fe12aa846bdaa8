//! Which room of this room reads which container.

use std::ops::Range;
use std::sync::Arc;

use super::amr::Amr;
use super::codec::Codec;
use super::format::{HEADER_SLACK, check_format};
use super::framed::Framed;
use super::layout::{Coding, Layout};
use super::packets::PacketSource;
use super::source::{Opened, Source};
use super::{Container, DecodeError, Format, adts, aiff, amr, au, caf, flac, mp4, mpeg, riff, sphere};
use crate::units::{Hertz, Seconds};

/// Opens the recording that lies in a stretch of the file.
///
/// # Errors
/// [`DecodeError`] when it is none that can be read.
pub(super) fn open(
    container: Container,
    bytes: &Arc<Vec<u8>>,
    span: Range<usize>,
) -> Result<Opened, DecodeError> {
    match container {
        Container::Wav => riff::walk(bytes, span)?.open(bytes),
        Container::W64 => riff::walk_wide(bytes)?.open(bytes),
        Container::Au => au::walk(bytes)?.open(bytes),
        Container::Aiff => aiff::walk(bytes)?.open(bytes),
        Container::Sphere => sphere::walk(bytes)?.open(bytes),
        Container::Gsm => gsm(span).open(bytes),
        Container::Caf => caf::open(bytes),
        Container::Mp3 => mpeg::open(bytes, span, container),
        Container::Adts => adts::open(bytes, span),
        Container::Mp4 => mp4::open(bytes, span),
        Container::Amr => Ok(stored_amr(bytes, span.start)),
        Container::Flac => match flac::mended(&bytes[span.clone()]) {
            Some(mended) => {
                let length = mended.len();
                packets(container, &Arc::new(mended), 0..length)
            }
            None => packets(container, bytes, span),
        },
        Container::Ogg | Container::WebM => packets(container, bytes, span),
    }
}

fn packets(container: Container, bytes: &Arc<Vec<u8>>, span: Range<usize>) -> Result<Opened, DecodeError> {
    let packets = PacketSource::open(container, bytes, span)?;
    let (format, announced) = (packets.format(), packets.announced());
    check_format(format)?;
    Ok(Opened {
        source: Source::Packets(Box::new(packets)),
        format,
        announced,
        slack: HEADER_SLACK,
        unheard: None,
    })
}

fn gsm(span: Range<usize>) -> Layout {
    Layout {
        container: Container::Gsm,
        rate: 8_000,
        channels: 1,
        coding: Coding::Gsm,
        truncated: !span.len().is_multiple_of(super::gsm::BYTES),
        spans: vec![span],
        beyond: None,
    }
}

fn stored_amr(bytes: &Arc<Vec<u8>>, at: usize) -> Opened {
    let format = Format {
        container: Container::Amr,
        rate: Hertz(amr::RATE),
        channels: 1,
    };
    let mut walk = amr::Frames::new(bytes, at);
    let frames = walk.by_ref().count();
    let codec = Codec::Amr(Box::new(Amr::new()));
    let feed = Box::new(amr::Frames::new(bytes, at));
    let mut framed = Framed::new(bytes, feed, codec, format);
    framed.truncated = walk.cut;
    Opened {
        source: Source::Framed(Box::new(framed)),
        format,
        announced: Some(format.rate.seconds(frames * amr::FRAME)),
        slack: Seconds::ZERO,
        unheard: None,
    }
}
