//! The store, the switchboard and the model in use, as commands open them.

use crate::config::Config;
use crate::store::{Layout, Store};
use crate::switchboard::{OpenError, Switchboard};
use crate::units::TenantId;
use crate::voiceprint::ModelId;

/// What to do about a master key that others may read.
pub(super) const KEY_REMEDY: &str =
    "chmod 600 it, or 640 for a group; who may have read it already: voxline store rotate-key";

/// Why a store is not looked into.
pub(super) const OTHER_RELEASE: &str = "the store is of another release, and looking into it with this one would change it for good: \
     back it up, then serve with this release";

/// The model in use, without making a store where there is none or changing one of another release; the configured
/// one where the store cannot say.
pub(super) async fn active_model(config: &Config) -> ModelId {
    let active = async {
        if Store::layout(&config.board.store).await.ok()? != Layout::Current {
            return None;
        }
        let store = Store::connect(&config.board.store).await.ok()?;
        store.active_model().await.ok()?
    };
    active.await.unwrap_or_else(|| config.board.model.clone())
}

/// For whoever only looks: that there is a store, and that looking changes none of its tables. In the wrong folder they
/// would make one, and call it whole.
pub(super) async fn must_be_as_it_is(config: &Config) -> anyhow::Result<()> {
    match Store::layout(&config.board.store).await? {
        Layout::Current => Ok(()),
        Layout::Other => anyhow::bail!("{OTHER_RELEASE}"),
        Layout::None if config.board.store.postgres.is_some() => {
            anyhow::bail!("there is no store in the database that store.url names")
        }
        Layout::None => {
            let path = config.board.store.path.display();
            anyhow::bail!("there is no store at {path}: --data-dir names its folder")
        }
    }
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
