//! The configuration: defaults, then `voxline.toml`, then `VOXLINE_*` in the environment, then flags.
//!
//! Everything is read as text by key, checked once, and becomes a [`Config`]; the program never sees a
//! raw value. All faults are listed at once, each with where it came from, and stop the start: a
//! setting that is wrong is never replaced by a default.

mod carriers;
mod exchanges;
mod home;
mod identity;
mod keys;
mod pin_prompt;
mod policy;
mod signup;
mod sources;
mod vapi;

pub use carriers::{ByteOrder, CarrierConfig};
pub use exchanges::{AudioSocketConfig, ExchangeConfig};
pub use home::Home;
pub use identity::IdentitySettings;
pub use keys::keys;
pub use pin_prompt::PinPrompt;
pub use signup::SignupConfig;
pub use sources::{Fault, Faults, Sources};
pub use vapi::{
    ForwardTrust, HmacAlgorithm, HmacPlan, ListenDefaults, VapiAuth, VapiConfig, VapiMode, VapiRegion,
};
pub use vapi::{ToolMessage, UpstreamConfig, UpstreamHeader};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::bytes::Limits;
use crate::decision::Policy;
use crate::gallery::QdrantSettings;
use crate::units::Seconds;
use crate::voiceprint::ModelId;

use sources::Reader;

/// The speaker model that comes with Voxline (models/training).
pub const DEFAULT_MODEL: &str = "voxline-phone-2";

/// Where voiceprints are searched.
#[derive(Debug, Clone)]
pub enum GalleryChoice {
    /// In this process.
    Embedded,
    /// In a Qdrant server.
    Qdrant(QdrantSettings),
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the store lies.
    pub data_dir: PathBuf,
    /// The models' folder, when it was named.
    pub models_dir: Option<PathBuf>,
    /// ONNX Runtime's library, when it was named.
    pub ort_lib: Option<PathBuf>,
    /// The speaker model of a new store.
    pub model: ModelId,
    /// Whether somebody named it; if not, it is the usual one.
    pub model_named: bool,
    /// Where to serve.
    pub listen: SocketAddr,
    /// How the outside world reaches this service, without a slash at its end.
    pub public_url: Option<String>,
    /// Threads that run models.
    pub threads: usize,
    /// Calls and requests admitted at a time.
    pub capacity: usize,
    /// Bounds on uploads and recordings.
    pub limits: Limits,
    /// The longest live call.
    pub longest_call: Seconds,
    /// What a decision needs.
    pub policy: Policy,
    /// Speech needed to enrol.
    pub enrolment_speech: Seconds,
    /// Whether recordings are kept where the consent allows it.
    pub retain_audio: bool,
    /// Where reports of the benchmark lie that the console shows.
    pub accuracy_dir: PathBuf,
    /// How users are asked for their voice in a browser.
    pub signup: SignupConfig,
    /// What is believed of the evidence of whose line and whose voice it is.
    pub identity: IdentitySettings,
    /// Where voiceprints are searched.
    pub gallery: GalleryChoice,
    /// How carriers are dealt with.
    pub carriers: CarrierConfig,
    /// How Vapi is dealt with.
    pub vapi: VapiConfig,
}

impl Config {
    /// The address by which people reach this service: the public one, or the one it listens on.
    pub fn address(&self) -> String {
        let own = || format!("http://{}", self.listen);
        self.public_url.clone().unwrap_or_else(own)
    }

    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// [`Faults`]: everything that is wrong, at once.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let mut read = Reader::open(sources);
        let model = read.text("model");
        let public_url = read.url("public_url");
        let vapi = VapiConfig::read(&mut read, public_url.as_deref());
        let data_dir: PathBuf = read.text("data_dir").unwrap_or_else(|| "data".to_owned()).into();
        let config = Self {
            accuracy_dir: read
                .text("accuracy_dir")
                .map_or_else(|| data_dir.join("accuracy"), PathBuf::from),
            data_dir,
            models_dir: read.text("models_dir").map(PathBuf::from),
            ort_lib: read.text("ort_lib").map(PathBuf::from),
            model_named: model.is_some(),
            model: ModelId::new(model.unwrap_or_else(|| DEFAULT_MODEL.to_owned())),
            listen: read.parsed(
                "listen",
                "an address with a port, as in 127.0.0.1:8080",
                default_listen(),
            ),
            threads: read.count("inference.threads", 1..=256, cores()),
            capacity: read.count("inference.capacity", 1..=100_000, 64),
            limits: Limits {
                max_bytes: read.count("limits.upload_mb", 1..=4096, 64) as u64 * 1024 * 1024,
                max_duration: minutes(read.number("limits.audio_minutes", 0.1..=1440.0, 30.0)),
            },
            longest_call: minutes(read.number("limits.call_minutes", 0.1..=1440.0, 240.0)),
            policy: policy::read(&mut read),
            enrolment_speech: seconds(read.number("enrollment.minimum_speech_seconds", 2.0..=600.0, 6.0)),
            retain_audio: read.parsed("enrollment.retain_audio", "true or false", false),
            signup: SignupConfig::read(&mut read),
            identity: IdentitySettings::read(&mut read),
            gallery: gallery(&mut read),
            carriers: carriers::read(&mut read, public_url.as_deref(), vapi.region),
            vapi,
            public_url,
        };
        read.finish(config)
    }
}

