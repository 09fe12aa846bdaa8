//! `voxline keys`.

use clap::Subcommand;
use serde::Serialize;

use crate::store::{KeyInfo, NewKey, Scope, Store};
use crate::units::{DialedNumber, KeyId};

use super::opening::tenant_named;
use super::output::Output;
use super::phrases::id;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Create an API key; it is shown once
    Create {
        /// What the key may do: enroll, identify, scores, admin; may be given several times
        #[arg(long = "scope", required = true, value_delimiter = ',', value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// A name for people
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// Whose it is, by name or id [default: the operator's own tenant]
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// A dialed number it is for; may be given several times [default: all of the tenant's]
        #[arg(long = "number", value_name = "E164")]
        numbers: Vec<DialedNumber>,
    },
    /// List the keys; never the keys themselves
    List,
    /// Revoke a key: no new request is let in with it, and the streams it opened end
    Revoke {
        /// The key's id
        #[arg(value_parser = id::<KeyId>)]
        id: KeyId,
    },
}

/// A key at the one moment it can be seen.
#[derive(Serialize)]
struct Created<'a> {
    key: &'a str,
    #[serde(flatten)]
    info: &'a KeyInfo,
}

pub(super) async fn run(command: KeysCommand, store: &Store, output: Output) -> anyhow::Result<bool> {
    match command {
        KeysCommand::Create {
            scopes,
            name,
            tenant,
            numbers,
        } => {
            let new = NewKey {
                tenant: tenant_named(store, tenant.as_deref()).await?,
                scopes: scopes.into_iter().collect(),
                numbers: (!numbers.is_empty()).then(|| numbers.into_iter().collect()),
                name,
            };
            let (token, info) = store.create_key(new).await?;
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
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    let state = if key.revoked_at.is_some() {
        "revoked"
    } else {
        "valid"
    };
    let name = key.name.as_deref().unwrap_or("");
    let used = key.last_used_at.map_or_else(
        || "never used".to_owned(),
        |at| format!("last used {} {:02}:{:02} UTC", at.date(), at.hour(), at.minute()),
    );
    let tenant = match key.tenant.as_str() {
        "default" => String::new(),
        tenant => format!("  of {tenant}"),
    };
    let numbers = key.numbers.as_ref().map_or_else(String::new, |numbers| {
        let numbers: Vec<&str> = numbers.iter().map(DialedNumber::as_e164).collect();
        format!("  for {} alone", numbers.join(","))
    });
    format!(
        "{}  vx_…{}  {state}  {}  {used}{tenant}{numbers}  {name}",
        key.id,
        key.last4,
        scopes.join(",")
    )
    .trim_end()
    .to_owned()
}
