//! A certificate and its key, read from their files and fit to serve with.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, ServerConfig};
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::{Duration as Span, OffsetDateTime};
use webpki::{EndEntityCert, KeyUsage};
use zeroize::Zeroizing;

use crate::reply::settings::TlsFiles;
use crate::store::is_for_others;

/// The most bytes that are read of a file: chains have some thousands.
const LARGEST: u64 = 1024 * 1024;

/// A certificate is to be renewed so long before its end, or when a third of its time is left where that is shorter.
const NOTICE: Span = Span::days(14);

/// Why there is no certificate to serve with.
#[derive(Debug, Error)]
pub enum CertificateFault {
    /// A file cannot be read.
    #[error("{} of tls.{setting} cannot be read ({source})", path.display())]
    Unreadable {
        /// The setting that names it.
        setting: &'static str,
        /// The file that cannot be read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read the key.
    #[error("{} of tls.key may be read or written by others than its owner: chmod 600 it, or 640 for a group", path.display())]
    KeyForOthers {
        /// The key's file.
        path: PathBuf,
    },
    /// There is no certificate.
    #[error("{} of tls.certificate has no certificate in PEM that can be read ({why})", path.display())]
    NoCertificate {
        /// The file that holds none.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// There is no key.
    #[error("{} of tls.key has no private key in PEM that can be read: PKCS#8, PKCS#1 or SEC1, without a password", path.display())]
    NoKey {
        /// The file that holds none.
        path: PathBuf,
    },
    /// The key is another certificate's.
    #[error("{} is not the key of the certificate in {}: the certificate comes first in its file, those that vouch for it after it", key.display(), certificate.display())]
    Apart {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// rustls cannot serve with them.
    #[error("{} cannot be served with: {source}", certificate.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// What it said.
        source: rustls::Error,
    },
    /// Its time is over.
    #[error("the certificate in {} ended on {ended}: renew it", certificate.display())]
    Ended {
        /// The file of the certificate.
        certificate: PathBuf,
        /// When it ended.
        ended: OffsetDateTime,
    },
}

/// A certificate with its key, as it is served with.
pub struct Certificate {
    pub(super) config: Arc<ServerConfig>,
    /// SHA-256 of both files.
    pub(super) digest: [u8; 32],
    begins: OffsetDateTime,
    ends: OffsetDateTime,
}

impl Certificate {
    /// Reads the files and puts them together. One whose time is over is read too.
    ///
    /// # Errors
    /// [`CertificateFault`]; never with a byte of the key.
    pub fn read(files: &TlsFiles) -> Result<Self, CertificateFault> {
        let chain = bytes_of("certificate", &files.certificate)?;
        let key = bytes_of("key", &files.key)?;
        let digest = Sha256::new()
            .chain_update((chain.len() as u64).to_le_bytes())
            .chain_update(&chain)
            .chain_update(&key);
        let certificates = certificates(&files.certificate, &chain)?;
        let (begins, ends) = certificates
            .first()
            .and_then(validity)
            .ok_or_else(|| no_certificate(&files.certificate, "its time cannot be read"))?;
        Ok(Self {
            config: Arc::new(config(files, certificates, &key)?),
            digest: digest.finalize().into(),
            begins,
            ends,
        })
    }

    /// From when until when it is good.
    pub fn period(&self) -> (OffsetDateTime, OffsetDateTime) {
        (self.begins, self.ends)
    }

    /// Whether it is good at `now` and will be for a while: fourteen days, or a third of its time where that is shorter.
    pub fn lasts(&self, now: OffsetDateTime) -> bool {
        let time: Span = self.ends - self.begins;
        self.begins <= now && now < self.ends - NOTICE.min(time / 3)
    }

    /// Refuses one whose time is over at `now`.
    pub(super) fn refuse_ended(
        self,
        files: &TlsFiles,
        now: OffsetDateTime,
    ) -> Result<Self, CertificateFault> {
        if now < self.ends {
            return Ok(self);
        }
        Err(CertificateFault::Ended {
            certificate: files.certificate.clone(),
            ended: self.ends,
        })
    }
}

/// The bytes of a file. Its rights are those of what was opened: a name may lead elsewhere a moment later.
fn bytes_of(setting: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateFault> {
    let unreadable = |source| CertificateFault::Unreadable {
        setting,
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(unreadable(io::Error::other("it is not a file")));
    }
    if setting == "key" && is_for_others(&about.permissions()) {
        return Err(CertificateFault::KeyForOthers {
            path: path.to_owned(),
        });
    }
    if about.len() > LARGEST {
        return Err(unreadable(io::Error::other("it has more than a megabyte")));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(about.len() as usize));
    file.take(LARGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|fault| no_certificate(path, &fault.to_string()))?;
    if found.is_empty() {
        return Err(no_certificate(path, "there is none"));
    }
    Ok(found)
}

fn no_certificate(path: &Path, why: &str) -> CertificateFault {
    CertificateFault::NoCertificate {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}

fn config(
    files: &TlsFiles,
    chain: Vec<CertificateDer<'static>>,
    key: &[u8],
) -> Result<ServerConfig, CertificateFault> {
    // What it says of a key that cannot be read may quote it.
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateFault::NoKey {
        path: files.key.clone(),
    })?;
    let unusable = |source| match source {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => CertificateFault::Apart {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
        },
        source => CertificateFault::Unusable {
            certificate: files.certificate.clone(),
            source,
        },
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// From when until when a certificate is good: what webpki says when it is asked about the first and the last moment there
/// is, before it looks at anything else of it.
fn validity(certificate: &CertificateDer<'_>) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    let refusal_at = |moment: u64| {
        let moment = UnixTime::since_unix_epoch(Duration::from_secs(moment));
        parsed
            .verify_for_usage(&[], &[], &[], moment, KeyUsage::server_auth(), None, None)
            .err()
    };
    let begins = match refusal_at(0)? {
        webpki::Error::CertNotValidYet { not_before, .. } => not_before.as_secs(),
        // Good since before there was TLS.
        _ => 0,
    };
    let webpki::Error::CertExpired { not_after, .. } = refusal_at(u64::MAX)? else {
        return None;
    };
    let time = |seconds: u64| OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok();
    Some((time(begins)?, time(not_after.as_secs())?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    /// The beginning of 2026.
    const BEGINS: i64 = 1_767_225_600;

    fn begin() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(BEGINS).unwrap()
    }

    /// Files of a certificate for `localhost` that is good for so many days of 2026.
    fn files_in(folder: &Path, days: i64) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let mut asked = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        asked.not_before = begin();
        asked.not_after = begin() + Span::days(days);
        let files = TlsFiles {
            certificate: folder.join("c.pem"),
            key: folder.join("k.pem"),
        };
        std::fs::write(&files.certificate, asked.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        allow(&files.key, 0o600);
        files
    }

    fn allow(file: &Path, mode: u32) {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn fault(files: &TlsFiles) -> String {
        Certificate::read(files).err().unwrap().to_string()
    }

    #[test]
    fn it_is_due_a_fortnight_before_its_end_or_in_its_last_third() {
        let folder = tempfile::tempdir().unwrap();
        for (days, notice) in [(365, 14), (42, 14), (6, 2)] {
            let read = Certificate::read(&files_in(folder.path(), days)).unwrap();
            let (begins, ends) = read.period();
            assert_eq!((begins, ends), (begin(), begin() + Span::days(days)));
            let late = ends - Span::days(notice);
            assert!(
                read.lasts(begins) && read.lasts(late - Span::SECOND),
                "{days} days"
            );
            assert!(
                !read.lasts(late) && !read.lasts(begins - Span::SECOND),
                "{days} days"
            );
        }
    }

    #[test]
    fn a_certificate_that_ended_takes_no_others_place() {
        let folder = tempfile::tempdir().unwrap();
        let files = files_in(folder.path(), 30);
        let end = begin() + Span::days(30);
        let read = || Certificate::read(&files).unwrap();
        assert!(read().refuse_ended(&files, end - Span::SECOND).is_ok());
        let refused = read().refuse_ended(&files, end).err().unwrap();
        assert!(refused.to_string().contains("2026-01-31"), "{refused}");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = files_in(folder.path(), 365);
        for mode in [0o644, 0o604, 0o660, 0o602] {
            allow(&files.key, mode);
            assert!(fault(&files).contains("chmod"), "{mode:o}");
        }
        allow(&files.key, 0o640);
        Certificate::read(&files).unwrap();
    }

    #[test]
    fn a_fault_names_the_file_and_never_shows_the_key() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = files_in(folder.path(), 365);
        let apart = TlsFiles {
            key: files_in(other.path(), 365).key,
            ..files.clone()
        };
        assert!(fault(&apart).contains("is not the key of"), "{}", fault(&apart));
        let secret = "c2VjcmV0";
        let section = |name: &str| format!("-----BEGIN {name}-----\n{secret}\n-----END {name}-----\n");
        for (key, said) in [
            (secret.to_owned(), "no private key"),
            (format!("-----BEGIN PRIVATE KEY {secret}\n"), "no private key"),
            (section("PRIVATE KEY"), "cannot be served with"),
            (section("ENCRYPTED PRIVATE KEY"), "without a password"),
        ] {
            std::fs::write(&files.key, key).unwrap();
            let found = fault(&files);
            assert!(found.contains(said) && !found.contains(secret), "{found}");
        }
        std::fs::write(&files.certificate, "nothing").unwrap();
        assert!(fault(&files).contains("no certificate"));
        std::fs::remove_file(&files.certificate).unwrap();
        assert!(fault(&files).contains("tls.certificate cannot be read"));
    }
}
