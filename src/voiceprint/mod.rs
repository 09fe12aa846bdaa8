//! Speech to voiceprint: a model's card, its front end, its graph, and the embedding they give.
//!
//! [`Card`] says what a model expects; [`Extractor`] is a loaded model and its one public arrow,
//! [`Extractor::embed`], takes speech and gives an [`Embedding`]. A [`Voiceprint`] is an embedding
//! stamped with model, bandwidth and net speech: only voiceprints of one model are ever compared. A card may name a second
//! model beside its own ([`Card::beside`]): both hear the same speech, and the embedding is both of theirs. Whether the speech is
//! a person's at all a [`Countermeasure`] may say, where one is installed.

mod embedding;
mod front_end;
mod segment;
mod card;
mod extractor;
mod countermeasure;

pub use card::{Card, CardDraft, CardError, DraftError, Layout, Recipe, check_sha256, draft_card};
pub use countermeasure::{Countermeasure, CountermeasureCard, CountermeasureError};
pub use embedding::{BadEmbedding, Bandwidth, Embedding, ModelId, UnknownBandwidth, Voiceprint, cosine_of};
pub use extractor::{ExtractError, Extractor, SegmentSum};
pub use front_end::{
    FrontEndSettings, KaldiFbank, KaldiSettings, KaldiWindow, MeanNormalisation, NemoMel, NemoNormalisation,
    NemoSettings, NemoWindow, RawSettings, Slaney, SpeechbrainFbank, SpeechbrainSettings, SpeechbrainWindow,
};
pub use segment::Segment;
