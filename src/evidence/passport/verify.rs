//! Verifying a PASSporT: ES256 (RFC 7518 section 3.4), the certificates behind it, and its age.

use std::time::Duration;

use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use thiserror::Error;
use time::OffsetDateTime;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::Passport;

/// How far a PASSporT's time of signing may be from ours (RFC 8224 section 6.2.4 and ATIS-1000074: 60 s).
pub const FRESHNESS: time::Duration = time::Duration::seconds(60);

/// Most certificates of a chain.
const MAX_CHAIN: usize = 8;

/// The DER of a SubjectPublicKeyInfo of an uncompressed P-256 key, before the key (RFC 5480 section 2).
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The signature algorithms certificates may be signed with (ATIS-1000080 asks for ECDSA on P-256).
static CERTIFICATE_ALGORITHMS: &[&dyn rustls_pki_types::SignatureVerificationAlgorithm] = &[
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P256_SHA384,
    webpki::ring::ECDSA_P384_SHA256,
    webpki::ring::ECDSA_P384_SHA384,
];

/// Why a PASSporT was not verified: it stays a hint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PassportFault {
    /// Another algorithm than ES256.
    #[error("it is signed with another algorithm than ES256")]
    Algorithm,
    /// It was signed too long ago, or will be.
    #[error("it was not signed within {} s of now", FRESHNESS.whole_seconds())]
    Stale,
    /// The certificates cannot be read.
    #[error("its certificates cannot be read as PEM, or are more than {MAX_CHAIN}")]
    Certificates,
    /// The certificates lead to none of the roots that are trusted.
    #[error("its certificate is not trusted: {0}")]
    Untrusted(String),
    /// The certificate's key is not on P-256.
    #[error("its certificate's key is not on the curve P-256")]
    Key,
    /// The signature is not the key's.
    #[error("its signature is not that of its certificate")]
    Signature,
}

/// The roots that are trusted to say who may sign PASSporTs, as those of the STI-PA.
#[derive(Debug, Clone, Default)]
pub struct TrustStore(Vec<TrustAnchor<'static>>);

impl TrustStore {
    /// The roots of a PEM file.
    ///
    /// # Errors
    /// [`PassportFault::Certificates`] when one of them cannot be read or used, or there is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, PassportFault> {
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| PassportFault::Certificates)?;
            let anchor = anchor_from_trusted_cert(&certificate).map_err(|_| PassportFault::Certificates)?;
            anchors.push(anchor.to_owned());
        }
        if anchors.is_empty() {
            return Err(PassportFault::Certificates);
        }
        Ok(Self(anchors))
    }
}

impl Passport {
    /// What can be said against it without its certificate: another algorithm, another time.
    ///
    /// # Errors
    /// [`PassportFault::Algorithm`], [`PassportFault::Stale`].
    pub fn check_claims(&self, now: OffsetDateTime) -> Result<(), PassportFault> {
        if self.algorithm != "ES256" {
            return Err(PassportFault::Algorithm);
        }
        let age = i128::from(now.unix_timestamp()) - i128::from(self.issued_at);
        if age.unsigned_abs() > FRESHNESS.whole_seconds().unsigned_abs().into() {
            return Err(PassportFault::Stale);
        }
        Ok(())
    }
}

/// Checks a PASSporT against the certificates it names: `chain` is what was fetched from its
/// [`Passport::certificate_url`], in PEM, its own certificate first. Fetching is the caller's affair.
///
/// # Errors
/// [`PassportFault`]: what stands against it.
pub fn verify(
    passport: &Passport,
    chain: &[u8],
    trusted: &TrustStore,
    now: OffsetDateTime,
) -> Result<(), PassportFault> {
    passport.check_claims(now)?;
    let certificates = CertificateDer::pem_slice_iter(chain)
        .take(MAX_CHAIN + 1)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| PassportFault::Certificates)?;
    let Some((own, others)) = certificates
        .split_first()
        .filter(|_| certificates.len() <= MAX_CHAIN)
    else {
        return Err(PassportFault::Certificates);
    };
    let own = EndEntityCert::try_from(own).map_err(|_| PassportFault::Certificates)?;
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or(0);
    own.verify_for_usage(
        CERTIFICATE_ALGORITHMS,
        &trusted.0,
        others,
        UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        // Certificates of telephone providers name no purpose; one that does must be for clients.
        KeyUsage::client_auth(),
        None,
        None,
    )
    .map_err(|fault| PassportFault::Untrusted(fault.to_string()))?;
    let key_info = own.subject_public_key_info();
    let key = key_info.strip_prefix(&P256_SPKI[..]).ok_or(PassportFault::Key)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
        .verify(passport.signed.as_bytes(), &passport.signature)
        .map_err(|_| PassportFault::Signature)
}
