//! What the tests of the rooms behind the models share: the provisioned models, files, small signals.

use std::f64::consts::{PI, TAU};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use voxline::config::Config;
use voxline::engine::{Analyst, Models};
use voxline::onnx::Runtime;
use voxline::settings::Sources;
use voxline::store::{NewKey, Scope};
use voxline::switchboard::{DEFAULT_MODEL, Installed, installed};
use voxline::units::{Hertz, TenantId, hex};
use voxline::voiceprint::{Card, ModelId};

/// The project's folder: these tests are a package in it.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A file of the project, by its path from the root.
pub fn project(path: &str) -> PathBuf {
    root().join(path)
}

/// The program that was built together with these tests, two folders above them.
///
/// Cargo names it to tests of its own package alone, and builds it for these only where both packages are asked for: one
/// that is older than its source is refused. Looked for once a process.
pub fn binary() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(built);
    &PROGRAM
}

fn built() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("voxline");
    let built = std::fs::metadata(&program).and_then(|found| found.modified());
    let built = built.unwrap_or_else(|fault| panic!("{}: {fault}; {BUILD}", program.display()));
    let newest = newest(&project("src"));
    assert!(
        newest <= built,
        "{} is older than its source; {BUILD}",
        program.display()
    );
    program
}

/// What to do where the program is missing or old.
const BUILD: &str = "`make test`, or `cargo build --all-targets` before one test alone";

/// When a file of Rust in a folder or below was last changed.
fn newest(folder: &Path) -> SystemTime {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let changed = if entry.file_type().unwrap().is_dir() {
            self::newest(&entry.path())
        } else if entry.path().extension().is_some_and(|kind| kind == "rs") {
            entry.metadata().unwrap().modified().unwrap()
        } else {
            continue;
        };
        newest = newest.max(changed);
    }
    newest
}

