//! The headers of relayed messages: as they came, except what concerns one connection alone, and with what the customer's
//! backend is to know them by.

use reqwest::Url;
use secrecy::ExposeSecret;
use time::OffsetDateTime;

use super::super::authentic::signature;
use super::super::pass::{BACKEND_HEADER, PASS_HEADER};

use crate::vapi::settings::{HmacPlan, UpstreamHeader, VapiAuth};

/// By this a backend knows a message that comes again.
pub const DELIVERY_HEADER: &str = "x-voxline-delivery";

/// Headers that concern one connection (RFC 9110 section 7.6.1), or that are made anew with the request.
const OF_THE_CONNECTION: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "expect",
    "accept-encoding",
];

/// Above this a timestamp counts milliseconds: as seconds it would lie in the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// A list of headers, names in lower case.
pub type Headers = Vec<(String, String)>;

/// How headers are made.
pub struct HeaderRules {
    auth: VapiAuth,
    added: Vec<UpstreamHeader>,
    signing: Option<HmacPlan>,
}

/// What is to be sent where.
pub struct Outgoing<'a> {
    /// The backend's address.
    pub url: &'a Url,
    /// The request's body, as it came.
    pub body: &'a [u8],
    /// By which a backend knows that it comes again.
    pub id: &'a str,
    /// Whether a signature that came is no longer true of it: it was changed, or has waited.
    pub changed: bool,
}

impl HeaderRules {
    /// `auth` is how webhooks are known here; `added` and `signing` are what backends are told besides.
    pub fn new(auth: &VapiAuth, added: &[UpstreamHeader], signing: Option<&HmacPlan>) -> Self {
        Self {
            auth: auth.clone(),
            added: added.to_vec(),
            signing: signing.cloned(),
        }
    }

    /// Of the headers that came, those that go on. What is in the configuration anyway, our own secret, is left out: it
    /// need not lie in the store.
    pub fn to_keep(&self, came: &[(String, String)]) -> Headers {
        let own = match &self.auth {
            VapiAuth::Secret(_) => "x-vapi-secret",
            VapiAuth::Bearer { header, .. } => header.as_str(),
            // A token of our own token endpoint is good here alone.
            VapiAuth::OAuth2 { .. } => "authorization",
            VapiAuth::Hmac(_) | VapiAuth::Refuse => "",
        };
        let named: Vec<&str> = came
            .iter()
            .filter(|(name, _)| name == "connection")
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .collect();
        let goes_on = |name: &str| {
            name != own
                // Good here alone, too.
                && name != PASS_HEADER
                && name != BACKEND_HEADER
                && !OF_THE_CONNECTION.contains(&name)
                && !named.iter().any(|one| one.eq_ignore_ascii_case(name))
        };
        let kept = came.iter().filter(|(name, _)| goes_on(name));
        kept.cloned().collect()
    }

    /// The headers of one request, made of those that were kept.
    pub fn to_send(
        &self,
        kept: &[(String, String)],
        outgoing: &Outgoing<'_>,
        now: OffsetDateTime,
    ) -> Headers {
        let mut headers = kept.to_vec();
        match &self.auth {
            VapiAuth::Secret(secret) => set(&mut headers, "x-vapi-secret", secret.expose_secret()),
            VapiAuth::Bearer {
                header,
                prefix,
                token,
            } => {
                let scheme = if *prefix { "Bearer " } else { "" };
                let value = format!("{scheme}{}", token.expose_secret());
                set(&mut headers, header, &value);
            }
            VapiAuth::Hmac(_) | VapiAuth::OAuth2 { .. } | VapiAuth::Refuse => {}
        }
        // Vapi may have sent it without a signature, as what comes to a server that is named for a call alone.
        let unsigned = |plan: &HmacPlan| !kept.iter().any(|(name, _)| *name == plan.signature_header);
        match (&self.signing, &self.auth) {
            (Some(plan), _) => sign(&mut headers, plan, outgoing, now),
            (None, VapiAuth::Hmac(plan)) if outgoing.changed || unsigned(plan) => {
                sign(&mut headers, plan, outgoing, now);
            }
            _ => {}
        }
        let host = outgoing.url.host_str().unwrap_or_default();
        for one in &self.added {
            if one.host.as_deref().is_none_or(|named| named == host) {
                set(&mut headers, &one.name, one.value.expose_secret());
            }
        }
        set(&mut headers, DELIVERY_HEADER, outgoing.id);
        headers
    }
}

