//! How users are asked for their voice in a browser: who asks, and in which words, in each language.

mod words;
mod settings;

pub use settings::{SignupFault, SignupSettings};

pub(super) use settings::ConsentText;
pub(super) use words::{ClosedWords, PageWords, Words, fill, path};
