//! `[vapi.upstream]`: the customer's own backend, to which Vapi's messages are relayed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use crate::settings::{SettingsReader, list, words};
use crate::units::DialedNumber;

use super::HmacPlan;

/// Your own backend, to which Vapi's messages are relayed.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UpstreamSection {
    /// Your own backend, to which every message of Vapi's is relayed. Without it nothing is.
    pub url: Option<String>,
    /// Another backend by dialed number, as in `+12025550102=https://a.example/vapi`.
    pub numbers: Option<String>,
    /// Another backend by assistant, as in `a-1=https://b.example/vapi`; these come first, as with Vapi.
    pub assistants: Option<String>,
    /// Whether messages go to the servers that `voxline vapi apply --take-over` found, too.
    #[default = true]
    pub saved: bool,
    /// Headers added for all backends, as in `x-vapi-secret=s`, or for one host, as in `a.example x-key=k`.
    #[schema(format = Password)]
    pub headers: Option<String>,
    /// Bearer token sent to the backends in place of the Authorization that came.
    #[schema(format = Password)]
    pub bearer: Option<String>,
    /// Key by which relayed messages are signed anew, as `vapi.hmac_*` say. Without it signatures go on as they came.
    #[schema(format = Password)]
    pub hmac_secret: Option<String>,
    /// Hosts besides this machine that are asked without TLS.
    pub plain_hosts: Option<String>,
    /// Seconds that a ringing call waits for the backend; Vapi drops the call after 7.5.
    #[schema(minimum = 0.1, maximum = 7.0)]
    #[default = 3.0]
    pub seconds: f64,
    /// Seconds that tools and other questions of a call wait for the backend.
    #[schema(minimum = 0.1, maximum = 290.0)]
    #[default = 12.0]
    pub request_seconds: f64,
    /// Requests to one backend at a time.
    #[schema(minimum = 1, maximum = 1024)]
    #[default = 64]
    pub concurrency: usize,
    /// Messages kept for a backend that does not take them.
    #[schema(minimum = 1, maximum = 1_000_000)]
    #[default = 10_000]
    pub queue_messages: usize,
    /// Megabytes of them.
    #[schema(minimum = 1, maximum = 4096)]
    #[default = 256]
    pub queue_mb: usize,
    /// Hours they are kept at most.
    #[schema(minimum = 0.01, maximum = 168.0)]
    #[default = 24.0]
    pub keep_hours: f64,
}

/// A header that every message to a backend gets.
#[derive(Debug, Clone)]
pub struct UpstreamHeader {
    /// The host it is for, in lower case; all where there is none.
    pub host: Option<String>,
    /// Its name, in lower case.
    pub name: String,
    /// The header's value; secret.
    pub value: SecretString,
}

/// The checked settings of `vapi.upstream.*`.
#[derive(Debug, Clone)]
pub struct UpstreamSettings {
    /// The backend of whatever has none of its own.
    pub default: Option<Url>,
    /// Backends by dialed number.
    pub numbers: BTreeMap<DialedNumber, Url>,
    /// Backends by Vapi's id of the assistant.
    pub assistants: BTreeMap<String, Url>,
    /// Whether servers that were there before Voxline's are backends too.
    pub saved: bool,
    /// Hosts besides this machine that are asked without TLS.
    pub plain_hosts: BTreeSet<String>,
    /// Headers that are added, or stand in place of what came.
    pub headers: Vec<UpstreamHeader>,
    /// By what relayed messages are signed anew.
    pub signing: Option<HmacPlan>,
    /// How long a ringing call waits.
    pub ring_budget: Duration,
    /// How long anything else that is waited for may take.
    pub request_budget: Duration,
    /// Requests to one backend at a time.
    pub concurrency: usize,
    /// Messages that are kept until they are delivered.
    pub queue_messages: usize,
    /// Bytes of those messages, bodies and headers together.
    pub queue_bytes: usize,
    /// How long they are kept.
    pub keep: Duration,
}

