//! Whether a request is the carrier's: each carrier's own proof, over the bytes as they arrived.
//!
//! Nothing here reads what a request says; that comes after, and only for requests that passed.

mod owner;

mod basic;
mod jambonz;
mod jwt;
mod plivo;
mod telnyx;
mod twilio;

use secrecy::SecretString;
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::Carrier;
pub use basic::BasicLogin;

/// The most seconds between a signature's own time and ours, either way (Telnyx documents 300).
pub const TOLERANCE_SECONDS: i64 = 300;

/// A request as its signature was made over it.
pub struct Signed<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path and query as they came.
    pub path: &'a str,
    /// A header's value by its lower-case name; `None` when it is missing or no text.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body's bytes as they came.
    pub body: &'a [u8],
    /// Now, in seconds since 1970.
    pub now: i64,
}

impl Signed<'_> {
    fn query(&self) -> &str {
        self.path.split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether a request that was let in by Twilio's door is SignalWire's, as its signature's header says.
    pub fn is_signalwires(&self) -> bool {
        (self.header)(twilio::SIGNALWIRE_HEADER).is_some()
    }

    /// Whether the body is a form.
    fn is_form(&self) -> bool {
        let media_type = (self.header)("content-type").unwrap_or("");
        let essence = media_type.split(';').next().unwrap_or("").trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }
}

/// Why a request was not taken for the carrier's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// What its requests are known by is not configured.
    #[error("requests of {carrier} cannot be checked here: set {keys}")]
    NotConfigured {
        /// The carrier that the request claims to be from.
        carrier: &'static str,
        /// The settings that are missing.
        keys: &'static str,
    },
    /// It brings no proof at all.
    #[error("the header {header} is missing: only {carrier} is let in here")]
    Unsigned {
        /// The carrier whose proof is missing or wrong.
        carrier: &'static str,
        /// Where it would be.
        header: &'static str,
    },
    /// Its proof is of something else, or no proof.
    #[error("this is not {carrier}'s signature of this request: check {keys}")]
    Wrong {
        /// The carrier that the request claims to be from.
        carrier: &'static str,
        /// The settings it depends on.
        keys: &'static str,
    },
    /// Its proof is made in a way that is not known here.
    #[error("this request of {carrier}'s is signed with an algorithm that is not known here: {known} are")]
    UnknownAlgorithm {
        /// The carrier that the request claims to be from.
        carrier: &'static str,
        /// Those that are known.
        known: &'static str,
    },
    /// Its proof is good, and too old or from the future.
    #[error("{carrier}'s signature is more than {TOLERANCE_SECONDS} s from now: check this machine's clock")]
    Stale {
        /// The carrier that the request claims to be from.
        carrier: &'static str,
    },
}

/// What carriers' requests are known by; a carrier without it is let in by an API key or a call token
/// alone.
#[derive(Debug, Clone, Default)]
pub struct Proofs {
    /// How carriers reach this service, as in `https://id.example.com`: behind a proxy the host that arrives
    /// here is not the one that was signed.
    pub public_url: Option<String>,
    /// Twilio's auth token.
    pub twilio: Option<SecretString>,
    /// The account's shared key at Twilio.
    pub twilio_shared: Option<SecretString>,
    /// Telnyx's public key: 32 bytes.
    pub telnyx: Option<[u8; 32]>,
    /// Vonage's signature secret.
    pub vonage: Option<SecretString>,
    /// The name and password that Bandwidth is told to bring.
    pub bandwidth: Option<BasicLogin>,
    /// Plivo's auth token.
    pub plivo: Option<SecretString>,
    /// SignalWire's signing key; its calls come in by Twilio's door.
    pub signalwire: Option<SecretString>,
    /// The name and password that Asterisk is told to bring.
    pub asterisk: Option<BasicLogin>,
    /// The webhook secret of the jambonz account.
    pub jambonz: Option<SecretString>,
    /// The name and password that jambonz is told to bring.
    pub jambonz_login: Option<BasicLogin>,
}

