//! Whether a file is the one a card describes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::CardError;
use crate::units::hex;

const PROVISION: &str = "run `make provision` to fetch the models";

/// Checks a file's SHA-256.
///
/// # Errors
/// [`CardError`] when it cannot be read or has another hash.
pub fn check_sha256(path: &Path, expected: &str) -> Result<(), CardError> {
    let unreadable = |cause| CardError::Unreadable {
        path: path.to_owned(),
        cause,
        remedy: PROVISION,
    };
    let actual = sha256_of(path).map_err(unreadable)?;
    if actual == expected {
        return Ok(());
    }
    Err(CardError::WrongFile {
        path: path.to_owned(),
        expected: expected.to_owned(),
        actual,
    })
}

/// A file's SHA-256 in hexadecimal, read in pieces.
pub(in crate::voiceprint) fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&piece[..read]);
    }
}
