//! AAC without a container: ADTS frames (ISO/IEC 13818-7 annex B), as radio streams and Android recorders write.

use std::ops::Range;
use std::sync::Arc;

use super::format::check_format;
use super::framed::Framed;
use super::source::{Opened, Source};
use super::{Container, DecodeError, Format, aac};
use crate::units::{Hertz, Seconds};

/// A frame's header, and what stands behind it.
struct Head {
    /// The two bytes that MP4 would say of the stream.
    config: [u8; 2],
    header: usize,
    length: usize,
    blocks: u8,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let head = bytes.first_chunk::<7>()?;
        let length = usize::from(head[3] & 3) << 11 | usize::from(head[4]) << 3 | usize::from(head[5] >> 5);
        let header = if head[1] & 1 == 0 { 9 } else { 7 };
        if head[0] != 0xFF || head[1] & 0xF6 != 0xF0 || length <= header {
            return None;
        }
        let (profile, rate) = (head[2] >> 6, head[2] >> 2 & 15);
        let channels = (head[2] & 1) << 2 | head[3] >> 6;
        Some(Self {
            config: [(profile + 1) << 3 | rate >> 1, rate << 7 | channels << 3],
            header,
            length,
            blocks: head[6] & 3,
        })
    }
}

/// Whether `bytes` begin with a frame and another behind it, or with the only one.
pub(super) fn begins(bytes: &[u8]) -> bool {
    Head::read(bytes).is_some_and(|head| {
        let next = bytes.get(head.length..).unwrap_or_default();
        next.is_empty() || Head::read(next).is_some()
    })
}

/// Where behind a place frames of another configuration begin than those before them: recordings that were joined. What is
/// between frames and only looks like one is not followed by another.
pub(super) fn starts(bytes: &[u8], from: usize) -> Vec<usize> {
    let mut starts = Vec::new();
    let (mut at, mut config) = (from, None::<[u8; 2]>);
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() > 7) {
        match Head::read(rest) {
            Some(head) if config == Some(head.config) || begins(rest) => {
                if config.is_some_and(|before| before != head.config) {
                    starts.push(at);
                }
                config = Some(head.config);
                at += head.length;
            }
            _ => match rest[1..].iter().position(|&byte| byte == 0xFF) {
                Some(next) => at += 1 + next,
                None => break,
            },
        }
    }
    starts
}

/// What the frames of a stretch hold, one after the other; what lies between them is passed over.
struct Frames {
    bytes: Arc<Vec<u8>>,
    at: usize,
    end: usize,
    config: [u8; 2],
}

impl Iterator for Frames {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let rest = self.bytes.get(self.at..self.end);
            let rest = rest.filter(|rest| rest.len() > 7)?;
            match Head::read(rest) {
                Some(head) if head.config == self.config => {
                    let place = self.at + head.header..self.at + head.length;
                    self.at = place.end;
                    return Some(place);
                }
                _ => {
                    let next = rest[1..].iter().position(|&byte| byte == 0xFF)?;
                    self.at += 1 + next;
                }
            }
        }
    }
}

/// Opens the frames of a stretch of the file, which are of one configuration.
///
/// # Errors
/// [`DecodeError`]: no frame, a profile other than LC, several blocks in a frame, a rate not accepted.
pub(super) fn open(bytes: &Arc<Vec<u8>>, span: Range<usize>) -> Result<Opened, DecodeError> {
    let (container, at) = (Container::Adts, span.start);
    let Some(head) = bytes.get(span.clone()).and_then(Head::read) else {
        return Err(DecodeError::Unreadable {
            container,
            within: at as u64,
            cause: "no ADTS frame is in it".into(),
        });
    };
    let unsupported = |what: String| DecodeError::Unsupported { what, at: at as u64 };
    if head.blocks > 0 {
        return Err(unsupported("an AAC stream of several blocks a frame".into()));
    }
    let aac = aac::open(&head.config).map_err(unsupported)?;
    let format = Format {
        container,
        rate: Hertz(aac.rate),
        channels: aac.channels,
    };
    check_format(format)?;
    let frames = || Frames {
        bytes: Arc::clone(bytes),
        at,
        end: span.end,
        config: head.config,
    };
    let count = frames().count() as f64;
    Ok(Opened {
        source: Source::Framed(Box::new(Framed::new(
            bytes,
            Box::new(frames()),
            aac.codec,
            format,
        ))),
        announced: Seconds::checked(count * f64::from(aac::FRAME) / f64::from(aac.rate)),
        slack: Seconds::ZERO,
        format,
        unheard: None,
    })
}
