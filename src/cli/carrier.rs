//! `voxline carrier check`: what carriers tell of forwarding.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::carriers::check::{
    CallReport, CarrierProbe, CarrierReport, Known, LARGEST_FILE, ReceivedInvite, Refusal, SipListener,
    TestCall, WhoseLine, by_carrier, of_invite, read,
};
use crate::config::Config;
use crate::evidence::Region;
use crate::store::{Layout, Store};
use crate::units::{DialedNumber, PhoneNumber};

use super::fault::whole;
use super::opening::{OTHER_RELEASE, store};
use super::output::Output;

/// What stands under `voxline carrier check --help`.
const AFTER_CHECK: &str = "\
Per call: where forwarding evidence was, and what it comes to. Per carrier: forwards, passport_only, echo_only
(only the dialed number comes back) or none. Users are named where the store knows their phones.
Exit status 0 whatever the verdicts are; 1 when a file cannot be read.";

#[derive(Debug, Subcommand)]
pub(super) enum CarrierCommand {
    /// Read captured test calls, or listen for them, and say what each carrier tells of forwarding
    #[command(after_help = AFTER_CHECK)]
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// INVITEs as text, webhook bodies (JSON or forms), pcap or pcapng captures
    #[arg(value_name = "FILE", required_unless_present = "listen")]
    pub files: Vec<PathBuf>,
    /// Listen for test calls on this address, over UDP and TCP; they are told that it is busy
    #[arg(long, value_name = "ADDRESS", conflicts_with = "files")]
    pub listen: Option<SocketAddr>,
    /// End after so many test calls [default: at Ctrl-C]
    #[arg(long, value_name = "COUNT", requires = "listen", value_parser = clap::value_parser!(u32).range(1..))]
    pub calls: Option<u32>,
    /// Refuse test calls for good (603), so that the carrier tries nowhere else
    #[arg(long, requires = "listen")]
    pub decline: bool,
    /// Take this for the dialed number, whatever the calls say
    #[arg(long, value_name = "E164")]
    pub number: Option<DialedNumber>,
    /// The telephone that the test calls are made from
    #[arg(long, value_name = "E164")]
    pub from: Option<PhoneNumber>,
    /// Read local spellings by this country, as in US [default: the dialed number's]
    #[arg(long, value_name = "REGION")]
    pub region: Option<Region>,
    /// Another number of your own, whose echo names nobody; may be given several times
    #[arg(long = "own", value_name = "E164")]
    pub own: Vec<PhoneNumber>,
}

/// The most test calls that are waited for at a time, and remembered.
const MOST_CALLS: usize = 10_000;

/// The whole report.
#[derive(Debug, Default, Serialize)]
struct Report {
    carriers: Vec<CarrierReport>,
    calls: Vec<CallReport>,
    /// What else is to be said of the files.
    remarks: Vec<String>,
    /// Files that could not be read, and why.
    unread: Vec<String>,
}

pub(super) async fn run(command: CarrierCommand, config: &Config, output: Output) -> anyhow::Result<bool> {
    let CarrierCommand::Check(args) = command;
    // Without making a store where there is none, or changing one of another release.
    let layout = Store::layout(&config.board.store).await?;
    let has_store = layout == Layout::Current;
    let mut known = if has_store {
        Known::of_store(&store(config).await?).await?
    } else {
        Known::default()
    };
    args.own.iter().for_each(|number| known.add_own(number));
    let whose = |dialed: &DialedNumber, phone: &PhoneNumber| known.whose(dialed, phone);
    let own = |number: &PhoneNumber| known.is_own(number);
    let bench = CarrierProbe {
        dialed: args.number.clone(),
        region: args.region,
        from: args.from.clone(),
        own: &own,
        whose: has_store.then_some(&whose as &WhoseLine),
    };
    let mut report = Report::default();
    if layout == Layout::Other {
        report
            .remarks
            .push(format!("users are not named: {OTHER_RELEASE}"));
    }
    if let Some(address) = args.listen {
        let refusal = if args.decline {
            Refusal::Decline
        } else {
            Refusal::Busy
        };
        let listener = SipListener::bind(address, refusal)
            .await
            .with_context(|| format!("{address} cannot be listened on"))?;
        listen(listener, &args, &bench, &mut report, output).await?;
    }
    for file in &args.files {
        let name = file.display().to_string();
        match held(file) {
            Ok(held) => {
                report
                    .calls
                    .extend(held.calls.iter().map(|call| bench.judge(&name, call)));
                report
                    .remarks
                    .extend(held.remarks.into_iter().map(|said| format!("{name}: {said}")));
            }
            Err(fault) => report.unread.push(format!("{name}: {}", whole(&fault))),
        }
    }
    report.carriers = by_carrier(&report.calls);
    output.result(&report, || text(&report, output))?;
    Ok(report.unread.is_empty())
}

