//! `[tls]`: the certificate that the service shows.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use super::reader::SettingsReader;

/// The files of a certificate and its key, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate, and behind it those between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// TLS on the service's own listener. Without it: HTTP in the clear, for a proxy in front.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsSection {
    /// The file of the certificate in PEM, those between it and a root behind it (`fullchain.pem`). It is read again when
    /// it changes.
    pub certificate: Option<String>,
    /// The file of its private key in PEM, without a password, which others than its owner and its group may not read
    /// (`privkey.pem`).
    pub key: Option<String>,
}

impl TlsSection {
    /// Both files, or `None` where neither is set; what does not fit together is a fault.
    pub fn checked(self, read: &mut SettingsReader, public_url: Option<&str>) -> Option<TlsConfig> {
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
        Some(TlsConfig {
            certificate: certificate.into(),
            key: key.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::of_file;

    #[test]
    fn a_certificate_and_its_key_are_set_together() {
        let both = of_file("[tls]\ncertificate = \"/c.pem\"\nkey = \"/k.pem\"").unwrap();
        assert_eq!(both.address(), "https://127.0.0.1:8080");
        assert_eq!(both.tls.unwrap().key.to_str(), Some("/k.pem"));
        let plain = of_file("").unwrap();
        assert!(plain.tls.is_none() && plain.address().starts_with("http://"));
        for (file, missing) in [
            ("[tls]\ncertificate = \"/c.pem\"", "but not tls.key"),
            ("[tls]\nkey = \"/k.pem\"", "but not tls.certificate"),
            (
                "public_url = \"http://id.example.com\"\n[tls]\ncertificate = \"/c.pem\"\nkey = \"/k.pem\"",
                "`public_url`",
            ),
        ] {
            let faults = of_file(file).unwrap_err();
            assert!(faults.contains(missing), "{faults}");
        }
    }
}
