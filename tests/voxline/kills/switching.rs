//! Killed while the voices are heard again by another model, and that model is put in use.

use voxline::switchboard::DEFAULT_MODEL;

use super::{Victim, Work};

/// One switch, there or back. The model in use is one of the two, and knows whoever it can be asked for.
pub async fn round(victim: &mut Victim) {
    let store = victim.store().await;
    let before = store.active_model().await.unwrap().unwrap();
    store.close().await;
    let to = if before.as_str() == DEFAULT_MODEL {
        "second"
    } else {
        DEFAULT_MODEL
    };
    let data = victim.data();
    victim.kill_while(
        Work::SwitchingModels,
        &data,
        &["models", "switch", to, "--leave-behind"],
    );
    let store = victim.store().await;
    let now = store.active_model().await.unwrap().unwrap();
    assert!(now == before || now.as_str() == to, "{now}");
    // Whoever was enrolled with the recordings kept is found by whichever model serves.
    let number = crate::process::NUMBER.parse().unwrap();
    let roster = store.roster(&number, &now).await.unwrap();
    assert!(
        roster.iter().any(|entry| entry.clips.len() == 3),
        "{now} finds nobody"
    );
    victim.ledger.hold(&store).await;
    store.close().await;
}
