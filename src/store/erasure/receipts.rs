//! Signed receipts: who asked for an erasure can prove what was erased, to somebody who does not ask this deployment.
//!
//! The key is Ed25519 (RFC 8032), its seed in `receipts.key` beside the store, made with the first receipt. Several nodes of
//! one store have a key each; the store has the public ones of all, also of keys that are no longer used.

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::json;
use thiserror::Error;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::store::database::{query_as, read_fact, write_fact};
use crate::store::error::on_disk;
use crate::store::values::{now, read_time, time_text};
use crate::store::{Store, StoreError, files};
use crate::units::{UserId, hex, unhex};

/// How the names of public keys begin among the store's facts; the key follows in hexadecimal digits.
const FACT: &str = "receipt_key ";
/// What is signed begins with this, so that no other text of ours passes for a receipt.
const DOMAIN: &str = "voxline erasure receipt 2";
/// Of receipts before it was said what was erased.
const DOMAIN_1: &str = "voxline erasure receipt 1";

/// What an erasure was of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasedWhat {
    /// The user, with all that was kept of them.
    User,
    /// Enrolments: the user stays.
    #[serde(rename = "enrollments")]
    Enrolments,
}

/// What was erased, for the person who asked for it, signed: [`Receipt::verify`] says whether it is as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Whose voice it was.
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    /// Whether it was the user or enrolments alone. Receipts before version 2 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<ErasedWhat>,
    /// How many voiceprints were erased.
    pub voiceprints_erased: u64,
    /// How many enrolments were erased.
    pub enrollments_erased: u64,
    /// How many kept recordings were erased.
    pub recordings_erased: u64,
    /// In how many calls the verdict said something of this user and does no longer: outcome and time
    /// stay, id, name and scores are gone. 0 where the user stays and only enrolments were erased.
    pub calls_redacted: u64,
    /// When it was erased.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    /// Whether the bytes are gone from the store's files too. `false` when another process was reading
    /// all the while: they go with the next erasure, or when the store is next opened. Always `false` on
    /// PostgreSQL, whose files are its own administrators' to look after. Of a Qdrant server it says nothing
    /// (docs/scaling.md, *Erasure*).
    pub overwritten: bool,
    /// The Ed25519 key it is signed with, in hexadecimal digits; null where it could not be signed.
    pub key: Option<String>,
    /// The signature over the other fields, in base64.
    pub signature: Option<String>,
}

/// A public key of this deployment's receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReceiptKey {
    /// The Ed25519 key (RFC 8032), 32 bytes in hexadecimal digits.
    pub public_key: String,
    /// When it was first used.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub since: OffsetDateTime,
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReceiptFault {
    /// It was not signed.
    #[error("the receipt is not signed")]
    Unsigned,
    /// It was signed by somebody else.
    #[error("the receipt is signed with a key that is none of those given")]
    OtherKey,
    /// It was changed after it was signed, or the signature was made up.
    #[error("the receipt is not the one that was signed")]
    Changed,
}

impl Receipt {
    /// What is signed: a JSON array without white space (RFC 8259).
    fn canonical(&self) -> Vec<u8> {
        let user = self.user_id.to_string();
        let mut fields = match self.erased {
            Some(what) => vec![json!(DOMAIN), json!(user), json!(what)],
            None => vec![json!(DOMAIN_1), json!(user)],
        };
        let counts = [
            self.voiceprints_erased,
            self.enrollments_erased,
            self.recordings_erased,
            self.calls_redacted,
        ];
        fields.extend(counts.map(|count| json!(count)));
        fields.extend([json!(time_text(self.at)), json!(self.overwritten)]);
        serde_json::Value::Array(fields).to_string().into_bytes()
    }

    /// Whether this is a receipt as the holder of one of these public keys signed it.
    ///
    /// # Errors
    /// [`ReceiptFault`].
    pub fn verify<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Result<(), ReceiptFault> {
        let (Some(key), Some(signature)) = (&self.key, &self.signature) else {
            return Err(ReceiptFault::Unsigned);
        };
        if !keys.into_iter().any(|known| known.eq_ignore_ascii_case(key)) {
            return Err(ReceiptFault::OtherKey);
        }
        let mut public_key = [0; 32];
        unhex(key, &mut public_key).ok_or(ReceiptFault::Changed)?;
        let signature = STANDARD.decode(signature).map_err(|_| ReceiptFault::Changed)?;
        UnparsedPublicKey::new(&ED25519, public_key)
            .verify(&self.canonical(), &signature)
            .map_err(|_| ReceiptFault::Changed)
    }
}

