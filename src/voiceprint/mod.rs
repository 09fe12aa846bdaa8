//! Speech to voiceprint.

mod embedding;

pub use embedding::{BadEmbedding, Bandwidth, Embedding, ModelId, UnknownBandwidth, Voiceprint};
