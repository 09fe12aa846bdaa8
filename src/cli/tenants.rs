//! `voxline tenant`.

use clap::Subcommand;

use crate::store::{Store, Tenant};

use super::output::Output;
use super::phrases::{lines, plural};

#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Add a company; give it numbers with `voxline number add --tenant` and keys with `voxline keys create --tenant`
    Add {
        /// What it is called; no two have the same name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List the tenants
    List,
    /// Remove a tenant without users, with its numbers, its keys and what was said of its calls
    Remove {
        /// By name or id
        #[arg(value_name = "TENANT")]
        tenant: String,
    },
}

pub(super) async fn run(command: TenantCommand, store: &Store, output: Output) -> anyhow::Result<bool> {
    match command {
        TenantCommand::Add { name } => {
            let added = store.add_tenant(&name).await?;
            output.result(&added, || format!("added {}", tenant_line(&added)))?;
        }
        TenantCommand::List => {
            let tenants = store.tenants().await?;
            output.result(&tenants, || lines(tenants.iter().map(tenant_line), "no tenants"))?;
        }
        TenantCommand::Remove { tenant } => {
            let known = store.tenant(&tenant).await?;
            store.remove_tenant(known.id).await?;
            output.result(&serde_json::json!({ "id": known.id, "removed": true }), || {
                format!("removed {}", known.name)
            })?;
        }
    }
    Ok(true)
}

fn tenant_line(tenant: &Tenant) -> String {
    let Tenant {
        id,
        name,
        numbers,
        users,
        keys,
        ..
    } = tenant;
    let counted = |count: u64, what: &str| format!("{count} {what}{}", plural(count));
    format!(
        "{id}  {name}  {}, {}, {}",
        counted(*numbers, "number"),
        counted(*users, "user"),
        counted(*keys, "key")
    )
}
