//! The store, the switchboard and the model in use, as commands open them.

use crate::config::Config;
use crate::store::Store;
use crate::switchboard::{OpenError, Switchboard};
use crate::units::TenantId;
use crate::voiceprint::ModelId;

/// What to do about a master key that others may read.
pub(super) const KEY_REMEDY: &str =
    "chmod 600 it, or 640 for a group; who may have read it already: voxline store rotate-key";

/// The model in use, without making a store where there is none; the configured one where the store cannot
/// say.
pub(super) async fn active_model(config: &Config) -> ModelId {
    let active = async {
        let store = Store::connect(&config.board.store).await.ok()?;
        store.active_model().await.ok()?
    };
    let active = if config.board.store.is_there() {
        active.await
    } else {
        None
    };
    active.unwrap_or_else(|| config.board.model.clone())
}

/// The store of the configuration.
pub(super) async fn store(config: &Config) -> anyhow::Result<Store> {
    let store = Store::connect(&config.board.store).await?;
    Ok(store.with_pin_rule(config.board.identity.pin_rule))
}

/// The tenant of this name or id; the operator's own without one.
pub(super) async fn tenant_named(store: &Store, named: Option<&str>) -> anyhow::Result<TenantId> {
    match named {
        None => Ok(TenantId::DEFAULT),
        Some(named) => Ok(store.tenant(named).await?.id),
    }
}

/// The switchboard over it.
pub(super) async fn board(config: &Config) -> Result<Switchboard, OpenError> {
    Switchboard::open(&config.board).await
}
