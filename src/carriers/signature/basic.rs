//! Bandwidth: HTTP Basic (RFC 7617), with a name and password of our choosing.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::{Refusal, Signed, same};

const KEYS: &str = "bandwidth.username and bandwidth.password";
pub(super) const LACKING: Refusal = Refusal::NotConfigured {
    carrier: "Bandwidth",
    keys: KEYS,
};
const WRONG: Refusal = Refusal::Wrong {
    carrier: "Bandwidth",
    keys: KEYS,
};

/// A name and password that a carrier is told to bring.
#[derive(Clone)]
pub struct BasicLogin {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

impl BasicLogin {
    /// This name and password.
    pub fn new(username: impl Into<String>, password: SecretString) -> Self {
        Self {
            username: username.into(),
            password,
        }
    }

    pub(super) fn check(&self, request: &Signed) -> Result<(), Refusal> {
        let value = (request.header)("authorization").ok_or(Refusal::Unsigned {
            carrier: "Bandwidth",
            header: "authorization",
        })?;
        let (scheme, credentials) = value.split_once(' ').ok_or(WRONG)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(WRONG);
        }
        let brought = STANDARD.decode(credentials.trim()).map_err(|_| WRONG)?;
        let expected = format!("{}:{}", self.username, self.password.expose_secret());
        if same(&brought, expected.as_bytes()) {
            Ok(())
        } else {
            Err(WRONG)
        }
    }
}

impl fmt::Debug for BasicLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BasicLogin({:?}, ***)", self.username)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Parts;
    use super::*;

    fn said(header: &str) -> Result<(), Refusal> {
        let login = BasicLogin::new("Aladdin", "open sesame".into());
        let parts = Parts::post("/", "").with("authorization", header);
        parts.checked(|request| login.check(request))
    }

    /// The example of RFC 7617 section 2.
    #[test]
    fn the_standards_example_is_let_in_whatever_the_schemes_case() {
        assert_eq!(said("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Ok(()));
        assert_eq!(said("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Ok(()));
    }

    #[test]
    fn anything_else_is_refused() {
        for header in [
            "",
            "Basic",
            "Basic *",
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZTI=",
            "Basic QWxhZGRpbg==",
        ] {
            assert_eq!(said(header), Err(WRONG), "{header}");
        }
        let bare = Parts::post("/", "").checked(|request| BasicLogin::new("a", "b".into()).check(request));
        assert!(matches!(bare, Err(Refusal::Unsigned { .. })));
    }
}