impl UpstreamSettings {
    /// `signing` are the settings of `vapi.hmac_*`, in which our own key is replaced; `public_url` is where this service
    /// is reached, and no backend.
    pub(super) fn checked(
        read: &mut SettingsReader,
        section: UpstreamSection,
        signing: &HmacPlan,
        public_url: Option<&str>,
    ) -> Self {
        let plain = words(&section.plain_hosts.unwrap_or_default());
        let plain = BTreeSet::from_iter(plain);
        let settings = Self {
            default: section
                .url
                .and_then(|text| address(read, "vapi.upstream.url", &text, &plain)),
            numbers: addresses(read, ("vapi.upstream.numbers", section.numbers), &plain, |name| {
                name.parse().ok()
            }),
            assistants: addresses(
                read,
                ("vapi.upstream.assistants", section.assistants),
                &plain,
                |name| (!name.is_empty()).then(|| name.to_owned()),
            ),
            saved: section.saved,
            plain_hosts: plain,
            headers: headers(read, section.headers, section.bearer),
            signing: section.hmac_secret.map(|key| HmacPlan {
                secret: SecretString::from(key),
                ..signing.clone()
            }),
            ring_budget: Duration::from_secs_f64(section.seconds),
            request_budget: Duration::from_secs_f64(section.request_seconds),
            concurrency: section.concurrency,
            queue_messages: section.queue_messages,
            queue_bytes: section.queue_mb * 1024 * 1024,
            keep: Duration::from_secs_f64(section.keep_hours * 3600.0),
        };
        settings.refuse_itself(read, public_url);
        settings
    }

    fn refuse_itself(&self, read: &mut SettingsReader, public_url: Option<&str>) {
        let own = public_url.and_then(|url| Url::parse(&format!("{url}/vapi/events")).ok());
        let all = self.default.iter();
        let mut all = all.chain(self.numbers.values()).chain(self.assistants.values());
        if own.is_some_and(|own| all.any(|url| *url == own)) {
            let why = "one of the backends is this service itself, which would relay to itself";
            read.fault("vapi.upstream.url", why);
        }
    }

    /// Whether an address may be asked, which the configuration did not name itself.
    pub fn may_be_asked(&self, url: &Url) -> bool {
        refusal(url, &self.plain_hosts).is_none()
    }
}

/// The entries of a list of names and addresses.
fn addresses<K: Ord>(
    read: &mut SettingsReader,
    (key, text): (&'static str, Option<String>),
    plain: &BTreeSet<String>,
    name: impl Fn(&str) -> Option<K>,
) -> BTreeMap<K, Url> {
    let mut found = BTreeMap::new();
    for entry in list(&text.unwrap_or_default()) {
        let pair = entry.split_once('=');
        let named = pair.and_then(|(named, text)| Some((name(named.trim())?, text.trim())));
        let Some((named, text)) = named else {
            let why = "an entry is not a name and an address, as in +12025550102=https://a.example/vapi or a-1=https://b.example/vapi";
            read.fault(key, why);
            continue;
        };
        if let Some(url) = address(read, key, text, plain) {
            found.insert(named, url);
        }
    }
    found
}

/// An address that may be asked: over TLS, or on this machine, or where that was said to be all right. Never shown
/// whole, since a token may stand in it.
fn address(
    read: &mut SettingsReader,
    key: &'static str,
    text: &str,
    plain: &BTreeSet<String>,
) -> Option<Url> {
    let Some(url) = Url::parse(text).ok().filter(Url::has_host) else {
        read.fault(key, "is not an address, as in https://backend.example.com/vapi");
        return None;
    };
    if let Some(why) = refusal(&url, plain) {
        read.fault(key, why);
        return None;
    }
    Some(url)
}

/// Why an address may not be asked.
fn refusal(url: &Url, plain: &BTreeSet<String>) -> Option<String> {
    let host = url.host_str().unwrap_or_default().to_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let own = bare
        .parse::<std::net::IpAddr>()
        .map_or(bare == "localhost", |address| address.is_loopback());
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => Some(format!(
            "the address at {host} carries a name or password: send them by vapi.upstream.headers"
        )),
        "https" => None,
        "http" if own || plain.contains(bare) => None,
        "http" => Some(format!(
            "{host} would be asked without TLS, and messages hold people's words: give an https:// address, or name the \
             host in vapi.upstream.plain_hosts"
        )),
        other => Some(format!(
            "the address at {host} begins with {other}://, not with https://"
        )),
    }
}

