//! `voxline user import`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::evidence::Region;
use crate::store::{Access, ImportReport, Store, read_operator_table};
use crate::switchboard::{ImportDefaults, import, import_csv};
use crate::units::DialedNumber;

use super::opening::tenant_named;
use super::output::Output;

/// What stands under `voxline user import --help`.
pub(super) const AFTER_IMPORT: &str = "\
Columns: name, phone_number, assigned_vapi_number (a number that is this user's alone; empty for who shares
--number), and optionally pin and vapi_region. Other columns are passed over. Everything is taken over or, when
anything stands against a line, nothing: every such line is listed, and the exit status is 1. A file can be imported
again: whoever is there already stays as they are. Until it is done nobody else can write to the store: beside a
service, import a large file in parts of some 1000 lines. migrations/operator/ has what an existing table needs.";

#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// CSV with a header line, or an SQLite database
    pub file: PathBuf,
    /// The dialed number of users without an `assigned_vapi_number`, who share it
    #[arg(long, value_name = "E164")]
    pub number: Option<DialedNumber>,
    /// Country by whose local spelling phone numbers without a country code are read, as in US
    #[arg(long, value_name = "REGION")]
    pub region: Option<Region>,
    /// Whose the users and the numbers that are added for them are, by name or id [default: the operator's own tenant]
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How an SQLite database begins (<https://sqlite.org/fileformat.html>, section 1.3).
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// The largest CSV file.
const LARGEST_CSV: u64 = 64 * 1024 * 1024;

pub(super) async fn run(args: ImportArgs, store: &Store, output: Output) -> anyhow::Result<bool> {
    let defaults = ImportDefaults {
        number: args.number,
        region: args.region,
    };
    let access = Access::of_tenant(tenant_named(store, args.tenant.as_deref()).await?);
    let report = take_over(&args.file, store, &access, &defaults, args.dry_run).await?;
    output.result(&report, || in_words(&report, args.dry_run))?;
    Ok(report.faults.is_empty())
}

async fn take_over(
    path: &Path,
    store: &Store,
    access: &Access,
    defaults: &ImportDefaults,
    dry_run: bool,
) -> anyhow::Result<ImportReport> {
    let shown = path.display();
    let size = std::fs::metadata(path)
        .with_context(|| format!("{shown} cannot be read"))?
        .len();
    let mut magic = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("{shown} cannot be read"))?;
    std::io::Read::read_to_end(
        &mut std::io::Read::take(file, SQLITE_MAGIC.len() as u64),
        &mut magic,
    )?;
    if magic == SQLITE_MAGIC {
        let rows = read_operator_table(path).await?;
        let rows = rows.map_err(|fault| anyhow::anyhow!("{shown}: {fault}"))?;
        return Ok(import(store, access, rows, Vec::new(), defaults, dry_run).await?);
    }
    if size > LARGEST_CSV {
        bail!(
            "{shown} is larger than {} MB: split it",
            LARGEST_CSV / 1024 / 1024
        );
    }
    let bytes = std::fs::read(path).with_context(|| format!("{shown} cannot be read"))?;
    let text =
        String::from_utf8(bytes).with_context(|| format!("{shown} is neither SQLite nor UTF-8 text"))?;
    let report = import_csv(store, access, &text, defaults, dry_run).await?;
    report.map_err(|fault| anyhow::anyhow!("{shown}: {fault}"))
}

fn in_words(report: &ImportReport, dry_run: bool) -> String {
    let ImportReport {
        added,
        unchanged,
        numbers_added,
        ..
    } = report;
    if !report.faults.is_empty() {
        let lines = report
            .faults
            .iter()
            .map(|fault| format!("  line {}: {}", fault.line, fault.fault));
        let lines: Vec<String> = lines.collect();
        return format!("nothing was imported:\n{}", lines.join("\n"));
    }
    let done = if dry_run { "would import" } else { "imported" };
    format!("{done} {added} users on {numbers_added} new numbers; {unchanged} were here already")
}
