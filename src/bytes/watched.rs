//! A stretch of a file as Symphonia reads it.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use symphonia::core::io::MediaSource;

use super::ebml;

/// The bytes of a file, with a note of how far they were looked at: Symphonia's errors have no place.
pub(super) struct Watched {
    bytes: Arc<Vec<u8>>,
    span: Range<usize>,
    at: usize,
    looked: Arc<AtomicU64>,
    /// Sizes that reach beyond the end, and are read as unknown.
    beyond: Vec<Range<usize>>,
}

impl Watched {
    /// A `span` of a file, in which the sizes that are `beyond` its end are read as unknown.
    pub(super) fn new(
        bytes: &Arc<Vec<u8>>,
        span: Range<usize>,
        beyond: Vec<Range<usize>>,
        looked: &Arc<AtomicU64>,
    ) -> Self {
        Self {
            bytes: Arc::clone(bytes),
            span,
            at: 0,
            looked: Arc::clone(looked),
            beyond,
        }
    }
}

impl Read for Watched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.span.start + self.at;
        let mut rest = self.bytes.get(from..self.span.end).unwrap_or_default();
        let read = rest.read(into)?;
        ebml::forget(&self.beyond, self.at, &mut into[..read]);
        self.at += read;
        self.looked.fetch_max(self.at as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => usize::try_from(at).ok(),
            SeekFrom::End(by) => self.span.len().checked_add_signed(by as isize),
            SeekFrom::Current(by) => self.at.checked_add_signed(by as isize),
        };
        self.at = target.ok_or(ErrorKind::InvalidInput)?.min(self.span.len());
        Ok(self.at as u64)
    }
}

impl MediaSource for Watched {
    fn is_seekable(&self) -> bool {
        // At its start a file says where its index lies. Of one that was cut it is gone, and is not to be looked for.
        self.beyond.is_empty()
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.span.len() as u64)
    }
}