fn headers(read: &mut SettingsReader, text: Option<String>, bearer: Option<String>) -> Vec<UpstreamHeader> {
    let key = "vapi.upstream.headers";
    let mut found = Vec::new();
    for entry in list(&text.unwrap_or_default()) {
        let pair = entry.split_once('=').map(|(name, value)| {
            let (host, name) = match name.trim().rsplit_once(' ') {
                Some((host, name)) => (Some(host.trim().to_lowercase()), name),
                None => (None, name.trim()),
            };
            (host, name.to_lowercase(), value.trim())
        });
        let is_token = |name: &str| {
            let sign = |sign: char| sign.is_ascii_alphanumeric() || "-_.".contains(sign);
            !name.is_empty() && name.chars().all(sign)
        };
        let is_value = |value: &str| value.chars().all(|sign| matches!(sign, ' '..='~'));
        match pair {
            Some((host, name, value))
                if host.as_deref().is_none_or(is_token) && is_token(&name) && is_value(value) =>
            {
                found.push(UpstreamHeader {
                    host,
                    name,
                    value: SecretString::from(value.to_owned()),
                });
            }
            _ => read.fault(
                key,
                "an entry is not a header's name and its value, as in x-vapi-secret=s, or a.example x-key=k for one host",
            ),
        }
    }
    found.extend(bearer.map(|token| UpstreamHeader {
        host: None,
        name: "authorization".to_owned(),
        value: SecretString::from(format!("Bearer {token}")),
    }));
    found
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::of_section;
    use super::UpstreamSettings;

    fn load(text: &str) -> Result<UpstreamSettings, String> {
        Ok(of_section(&format!("[vapi.upstream]\n{text}"))?.upstream)
    }

    #[test]
    fn a_backend_for_all_and_others_by_number_and_assistant_are_read() {
        let text = "url = \"https://a.example/vapi/?k=1\"\nnumbers = \"+12025550102=http://127.0.0.1:9/\"\n\
                    assistants = \"a-1=http://backend.internal/x\"\nplain_hosts = \"backend.internal\"\n\
                    headers = \"X-Vapi-Secret=s=t, a.example x-key=k\"\nbearer = \"b\"";
        let upstream = load(text).unwrap();
        assert_eq!(upstream.default.unwrap().as_str(), "https://a.example/vapi/?k=1");
        assert_eq!(upstream.numbers.len() + upstream.assistants.len(), 2);
        let headers: Vec<_> = upstream
            .headers
            .iter()
            .map(|one| (one.host.as_deref(), one.name.as_str(), one.value.expose_secret()))
            .collect();
        assert_eq!(
            headers,
            [
                (None, "x-vapi-secret", "s=t"),
                (Some("a.example"), "x-key", "k"),
                (None, "authorization", "Bearer b"),
            ]
        );
    }

    #[test]
    fn an_unusable_backend_is_refused_and_no_secret_is_shown() {
        for (text, said) in [
            ("url = \"http://a.example/x\"", "without TLS"),
            ("url = \"https://me:hush@a.example/x\"", "name or password"),
            ("url = \"ftp://a.example\"", "begins with ftp://"),
            ("url = \"backend\"", "is not an address"),
            ("numbers = \"12=https://a.example\"", "not a name and an address"),
            ("assistants = \"a-1\"", "not a name and an address"),
            ("headers = \"hush\"", "not a header's name"),
            ("headers = \"x y z=hush\\n\"", "not a header's name"),
            ("seconds = 7.5", "from 0.1 to 7"),
            ("concurrency = 0", "from 1 to 1024"),
        ] {
            let faults = load(text).err().unwrap_or_default();
            assert!(faults.contains(said), "{faults} does not say {said}");
            assert!(!faults.contains("hush"), "{faults}");
        }
    }
}
