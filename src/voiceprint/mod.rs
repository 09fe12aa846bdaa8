//! Speech to voiceprint: a model's card, its front end, its graph, and the embedding they give.
//!
//! [`Card`] says what a model expects; [`Extractor`] is a loaded model and its one public arrow,
//! [`Extractor::embed`], takes speech and gives an [`Embedding`]. A [`Voiceprint`] is an embedding
//! stamped with model, bandwidth and net speech: only like is ever compared with like.

mod card;
mod embedding;
mod extractor;
mod front_end;

pub use card::{Card, CardError, check_sha256};
pub use embedding::{BadEmbedding, Bandwidth, Embedding, ModelId, UnknownBandwidth, Voiceprint};
pub use extractor::{ExtractError, Extractor};
pub use front_end::{Ge2eMel, LastWindow, MelSettings};
