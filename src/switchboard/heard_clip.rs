//! A recording that was heard, before it is judged.

use crate::bytes::Unheard;
use crate::store::Recording;
use crate::units::Seconds;
use crate::verdict::{Checkpoint, Quality};
use crate::voiceprint::Voiceprint;

/// A recording that was heard, with what identifies it.
pub(super) struct HeardClip {
    /// What messages call it.
    pub name: String,
    /// Of its bytes.
    pub sha256: [u8; 32],
    /// What it came as.
    pub source: String,
    /// What was heard in it.
    pub checkpoint: Checkpoint,
    /// Whether its end is missing.
    pub truncated: bool,
    /// What of it was not heard.
    pub unheard: Option<Unheard>,
    /// The recording itself, when it may be kept.
    pub recording: Option<Recording>,
}

impl HeardClip {
    pub(super) fn net_speech(&self) -> Seconds {
        self.checkpoint.net_speech
    }

    pub(super) fn quality(&self) -> Option<Quality> {
        self.checkpoint.quality
    }

    pub(super) fn is_of_several_at_once(&self) -> bool {
        self.quality()
            .is_some_and(|quality| quality.overlap == Some(true))
    }

    pub(super) fn print(&self) -> Option<&Voiceprint> {
        self.checkpoint.print.as_ref()
    }
}