impl Proofs {
    /// Whether `request` is a webhook of `carrier`.
    ///
    /// # Errors
    /// [`Refusal`] when it is not, or it cannot be told.
    pub fn webhook(&self, carrier: Carrier, request: &Signed) -> Result<(), Refusal> {
        match carrier {
            Carrier::Twilio => twilio::check_dialects(&self.twilio_keys(), self.base(), request),
            Carrier::Telnyx => {
                let key = self.telnyx.as_ref().ok_or(telnyx::LACKING)?;
                telnyx::check(key, request)
            }
            Carrier::Vonage => {
                let secret = self.vonage.as_ref().ok_or(jwt::LACKING)?;
                jwt::check(secret, request)
            }
            Carrier::Bandwidth => {
                let login = self.bandwidth.as_ref().ok_or(basic::BANDWIDTH.lacking())?;
                login.check(basic::BANDWIDTH, request)
            }
            Carrier::Asterisk => {
                let login = self.asterisk.as_ref().ok_or(basic::ASTERISK.lacking())?;
                login.check(basic::ASTERISK, request)
            }
            // The signature says more than a password: it is asked for wherever it can be checked.
            Carrier::Jambonz => match (&self.jambonz, &self.jambonz_login) {
                (Some(secret), _) => jambonz::check(secret, request),
                (None, Some(login)) => login.check(basic::JAMBONZ, request),
                (None, None) => Err(jambonz::LACKING),
            },
            Carrier::Plivo => {
                let (token, base) = self.signed_address(self.plivo.as_ref(), plivo::LACKING)?;
                plivo::check(token, base, request)
            }
        }
    }

    /// Whether `request` is a WebSocket handshake of `carrier`. `Ok(false)` when it brings no proof, which is
    /// for the call token to make good.
    ///
    /// # Errors
    /// [`Refusal`] when it brings a proof that is none.
    pub fn handshake(&self, carrier: Carrier, request: &Signed) -> Result<bool, Refusal> {
        let header = match carrier {
            Carrier::Twilio => twilio::HEADER,
            // Telnyx signs no handshake; its streams bring the token.
            Carrier::Telnyx => return Ok(false),
            Carrier::Vonage | Carrier::Bandwidth | Carrier::Asterisk | Carrier::Jambonz => "authorization",
            Carrier::Plivo => plivo::HEADER,
        };
        if (request.header)(header).is_none() {
            return Ok(false);
        }
        match carrier {
            Carrier::Twilio => twilio::check_handshake(&self.twilio_keys(), self.base(), request)?,
            Carrier::Plivo => {
                let (token, base) = self.signed_address(self.plivo.as_ref(), plivo::LACKING)?;
                plivo::check_handshake(token, base, request)?;
            }
            // Webhooks are signed, streams bring a login (`wsAuth`).
            Carrier::Jambonz => {
                let login = self.jambonz_login.as_ref().ok_or(basic::JAMBONZ.lacking())?;
                login.check(basic::JAMBONZ, request)?;
            }
            Carrier::Telnyx | Carrier::Vonage | Carrier::Bandwidth | Carrier::Asterisk => {
                self.webhook(carrier, request)?;
            }
        }
        Ok(true)
    }

    /// Whether anything is set by which `carrier` could be known.
    pub const fn knows(&self, carrier: Carrier) -> bool {
        match carrier {
            Carrier::Twilio => {
                self.twilio.is_some() || self.twilio_shared.is_some() || self.signalwire.is_some()
            }
            Carrier::Telnyx => self.telnyx.is_some(),
            Carrier::Vonage => self.vonage.is_some(),
            Carrier::Bandwidth => self.bandwidth.is_some(),
            Carrier::Plivo => self.plivo.is_some(),
            Carrier::Asterisk => self.asterisk.is_some(),
            Carrier::Jambonz => self.jambonz.is_some() || self.jambonz_login.is_some(),
        }
    }

    /// Whether `carrier`'s webhooks are known by a name and password. Bandwidth sends its own only when it is asked for
    /// them in a 401.
    pub const fn by_login(&self, carrier: Carrier) -> bool {
        match carrier {
            Carrier::Bandwidth | Carrier::Asterisk => true,
            Carrier::Jambonz => self.jambonz.is_none() && self.jambonz_login.is_some(),
            Carrier::Twilio | Carrier::Telnyx | Carrier::Vonage | Carrier::Plivo => false,
        }
    }

