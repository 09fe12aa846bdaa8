//! What can be typed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, Subcommand};

use crate::bytes::Headerless;
use crate::evidence::Region;
use crate::units::{DialedNumber, KeyId, PhoneNumber, UserId};

/// What stands under `voxline --help`.
const AFTER_HELP: &str = "\
Exit status:
  0  done
  1  understood, but it failed, or the answer is no (a refused enrolment, a sick installation)
  2  not understood: the command line or the configuration is wrong

Output: results on stdout, everything else on stderr. With --json a failure prints {\"error\": \"...\"}.

Settings: defaults, then voxline.toml, then VOXLINE_* in the environment, then flags; the later wins.
voxline.example.toml shows them all. RUST_LOG=debug says more on stderr.";

/// What stands under `voxline user import --help`.
const AFTER_IMPORT: &str = "\
Columns: name, phone_number, assigned_vapi_number (a number that is this user's alone; empty for who shares
--number), and optionally pin and vapi_region. Other columns are passed over. Everything is taken over or, when
anything stands against a line, nothing: every such line is listed, and the exit status is 1. A file can be imported
again: whoever is there already stays as they are. migrations/operator/ has what an existing table needs.";

/// What stands under `voxline enroll --help`.
const AFTER_ENROLL: &str = "\
Exit status 1 also when the enrolment is refused: the answer says why, and nothing of it is kept.";

/// What stands under `voxline invite --help`.
const AFTER_INVITE: &str = "\
A link is good for one enrolment, until its time is over or it is revoked, and begins with public_url. Whoever has it can
enrol in its user's name: send it as you would send a password.";

/// What stands under `voxline identify --help`.
const AFTER_IDENTIFY: &str = "\
Exit status 0 whatever the outcome is: identified, unknown or inconclusive.";

/// What stands under `voxline models pull --help`.
const AFTER_PULL: &str = "\
A download that was cut short goes on where it stopped when the same command is given again. HTTPS_PROXY,
HTTP_PROXY and NO_PROXY are honoured; so are SSL_CERT_FILE and SSL_CERT_DIR.";

/// What stands under `voxline models switch --help`.
const AFTER_SWITCH: &str = "\
Exit status 1 also when nothing was switched because somebody would have to enrol again: the answer lists them.
Cut short at any moment, the old model stays in use; the same command goes on where it stopped.";

/// What stands under `voxline carrier check --help`.
const AFTER_CHECK: &str = "\
Per call: where forwarding evidence was, and what it comes to. Per carrier: forwards, passport_only, echo_only
(only the dialed number comes back) or none. Users are named where the store knows their phones.
Exit status 0 whatever the verdicts are; 1 when a file cannot be read.";

/// What stands under `voxline vapi --help`.
const AFTER_VAPI: &str = "\
Needs public_url, vapi.auth and vapi.secret; all but `plan` also Vapi's private key, best in VOXLINE_VAPI_API_KEY.
Exit status 1 also when something is left to do or was refused: the answer says what.";

/// Know who is on the line: identify callers by voice on shared phone numbers.
#[derive(Debug, Parser)]
#[command(name = "voxline", version, propagate_version = true, after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags that every command takes. The places are text, not paths: a name that is no Unicode is refused
/// by the parser instead of being bent into another one.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Common {
    /// Print JSON on stdout and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Read settings from this file instead of ./voxline.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep the store in this folder [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Find the models' cards in this folder [default: beside the program or here]
    #[arg(long, global = true, value_name = "DIR")]
    pub models_dir: Option<String>,
    /// Load ONNX Runtime from this file [default: beside the program or in runtime/]
    #[arg(long, global = true, value_name = "FILE")]
    pub ort_lib: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the service
    Serve(ServeArgs),
    /// Dialed numbers: each has its own roster, and no search crosses it
    #[command(subcommand)]
    Number(super::number::NumberCommand),
    /// Users on the rosters
    #[command(subcommand)]
    User(UserCommand),
    /// Links by which users enrol in a browser
    #[command(subcommand, after_help = AFTER_INVITE)]
    Invite(super::invites::InviteCommand),
    /// Enrol a user's voice from recordings
    #[command(after_help = AFTER_ENROLL)]
    Enroll(EnrollArgs),
    /// Say who speaks in a recording of a call to a number
    #[command(after_help = AFTER_IDENTIFY)]
    Identify(IdentifyArgs),
    /// Print the embeddings of recordings, one JSON line each
    Embed(EmbedArgs),
    /// Installed models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Carriers: does the number that forwarded a call arrive?
    #[command(subcommand)]
    Carrier(CarrierCommand),
    /// Vapi's side: what it must look like, and bringing it there
    #[command(subcommand, after_help = AFTER_VAPI)]
    Vapi(super::vapi::VapiCommand),
    /// Measure how good it is: error rates of a benchmark protocol
    #[command(name = "bench")]
    Benchmark(Box<super::bench::BenchArgs>),
    /// Fit the calibration that turns a likeness into a probability, or check the one in use
    Calibrate(Box<super::calibrate::CalibrateArgs>),
    /// Check everything Voxline depends on and say how to put it right
    Doctor,
}