/// The bytes of a file of the project.
pub fn read(path: &str) -> Vec<u8> {
    std::fs::read(project(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// The mu-law bytes of a recorded call: what its carrier would stream.
pub fn mulaw(call: &str) -> Vec<u8> {
    let file = read(&format!("enrollment_samples/calls/{call}.wav"));
    let data = file.windows(4).position(|four| four == b"data").unwrap();
    file[data + 8..].to_vec()
}

/// Little-endian 32-bit floats of a file of the project.
pub fn floats(path: &str) -> Vec<f32> {
    let bytes = read(path);
    let four = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    bytes.chunks_exact(4).map(four).collect()
}

/// The SHA-256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Whether `wanted` stands anywhere in `bytes`.
pub fn holds(bytes: &[u8], wanted: impl AsRef<[u8]>) -> bool {
    let wanted = wanted.as_ref();
    bytes.windows(wanted.len()).any(|piece| piece == wanted)
}

/// A key of the default tenant, for all its numbers.
pub fn new_key(scopes: impl IntoIterator<Item = Scope>, name: Option<&str>) -> NewKey {
    NewKey {
        tenant: TenantId::DEFAULT,
        scopes: scopes.into_iter().collect(),
        numbers: None,
        name: name.map(str::to_owned),
    }
}

/// Links the shipped models into the folder `models` of `folder`, which it gives.
pub fn link_models(folder: &Path) -> PathBuf {
    let ours = folder.join("models");
    std::fs::create_dir(&ours).unwrap();
    for entry in std::fs::read_dir(project("models")).unwrap() {
        let theirs = entry.unwrap().path();
        if theirs.join("card.toml").is_file() {
            std::os::unix::fs::symlink(&theirs, ours.join(theirs.file_name().unwrap())).unwrap();
        }
    }
    ours
}

/// All files of Rust under a folder of this project.
pub fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![project(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// A file that developers share outside the repository: under `VOXLINE_SHARED`, or beside the checkout.
/// `None` where there is none; a test that needs it says so and ends.
pub fn shared(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("VOXLINE_SHARED").map_or_else(|| project("../shared"), PathBuf::from);
    Some(folder.join(path)).filter(|path| path.exists())
}

/// The number that a variable of the environment has, as the targets of the Makefile give it.
pub fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A configuration with `flags` and nothing from the environment.
pub fn config(flags: &[(&'static str, &str)]) -> Config {
    let flags = flags
        .iter()
        .map(|(key, value)| (*key, (*value).to_owned()))
        .collect();
    let sources = Sources {
        flags,
        ..Sources::default()
    };
    Config::load(&sources).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Where models and library are. Everything in one process must name the library by the same path.
pub fn provisioned() -> Installed {
    installed(&config(&[]).board).unwrap_or_else(|fault| panic!("run `make provision`: {fault}"))
}

/// The speaker model that a deployment uses unless told otherwise.
pub fn models() -> Models {
    let found = provisioned();
    let models = found
        .card(&ModelId::new(DEFAULT_MODEL))
        .and_then(|card| found.models(&card));
    models.unwrap_or_else(|fault| panic!("run `make provision`: {fault}"))
}

/// An HTTP client. TLS's cryptography is the process's choice, and the program's own is ring.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Whatever proxy the machine has is not for this machine's own services.
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The ONNX Runtime that was provisioned.
pub fn runtime() -> Runtime {
    Runtime::load(&provisioned().library).unwrap_or_else(|fault| panic!("run `make provision`: {fault}"))
}

/// The models of one thread.
pub fn analyst() -> Analyst {
    Analyst::load(&runtime(), &models()).unwrap_or_else(|fault| panic!("run `make provision`: {fault}"))
}

/// The folder of the usual model, copied, with every `from` in its card written as `to`.
pub fn altered_model(changes: &[(&str, &str)]) -> (tempfile::TempDir, Card) {
    let folder = tempfile::tempdir().unwrap();
    let source = provisioned().models_dir.join(DEFAULT_MODEL);
    let file = format!("{DEFAULT_MODEL}.onnx");
    std::fs::copy(source.join(&file), folder.path().join(&file))
        .unwrap_or_else(|fault| panic!("{file}: {fault}; run `make provision`"));
    let mut text = std::fs::read_to_string(source.join("card.toml")).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "the card no longer says `{from}`");
        text = text.replace(from, to);
    }
    std::fs::write(folder.path().join("card.toml"), text).unwrap();
    let card = Card::read(folder.path()).unwrap();
    (folder, card)
}

/// A project recording at 16 kHz mono.
pub fn clip(path: &str) -> Vec<f32> {
    voxline::samples::load(read(path), None, &voxline::bytes::Limits::default())
        .unwrap_or_else(|fault| panic!("{path}: {fault}"))
        .samples
}

/// Three seconds of speech at 16 kHz: one sentence.
pub fn sentence() -> Vec<f32> {
    clip("tests/data/golden/speech.wav")
}

/// `samples` of sinusoids at the same level, 16 kHz.
pub fn tones(hertz: &[f64], level: f64, samples: usize) -> Vec<f32> {
    let sample = |at: usize| {
        let sum: f64 = hertz
            .iter()
            .map(|hz| (TAU * hz * at as f64 / 16_000.0).sin())
            .sum();
        (level * sum) as f32
    };
    (0..samples).map(sample).collect()
}

/// Seconds to samples at 16 kHz.
pub fn at_16k(seconds: f64) -> usize {
    (seconds * 16_000.0) as usize
}

/// A small generator of numbers that look random and are the same in every run (xorshift64*,
/// Vigna 2016).
pub struct Rng(u64);

impl Rng {
    /// Random numbers, the same for the same `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// 0 to `sides` - 1.
    pub fn throw(&mut self, sides: usize) -> usize {
        (self.unit() * sides as f64) as usize
    }

    /// 0 to 1, without 1.
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// White Gaussian noise of this level (RMS, dB relative to full scale).
    pub fn noise(&mut self, dbfs: f64, samples: usize) -> Vec<f32> {
        let level = 10f64.powf(dbfs / 20.0);
        let mut normal = || (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (TAU * self.unit()).cos();
        (0..samples).map(|_| (level * normal()) as f32).collect()
    }

    /// `whole` in pieces of 1 to `longest`.
    pub fn cut<'a, T>(&mut self, mut whole: &'a [T], longest: usize) -> Vec<&'a [T]> {
        let mut pieces = Vec::new();
        while !whole.is_empty() {
            let (piece, rest) = whole.split_at((1 + self.throw(longest)).min(whole.len()));
            pieces.push(piece);
            whole = rest;
        }
        pieces
    }
}

/// Another rate for 16 kHz samples: a windowed sinc in double precision, another design than the one
/// under test.
pub fn at_rate(samples: &[f32], rate: u32) -> Vec<f32> {
    const REACH: f64 = 48.0;
    let step = 16_000.0 / f64::from(rate);
    // Half the lower of the two rates, less a little for the filter's slope, in cycles a source sample.
    let cutoff = 0.48 * (1.0f64).min(1.0 / step);
    let length = (samples.len() as f64 / step) as usize;
    let value = |at: usize| {
        let centre = at as f64 * step;
        let first = (centre - REACH).ceil().max(0.0) as usize;
        let last = ((centre + REACH) as usize).min(samples.len() - 1);
        let tap = |source: usize| {
            let away = source as f64 - centre;
            let sinc = if away == 0.0 {
                2.0 * cutoff
            } else {
                (TAU * cutoff * away).sin() / (PI * away)
            };
            f64::from(samples[source]) * sinc * (0.5 + 0.5 * (PI * away / REACH).cos())
        };
        (first..=last).map(tap).sum::<f64>() as f32
    };
    (0..length).map(value).collect()
}

/// A 16-bit PCM WAV file of interleaved samples.
pub fn wav(rate: u32, channels: u16, samples: &[f32]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for sample in samples {
        writer.write_sample((sample * 32_767.0).round() as i16).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

/// The signup recordings of two synthetic voices as stereo files, one on each channel, with their names.
pub fn stereo_signup(left: &str, right: &str) -> Vec<(String, Vec<u8>)> {
    let take = |number: usize| {
        let [left, right] =
            [left, right].map(|who| clip(&format!("enrollment_samples/signup/{who}/{number}.flac")));
        let length = left.len().max(right.len());
        let at = |voice: &[f32], at: usize| voice.get(at).copied().unwrap_or(0.0);
        let both: Vec<f32> = (0..length)
            .flat_map(|frame| [at(&left, frame), at(&right, frame)])
            .collect();
        (format!("{number}.wav"), wav(16_000, 2, &both))
    };
    (1..=3).map(take).collect()
}

/// 16 kHz samples as a telephone line delivers them.
pub fn down_the_line(samples: &[f32]) -> Vec<f32> {
    over_mulaw(&at_rate(samples, 8_000))
}

/// 8 kHz samples as mu-law, brought back to 16 kHz by our own intake.
pub fn over_mulaw(narrow: &[f32]) -> Vec<f32> {
    use voxline::bytes::g711::{mulaw_decode, mulaw_encode};
    let heard: Vec<f32> = narrow
        .iter()
        .map(|sample| f32::from(mulaw_decode(mulaw_encode((sample * 32_767.0) as i16))) / 32_768.0)
        .collect();
    // Whoever hears it takes out the rumble.
    let intake = voxline::samples::Intake::new(Hertz(8_000), 1, None).unwrap();
    let mut intake = intake.unfiltered();
    let mut out = Vec::new();
    intake.push(&heard, &mut out);
    intake.finish(&mut out);
    out
}

/// Sample by sample, `a` over `b`, as long as `a`.
pub fn mix(a: &[f32], b: &[f32]) -> Vec<f32> {
    let over = b.iter().copied().chain(std::iter::repeat(0.0));
    a.iter().zip(over).map(|(a, b)| a + b).collect()
}