fn gallery(read: &mut Reader) -> GalleryChoice {
    let backend = read.one_of("gallery.backend", &["embedded", "qdrant"], "embedded");
    let url = read.url("gallery.qdrant_url");
    let settings = QdrantSettings {
        url: url.clone().unwrap_or_default(),
        api_key: read.text("gallery.qdrant_api_key").map(SecretString::from),
        collection: read
            .text("gallery.qdrant_collection")
            .unwrap_or_else(|| "voxline".to_owned()),
        timeout: Duration::from_secs_f64(read.number("gallery.qdrant_timeout_seconds", 0.05..=60.0, 2.0)),
    };
    if backend == "embedded" {
        return GalleryChoice::Embedded;
    }
    if url.is_none() {
        read.fault(
            "gallery.qdrant_url",
            "gallery.backend is qdrant, but no address is given".to_owned(),
        );
    }
    GalleryChoice::Qdrant(settings)
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

fn cores() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(256)
}

fn seconds(value: f64) -> Seconds {
    Seconds::checked(value).unwrap_or(Seconds::ZERO)
}

fn minutes(value: f64) -> Seconds {
    seconds(value * 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Sources {
        Sources {
            file: Some(("voxline.toml".into(), file.to_owned())),
            environment: environment
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            flags: flags.iter().map(|(k, v)| (*k, (*v).to_owned())).collect(),
            unreadable: Vec::new(),
        }
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file_which_beats_the_defaults() {
        let file = "listen = \"127.0.0.1:1\"\n[decision]\naccept = 0.9\n[inference]\ncapacity = 7";
        let environment = [
            ("VOXLINE_LISTEN", "127.0.0.1:2"),
            ("VOXLINE_DECISION_ACCEPT", "0.95"),
        ];
        let config = Config::load(&sources(file, &environment, &[("listen", "127.0.0.1:3")])).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.policy.accept, 0.95);
        assert_eq!(config.capacity, 7);
        assert_eq!(config.policy.unknown_share, 0.5);
    }

    #[test]
    fn every_fault_is_listed_at_once_with_where_it_came_from() {
        let file = "colour = \"red\"\n[decision]\naccept = \"much\"\n[gallery]\nbackend = \"qdrant\"";
        let environment = [
            ("VOXLINE_INFERENCE_THREADS", "0"),
            ("VOXLINE_DECISION_ACEPT", "1"),
        ];
        let faults = Config::load(&sources(file, &environment, &[("listen", "here")]))
            .unwrap_err()
            .to_string();
        for part in [
            "`colour` (voxline.toml)",
            "`decision.accept` (voxline.toml)",
            "`gallery.qdrant_url`",
            "`inference.threads` (VOXLINE_INFERENCE_THREADS)",
            "VOXLINE_DECISION_ACEPT",
            "did you mean VOXLINE_DECISION_ACCEPT?",
            "`listen` (flag)",
        ] {
            assert!(faults.contains(part), "{part} is not in:\n{faults}");
        }
    }

    #[test]
    fn a_promise_is_a_share_of_calls_or_nothing_at_all() {
        let file = "[decision]\nmax_false_accept = 0.01";
        let config = Config::load(&sources(file, &[], &[])).unwrap();
        assert_eq!(config.policy.error_target.max_false_accept, Some(0.01));
        assert_eq!(config.policy.error_target.max_wrong_name, None);
        let file = "[decision]\nmax_wrong_name = 0.9";
        let faults = Config::load(&sources(file, &[], &[])).unwrap_err().to_string();
        assert!(faults.contains("`decision.max_wrong_name`"), "{faults}");
    }

    #[test]
    fn a_secret_is_shown_neither_in_a_fault_nor_by_debug() {
        let file = "[twilio]\nauth_token = \"hunter2\"\n[gallery]\nqdrant_api_key = 12345678";
        let loaded = Config::load(&sources(file, &[], &[]));
        let shown = format!("{loaded:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("12345678"),
            "{shown}"
        );
    }

    #[test]
    fn a_broken_file_says_where() {
        let faults = Config::load(&sources("listen = [", &[], &[]))
            .unwrap_err()
            .to_string();
        assert!(
            faults.contains("voxline.toml") && faults.contains("line 1"),
            "{faults}"
        );
    }

    /// The example with the `#` taken off its settings (a `#` with no space behind it), without those
    /// that have no default of their own and stand there as an illustration.
    fn example(without: &[&str]) -> String {
        let file = include_str!("../../voxline.example.toml");
        let setting = |line: &&str| !line.starts_with("# ") && !line.is_empty();
        let bare = file
            .lines()
            .filter(setting)
            .map(|line| line.trim_start_matches('#'));
        let named = |line: &str| line.split_once(" =").map(|(key, _)| key.to_owned());
        let kept = bare.filter(|line| named(line).is_none_or(|key| !without.contains(&key.as_str())));
        kept.collect::<Vec<_>>().join("\n")
    }

    const WITHOUT_DEFAULT: &[&str] = &[
        "passport_roots",
        "organisation",
        "consent_file",
        "embed_from",
        "passport_hosts",
        "passport_private_hosts",
        "models_dir",
        "ort_lib",
        "public_url",
        "threads",
        "max_false_accept",
        "max_wrong_name",
        "qdrant_url",
        "qdrant_api_key",
        "auth_token",
        "sip_user",
        "sip_password",
        "forward_secret",
        "public_key",
        "api_key",
        "signature_secret",
        "signing_key",
        "webhook_secret",
        "audiosocket",
        "username",
        "password",
        "secret",
        "hmac_prefix",
        "hmac_id_header",
        "assistant_id",
        "assistants",
        "sip_numbers",
        "fallback_assistant_id",
        "credential_id",
        "plain_hosts",
        "capture_dir",
        "url",
        "numbers",
        "headers",
        "bearer",
        "hmac_secret",
        "pin_prompt",
        "pin_language",
        "pin_numbers",
    ];

    #[test]
    fn the_example_is_a_valid_configuration_with_every_setting_there_is() {
        let file = example(&[]);
        // What is promised is said in one way or in the other.
        Config::load(&sources(&example(&["accept"]), &[], &[])).unwrap();
        let both = Config::load(&sources(&file, &[], &[])).unwrap_err().to_string();
        assert!(both.contains("take one of them out"), "{both}");
        let table: toml::Table = file.parse().unwrap();
        for (key, _) in keys() {
            let found = key
                .split('.')
                .try_fold(toml::Value::Table(table.clone()), |at, name| {
                    at.get(name).cloned()
                });
            assert!(found.is_some(), "`{key}` is not in voxline.example.toml");
        }
    }

    #[test]
    fn the_example_states_the_defaults() {
        let defaults = format!("{:?}", Config::load(&Sources::default()).unwrap());
        let mut stated = Config::load(&sources(&example(WITHOUT_DEFAULT), &[], &[])).unwrap();
        // All but who chose the model.
        assert!(std::mem::take(&mut stated.model_named));
        assert_eq!(format!("{stated:?}"), defaults);
        // As it is shipped it says nothing at all.
        let shipped = include_str!("../../voxline.example.toml");
        let shipped = Config::load(&sources(shipped, &[], &[])).unwrap();
        assert_eq!(format!("{shipped:?}"), defaults);
        // With Qdrant chosen, what it adds is at its default too.
        let address = ("VOXLINE_GALLERY_QDRANT_URL", "http://127.0.0.1:6334");
        let qdrant = ("gallery.backend", "qdrant");
        let plain = Config::load(&sources("", &[address], &[qdrant])).unwrap();
        let mut stated = Config::load(&sources(&example(WITHOUT_DEFAULT), &[address], &[qdrant])).unwrap();
        stated.model_named = false;
        assert_eq!(format!("{stated:?}"), format!("{plain:?}"));
    }
}
