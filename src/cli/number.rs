//! `voxline number`.

use clap::Subcommand;

use crate::config::Config;
use crate::store::{CallerIsForwarder, Number, NumberPatch, ShareChange, Store};
use crate::switchboard::{BoardError, check_error_target, installed, model_in_use};
use crate::units::DialedNumber;

use super::opening::tenant_named;
use super::output::Output;
use super::phrases::{lines, plural};

#[derive(Debug, Subcommand)]
pub(super) enum NumberCommand {
    /// Add a dialed number
    Add {
        /// In E.164, as in +12025550102
        #[arg(value_name = "E164")]
        number: DialedNumber,
        /// Country whose local spellings its callers use, as in US
        #[arg(long, value_name = "REGION")]
        region: Option<String>,
        /// A name for people
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// Whose it is, by name or id [default: the operator's own tenant]
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
    },
    /// Say what is promised of a number's calls in place of what the configuration says, and whose number their
    /// caller's is
    Set {
        /// In E.164, as in +12025550102
        #[arg(value_name = "E164")]
        number: DialedNumber,
        /// Share of callers on no roster who may be given a name, as in 0.001, or `usual`
        #[arg(long, value_name = "SHARE", value_parser = share)]
        max_false_accept: Option<ShareChange>,
        /// Share of callers on the roster who may be given another's name, or `usual`
        #[arg(long, value_name = "SHARE", value_parser = share)]
        max_wrong_name: Option<ShareChange>,
        /// Whether the caller's number is the forwarder's, and says nothing of who speaks: `never`, `always`, or `auto`,
        /// where the call's forwarding evidence names the same number
        #[arg(long, value_name = "RULE")]
        caller_is_forwarder: Option<CallerIsForwarder>,
    },
    /// Show a dialed number: its users and what is promised of it
    Show {
        /// In E.164, as in +12025550102
        #[arg(value_name = "E164")]
        number: DialedNumber,
    },
    /// List the dialed numbers
    List {
        /// Only those of this tenant, by name or id
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
    },
}

pub(super) async fn run(
    command: NumberCommand,
    store: &Store,
    config: &Config,
    output: Output,
) -> anyhow::Result<bool> {
    match command {
        NumberCommand::Add {
            number,
            region,
            name,
            tenant,
        } => {
            let tenant = tenant_named(store, tenant.as_deref()).await?;
            let added = store
                .add_number_of(tenant, &number, region.as_deref(), name.as_deref())
                .await?;
            output.result(&added, || format!("added {}", number_line(&added)))?;
        }
        NumberCommand::Set {
            number,
            max_false_accept,
            max_wrong_name,
            caller_is_forwarder,
        } => {
            let patch = NumberPatch {
                max_false_accept: max_false_accept.unwrap_or_default(),
                max_wrong_name: max_wrong_name.unwrap_or_default(),
                caller_is_forwarder,
            };
            let known = store.number(&number).await?;
            let known = known.ok_or_else(|| BoardError::UnknownNumber(number.clone()))?;
            let card = installed(&config.board)?.card(&model_in_use(store, &config.board).await?)?;
            check_error_target(&card, &config.board.policy, &known, &patch)?;
            let changed = store.update_number(&number, &patch).await?;
            output.result(&changed, || number_line(&changed))?;
        }
        NumberCommand::Show { number } => {
            let known = store.number(&number).await?;
            let known = known.ok_or_else(|| BoardError::UnknownNumber(number.clone()))?;
            output.result(&known, || number_line(&known))?;
        }
        NumberCommand::List { tenant } => {
            let numbers = match tenant {
                None => store.numbers().await?,
                Some(tenant) => store.numbers_of(store.tenant(&tenant).await?.id).await?,
            };
            output.result(&numbers, || {
                lines(
                    numbers.iter().map(number_line),
                    "no numbers yet; add one with `voxline number add`",
                )
            })?;
        }
    }
    Ok(true)
}

fn number_line(number: &Number) -> String {
    let name = number.name.as_deref().unwrap_or("");
    let users = number.users;
    let promised = |what: &str, share: Option<f64>| {
        share.map_or_else(String::new, |share| format!("  {what} at most {share}"))
    };
    let rule = match number.caller_is_forwarder {
        CallerIsForwarder::Auto => "",
        CallerIsForwarder::Always => "  callers' numbers are forwarders'",
        CallerIsForwarder::Never => "  callers' numbers are never forwarders'",
    };
    format!(
        "{}  {users} user{}{}{}{rule}  {name}",
        number.number.as_e164(),
        plural(users),
        promised("strangers named", number.max_false_accept),
        promised("wrong names", number.max_wrong_name),
    )
    .trim_end()
    .to_owned()
}

/// A share of calls; the store says which it takes.
fn share(text: &str) -> Result<ShareChange, &'static str> {
    if text == "usual" {
        return Ok(ShareChange::Usual);
    }
    let share = text.parse();
    share
        .map(ShareChange::Set)
        .map_err(|_| "not a share of calls, as in 0.001, nor `usual`")
}
