//! What an assistant's echo in the caller's channel does, by simulation:
//! `cargo run --release --example echoes -- PROTOCOL ASSISTANT OUT [EVERY]`.
//!
//! The calls of PROTOCOL's searches (every EVERY-th of them; all without it) are taken apart into turns between which the
//! recording ASSISTANT speaks, and its echo comes back in the caller's channel: later by 100 to 400 ms, by another delay on each
//! call, softer by 10, 20 or 30 dB, and with what a small room adds. The
//! calls are taken for telephone calls, and the assistant is put through a telephone. For each level OUT gets a protocol of the caller's channels as they are
//! (`-open`), and one as they are heard where both channels are at hand (`-gated`); `voxline bench --protocol` says what becomes of
//! each. ASSISTANT may be a user's recording: their own calls are left out, and their name is a wrong one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use voxline::bytes::Limits;
use voxline::measure::Rng;
use voxline::samples::{EchoGate, load, quality, telephone};

/// Whose turn it is and for how many seconds; the last is the caller's to their end.
const TURNS: [(bool, usize); 8] = [
    (true, 6),
    (false, 6),
    (true, 4),
    (false, 6),
    (true, 4),
    (false, 6),
    (true, 4),
    (false, 600),
];
const SECOND: usize = 16_000;
const LEVELS: [Option<f32>; 4] = [None, Some(-10.0), Some(-20.0), Some(-30.0)];
/// Both speak as loud, dBFS; the line's noise lies below.
const SPEECH: f32 = -26.0;
const NOISE: f32 = -70.0;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [protocol, assistant, out, every @ ..] = &words[..] else {
        anyhow::bail!("which? PROTOCOL ASSISTANT OUT [EVERY]");
    };
    let (protocol, out) = (Path::new(protocol), Path::new(out));
    let every: usize = every.first().map_or(Ok(1), |text| text.parse())?;
    let settings: toml::Table = fs::read_to_string(protocol.join("protocol.toml"))?.parse()?;
    let audio = settings.get("audio").and_then(toml::Value::as_str);
    let audio = protocol.join(audio.context("the protocol names no audio folder")?);
    let assistants = Path::new(assistant).canonicalize()?;
    let searches: Vec<Vec<String>> = rows(&protocol.join("search.tsv"))?
        .into_iter()
        .filter(|row| {
            let user = audio.join(&row[0]).canonicalize().ok();
            user.is_none_or(|path| path.parent() != assistants.parent())
        })
        .collect();
    let tests: BTreeSet<&String> = searches.iter().map(|row| &row[0]).collect();
    let tests: BTreeSet<&String> = tests.into_iter().step_by(every).collect();
    let assistant = telephone(&without_pauses(&heard(&assistants)?));
    for level in LEVELS {
        let name = level.map_or("none".to_owned(), |level| format!("{:.0}", -level));
        let ways = ["open", "gated"].map(|way| out.join(format!("{name}-{way}")));
        for way in &ways {
            lists(protocol, &audio, way, &searches, &tests)?;
        }
        for (at, test) in tests.iter().enumerate() {
            let [own, other] = compose(&heard(&audio.join(test))?, &assistant, level, at);
            let (mut gate, mut gated) = (EchoGate::new(), Vec::new());
            gate.push(&own, &other, &mut gated);
            gate.finish(&mut gated);
            for (way, samples) in ways.iter().zip([own, gated]) {
                write(&way.join("audio/calls").join(flat(test)), &samples)?;
            }
        }
    }
    Ok(())
}

/// The caller's channel and the assistant's (16 kHz).
fn compose(caller: &[f32], assistant: &[f32], level: Option<f32>, call: usize) -> [Vec<f32>; 2] {
    let (mut own, mut other) = (Vec::new(), Vec::new());
    let (mut said, mut told) = (0, 0);
    for (is_assistants, seconds) in TURNS {
        if is_assistants {
            other.extend((told..told + seconds * SECOND).map(|at| assistant[at % assistant.len()]));
            told += seconds * SECOND;
        } else {
            let until = (said + seconds * SECOND).min(caller.len());
            own.extend_from_slice(&caller[said..until]);
            said = until;
        }
        let both = own.len().max(other.len()) + SECOND / 2;
        own.resize(both, 0.0);
        other.resize(both, 0.0);
        if said == caller.len() {
            break;
        }
    }
    let mut rng = Rng::for_task(1, call as u64);
    let delay = 1_600 + rng.below(4_800);
    if let Some(level) = level {
        let gain = 10f32.powf(level / 20.0);
        let room = (0..24).map(|_| (rng.below(800), 0.5 * either(&mut rng)));
        let paths: Vec<(usize, f32)> = std::iter::once((0, 1.0)).chain(room).collect();
        for (late, share) in paths {
            let share = share * (-(late as f32) / 240.0).exp();
            for at in delay + late..own.len() {
                own[at] += gain * share * other[at - delay - late];
            }
        }
    }
    let noise = 10f32.powf(NOISE / 20.0) * 3f32.sqrt();
    [own, other].map(|channel| {
        let noisy = channel.iter().map(|sample| sample + noise * either(&mut rng));
        noisy.collect()
    })
}

