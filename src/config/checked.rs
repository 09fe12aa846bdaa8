//! The whole configuration, checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;

use ipnet::IpNet;

use crate::bytes::Limits;
use crate::decision::{Policy, ReplayRule};
use crate::store::{RetentionSchedule, StoreSettings};
use crate::units::Seconds;
use crate::voiceprint::ModelId;

use super::carriers::{CarrierConfig, CarrierSections};
use super::exchanges::networks;
use super::fault::Faults;
use super::gallery::GalleryChoice;
use super::identity::IdentitySettings;
use super::reader::{SettingsReader, list};
use super::schema::{Setting, settings_of};
use super::settings::Settings;
use super::signup::SignupConfig;
use super::sources::{Merged, Sources};
use super::tls::TlsConfig;
use super::vapi::VapiConfig;

/// The speaker model that comes with Voxline (models/training).
pub const DEFAULT_MODEL: &str = "voxline-phone-2";

/// Every setting there is.
pub(super) static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(settings_of::<Settings>);

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where files of ours lie.
    pub data_dir: PathBuf,
    /// The system of record.
    pub store: StoreSettings,
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
    /// Names besides that of `public_url` by which browsers reach the console.
    pub console_hosts: Vec<String>,
    /// Proxies whose word on where a request comes from is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// The certificate to serve with; without it in the clear.
    pub tls: Option<TlsConfig>,
    /// Threads that run models.
    pub threads: usize,
    /// Calls and requests admitted at a time.
    pub capacity: usize,
    /// Bounds on uploads and recordings.
    pub limits: Limits,
    /// The longest live call.
    pub longest_call: Seconds,
    /// Identifications that a key may ask for of one number a minute.
    pub identifications_per_minute: u32,
    /// What a decision needs.
    pub policy: Policy,
    /// What a caller's speech is compared with, to tell a recording that is played.
    pub replay: ReplayRule,
    /// The folder of the countermeasure, when one is to be used.
    pub countermeasure: Option<PathBuf>,
    /// Speech needed to enrol.
    pub enrolment_speech: Seconds,
    /// Whether recordings are kept where the consent allows it.
    pub retain_audio: bool,
    /// Where reports of the benchmark lie that the console shows.
    pub accuracy_dir: PathBuf,
    /// How long what is kept is kept.
    pub retention: RetentionSchedule,
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
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let own = || format!("{scheme}://{}", self.listen);
        self.public_url.clone().unwrap_or_else(own)
    }

    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// [`Faults`]: everything that is wrong, at once.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let merged = Merged::of(sources, &SETTINGS);
        let (mut reader, settings) = SettingsReader::open::<Settings>(merged, &SETTINGS);
        let config = Self::checked(&mut reader, settings);
        reader.finish(config)
    }

    fn checked(read: &mut SettingsReader, settings: Settings) -> Self {
        let public_url = read.url("public_url", settings.public_url);
        let forward_secret = settings.vapi.forward_secret.clone();
        let vapi = settings.vapi.checked(read, public_url.as_deref());
        let carriers = CarrierSections {
            carriers: settings.carriers,
            twilio: settings.twilio,
            signalwire: settings.signalwire,
            telnyx: settings.telnyx,
            vonage: settings.vonage,
            bandwidth: settings.bandwidth,
            plivo: settings.plivo,
            asterisk: settings.asterisk,
            jambonz: settings.jambonz,
            forward_secret,
        };
        let data_dir = PathBuf::from(settings.data_dir);
        Self {
            accuracy_dir: settings
                .accuracy_dir
                .map_or_else(|| data_dir.join("accuracy"), PathBuf::from),
            store: settings.store.checked(read, &data_dir),
            data_dir,
            models_dir: settings.models_dir.map(PathBuf::from),
            ort_lib: settings.ort_lib.map(PathBuf::from),
            model_named: settings.model.is_some(),
            model: ModelId::new(settings.model.unwrap_or_else(|| DEFAULT_MODEL.to_owned())),
            listen: listen(read, &settings.listen),
            console_hosts: hosts(read, settings.console_hosts.as_deref()),
            trusted_proxies: networks(read, "trusted_proxies", settings.trusted_proxies.as_deref()),
            tls: settings.tls.checked(read, public_url.as_deref()),
            threads: settings.inference.threads.unwrap_or_else(cores),
            capacity: settings.inference.capacity,
            limits: Limits {
                max_bytes: settings.limits.upload_mb as u64 * 1024 * 1024,
                max_duration: minutes(settings.limits.audio_minutes),
            },
            longest_call: minutes(settings.limits.call_minutes),
            replay: settings.decision.replay,
            countermeasure: settings.decision.countermeasure.as_ref().map(PathBuf::from),
            identifications_per_minute: settings.limits.identifications_per_minute,
            policy: settings.decision.checked(read),
            enrolment_speech: seconds(settings.enrollment.minimum_speech_seconds),
            retain_audio: settings.enrollment.retain_audio,
            retention: settings.retention.checked(),
            signup: settings.signup.checked(read),
            identity: settings.identity.checked(read),
            gallery: settings.gallery.checked(read),
            carriers: carriers.checked(read, public_url.as_deref(), vapi.region),
            vapi,
            public_url,
        }
    }
}