impl Store {
    /// The public keys of this deployment's receipts, oldest first; one at least.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or there is no key yet and none can be made.
    pub async fn receipt_keys(&self) -> Result<Vec<ReceiptKey>, StoreError> {
        self.signing_key().await?;
        let rows: Vec<(String, Vec<u8>)> =
            query_as("SELECT name, value FROM facts WHERE substr(name, 1, length($1)) = $1")
                .bind(FACT)
                .fetch_all(self.pool())
                .await?;
        let unreadable = || StoreError::Unreadable { what: "fact" };
        let mut keys = Vec::with_capacity(rows.len());
        for (name, since) in rows {
            let since = String::from_utf8(since).map_err(|_| unreadable())?;
            keys.push(ReceiptKey {
                public_key: name.strip_prefix(FACT).ok_or_else(unreadable)?.to_owned(),
                since: read_time(&since)?,
            });
        }
        keys.sort_by(|one, other| (one.since, &one.public_key).cmp(&(other.since, &other.public_key)));
        Ok(keys)
    }

    /// Signs a receipt. One that cannot be signed says so in the log and is given as it is: what it tells of is done.
    pub(super) async fn signed(&self, mut receipt: Receipt) -> Receipt {
        match self.signing_key().await {
            Ok(key) => {
                receipt.key = Some(hex(key.public_key().as_ref()));
                receipt.signature = Some(STANDARD.encode(key.sign(&receipt.canonical())));
            }
            Err(fault) => {
                tracing::error!(%fault, "a receipt of an erasure is not signed: {fault}");
            }
        }
        receipt
    }

    /// The key of this node, made now where there is none.
    async fn signing_key(&self) -> Result<Ed25519KeyPair, StoreError> {
        let path = files::folder_of(self.path()).join("receipts.key");
        if let Some(key) = on_disk(&path, read_file).await? {
            let known = read_fact(&mut self.read().await?, &fact_of(&key)).await?;
            if known.is_some() {
                return Ok(key);
            }
        }
        // Behind the lock of who writes, so that two processes do not make two.
        let mut tx = self.write().await?;
        let key = match on_disk(&path, read_file).await? {
            Some(key) => key,
            None => on_disk(&path, make_file).await?,
        };
        if read_fact(&mut tx, &fact_of(&key)).await?.is_none() {
            write_fact(&mut tx, &fact_of(&key), time_text(now()).as_bytes()).await?;
        }
        tx.commit().await?;
        Ok(key)
    }
}

fn fact_of(key: &Ed25519KeyPair) -> String {
    format!("{FACT}{}", hex(key.public_key().as_ref()))
}

fn read_file(path: &Path) -> io::Result<Option<Ed25519KeyPair>> {
    files::read_key(path)?.map(|seed| key_of(&*seed)).transpose()
}

fn make_file(path: &Path) -> io::Result<Ed25519KeyPair> {
    key_of(&*files::make_key(path)?)
}

fn key_of(seed: &[u8]) -> io::Result<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| io::Error::other("it is no key"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::UserId;

    /// Signed by Python's `cryptography` 48 with the seed 07…07 over the text that `canonical` gives.
    #[test]
    fn another_programs_signature_is_good_and_a_changed_receipt_is_not() {
        let mut receipt = of_version_1();
        let key = receipt.key.clone().unwrap();
        assert_eq!(receipt.verify([key.as_str()]), Ok(()));
        assert_eq!(receipt.verify(["00"]), Err(ReceiptFault::OtherKey));
        receipt.calls_redacted = 0;
        assert_eq!(receipt.verify([key.as_str()]), Err(ReceiptFault::Changed));
        receipt.signature = None;
        assert_eq!(receipt.verify([key.as_str()]), Err(ReceiptFault::Unsigned));
    }

    #[test]
    fn what_was_erased_is_signed_and_cannot_be_added_taken_away_or_changed() {
        let mut receipt = of_version_1();
        let key = receipt.key.clone().unwrap();
        receipt.erased = Some(ErasedWhat::Enrolments);
        assert_eq!(receipt.verify([key.as_str()]), Err(ReceiptFault::Changed));
        receipt.signature = Some(OF_VERSION_2.to_owned());
        assert_eq!(receipt.verify([key.as_str()]), Ok(()));
        for changed in [Some(ErasedWhat::User), None] {
            receipt.erased = changed;
            assert_eq!(receipt.verify([key.as_str()]), Err(ReceiptFault::Changed));
        }
    }

    /// By the same program, with `"enrollments"` behind the user.
    const OF_VERSION_2: &str =
        "JtsXIqJ+/ZF4JvyMq/ouZPp6wR8rJePqXd5o5QqkFmwsIN7TlrykrImkNoEqeW2mjU7zcEkhq3DuXULDFsMtAg==";

    fn of_version_1() -> Receipt {
        Receipt {
            user_id: "0199aaaa-0000-7000-8000-000000000000".parse::<UserId>().unwrap(),
            erased: None,
            voiceprints_erased: 3,
            enrollments_erased: 1,
            recordings_erased: 0,
            calls_redacted: 2,
            at: read_time("2026-11-29T05:00:00.000001Z").unwrap(),
            overwritten: true,
            key: Some("ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c".to_owned()),
            signature: Some(
                "E7h5KMjyES1S/aZggcVWSrvprzzbJsQlozHd4vPTSAYO+Q8li/EROkvftVgMDT4J01LUSdTUYQYa6gy9nEa/AA=="
                    .to_owned(),
            ),
        }
    }
}
