//! What several commands are told alike: the speaker model and the threads.

use std::num::NonZero;

use anyhow::Context;

use crate::config::Config;
use crate::engine::Models;
use crate::store::{Layout, Store};
use crate::switchboard::installed;
use crate::voiceprint::{Card, ModelId};

use super::opening::{OTHER_RELEASE, store};

/// A speaker model that is ready to load.
pub(super) struct Chosen {
    pub card: Card,
    pub models: Models,
}

/// The speaker model of this name, or the one that serves, with its files checked against their hashes.
pub(super) async fn chosen_model(named: Option<&str>, config: &Config) -> anyhow::Result<Chosen> {
    let found = installed(&config.board)?;
    let id = match named {
        Some(named) => ModelId::new(named),
        None => serving_model(config).await?,
    };
    let card = found.card(&id)?;
    let models = found.models(&card)?;
    Ok(Chosen { card, models })
}

/// The model that serves, by a store that is left as it is; the configured one where there is no store.
async fn serving_model(config: &Config) -> anyhow::Result<ModelId> {
    let remedy = "which model serves cannot be read of the store: name it with --model";
    match Store::layout(&config.board.store).await.context(remedy)? {
        Layout::None => return Ok(config.board.model.clone()),
        Layout::Current => {}
        Layout::Other => anyhow::bail!("{OTHER_RELEASE}, or name the model with --model"),
    }
    let active = store(config)
        .await
        .context(remedy)?
        .active_model()
        .await
        .context(remedy)?;
    Ok(active.unwrap_or_else(|| config.board.model.clone()))
}

/// So many threads, or one a processor.
pub(super) fn threads(asked: Option<NonZero<usize>>) -> usize {
    let asked = asked.or_else(|| std::thread::available_parallelism().ok());
    asked.map_or(1, NonZero::get)
}