#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Show the reports of `voxline bench --out` in this folder [default: accuracy in the data folder]
    #[arg(long, value_name = "DIR")]
    pub accuracy: Option<String>,
    /// Ask nobody for a key. For development, on a loopback address only
    #[arg(long)]
    pub insecure_dev: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user to a number's roster
    Add {
        /// The name to show
        #[arg(long, value_name = "TEXT")]
        name: String,
        /// The dialed number
        #[arg(long, value_name = "E164")]
        number: DialedNumber,
        /// A phone of the user; may be given several times
        #[arg(long = "phone", value_name = "E164")]
        phones: Vec<PhoneNumber>,
        /// A PIN of 4 to 8 digits, unique on the number
        #[arg(long, value_name = "DIGITS")]
        pin: Option<String>,
        /// Give the number to this user alone
        #[arg(long)]
        exclusive: bool,
    },
    /// List the users of a number
    List {
        /// The dialed number
        #[arg(long, value_name = "E164")]
        number: DialedNumber,
    },
    /// Take over the users of a CSV file, or of the table `users` of an SQLite database
    #[command(after_help = AFTER_IMPORT)]
    Import(ImportArgs),
    /// Remove a user and erase their voiceprints everywhere
    Remove {
        /// The user's id
        #[arg(value_parser = id::<UserId>)]
        id: UserId,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// CSV with a header line, or an SQLite database
    pub file: PathBuf,
    /// The dialed number of users without an `assigned_vapi_number`, who share it
    #[arg(long, value_name = "E164")]
    pub number: Option<DialedNumber>,
    /// Country by whose local spelling phone numbers without a country code are read, as in US
    #[arg(long, value_name = "REGION")]
    pub region: Option<crate::evidence::Region>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

// What a recording does not say of itself. (A doc comment here would be taken for the commands' own.)
#[derive(Debug, clap::Args)]
pub(super) struct SoundArgs {
    /// Which channel of a stereo recording holds the voice that is meant
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u16).range(0..=1))]
    pub channel: Option<u16>,
    /// What a file without a header holds
    #[arg(long, value_name = "g722|mulaw|alaw")]
    pub format: Option<Headerless>,
}

#[derive(Debug, clap::Args)]
pub(super) struct EnrollArgs {
    /// The user's id
    #[arg(long, value_name = "ID", value_parser = id::<UserId>)]
    pub user: UserId,
    /// The words the user agreed to
    #[arg(long, value_name = "TEXT")]
    pub consent: String,
    /// Those words also allow keeping the recordings, sealed (done where enrollment.retain_audio is set)
    #[arg(long)]
    pub keep_audio: bool,
    /// The voice may be that of another user of the same number: one person with two users
    #[arg(long)]
    pub allow_duplicate: bool,
    #[command(flatten)]
    pub sound: SoundArgs,
    /// Recordings of the user alone: WAV, FLAC, MP3, M4A, AAC, Ogg, WebM, AMR and more
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct IdentifyArgs {
    /// The dialed number
    #[arg(long, value_name = "E164")]
    pub number: DialedNumber,
    /// A recording of the call: WAV, FLAC, MP3, M4A, AAC, Ogg, WebM, AMR and more
    pub file: PathBuf,
    #[command(flatten)]
    pub sound: SoundArgs,
    /// Print what a live call would have been told, one JSON line an update
    #[arg(long)]
    pub stream: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct EmbedArgs {
    /// The speaker model [default: the configured one]
    #[arg(long, value_name = "ID")]
    pub model: Option<String>,
    /// Embed the whole recording, silence and all
    #[arg(long)]
    pub no_vad: bool,
    #[command(flatten)]
    pub sound: SoundArgs,
    /// Recordings
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models with state, size, hash and licence
    List,
    /// Load a model, check it against its card and run it once
    Check {
        /// The model [default: the one in use]
        id: Option<String>,
    },
    /// Fetch a public model, check it by size and SHA-256, and install it
    #[command(after_help = AFTER_PULL)]
    Pull(PullArgs),
    /// Install a model from an ONNX file, by the metadata inside it (the keys of sherpa-onnx)
    Add {
        /// The file
        #[arg(value_name = "FILE.onnx")]
        file: PathBuf,
        /// What to call it [default: the file's name]
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// Change the model: kept recordings are heard again, and the old one serves until that is done
    #[command(after_help = AFTER_SWITCH)]
    Switch {
        /// The model, which must be installed and have a calibration
        id: String,
        /// Switch even if some users must enrol again before the new model knows them
        #[arg(long)]
        leave_behind: bool,
    },
    /// Say which model is best for telephone calls, of those installed and those that could be pulled
    Recommend,
}

#[derive(Debug, clap::Args)]
pub(super) struct PullArgs {
    /// The model, as `models recommend` names it, or a catalogue entry of your own (FILE.toml)
    #[arg(value_name = "ID")]
    pub id: String,
    /// Fetch the file from below this address, or copy it from this folder
    #[arg(long, value_name = "URL|DIR")]
    pub mirror: Option<String>,
    /// Give a source up when for so long next to nothing came
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub stall: u64,
    /// Ask each source again so many times
    #[arg(long, value_name = "TIMES", default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub retries: u32,
}

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

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Create an API key; it is shown once
    Create {
        /// What the key may do: enroll, identify, scores, admin; may be given several times
        #[arg(long = "scope", required = true, value_delimiter = ',', value_name = "SCOPE")]
        scopes: Vec<crate::store::Scope>,
        /// A name for people
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// List the keys; never the keys themselves
    List,
    /// Revoke a key: no new request is let in with it, and the streams it opened end
    Revoke {
        /// The key's id
        #[arg(value_parser = id::<KeyId>)]
        id: KeyId,
    },
}

impl Common {
    /// The flags that are settings, by key.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("data_dir", &self.data_dir),
            ("models_dir", &self.models_dir),
            ("ort_lib", &self.ort_lib),
        ];
        given
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.clone()?)))
            .collect()
    }
}

/// An id as the program prints it; the UUID parser's own words would puzzle whoever mistyped one.
pub(super) fn id<Id: FromStr>(text: &str) -> Result<Id, &'static str> {
    text.parse()
        .map_err(|_| "not an id, as in 0199aaaa-0000-7000-8000-000000000000: copy it from `list`")
}