    /// Whether `carrier`'s streams are known by a name and password. jambonz signs no handshake.
    pub const fn stream_by_login(carrier: Carrier) -> bool {
        match carrier {
            Carrier::Bandwidth | Carrier::Asterisk | Carrier::Jambonz => true,
            Carrier::Twilio | Carrier::Telnyx | Carrier::Vonage | Carrier::Plivo => false,
        }
    }

    fn twilio_keys(&self) -> twilio::Keys<'_> {
        twilio::Keys {
            twilio: self.twilio.as_ref(),
            shared: self.twilio_shared.as_ref(),
            signalwire: self.signalwire.as_ref(),
        }
    }

    fn base(&self) -> Option<&str> {
        self.public_url.as_deref().map(|base| base.trim_end_matches('/'))
    }

    fn signed_address<'a>(
        &'a self,
        token: Option<&'a SecretString>,
        lacking: Refusal,
    ) -> Result<(&'a SecretString, &'a str), Refusal> {
        token.zip(self.base()).ok_or(lacking)
    }
}

/// `base`, an address of `http` or `ws`, with the WebSocket's scheme.
fn as_websocket(base: &str) -> String {
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let scheme = if matches!(scheme, "http" | "ws") {
        "ws"
    } else {
        "wss"
    };
    format!("{scheme}://{rest}")
}

/// Whether two secrets are the same; the time it takes says nothing of where they differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A request for the tests of this folder.
    pub struct Parts {
        pub method: &'static str,
        pub path: &'static str,
        pub headers: Vec<(&'static str, String)>,
        pub body: Vec<u8>,
        pub now: i64,
    }

    impl Parts {
        /// A POST of this text to a path with its query, in the year 2025.
        pub fn post(path: &'static str, body: &str) -> Self {
            Self {
                method: "POST",
                path,
                headers: Vec::new(),
                body: body.as_bytes().to_vec(),
                now: 1_760_000_000,
            }
        }

        /// A GET of a path with its query.
        pub fn get(path: &'static str) -> Self {
            Self {
                method: "GET",
                ..Self::post(path, "")
            }
        }

        /// The request with a header, by its lower-case name.
        pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
            self.headers.push((name, value.into()));
            self
        }

        /// The request as one whose body is a form.
        pub fn form(self) -> Self {
            self.with("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        }

        /// What `check` says of it.
        pub fn checked<T>(&self, check: impl FnOnce(&Signed) -> T) -> T {
            let header = |name: &str| {
                let found = self.headers.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.as_str())
            };
            check(&Signed {
                method: self.method,
                path: self.path,
                header: &header,
                body: &self.body,
                now: self.now,
            })
        }
    }

    #[test]
    fn nothing_gets_in_unconfigured_and_the_message_names_the_settings() {
        let proofs = Proofs::default();
        for carrier in Carrier::ALL {
            let said = Parts::post("/", "").checked(|request| proofs.webhook(carrier, request));
            let said = said.unwrap_err().to_string();
            assert!(said.contains("set "), "{said}");
            let handshake = Parts::get("/").checked(|request| proofs.handshake(carrier, request));
            assert_eq!(handshake, Ok(false), "{carrier}: no proof is no forged proof");
        }
    }

    #[test]
    fn jambonz_is_known_by_its_login_where_it_has_no_secret() {
        let mut proofs = Proofs::default();
        assert!(!proofs.by_login(Carrier::Jambonz));
        proofs.jambonz_login = Some(BasicLogin::new("u", "p".into()));
        assert!(proofs.by_login(Carrier::Jambonz));
        proofs.jambonz = Some("s".into());
        assert!(!proofs.by_login(Carrier::Jambonz));
    }

    #[test]
    fn secrets_show_nowhere() {
        let proofs = Proofs {
            twilio: Some("tok-test".into()),
            vonage: Some("tok-test".into()),
            plivo: Some("tok-test".into()),
            bandwidth: Some(BasicLogin::new("u", "tok-test".into())),
            signalwire: Some("tok-test".into()),
            asterisk: Some(BasicLogin::new("u", "tok-test".into())),
            jambonz: Some("tok-test".into()),
            jambonz_login: Some(BasicLogin::new("u", "tok-test".into())),
            ..Proofs::default()
        };
        assert!(!format!("{proofs:?}").contains("tok-test"));
    }
}
