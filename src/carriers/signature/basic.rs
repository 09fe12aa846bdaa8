//! Bandwidth, Asterisk and jambonz: HTTP Basic (RFC 7617), with a name and password of our choosing.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::owner::Owner;
use super::{Refusal, Signed, same};

pub(super) const BANDWIDTH: Owner = Owner {
    carrier: "Bandwidth",
    keys: "bandwidth.username and bandwidth.password",
};
pub(super) const ASTERISK: Owner = Owner {
    carrier: "Asterisk",
    keys: "asterisk.username and asterisk.password",
};
pub(super) const JAMBONZ: Owner = Owner {
    carrier: "jambonz",
    keys: "jambonz.username and jambonz.password",
};

/// A name and password that a carrier is told to bring.
#[derive(Clone)]
pub struct BasicLogin {
    /// The user name that the carrier sends.
    pub username: String,
    /// The password that goes with it.
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

    pub(super) fn check(&self, owner: Owner, request: &Signed) -> Result<(), Refusal> {
        let wrong = owner.wrong();
        let value = (request.header)("authorization").ok_or(owner.unsigned("authorization"))?;
        let (scheme, credentials) = value.split_once(' ').ok_or(wrong)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(wrong);
        }
        let brought = STANDARD.decode(credentials.trim()).map_err(|_| wrong)?;
        let expected = format!("{}:{}", self.username, self.password.expose_secret());
        if same(&brought, expected.as_bytes()) {
            Ok(())
        } else {
            Err(wrong)
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
        parts.checked(|request| login.check(BANDWIDTH, request))
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
            assert_eq!(said(header), Err(BANDWIDTH.wrong()), "{header}");
        }
        let bare = Parts::post("/", "");
        let bare = bare.checked(|request| BasicLogin::new("a", "b".into()).check(ASTERISK, request));
        assert!(matches!(bare, Err(Refusal::Unsigned { .. })));
    }
}
