//! Reports of earlier benchmarks, as `voxline bench --out` left them in a folder, or in folders of it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::OffsetDateTime;

use crate::units::hex;

/// The most reports that are listed, the newest.
const MOST_REPORTS: usize = 50;
/// The most entries of the folder that are looked at.
const MOST_ENTRIES: usize = 2_000;
/// The most bytes of one of a report's files.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;
/// What the report is called that lies in the folder itself.
const OWN: &str = "report";
/// What `details.json` calls the SHA-256 of documents beside it; one of an earlier release has none.
const SUMS: &str = "sha256";
/// What is read of `details.json`. The worst pairs are not: they name recordings.
const SHOWN: [&str; 13] = [
    "run",
    "figures",
    "intervals",
    "strangers_searched",
    "search_intervals",
    "by_duration",
    "decided",
    "sequential",
    "waiting",
    "by_roster_size",
    "operating_points",
    "picks",
    "failure_to_enroll",
];

/// A report that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPlace {
    /// What it is called: its folder's name.
    pub id: String,
    /// When it was made.
    pub made_at: OffsetDateTime,
    folder: PathBuf,
}

/// A report's documents.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredReport {
    /// The document `metrics.json`: every figure with its interval.
    pub metrics: Value,
    /// `details.json` without what names single recordings.
    pub details: Value,
    /// `curves.json`; null of a release that wrote none.
    pub curves: Value,
}

/// Why a report cannot be shown.
#[derive(Debug, Error)]
pub enum StoredFault {
    /// A file cannot be read.
    #[error("{name} of this report cannot be read: {cause}; make the report anew with `voxline bench`")]
    Unreadable {
        /// Name of the file at fault.
        name: &'static str,
        /// The system's own words.
        cause: std::io::Error,
    },
    /// A file is too large to be one.
    #[error("{name} of this report has more than {} MiB, which no report has", LARGEST_FILE / (1024 * 1024))]
    TooLarge {
        /// Name of the file at fault.
        name: &'static str,
    },
    /// A file is none of ours.
    #[error("{name} of this report is not what `voxline bench` writes ({cause}); make the report anew")]
    Malformed {
        /// Name of the file at fault.
        name: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// Its files are of several runs.
    #[error(
        "{name} of this report is of another run than its details.json; make the report anew with `voxline bench`"
    )]
    Mixed {
        /// Name of the file at fault.
        name: &'static str,
    },
}

/// The reports in `folder`, the newest first, at most 50; none where there is no such folder.
pub fn stored_reports(folder: &Path) -> Vec<ReportPlace> {
    let inside = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .take(MOST_ENTRIES);
    let named = inside.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    let own = (OWN.to_owned(), folder.to_owned());
    let mut reports: Vec<ReportPlace> = std::iter::once(own)
        .chain(named.filter(|(name, _)| name != OWN))
        .filter_map(|(id, folder)| {
            let made = std::fs::metadata(folder.join("metrics.json")).ok()?;
            let made_at = made.is_file().then(|| made.modified().ok()).flatten()?.into();
            Some(ReportPlace { id, made_at, folder })
        })
        .collect();
    reports.sort_by(|a, b| (b.made_at, &a.id).cmp(&(a.made_at, &b.id)));
    reports.truncate(MOST_REPORTS);
    reports
}

impl ReportPlace {
    /// Reads the report.
    ///
    /// # Errors
    /// [`StoredFault`] saying which file is not as it should be.
    pub fn read(&self) -> Result<StoredReport, StoredFault> {
        let all = parsed("details.json", &self.bytes("details.json")?)?;
        let Value::Object(mut all) = all else {
            return Err(StoredFault::Malformed {
                name: "details.json",
                cause: "it is no object".to_owned(),
            });
        };
        let sums = all.remove(SUMS).unwrap_or_default();
        let shown = SHOWN.iter().filter_map(|name| all.remove_entry(*name));
        let details = Value::Object(shown.collect::<Map<String, Value>>());
        let curves = match self.document("curves.json", &sums) {
            Err(StoredFault::Unreadable { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {
                Value::Null
            }
            read => read?,
        };
        Ok(StoredReport {
            metrics: self.document("metrics.json", &sums)?,
            details,
            curves,
        })
    }

    /// A document that has the sum which is said of it, if any.
    fn document(&self, name: &'static str, sums: &Value) -> Result<Value, StoredFault> {
        let bytes = self.bytes(name)?;
        let said = sums.get(name).and_then(Value::as_str);
        if said.is_some_and(|said| said != hex(&Sha256::digest(&bytes))) {
            return Err(StoredFault::Mixed { name });
        }
        parsed(name, &bytes)
    }

    fn bytes(&self, name: &'static str) -> Result<Vec<u8>, StoredFault> {
        let unreadable = |cause| StoredFault::Unreadable { name, cause };
        let mut bytes = Vec::new();
        let file = File::open(self.folder.join(name)).map_err(unreadable)?;
        file.take(LARGEST_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(StoredFault::TooLarge { name });
        }
        Ok(bytes)
    }
}

fn parsed(name: &'static str, bytes: &[u8]) -> Result<Value, StoredFault> {
    serde_json::from_slice(bytes).map_err(|cause| StoredFault::Malformed {
        name,
        cause: cause.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, details: &str) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("metrics.json"), r#"{"eer": 0.02}"#).unwrap();
        std::fs::write(folder.join("details.json"), details).unwrap();
    }

    #[test]
    fn reports_are_found_one_folder_deep_and_no_recording_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(stored_reports(&folder.path().join("none")).is_empty());
        write(folder.path(), "{}");
        write(
            &folder.path().join("usa"),
            r#"{"picks": [], "most_alike": [{"test": "alice.wav"}]}"#,
        );
        std::fs::create_dir_all(folder.path().join("empty")).unwrap();
        let reports = stored_reports(folder.path());
        let mut ids: Vec<&str> = reports.iter().map(|report| report.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["report", "usa"]);
        let usa = reports
            .iter()
            .find(|report| report.id == "usa")
            .unwrap()
            .read()
            .unwrap();
        assert_eq!(usa.details, serde_json::json!({"picks": []}));
        assert_eq!(
            (&usa.metrics["eer"], &usa.curves),
            (&serde_json::json!(0.02), &Value::Null)
        );
    }

    #[test]
    fn what_is_no_report_is_refused_by_the_name_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        for details in ["[]", "{", ""] {
            write(folder.path(), details);
            let fault = stored_reports(folder.path())[0].read().unwrap_err().to_string();
            assert!(fault.contains("details.json"), "{fault}");
        }
    }

    #[test]
    fn documents_of_another_run_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let sums = |metrics: &str, curves: &str| {
            let sum = |text: &str| hex(&Sha256::digest(text));
            let sums = serde_json::json!({"metrics.json": sum(metrics), "curves.json": sum(curves)});
            serde_json::json!({"picks": [], "sha256": sums}).to_string()
        };
        let metrics = r#"{"eer": 0.02}"#;
        std::fs::write(folder.path().join("curves.json"), "{}").unwrap();
        write(folder.path(), &sums(metrics, "{}"));
        let place = &stored_reports(folder.path())[0];
        let read = place.read().unwrap();
        assert_eq!(read.details, serde_json::json!({"picks": []}));
        for (details, name) in [
            (sums("{}", "{}"), "metrics.json"),
            (sums(metrics, "[]"), "curves.json"),
        ] {
            write(folder.path(), &details);
            let fault = place.read().unwrap_err().to_string();
            assert!(fault.contains(name) && fault.contains("another run"), "{fault}");
        }
    }
}