/// Names of hosts; a port or a path would never match.
fn hosts(read: &mut SettingsReader, text: Option<&str>) -> Vec<String> {
    let names = list(text.unwrap_or_default());
    let is_name = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        !name.is_empty() && name.bytes().all(allowed)
    };
    if let Some(bad) = names.iter().find(|name| !is_name(name)) {
        let why = format!(
            "{bad:?} is no host's name, as in voxline.internal, without a port; several stand between commas"
        );
        read.fault("console_hosts", why);
    }
    names
}

fn listen(read: &mut SettingsReader, text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| {
        let why = format!("`{text}` is not an address with a port, as in 127.0.0.1:8080");
        read.fault("listen", why);
        SocketAddr::from(([127, 0, 0, 1], 8080))
    })
}

fn cores() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.min(256)
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
    fn flags_beat_the_environment_that_the_file_and_that_the_defaults() {
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
        let loaded = Config::load(&sources(file, &environment, &[("listen", "here")]));
        let faults = loaded.unwrap_err().to_string();
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
        let faults = super::super::of_file("listen = [").unwrap_err();
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
        "pepper",
        "passport_roots",
        "organisation",
        "consent_file",
        "consent_question",
        "embed_from",
        "passport_hosts",
        "passport_private_hosts",
        "models_dir",
        "ort_lib",
        "public_url",
        "console_hosts",
        "trusted_proxies",
        "certificate",
        "key",
        "threads",
        "countermeasure",
        "max_false_accept",
        "max_wrong_name",
        "qdrant_url",
        "qdrant_api_key",
        "auth_token",
        "shared_key",
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
        "master_key",
        "master_key_file",
        "master_key_command",
    ];

    /// Of what can be said in several ways, all but one.
    const OTHER_WAYS: &[&str] = &["accept", "master_key_file", "master_key_command"];

    #[test]
    fn the_example_is_a_valid_configuration_with_every_setting_there_is() {
        let file = example(&[]);
        // What is promised, and where the master key is, is said in one way.
        Config::load(&sources(&example(OTHER_WAYS), &[], &[])).unwrap();
        let both = Config::load(&sources(&file, &[], &[])).unwrap_err().to_string();
        assert!(both.contains("take one of them out"), "{both}");
        let table: toml::Table = file.parse().unwrap();
        for Setting { key, .. } in SETTINGS.iter() {
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
        let address = ("VOXLINE_GALLERY_QDRANT_URL", "http://127.0.0.1:6334");
        let qdrant = ("gallery.backend", "qdrant");
        let plain = Config::load(&sources("", &[address], &[qdrant])).unwrap();
        let mut stated = Config::load(&sources(&example(WITHOUT_DEFAULT), &[address], &[qdrant])).unwrap();
        stated.model_named = false;
        assert_eq!(format!("{stated:?}"), format!("{plain:?}"));
    }
}
