//! The real program, run as a person or a script runs it, each test with a data directory of its own.

mod adding;
mod calibrating;
mod documents;
mod downloads;
mod examining;
mod fitting;
pub mod hub_server;
mod importing;
mod pulling;
mod refusals;
mod results;
mod settings;
mod switching;
mod tenants;
mod voices;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use voxline::switchboard::DEFAULT_MODEL;

const NUMBER: &str = "+12025550102";
const OTHER_NUMBER: &str = "+12025550101";
const NOBODYS_NUMBER: &str = "+12025550109";
const NOBODY: &str = "0199aaaa-0000-7000-8000-000000000000";

/// A folder to run in, with `data` in it.
struct Site {
    folder: tempfile::TempDir,
}

/// What a run came to.
#[derive(Debug)]
struct Said {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Site {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A site with [`NUMBER`] on it.
    fn with_number() -> Self {
        let site = Self::new();
        site.json(&["number", "add", NUMBER, "--name", "Harbour office"]);
        site
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file here and gives its path.
    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// The program with nothing of this process's environment.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(crate::support::binary());
        command.args(args).current_dir(self.path()).env_clear();
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        said(self.command(args))
    }

    /// Runs with `--json`: it must be done, and stdout must be one document and nothing else.
    fn json(&self, args: &[&str]) -> Value {
        let said = self.run(&[args, &["--json"]].concat());
        assert_eq!((said.status, said.stderr.as_str()), (0, ""), "{args:?}");
        said.document()
    }

    /// Adds a user and gives the id.
    fn user(&self, name: &str, number: &str) -> String {
        let user = self.json(&["user", "add", "--name", name, "--number", number]);
        user["id"].as_str().unwrap().to_owned()
    }
}

fn said(mut command: Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let said = Said {
        status: output.status.code().expect("killed by a signal"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    // Nobody here is a terminal.
    assert!(!said.all().contains('\u{1b}'), "colours in {said:?}");
    said
}

impl Said {
    /// Everything that was printed.
    fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Stdout as the one document it must be.
    fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|fault| panic!("{fault} in {self:?}"))
    }

    /// Stdout as a document a line.
    fn lines(&self) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault} in {line}"));
        self.stdout.lines().map(line).collect()
    }
}

/// The names of an object's fields, in alphabetical order.
fn fields(document: &Value) -> Vec<&str> {
    let object = document.as_object().unwrap();
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The shipped models by link, with the speaker model's files to be replaced or taken away.
fn models_of_its_own(site: &Site) -> PathBuf {
    let (theirs, ours) = (project("models"), site.path().join("models"));
    let (from, to) = (theirs.join(DEFAULT_MODEL), ours.join(DEFAULT_MODEL));
    std::fs::create_dir_all(&to).unwrap();
    for detector in ["silero_vad", "segmentation"] {
        symlink(theirs.join(detector), ours.join(detector)).unwrap();
    }
    for file in ["card.toml", "voxline-phone-2.onnx", "calibration.toml"] {
        symlink(from.join(file), to.join(file)).unwrap();
    }
    ours
}

/// Two models to switch between, in the folder `models` of `folder`: the shipped one, and it again as `second`.
pub fn two_models_in(folder: &Path) -> PathBuf {
    let models = crate::support::link_models(folder);
    switching::second_model(&models);
    models
}

/// A shipped recording, as in `calls/alice-1.wav`.
fn sample(name: &str) -> String {
    project("enrollment_samples").join(name).display().to_string()
}

/// The three signup recordings of a shipped voice.
fn signup(name: &str) -> [String; 3] {
    [1, 2, 3].map(|take| sample(&format!("signup/{name}/{take}.flac")))
}

fn project(part: &str) -> PathBuf {
    crate::support::root().join(part)
}

/// A WAV file: format `tag` (1 PCM, 3 float, 7 mu-law) whose `data` chunk claims to be `claimed` long.
fn wav(tag: u16, bits: u16, rate: u32, channels: u16, data: &[u8], claimed: usize) -> Vec<u8> {
    let frame = channels * bits / 8;
    let mut bytes = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0".to_vec();
    bytes.extend(tag.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(frame)).to_le_bytes());
    bytes.extend(frame.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(u32::try_from(claimed).unwrap().to_le_bytes());
    bytes.extend(data);
    bytes
}

/// `seconds` of digital silence at 8 kHz in so many channels.
fn silence(channels: u16, seconds: usize) -> Vec<u8> {
    let data = vec![0; 16_000 * usize::from(channels) * seconds];
    wav(1, 16, 8_000, channels, &data, data.len())
}
