//! Whether a file is the one a card describes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::CardError;
use crate::units::hex;

const PROVISION: &str = "run `make provision` to fetch the models";

/// Checks a file's SHA-256, reading it in pieces.
///
/// # Errors
/// [`CardError`] when it cannot be read or has another hash.
pub fn check_sha256(path: &Path, expected: &str) -> Result<(), CardError> {
    let unreadable = |cause| CardError::Unreadable {
        path: path.to_owned(),
        cause,
        remedy: PROVISION,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        hash.update(&piece[..read]);
    }
    let actual: String = hex(&hash.finalize());
    if actual == expected {
        return Ok(());
    }
    Err(CardError::WrongFile {
        path: path.to_owned(),
        expected: expected.to_owned(),
        actual,
    })
}
