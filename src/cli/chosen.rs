//! What several commands are told alike: the speaker model and the threads.

use std::num::NonZero;

use crate::config::Config;
use crate::engine::Models;
use crate::switchboard::installed;
use crate::voiceprint::{Card, ModelId};

use super::opening::active_model;

/// A speaker model that is ready to load.
pub(super) struct Chosen {
    pub card: Card,
    pub models: Models,
}

/// The speaker model of this name, or the one that serves, with its files checked against their hashes.
pub(super) async fn chosen_model(named: Option<&str>, config: &Config) -> anyhow::Result<Chosen> {
    let found = installed(config)?;
    let id = match named {
        Some(named) => ModelId::new(named),
        None => active_model(config).await,
    };
    let card = found.card(&id)?;
    let models = found.models(&card)?;
    Ok(Chosen { card, models })
}

/// So many threads, or one a processor.
pub(super) fn threads(asked: Option<NonZero<usize>>) -> usize {
    let asked = asked.or_else(|| std::thread::available_parallelism().ok());
    asked.map_or(1, NonZero::get)
}
