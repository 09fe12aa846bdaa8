//! `[tls]`: the certificate that the service shows.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use crate::settings::SettingsReader;

/// The files of a certificate and its key, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and behind it those between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// TLS on the service's own listener. Without it: HTTP in the clear, for a proxy in front.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsSection {
    /// The file of the certificate in PEM, those between it and a root behind it (`fullchain.pem`). It is read again when
    /// it changes.
    pub certificate: Option<String>,
    /// The file of its private key in PEM, without a password, which others than its owner and its group may not read
    /// (`privkey.pem`).
    pub key: Option<String>,
}

impl TlsSection {
    /// Both files, or `None` where neither is set; what does not fit together is a fault.
    pub fn checked(self, read: &mut SettingsReader, public_url: Option<&str>) -> Option<TlsFiles> {
        let (certificate, key) = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => return None,
            (Some(_), None) => {
                read.fault("tls.certificate", "is set, but not tls.key");
                return None;
            }
            (None, Some(_)) => {
                read.fault("tls.key", "is set, but not tls.certificate");
                return None;
            }
        };
        if public_url.is_some_and(|url| url.starts_with("http://")) {
            let why = "begins with http://, and with tls.certificate the service speaks https:// alone";
            read.fault("public_url", why);
        }
        Some(TlsFiles {
            certificate: certificate.into(),
            key: key.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::of_section;

    #[test]
    fn a_certificate_and_its_key_are_set_together() {
        let checked = |text: &str, public_url: Option<&str>| {
            of_section("tls", text, |section: TlsSection, read| {
                section.checked(read, public_url)
            })
        };
        let both = "certificate = \"/c.pem\"\nkey = \"/k.pem\"";
        let files = checked(both, None).unwrap().unwrap();
        assert_eq!(files.key.to_str(), Some("/k.pem"));
        assert!(checked("", None).unwrap().is_none());
        for (text, public_url, missing) in [
            ("certificate = \"/c.pem\"", None, "but not tls.key"),
            ("key = \"/k.pem\"", None, "but not tls.certificate"),
            (both, Some("http://id.example.com"), "`public_url`"),
        ] {
            let faults = checked(text, public_url).unwrap_err();
            assert!(faults.contains(missing), "{faults}");
        }
    }
}
