//! What many users cost: `cargo run --release --example growth -- [VOICES A NUMBER] [NUMBERS] [NUMBERS CALLED]`, after
//! `cargo build --release --bin voxline`.
//!
//! Fills a store of its own with users of random voices, starts the program on it, has calls to numbers identified whose
//! rosters are not in memory yet, enrols somebody, and says how long each took and how much memory it needed.

#[path = "../demo/service.rs"]
mod service;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use voxline::store::{Access, ImportRow, NewClip, NewEnrolment, NewUser, Store};
use voxline::units::{DialedNumber, Seconds};
use voxline::voiceprint::{Bandwidth, Embedding, ModelId, Voiceprint};

use service::Service;

/// How many components the default model's voiceprints have.
const COMPONENTS: usize = 192;
/// Users a transaction.
const BATCH: usize = 5_000;
/// Numbers that are called where nobody says how many, and those that are called twice, at most.
const CALLED: usize = 1_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let voices = words.next().unwrap_or(Ok(100))?;
    let numbers = words.next().unwrap_or(Ok(100))?;
    let called = words.next().unwrap_or(Ok(CALLED))?.min(numbers);
    let data = tempfile::tempdir()?;
    let started = Instant::now();
    fill(&data.path().join("voxline.db"), voices, numbers).await?;
    let bytes = std::fs::metadata(data.path().join("voxline.db"))?.len();
    println!(
        "{voices} voices on each of {numbers} numbers: written in {:.0?}, {:.0} bytes of the store a voice",
        started.elapsed(),
        bytes as f64 / (voices * numbers) as f64,
    );

    let exe = std::env::current_exe()?;
    let program = exe.ancestors().nth(2).context("a folder")?.join("voxline");
    let service = Service::start(&program, data.path())?;
    let ready = service.ready().await?;
    println!("ready {ready:.0?} after its start, {} MB", service.memory()?);
    calls(&service, called).await?;
    enrolled(&service).await?;
    service.stop().await
}

fn dialed(number: usize) -> anyhow::Result<DialedNumber> {
    Ok(format!("+1202{:07}", 2_000_000 + number).parse()?)
}

/// Writes users with a voice each, as the service writes them.
async fn fill(path: &Path, voices: usize, numbers: usize) -> anyhow::Result<()> {
    let store = Store::open(path).await?;
    let all: Vec<usize> = (0..voices * numbers).collect();
    for some in all.chunks(BATCH) {
        let rows = some.iter().map(|&at| {
            Ok(ImportRow {
                line: at as u64,
                user: NewUser {
                    name: format!("User {at}"),
                    number: dialed(at % numbers)?,
                    phones: Vec::new(),
                    pin: None,
                    exclusive: false,
                },
                region: None,
            })
        });
        let rows: Vec<ImportRow> = rows.collect::<anyhow::Result<_>>()?;
        let report = store.import_users(&Access::operator(), &rows, false).await?;
        anyhow::ensure!(report.written, "the users were not written: {report:?}");
    }
    let mut seed = 0;
    for number in 0..numbers {
        for user in store.users_of(&dialed(number)?).await? {
            seed += 1;
            store
                .add_enrolment(NewEnrolment {
                    user: user.id,
                    consent: "I agree that my voice is stored.".to_owned(),
                    consent_version: None,
                    invite: None,
                    clips: vec![clip(seed)?],
                })
                .await?;
        }
    }
    store.close().await;
    Ok(())
}

/// A recording of a voice that no other seed gives.
fn clip(seed: u64) -> anyhow::Result<NewClip> {
    let values = (0..COMPONENTS).map(|at| ((seed as f64 * 0.618 + at as f64) * 12.9898).sin() * 43_758.545_3);
    let direction = values.map(|value| (value - value.floor() - 0.5) as f32);
    let mut content_sha256 = [0; 32];
    content_sha256[..8].copy_from_slice(&seed.to_le_bytes());
    Ok(NewClip {
        content_sha256,
        net_speech: Seconds::new(10.0),
        snr_db: Some(20.0),
        source: "made up".to_owned(),
        fingerprint: None,
        prints: vec![Voiceprint {
            embedding: Embedding::from_direction(direction.collect())?,
            model: ModelId::new("voxline-phone-2"),
            bandwidth: Bandwidth::Narrow,
            net_speech: Seconds::new(10.0),
        }],
    })
}

/// Calls to numbers: the first brings a number's roster into memory, and some are called once more.
async fn calls(service: &Service, called: usize) -> anyhow::Result<()> {
    let (mut first, mut again, mut search) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..called {
        let dialed = dialed(number)?;
        first.push(identify(service, dialed.as_e164()).await?.0);
        if number >= CALLED {
            continue;
        }
        let (took, said) = identify(service, dialed.as_e164()).await?;
        again.push(took);
        search.push(
            said["timing_ms"]["search"]
                .as_f64()
                .context("no time of a search")?,
        );
    }
    for (what, mut times) in [
        ("the first call to a number", first),
        ("a call after it", again),
        ("of which searching", search),
    ] {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        println!("{what}: {:.2} ms (p50), {:.2} ms (p99)", at(0.5), at(0.99));
    }
    println!("{called} numbers called: {} MB", service.memory()?);
    Ok(())
}

/// What is said of a call, and in how many milliseconds, all of it.
async fn identify(service: &Service, number: &str) -> anyhow::Result<(f64, Value)> {
    let call = std::fs::read(sample("calls/alice-1.wav"))?;
    let form = Form::new()
        .text("number", number.to_owned())
        .part("audio", Part::bytes(call).file_name("call.wav"));
    let begun = Instant::now();
    let said = service.upload("/v1/identify", form).await?;
    Ok((begun.elapsed().as_secs_f64() * 1e3, said))
}

/// Somebody is enrolled on a number that was called, and calls. Among voices that are made up nobody is named; she is found.
async fn enrolled(service: &Service) -> anyhow::Result<()> {
    let dialed = dialed(0)?;
    let user = service.add_user("Alice", dialed.as_e164()).await?;
    let clips = [1, 2, 3].map(|clip| sample(&format!("signup/alice/{clip}.flac")));
    let report = service.enrol(&user, "I agree.", &clips).await?;
    anyhow::ensure!(report["accepted"] == true, "not enrolled: {report}");
    let (took, said) = identify(service, dialed.as_e164()).await?;
    anyhow::ensure!(said["candidates"][0]["user_id"] == user, "not found: {said}");
    println!("a call right after an enrolment on its number finds who enrolled, in {took:.2} ms");
    Ok(())
}

fn sample(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("enrollment_samples")
        .join(path)
}

impl Service {
    /// Waits until it is ready and says how long after its start.
    async fn ready(&self) -> anyhow::Result<Duration> {
        let url = format!("{}/readyz", self.base());
        while !self.client().get(&url).send().await?.status().is_success() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(self.age())
    }

    /// Its resident memory (MB).
    fn memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.context("no VmRSS")?.parse::<u64>()? / 1024)
    }
}
