//! The whole configuration, checked.

use std::path::PathBuf;
use std::sync::LazyLock;

use crate::carriers::{CarrierSections, CarrierSettings};
use crate::reply::{ReplySections, ReplySettings};
use crate::settings::{Faults, Setting, SettingsReader, Sources, settings_of};
use crate::switchboard::{BoardSections, BoardSettings};
use crate::vapi::VapiSettings;

use super::settings::Settings;

/// Every setting there is.
pub(super) static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(settings_of::<Settings>);

/// A checked configuration: what each room is opened with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where files of ours lie.
    pub data_dir: PathBuf,
    /// What the switchboard opens with: store and gallery, models, decisions, enrolments.
    pub board: BoardSettings,
    /// How carriers are dealt with.
    pub carriers: CarrierSettings,
    /// How Vapi is dealt with.
    pub vapi: VapiSettings,
    /// How the service is reached, and what its pages show.
    pub reply: ReplySettings,
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// [`Faults`]: everything that is wrong, at once.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let (mut reader, settings) = SettingsReader::open::<Settings>(sources, &SETTINGS);
        let config = Self::checked(&mut reader, settings);
        reader.finish(config)
    }

    /// What a setting is given as, whatever else is wrong; `None` where it is not given.
    pub fn given(sources: &Sources, key: &str) -> Option<String> {
        sources.given(&SETTINGS, key)
    }

    fn checked(read: &mut SettingsReader, settings: Settings) -> Self {
        let data_dir = PathBuf::from(settings.data_dir);
        let public_url = read.url("public_url", settings.public_url);
        let forward_secret = settings.vapi.forward_secret.clone();
        let vapi = settings.vapi.checked(read, public_url.as_deref(), &data_dir);
        let board = BoardSections {
            store: settings.store,
            inference: settings.inference,
            limits: settings.limits,
            decision: settings.decision,
            enrollment: settings.enrollment,
            retention: settings.retention,
            identity: settings.identity,
            gallery: settings.gallery,
            models_dir: settings.models_dir,
            ort_lib: settings.ort_lib,
            model: settings.model,
            data_dir: data_dir.clone(),
            answer_budget: vapi.answer_budget,
        };
        let board = board.checked(read);
        let accuracy_dir = settings.accuracy_dir.map(PathBuf::from);
        let reply = ReplySections {
            listen: settings.listen,
            public_url: public_url.clone(),
            console_hosts: settings.console_hosts,
            trusted_proxies: settings.trusted_proxies,
            tls: settings.tls,
            accuracy_dir: accuracy_dir.unwrap_or_else(|| data_dir.join("accuracy")),
            signup: settings.signup,
            may_keep: board.retain_audio,
            by_telephone: vapi.enrol_by_phone && vapi.takes_webhooks(),
        };
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
            public_url,
            region: vapi.region,
            sip_numbers: vapi.sip_numbers.clone(),
            forward_secret,
            pin_length: board.identity.pin_length,
        };
        Self {
            reply: reply.checked(read),
            carriers: carriers.checked(read),
            data_dir,
            board,
            vapi,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

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
        assert_eq!(config.reply.listen.port(), 3);
        assert_eq!(config.board.policy.accept, 0.95);
        assert_eq!(config.board.capacity, 7);
        assert_eq!(config.board.policy.unknown_share, 0.5);
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
        let faults = Config::load(&sources("listen = [", &[], &[]));
        let faults = faults.unwrap_err().to_string();
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
        for Setting { key, default, .. } in SETTINGS.iter() {
            let found = key
                .split('.')
                .try_fold(toml::Value::Table(table.clone()), |at, name| {
                    at.get(name).cloned()
                });
            let found = found.unwrap_or_else(|| panic!("`{key}` is not in voxline.example.toml"));
            let found = serde_json::to_value(found).unwrap();
            let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            let is_default = match default {
                Value::Null => true,
                Value::Number(default) => found.as_f64() == default.as_f64(),
                Value::String(default) => text == *default,
                default => found == *default,
            };
            assert!(is_default, "`{key}` is {found} in voxline.example.toml");
        }
    }

    #[test]
    fn the_example_states_the_defaults() {
        let defaults = format!("{:?}", Config::load(&Sources::default()).unwrap());
        let mut stated = Config::load(&sources(&example(WITHOUT_DEFAULT), &[], &[])).unwrap();
        // All but who chose the model.
        assert!(std::mem::take(&mut stated.board.model_named));
        assert_eq!(format!("{stated:?}"), defaults);
        // As it is shipped it says nothing at all.
        let shipped = include_str!("../../voxline.example.toml");
        let shipped = Config::load(&sources(shipped, &[], &[])).unwrap();
        assert_eq!(format!("{shipped:?}"), defaults);
        let address = ("VOXLINE_GALLERY_QDRANT_URL", "http://127.0.0.1:6334");
        let qdrant = ("gallery.backend", "qdrant");
        let plain = Config::load(&sources("", &[address], &[qdrant])).unwrap();
        let mut stated = Config::load(&sources(&example(WITHOUT_DEFAULT), &[address], &[qdrant])).unwrap();
        stated.board.model_named = false;
        assert_eq!(format!("{stated:?}"), format!("{plain:?}"));
    }
}
