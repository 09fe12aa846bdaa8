//! The setting `vapi.tool_message`.

use super::super::sources::Reader;

/// What the caller hears when one of our tools is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolMessage {
    /// Nothing.
    Silent,
    /// One of Vapi's own, as in "Hold on a sec".
    Filler,
    /// This.
    Words(String),
}

impl ToolMessage {
    pub(super) fn read(read: &mut Reader) -> Self {
        match read.text("vapi.tool_message").as_deref() {
            None | Some("silent") => Self::Silent,
            Some("filler") => Self::Filler,
            // Vapi's own limit.
            Some(words) => Self::Words(words.chars().take(1000).collect()),
        }
    }
}