/// Signs a request as Vapi would, at the present moment, in the unit in which Vapi wrote it.
fn sign(headers: &mut Headers, plan: &HmacPlan, outgoing: &Outgoing<'_>, now: OffsetDateTime) {
    let value = |name: &str| {
        let found = headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let timestamp = plan.timestamp_header.as_deref().map(|header| {
        let came: Option<i64> = value(header).and_then(|text| text.parse().ok());
        let seconds = now.unix_timestamp();
        match came {
            Some(came) if came < MILLISECONDS_FROM => seconds.to_string(),
            _ => (seconds * 1_000 + i64::from(now.millisecond())).to_string(),
        }
    });
    let id = plan.id_header.as_deref().and_then(value).unwrap_or_default();
    let values = [
        ("{body}", outgoing.body),
        ("{timestamp}", timestamp.as_deref().unwrap_or_default().as_bytes()),
        ("{method}", b"POST".as_slice()),
        ("{url}", outgoing.url.as_str().as_bytes()),
        ("{svix-id}", id.as_bytes()),
    ];
    let Some(signed) = signature(plan, &values) else {
        return;
    };
    set(headers, &plan.signature_header, &signed);
    if let (Some(header), Some(timestamp)) = (&plan.timestamp_header, timestamp) {
        set(headers, header, &timestamp);
    }
}

/// Sets a header, whatever stood in it.
fn set(headers: &mut Headers, name: &str, value: &str) {
    headers.retain(|(known, _)| known != name);
    headers.push((name.to_owned(), value.to_owned()));
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::super::authentic::{Arrived, authenticate};
    use super::super::super::tokens::Tokens;
    use super::*;
    use crate::vapi::settings::{VapiSettings, of_section};

    const HMAC: &str = "auth = \"hmac\"\nsecret = \"k\"";

    fn rules(settings: &VapiSettings) -> HeaderRules {
        let upstream = &settings.upstream;
        HeaderRules::new(&settings.auth, &upstream.headers, upstream.signing.as_ref())
    }

    fn came() -> Headers {
        let pairs = [
            ("host", "id.example.com"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("content-length", "9"),
            ("content-type", "application/json"),
            ("x-vapi-secret", "theirs"),
            ("x-signature", "as-it-came"),
            ("x-timestamp", "1760000000000"),
        ];
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    fn sent(settings: &VapiSettings, changed: bool) -> Headers {
        let rules = rules(settings);
        let outgoing = Outgoing {
            url: &Url::parse("https://a.example/v").unwrap(),
            body: b"the body",
            id: "d-1",
            changed,
        };
        rules.to_send(&rules.to_keep(&came()), &outgoing, OffsetDateTime::now_utc())
    }

    fn value<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
        let found = headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn what_came_goes_on_without_what_concerns_the_connection() {
        let headers = sent(&of_section(HMAC).unwrap(), false);
        for (name, held) in [
            ("x-vapi-secret", Some("theirs")),
            ("x-signature", Some("as-it-came")),
            ("content-type", Some("application/json")),
            (DELIVERY_HEADER, Some("d-1")),
            ("host", None),
            ("connection", None),
            ("x-hop", None),
            ("content-length", None),
        ] {
            assert_eq!(value(&headers, name), held, "{name}");
        }
    }

    #[test]
    fn our_own_secret_is_not_kept_and_goes_on_all_the_same() {
        let settings = of_section("auth = \"secret\"\nsecret = \"theirs\"").unwrap();
        assert_eq!(value(&rules(&settings).to_keep(&came()), "x-vapi-secret"), None);
        assert_eq!(value(&sent(&settings, false), "x-vapi-secret"), Some("theirs"));
    }

    #[test]
    fn what_was_changed_or_has_its_own_key_is_signed_verifiably() {
        let own = format!("{HMAC}\nupstream.hmac_secret = \"theirs\"");
        for (text, changed, key) in [(HMAC, true, "k"), (&own, false, "theirs")] {
            let settings = of_section(text).unwrap();
            let headers = sent(&settings, changed);
            let VapiAuth::Hmac(plan) = &settings.auth else {
                panic!("hmac was configured");
            };
            let plan = HmacPlan {
                secret: SecretString::from(key.to_owned()),
                ..plan.clone()
            };
            let arrived = Arrived {
                header: &|name| value(&headers, name),
                body: b"the body",
                url: None,
                now: OffsetDateTime::now_utc(),
            };
            let known = authenticate(&VapiAuth::Hmac(plan), &Tokens::default(), &arrived);
            assert_eq!(known, Ok(()));
        }
    }

    #[test]
    fn what_came_without_a_signature_is_signed_and_the_calls_pass_stays_here() {
        let settings = of_section(HMAC).unwrap();
        let came: Headers = [
            ("content-type", "application/json"),
            (PASS_HEADER, "c-1.00"),
            (BACKEND_HEADER, "00"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let rules = rules(&settings);
        let outgoing = Outgoing {
            url: &Url::parse("https://a.example/v").unwrap(),
            body: b"the body",
            id: "d-1",
            changed: false,
        };
        let headers = rules.to_send(&rules.to_keep(&came), &outgoing, OffsetDateTime::now_utc());
        assert_eq!(value(&headers, PASS_HEADER), None);
        assert_eq!(value(&headers, BACKEND_HEADER), None);
        let arrived = Arrived {
            header: &|name| value(&headers, name),
            body: b"the body",
            url: None,
            now: OffsetDateTime::now_utc(),
        };
        let known = authenticate(&settings.auth, &Tokens::default(), &arrived);
        assert_eq!(known, Ok(()));
    }

    #[test]
    fn an_added_header_is_for_all_backends_or_for_its_host_alone() {
        let text = "upstream.headers = \"x-all=1, a.example x-a=2, b.example x-b=3, x-vapi-secret=ours\"";
        let headers = sent(&of_section(text).unwrap(), false);
        let held = ["x-all", "x-a", "x-b", "x-vapi-secret"].map(|name| value(&headers, name));
        assert_eq!(held, [Some("1"), Some("2"), None, Some("ours")]);
    }
}
