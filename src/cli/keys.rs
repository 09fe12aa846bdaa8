//! `voxline keys`.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::store::{KeyInfo, Scope, Store};

use super::args::KeysCommand;
use super::output::Output;

/// A key at the one moment it can be seen.
#[derive(Serialize)]
struct Created<'a> {
    key: &'a str,
    #[serde(flatten)]
    info: &'a KeyInfo,
}

pub(super) async fn run(command: KeysCommand, store: &Store, output: Output) -> anyhow::Result<bool> {
    match command {
        KeysCommand::Create { scopes, name } => {
            let scopes: BTreeSet<Scope> = scopes.into_iter().collect();
            let (token, info) = store.create_key(&scopes, name.as_deref()).await?;
            let created = Created {
                key: token.reveal(),
                info: &info,
            };
            output.result(&created, || token.reveal().to_owned())?;
            if !output.is_json() {
                Output::note("This is the only time the key is shown: keep it in a safe place.");
            }
        }
        KeysCommand::List => {
            let keys = store.keys().await?;
            output.result(&keys, || match keys.as_slice() {
                [] => "no keys yet; create one with `voxline keys create --scope admin`".to_owned(),
                keys => keys.iter().map(key_line).collect::<Vec<_>>().join("\n"),
            })?;
        }
        KeysCommand::Revoke { id } => {
            store.revoke_key(id).await?;
            output.result(&serde_json::json!({ "id": id, "revoked": true }), || {
                format!("revoked {id}")
            })?;
        }
    }
    Ok(true)
}

fn key_line(key: &KeyInfo) -> String {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let state = if key.revoked_at.is_some() {
        "revoked"
    } else {
        "valid"
    };
    let name = key.name.as_deref().unwrap_or("");
    format!(
        "{}  vx_…{}  {state}  {}  {name}",
        key.id,
        key.last4,
        scopes.join(",")
    )
    .trim_end()
    .to_owned()
}
