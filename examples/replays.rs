//! How well a recording that is played is known again, by simulation:
//! `cargo run --release --example replays -- FOLDER [CONDITION ...]`.
//!
//! FOLDER holds a folder for each speaker with their recordings. Each recording is kept as an enrolment would keep it, then
//! goes through each condition (`voxline bench --condition`; without any: those of `docs/accuracy.md`) and is searched for.
//! False alarms: each recording, as it is, is searched in all others of its speaker (the same words on other days, where
//! there are any) and of the next speaker.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use voxline::bytes::Limits;
use voxline::config::Config;
use voxline::engine::Analyst;
use voxline::measure::{Condition, Prepared};
use voxline::onnx::{Runtime, without_telemetry};
use voxline::samples::{HighPass, RATE, load};
use voxline::settings::Sources;
use voxline::speech::{
    Fingerprint, Fingerprinter, KeptFingerprint, ReplaySearch, SpeechFinder, SpeechSettings, Vad, nearest,
};
use voxline::switchboard::{DEFAULT_MODEL, installed};
use voxline::units::Seconds;
use voxline::voiceprint::ModelId;

const CONDITIONS: &[&str] = &[
    "clean",
    "phone",
    "alaw",
    "gsm",
    "amr",
    "amr:4.75",
    "opus:6",
    "opus:12",
    "noise:15",
    "noise:10",
    "reverb",
    "far",
    "reverb+noise:15+gsm",
];
/// As much of an enrolment is kept.
const KEPT: Seconds = Seconds::new(120.0);
/// A search begins somewhere, never with the first sample of the file.
const LATE: usize = 701;

fn main() -> anyhow::Result<()> {
    without_telemetry()?;
    let mut words = std::env::args().skip(1);
    let folder = words
        .next()
        .context("which folder? One with a folder for each speaker")?;
    let named: Vec<String> = words.collect();
    let named = if named.is_empty() {
        CONDITIONS.iter().map(|name| (*name).to_owned()).collect()
    } else {
        named
    };
    let conditions: Vec<Prepared> = named
        .iter()
        .map(|name| Ok(name.parse::<Condition>()?.prepare()?))
        .collect::<anyhow::Result<_>>()?;
    let found = installed(&Config::load(&Sources::default())?.board)?;
    let models = found.models(&found.card(&ModelId::new(DEFAULT_MODEL))?)?;
    let mut vad = Analyst::load(&Runtime::load(&found.library)?, &models)?.vad;

    let mut speakers = Vec::new();
    for speaker in sorted(Path::new(&folder))? {
        let mut recordings = Vec::new();
        for file in sorted(&speaker)? {
            let clip = load(std::fs::read(&file)?, None, &Limits::default())
                .with_context(|| file.display().to_string())?;
            let own = heard(&mut vad, clip.samples.clone())?;
            recordings.push((clip.samples, own.kept(KEPT), own));
        }
        speakers.push(recordings);
    }
    false_alarms(&speakers);
    println!("condition            recordings  known again  of 3-s blocks  median  90 %");
    for prepared in &conditions {
        hits(&mut vad, &speakers, prepared)?;
    }
    cost(&speakers);
    Ok(())
}

type Recording = (Vec<f32>, KeptFingerprint, Fingerprint);

fn false_alarms(speakers: &[Vec<Recording>]) {
    let (mut searched, mut alarms, mut shares) = (0, 0, Vec::new());
    for (at, recordings) in speakers.iter().enumerate() {
        let next = &speakers[(at + 1) % speakers.len()];
        for (place, (_, _, heard)) in recordings.iter().enumerate() {
            let others = recordings.iter().enumerate().filter(|(other, _)| *other != place);
            let others = others
                .map(|(_, other)| other)
                .chain(next.iter().filter(|_| speakers.len() > 1));
            let kept: Vec<KeptFingerprint> = others.map(|(_, kept, _)| kept.clone()).collect();
            searched += 1;
            alarms += usize::from(ReplaySearch::default().finds(heard, &kept));
            shares.extend(nearest(heard, &kept));
        }
    }
    shares.sort_by(f64::total_cmp);
    println!(
        "false alarms: {alarms} of {searched} recordings; {} blocks, the nearest differs in {:.3}, one in a hundred in {:.3}",
        shares.len(),
        quantile(&shares, 0.0),
        quantile(&shares, 0.01),
    );
}

fn hits(vad: &mut Vad, speakers: &[Vec<Recording>], prepared: &Prepared) -> anyhow::Result<()> {
    let (mut searched, mut found, mut shares) = (0, 0, Vec::new());
    for (seed, (samples, kept, own)) in (1..).zip(speakers.iter().flatten()) {
        if nearest(own, std::slice::from_ref(kept)).is_empty() {
            continue; // Less than a block of speech: nothing to be known by.
        }
        let played = prepared.apply(samples, seed)?;
        let late = vec![0.0; LATE].into_iter().chain(played).collect();
        let heard = heard(vad, late)?;
        searched += 1;
        let kept = std::slice::from_ref(kept);
        found += usize::from(ReplaySearch::default().finds(&heard, kept));
        shares.extend(nearest(&heard, kept));
    }
    shares.sort_by(f64::total_cmp);
    let near = shares.iter().filter(|share| **share <= 0.32).count();
    println!(
        "{:20} {searched:10}  {:10.1} %  {:10.1} %   {:.3}  {:.3}",
        prepared.condition().to_string(),
        100.0 * f64::from(found as u32) / f64::from(searched),
        100.0 * near as f64 / shares.len().max(1) as f64,
        quantile(&shares, 0.5),
        quantile(&shares, 0.9),
    );
    Ok(())
}

fn cost(speakers: &[Vec<Recording>]) {
    let Some((samples, kept, heard)) = speakers.iter().flatten().next() else {
        return;
    };
    let seconds = RATE.seconds(samples.len()).get();
    let started = Instant::now();
    Fingerprinter::new(KEPT).push(samples);
    let printing = started.elapsed().as_secs_f64() * 1e3 / seconds;
    let started = Instant::now();
    let others: Vec<KeptFingerprint> = speakers[1..]
        .iter()
        .flatten()
        .map(|(_, kept, _)| kept.clone())
        .collect();
    ReplaySearch::default().finds(heard, &others);
    let minutes: f64 = others.iter().map(|one| one.speech().get() / 60.0).sum();
    let searching = started.elapsed().as_secs_f64() * 1e3 / seconds / minutes;
    println!(
        "cost: {printing:.2} ms for a second of audio to its fingerprint ({} bytes a second kept), {searching:.3} ms to \
         search it in a minute of speech",
        kept.to_bytes().len() / kept.speech().get().max(1.0) as usize,
    );
}

/// The fingerprint of a recording's speech, as the service takes it.
fn heard(vad: &mut Vad, mut samples: Vec<f32>) -> anyhow::Result<Fingerprint> {
    HighPass::default().filter(&mut samples);
    let mut finder = SpeechFinder::new(SpeechSettings::default());
    let mut printer = Fingerprinter::new(Seconds::new(1800.0));
    for piece in samples.chunks(8_000) {
        finder.push(vad, piece)?;
        printer.push(piece);
    }
    finder.finish(vad)?;
    Ok(printer.fingerprint(finder.spans()))
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * sorted.len() as f64) as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn sorted(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut all: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<anyhow::Result<_>>()?;
    all.retain(|path| {
        path.is_dir()
            || path
                .extension()
                .is_some_and(|ending| ending == "flac" || ending == "wav")
    });
    all.sort();
    Ok(all)
}
