//! The words in which users are asked for their voice in a browser, in each language.

mod words;
mod texts;

pub use texts::{ConsentTexts, SignupFault};

pub(super) use texts::ConsentText;
pub(super) use words::{ClosedWords, PageWords, Words, fill, path};
