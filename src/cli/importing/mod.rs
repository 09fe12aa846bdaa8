//! `voxline user import`.

mod csv;

use std::path::Path;

use anyhow::{Context, bail};

use crate::evidence::{Region, normalise};
use crate::store::{
    ImportReport, ImportRow, NewUser, OperatorRow, Pin, RowFault, Store, read_operator_table,
};
use crate::units::DialedNumber;

use super::args::ImportArgs;
use super::output::Output;

/// How an SQLite database begins (<https://sqlite.org/fileformat.html>, section 1.3).
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// The largest CSV file.
const LARGEST_CSV: u64 = 64 * 1024 * 1024;

pub(super) async fn run(args: ImportArgs, store: &Store, output: Output) -> anyhow::Result<bool> {
    let (rows, mut faults) = read(&args.file).await?;
    let mut users = Vec::with_capacity(rows.len());
    for row in rows {
        match user(&row, &args) {
            Ok(user) => users.push(user),
            Err(fault) => faults.push(RowFault { line: row.row, fault }),
        }
    }
    // What is wrong with the others is told at once too, and nothing is written.
    let mut report = store
        .import_users(&users, args.dry_run || !faults.is_empty())
        .await?;
    report.faults.extend(faults);
    report.faults.sort_by_key(|fault| fault.line);
    output.result(&report, || in_words(&report, args.dry_run))?;
    Ok(report.faults.is_empty())
}

async fn read(path: &Path) -> anyhow::Result<(Vec<OperatorRow>, Vec<RowFault>)> {
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
        return Ok((
            rows.map_err(|fault| anyhow::anyhow!("{shown}: {fault}"))?,
            Vec::new(),
        ));
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
    csv::rows(&text).map_err(|fault| anyhow::anyhow!("{shown}: {fault}"))
}

/// A row as a user, or what stands against it.
fn user(row: &OperatorRow, args: &ImportArgs) -> Result<ImportRow, String> {
    let [name, phone, number, pin, region] = row.values.each_ref().map(|value| {
        let text = value.as_deref().map(str::trim);
        text.filter(|text| !text.is_empty())
    });
    let assigned: Option<DialedNumber> = number
        .map(|text| {
            text.parse()
                .map_err(|fault| format!("assigned_vapi_number: {fault}"))
        })
        .transpose()?;
    let exclusive = assigned.is_some();
    let number = assigned
        .or_else(|| args.number.clone())
        .ok_or("assigned_vapi_number is empty, and no --number says which number is shared")?;
    let stated: Option<Region> = region
        .map(|text| text.parse().map_err(|fault| format!("vapi_region: {fault}")))
        .transpose()?;
    let reads_as = stated
        .or(args.region)
        .unwrap_or_else(|| Region::of(&number, None));
    let phone = phone.ok_or("phone_number is empty")?;
    let phone = normalise(phone, reads_as)
        .ok_or("phone_number is no number of any numbering plan: check for missing or extra digits")?;
    let pin = pin.map(|text| text.parse::<Pin>().map_err(|fault| format!("pin: {fault}")));
    Ok(ImportRow {
        line: row.row,
        user: NewUser {
            name: name.ok_or("name is empty")?.to_owned(),
            number,
            phones: vec![phone],
            pin: pin.transpose()?,
            exclusive,
        },
        region: region.map(str::to_ascii_uppercase),
    })
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