fn held(path: &Path) -> anyhow::Result<crate::carriers::check::Held> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        bail!("it has more than {} MiB", LARGEST_FILE / (1024 * 1024));
    }
    Ok(read(&bytes)?)
}

/// Listens until enough calls came, or Ctrl-C. Each call counts once, however often its INVITE is sent.
async fn listen(
    listener: SipListener,
    args: &CheckArgs,
    bench: &CarrierProbe<'_>,
    report: &mut Report,
    output: Output,
) -> anyhow::Result<()> {
    let address = listener.address()?.to_string();
    Output::note(&format!(
        "listening for SIP test calls on {address} (UDP and TCP)"
    ));
    let (sender, mut heard) = mpsc::channel(64);
    let mut running = tokio::spawn(listener.run(sender));
    let wanted = args.calls.map_or(MOST_CALLS, |calls| calls as usize);
    let mut seen = HashSet::new();
    while report.calls.len() < wanted {
        let ReceivedInvite { peer, message } = tokio::select! {
            heard = heard.recv() => match heard {
                Some(heard) => heard,
                None => break,
            },
            ended = &mut running => {
                ended.context("the listener crashed")?.context("the listener failed")?;
                break;
            }
            _ = tokio::signal::ctrl_c() => break,
        };
        let call: TestCall = of_invite(&message);
        if seen.insert((peer.ip(), call.call.clone())) {
            let judged = bench.judge(&peer.to_string(), &call);
            if !output.is_json() {
                Output::note(&call_text(&judged));
            }
            report.calls.push(judged);
        }
    }
    // Its last answers are on their way before it is let go.
    drop(heard);
    if let Ok(ended) = tokio::time::timeout(std::time::Duration::from_secs(1), &mut running).await {
        ended
            .context("the listener crashed")?
            .context("the listener failed")?;
    }
    running.abort();
    Ok(())
}

fn text(report: &Report, output: Output) -> String {
    let mut shown = Vec::new();
    shown.extend(report.calls.iter().map(call_text));
    for carrier in &report.carriers {
        let verdict = word(&carrier.verdict);
        let name = output.strong(&carrier.carrier);
        shown.push(format!(
            "{name}: {verdict} ({} of {} calls). {}",
            carrier.forwarded, carrier.calls, carrier.advice
        ));
    }
    shown.extend(report.remarks.iter().cloned());
    shown.extend(report.unread.iter().map(|unread| format!("not read: {unread}")));
    if shown.is_empty() {
        shown.push("no test call came".to_owned());
    }
    shown.join("\n")
}

fn call_text(call: &CallReport) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let mut shown = format!("{} of {} from {}\n", call.form, call.carrier, call.from);
    // Writing to a string cannot fail.
    let mut row = |name: &str, text: String| {
        let _ = writeln!(shown, "  {name:12}{text}");
    };
    row("dialed", or_none(&call.dialed));
    row("caller", or_none(&call.caller));
    if let Some(level) = &call.attestation {
        row("attestation", level.clone());
    }
    if call.evidence.is_empty() {
        row("evidence", "none".to_owned());
    }
    for found in &call.evidence {
        let reason = found
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(" ({reason})"));
        row(
            "evidence",
            format!("{}: {}{reason}", found.place, or_none(&found.number)),
        );
    }
    for note in &call.notes {
        row("note", note.clone());
    }
    row("forwarder", or_none(&call.forwarder));
    row("voxline", call.voxline.clone());
    row("verdict", word(&call.verdict));
    shown
}

/// A verdict as JSON writes it.
fn word(verdict: &impl Serialize) -> String {
    serde_json::to_value(verdict)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