/// A recording (16 kHz), its speech at the level of all.
fn heard(path: &Path) -> anyhow::Result<Vec<f32>> {
    let clip = load(fs::read(path)?, None, &Limits::default());
    let mut samples = clip.with_context(|| path.display().to_string())?.samples;
    let gain = 10f32.powf(SPEECH / 20.0) / quality::rms(&without_pauses(&samples)).max(1e-6);
    for sample in &mut samples {
        *sample *= gain;
    }
    Ok(samples)
}

/// Without what is 30 dB below the loudest for longer than a fifth of a second.
fn without_pauses(samples: &[f32]) -> Vec<f32> {
    let frames: Vec<&[f32]> = samples.chunks_exact(320).collect();
    let levels: Vec<f32> = frames.iter().map(|frame| quality::rms(frame)).collect();
    let loudest = levels.iter().copied().fold(0.0, f32::max);
    let is_near = |at: usize| {
        let around = at.saturating_sub(10)..(at + 10).min(levels.len());
        levels[around].iter().any(|level| *level > 0.03 * loudest)
    };
    (0..frames.len())
        .filter(|at| is_near(*at))
        .flat_map(|at| frames[at])
        .copied()
        .collect()
}

/// A protocol's folder but for its calls.
fn lists(
    protocol: &Path,
    audio: &Path,
    out: &Path,
    searches: &[Vec<String>],
    tests: &BTreeSet<&String>,
) -> anyhow::Result<()> {
    fs::create_dir_all(out.join("audio/calls"))?;
    let users = out.join("audio/users");
    if !users.exists() {
        std::os::unix::fs::symlink(audio.canonicalize()?, users)?;
    }
    let calls = |test: &String| format!("calls/{}", flat(test));
    let enrolled = rows(&protocol.join("enroll.tsv"))?.into_iter();
    table(
        out,
        "enroll.tsv",
        enrolled.map(|row| vec![row[0].clone(), format!("users/{}", row[1])]),
    )?;
    table(
        out,
        "rosters.tsv",
        rows(&protocol.join("rosters.tsv"))?.into_iter(),
    )?;
    let chosen = searches.iter().filter(|row| tests.contains(&row[0]));
    table(
        out,
        "search.tsv",
        chosen.map(|row| vec![calls(&row[0]), row[1].clone(), row[2].clone()]),
    )?;
    let trials = rows(&protocol.join("trials.tsv"))?.into_iter();
    let trials = trials.filter(|row| tests.contains(&row[1]));
    table(
        out,
        "trials.tsv",
        trials.map(|row| vec![row[0].clone(), calls(&row[1]), row[2].clone()]),
    )?;
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let clean = "[enroll]\ncondition = \"clean\"\n[test]\ncondition = \"clean\"\n";
    let settings = format!(
        "name = \"{name}\"\ndescription = \"calls with an assistant's echo\"\naudio = \"audio\"\n{clean}"
    );
    Ok(fs::write(out.join("protocol.toml"), settings)?)
}

fn rows(path: &PathBuf) -> anyhow::Result<Vec<Vec<String>>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let row = |line: &str| line.split('\t').map(str::to_owned).collect();
    Ok(text.lines().filter(|line| !line.is_empty()).map(row).collect())
}

fn table(out: &Path, name: &str, rows: impl Iterator<Item = Vec<String>>) -> anyhow::Result<()> {
    let lines: String = rows.map(|row| row.join("\t") + "\n").collect();
    Ok(fs::write(out.join(name), lines)?)
}

fn flat(test: &str) -> String {
    let name = test.replace('/', "-");
    name.rsplit_once('.')
        .map_or(name.clone(), |(stem, _)| stem.to_owned())
        + ".wav"
}

fn write(path: &Path, samples: &[f32]) -> anyhow::Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for sample in samples {
        writer.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16)?;
    }
    Ok(writer.finalize()?)
}

/// -1 to 1.
fn either(rng: &mut Rng) -> f32 {
    2.0 * rng.unit() as f32 - 1.0
}
