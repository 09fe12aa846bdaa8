//! `voxline audit`.

use clap::Subcommand;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::store::{Act, AuditReport, AuditSearch, NewAudit, Store};
use crate::units::{UserId, unhex};

use super::output::Output;
use super::phrases::id;

/// Entries in memory at a time.
const PAGE: u32 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Follow the chain of hashes and say which entry is the first that does not fit; exit status 1 when one does not
    Verify {
        /// A hash that `verify` gave earlier and that was noted elsewhere: it must still be in the chain, so that a log
        /// whose end was cut off, or that was written anew, is found too
        #[arg(long, value_name = "HASH", value_parser = hash)]
        head: Option<[u8; 32]>,
    },
    /// Print entries, oldest first, one JSON line each
    Export {
        /// From this moment on, as in 2026-11-01T00:00:00Z
        #[arg(long, value_name = "TIME", value_parser = moment)]
        from: Option<OffsetDateTime>,
        /// Until just before this moment
        #[arg(long, value_name = "TIME", value_parser = moment)]
        until: Option<OffsetDateTime>,
        /// On this user alone
        #[arg(long, value_name = "ID", value_parser = id::<UserId>)]
        user: Option<UserId>,
        /// Acts that begin so, as in `pin.` or `key.revoke`
        #[arg(long, value_name = "ACT")]
        act: Option<String>,
    },
}

pub(super) async fn run(command: AuditCommand, store: &Store, output: Output) -> anyhow::Result<bool> {
    match command {
        AuditCommand::Verify { head } => {
            let report = store.verify_audit(head.as_ref()).await?;
            output.result(&report, || in_words(&report))?;
            Ok(report.fault.is_none())
        }
        AuditCommand::Export {
            from,
            until,
            user,
            act,
        } => {
            // First: what is given out is accounted for, also when the reader goes away.
            store.audit(&[NewAudit::new(Act::AuditExport).on(user)]).await?;
            let search = AuditSearch {
                user,
                act,
                from,
                until,
            };
            export(store, &search).await?;
            Ok(true)
        }
    }
}

async fn export(store: &Store, search: &AuditSearch) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let entries = store.audit_after(search, PAGE, after).await?;
        entries.iter().try_for_each(Output::json_line)?;
        match entries.last() {
            Some(last) => after = last.seq,
            None => return Ok(()),
        }
    }
}

fn in_words(report: &AuditReport) -> String {
    let AuditReport {
        entries,
        cut,
        head,
        fault,
    } = report;
    let cut = match cut {
        0 => String::new(),
        cut => format!(" after {cut} whose time was over"),
    };
    match fault {
        None => format!("whole: {entries} entries{cut}\nhead {head}"),
        Some(fault) => format!("NOT WHOLE: {}\n{entries} entries{cut} fit", fault.words()),
    }
}

fn moment(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "a time is written as in 2026-11-01T00:00:00Z".to_owned())
}

fn hash(text: &str) -> Result<[u8; 32], String> {
    let mut hash = [0; 32];
    unhex(text.trim(), &mut hash).ok_or("a hash has 64 hexadecimal digits")?;
    Ok(hash)
}
