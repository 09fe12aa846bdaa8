//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::units::{DialedNumber, KeyId, PhoneNumber, UserId};

/// Know who is on the line: identify callers by voice on shared phone numbers.
#[derive(Debug, Parser)]
#[command(name = "voxline", version, propagate_version = true)]
pub struct Args {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags that every command takes.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// Print one JSON document on stdout and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Read settings from this file instead of ./voxline.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep the store in this folder [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Find the models' cards in this folder [default: beside the program or here]
    #[arg(long, global = true, value_name = "DIR")]
    pub models_dir: Option<PathBuf>,
    /// Load ONNX Runtime from this file [default: beside the program or in runtime/]
    #[arg(long, global = true, value_name = "FILE")]
    pub ort_lib: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the service
    Serve(ServeArgs),
    /// Dialed numbers: each has its own roster, and no search crosses it
    #[command(subcommand)]
    Number(NumberCommand),
    /// Users on the rosters
    #[command(subcommand)]
    User(UserCommand),
    /// Enrol a user's voice from recordings
    Enroll(EnrollArgs),
    /// Say who speaks in a recording of a call to a number
    Identify(IdentifyArgs),
    /// Print the embeddings of recordings, one JSON line each
    Embed(EmbedArgs),
    /// Installed models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Check everything Voxline depends on and say how to put it right
    Doctor,
}

#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Ask nobody for a key. For development, on a loopback address only
    #[arg(long)]
    pub insecure_dev: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum NumberCommand {
    /// Add a dialed number
    Add {
        /// In E.164, as in +12025550102
        number: DialedNumber,
        /// Country whose local spellings its callers use, as in US
        #[arg(long)]
        region: Option<String>,
        /// A name for people
        #[arg(long)]
        name: Option<String>,
    },
    /// List the dialed numbers
    List,
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user to a number's roster
    Add {
        /// The name to show
        #[arg(long)]
        name: String,
        /// The dialed number
        #[arg(long)]
        number: DialedNumber,
        /// A phone of the user; may be given several times
        #[arg(long = "phone", value_name = "E164")]
        phones: Vec<PhoneNumber>,
        /// A PIN of 4 to 8 digits, unique on the number
        #[arg(long)]
        pin: Option<String>,
        /// Give the number to this user alone
        #[arg(long)]
        exclusive: bool,
    },
    /// List the users of a number
    List {
        /// The dialed number
        #[arg(long)]
        number: DialedNumber,
    },
    /// Remove a user and erase their voiceprints everywhere
    Remove {
        /// The user's id
        id: UserId,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct EnrollArgs {
    /// The user's id
    #[arg(long)]
    pub user: UserId,
    /// The words the user agreed to
    #[arg(long)]
    pub consent: String,
    /// Recordings of the user alone: WAV, FLAC, MP3, Ogg/Opus or WebM/Opus
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct IdentifyArgs {
    /// The dialed number
    #[arg(long)]
    pub number: DialedNumber,
    /// A recording of the call
    pub file: PathBuf,
    /// Which channel of a stereo recording holds the caller
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u16).range(0..=1))]
    pub channel: Option<u16>,
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
    /// Which channel of a stereo recording to take
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u16).range(0..=1))]
    pub channel: Option<u16>,
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
        /// The model [default: the configured one]
        id: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Create an API key; it is shown once
    Create {
        /// What the key may do: enroll, identify, scores, admin; may be given several times
        #[arg(long = "scope", required = true, value_delimiter = ',')]
        scopes: Vec<crate::store::Scope>,
        /// A name for people
        #[arg(long)]
        name: Option<String>,
    },
    /// List the keys; never the keys themselves
    List,
    /// Revoke a key at once
    Revoke {
        /// The key's id
        id: KeyId,
    },
}

impl Common {
    /// The flags that are settings, by key.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let given = [
            ("data_dir", text(&self.data_dir)),
            ("models_dir", text(&self.models_dir)),
            ("ort_lib", text(&self.ort_lib)),
        ];
        given
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }
}
