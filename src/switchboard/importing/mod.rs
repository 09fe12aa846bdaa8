//! Users out of the table an operator already has, as text or as a database, to the store: all of them or none.

mod csv;

pub use csv::CsvFault;

use crate::evidence::{Region, normalise_listed};
use crate::store::{Access, ImportReport, ImportRow, NewUser, OperatorRow, Pin, RowFault, Store, StoreError};
use crate::units::DialedNumber;

/// What is taken for rows that do not say it.
#[derive(Debug, Clone, Default)]
pub struct ImportDefaults {
    /// The number of users without an `assigned_vapi_number`, who share it.
    pub number: Option<DialedNumber>,
    /// The country by whose local spelling phones without a country code are read.
    pub region: Option<Region>,
}

/// Takes over the users of a CSV text; with `dry_run` only says what would be done.
///
/// # Errors
/// [`CsvFault`] when the text is no table of users at all; [`StoreError`] when the store fails. What stands against
/// single rows is in the report, and nothing is written then.
pub async fn import_csv(
    store: &Store,
    access: &Access,
    text: &str,
    defaults: &ImportDefaults,
    dry_run: bool,
) -> Result<Result<ImportReport, CsvFault>, StoreError> {
    match csv::rows(text) {
        Ok((rows, faults)) => import(store, access, rows, faults, defaults, dry_run)
            .await
            .map(Ok),
        Err(fault) => Ok(Err(fault)),
    }
}

/// Takes over users for whoever has `access`, when neither `faults` nor anything of the rows stands against it.
///
/// # Errors
/// [`StoreError`] when the store fails.
pub async fn import(
    store: &Store,
    access: &Access,
    rows: Vec<OperatorRow>,
    mut faults: Vec<RowFault>,
    defaults: &ImportDefaults,
    dry_run: bool,
) -> Result<ImportReport, StoreError> {
    let mut users = Vec::with_capacity(rows.len());
    for row in rows {
        match user(&row, defaults) {
            Ok(user) => users.push(user),
            Err(fault) => faults.push(RowFault { line: row.row, fault }),
        }
    }
    // What is wrong with the others is told at once too, and nothing is written.
    let mut report = store
        .import_users(access, &users, dry_run || !faults.is_empty())
        .await?;
    report.faults.extend(faults);
    report.faults.sort_by_key(|fault| fault.line);
    Ok(report)
}

/// A row as a user, or what stands against it.
fn user(row: &OperatorRow, defaults: &ImportDefaults) -> Result<ImportRow, String> {
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
        .or_else(|| defaults.number.clone())
        .ok_or("assigned_vapi_number is empty, and no number is given that such users share (`--number`, over HTTP `number`)")?;
    let stated: Option<Region> = region
        .map(|text| text.parse().map_err(|fault| format!("vapi_region: {fault}")))
        .transpose()?;
    let reads_as = stated
        .or(defaults.region)
        .unwrap_or_else(|| Region::of(&number, None));
    let phone = phone.ok_or("phone_number is empty")?;
    let phone = normalise_listed(phone, reads_as)
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
