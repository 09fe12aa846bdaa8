//! What a second of a call costs, stage by stage, on one thread: `cargo run --release --example call_cost [SECONDS [MS]]`.
//!
//! A caller of `enrollment_samples` speaks for so many seconds (60) over mu-law, which comes in pieces of so many
//! milliseconds (80), as the service cuts them: once nobody, once somebody who is named after 4 s of speech. `VOXLINE_MODEL`
//! names another speaker model than the usual one.

use std::path::PathBuf;

use anyhow::Context as _;
use voxline::bytes::{Encoding, Limits, RawStream};
use voxline::config::Config;
use voxline::engine::Analyst;
use voxline::onnx::{Runtime, without_telemetry};
use voxline::settings::Sources;
use voxline::switchboard::installed;
use voxline::units::Hertz;
use voxline::verdict::{CHECKPOINTS, StreamSession, TimingMs, hear};

/// So many, so that what is measured is not the first.
const CALLS: usize = 4;
/// From how much speech on a caller who is known has a name, in seconds.
const NAMED: f64 = 4.0;
const FILES: u32 = 20;

fn main() -> anyhow::Result<()> {
    without_telemetry()?;
    let mut words = std::env::args().skip(1);
    let mut number = |usual: f64| words.next().map_or(Ok(usual), |word| word.parse::<f64>());
    let (seconds, piece) = (number(60.0)?, number(80.0)?);
    let config = Config::load(&Sources::default())?;
    let found = installed(&config.board)?;
    let models = found.models(&found.card(&config.board.model)?)?;
    let mut analyst = Analyst::load(&Runtime::load(&found.library)?, &models)?;
    let octets = octets("alice-1")?.into_iter().cycle();
    let octets: Vec<u8> = octets.take((seconds * 8_000.0) as usize).collect();

    println!("{seconds} s of a call in pieces of {piece} ms; ms of the processor for a second of audio");
    for (caller, named) in [("nobody", f64::INFINITY), ("named after 4 s of speech", NAMED)] {
        println!("{caller}\ndecode   vad  embed    all  slowest piece  hang-up  speech, s");
        for _ in 0..CALLS {
            one_call(&mut analyst, &octets, piece, named)?;
        }
    }
    let (started, wav) = (processor_ms()?, std::fs::read(sample("alice-1"))?);
    for _ in 0..FILES {
        let heard = hear(&mut analyst, wav.clone(), None, &Limits::default(), &[])?;
        anyhow::ensure!(!heard.checkpoints.is_empty(), "nothing was heard");
    }
    let audio_ms = (wav.len() - 44) as f64 / 8.0 * f64::from(FILES);
    println!(
        "files of {:.1} s: {:.0} times real time",
        audio_ms / 1e3 / f64::from(FILES),
        audio_ms / (processor_ms()? - started)
    );
    Ok(())
}

fn one_call(analyst: &mut Analyst, octets: &[u8], piece: f64, named: f64) -> anyhow::Result<()> {
    let begun = processor_ms()?;
    let mut session = StreamSession::new(Hertz(8_000), 1, None, CHECKPOINTS)?;
    let mut raw = RawStream::new(Encoding::Mulaw, 1);
    let mut slowest = 0.0f64;
    let mut samples = Vec::new();
    for octets in octets.chunks((piece * 8.0) as usize) {
        let started = processor_ms()?;
        samples.clear();
        raw.push(octets, &mut samples);
        session.set_named(session.net_speech().get() >= named);
        session.push(analyst, &samples)?;
        slowest = slowest.max(processor_ms()? - started);
    }
    let started = processor_ms()?;
    let last = session.finish(analyst)?;
    let ended = processor_ms()?;
    let TimingMs {
        decode, vad, embed, ..
    } = last.timing;
    // The stages are timed by the clock: on a busy machine their shares are right, and their sum is not.
    let all = ended - begun;
    let a_second = |ms: f64| ms / (octets.len() as f64 / 8_000.0);
    let stage = |ms: f64| a_second(all * ms / (decode + vad + embed));
    println!(
        "{:6.3} {:5.3} {:6.3} {:6.3} {slowest:14.1} {:8.1} {:10.1}",
        stage(decode),
        stage(vad),
        stage(embed),
        a_second(all),
        ended - started,
        last.net_speech.get(),
    );
    Ok(())
}

fn sample(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("enrollment_samples/calls");
    folder.join(format!("{name}.wav"))
}

/// The octets of a mu-law call.
fn octets(name: &str) -> anyhow::Result<Vec<u8>> {
    let file = std::fs::read(sample(name))?;
    let data = file
        .windows(4)
        .position(|four| four == b"data")
        .context("a WAV file")?;
    Ok(file[data + 8..].to_vec())
}

/// How long this thread has had the processor, whatever else is at work on the machine (Linux).
fn processor_ms() -> anyhow::Result<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = told.split(' ').next().context("a number")?;
    Ok(nanoseconds.parse::<f64>()? / 1e6)
}
