//! `voxline store rotate-key`.

use crate::store::{Renewal, Store};

use super::output::Output;

pub(super) async fn rotate(data_keys: bool, store: &Store, output: Output) -> anyhow::Result<bool> {
    let keys_wrapped = store.change_master_key().await?;
    let users_sealed = if data_keys {
        store.change_data_keys().await?
    } else {
        0
    };
    let done = Renewal {
        keys_wrapped,
        users_sealed,
    };
    output.result(&done, || {
        let sealed = if data_keys {
            format!("; the data of {users_sealed} users is encrypted anew: take a backup now, no older one can be read")
        } else {
            String::new()
        };
        format!("the new master key wraps {keys_wrapped} keys{sealed}")
    })?;
    Ok(true)
}
