//! `voxline receipt`.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;

use crate::config::Config;
use crate::store::Receipt;

use super::opening::store;
use super::output::Output;
use super::phrases::lines;

/// The largest file that is read as a receipt; one has half a kilobyte.
const LARGEST: u64 = 64 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum ReceiptCommand {
    /// Say whether a receipt of an erasure is as it was given; exit status 1 when it is not
    Verify {
        /// The receipt, as the JSON that was given
        file: PathBuf,
        /// A public key it may be signed with, in hexadecimal digits; may be given several times. Without one: the keys of
        /// this deployment
        #[arg(long = "key", value_name = "HEX")]
        keys: Vec<String>,
    },
    /// List the public keys that this deployment signs receipts with
    Keys,
}

pub(super) async fn run(command: ReceiptCommand, config: &Config, output: Output) -> anyhow::Result<bool> {
    match command {
        ReceiptCommand::Verify { file, keys } => {
            let receipt = read(&file)?;
            let keys = if keys.is_empty() {
                let known = store(config).await?.receipt_keys().await?;
                known.into_iter().map(|key| key.public_key).collect()
            } else {
                keys
            };
            let verified = receipt.verify(keys.iter().map(String::as_str));
            let said = match verified {
                Ok(()) => format!("good: signed with {}", receipt.key.as_deref().unwrap_or_default()),
                Err(fault) => format!("NOT GOOD: {fault}"),
            };
            let fault = verified.err().map(|fault| fault.to_string());
            output.result(
                &serde_json::json!({ "good": fault.is_none(), "fault": fault }),
                || said,
            )?;
            Ok(fault.is_none())
        }
        ReceiptCommand::Keys => {
            let keys = store(config).await?.receipt_keys().await?;
            output.result(&keys, || {
                let line = |key: &crate::store::ReceiptKey| {
                    format!("{}  since {}", key.public_key, key.since.date())
                };
                lines(keys.iter().map(line), "no key yet")
            })?;
            Ok(true)
        }
    }
}

fn read(file: &PathBuf) -> anyhow::Result<Receipt> {
    let name = file.display();
    let opened = std::fs::File::open(file).with_context(|| format!("{name} cannot be opened"))?;
    let mut text = String::new();
    let bounded = opened.take(LARGEST).read_to_string(&mut text);
    bounded.with_context(|| format!("{name} cannot be read"))?;
    serde_json::from_str(&text).with_context(|| format!("{name} is no receipt of an erasure"))
}
