//! PINs: what one is, and how it is kept. No storage here.
//!
//! A PIN is kept twice. The [`PinHash`] is the user's: it has a salt of its own and goes with them from number to
//! number. The [`PinTag`] is the user's on one dialed number: it is made with that number's salt, so that a PIN that
//! is tried there is hashed once and looked up among the tags, instead of being hashed for each user.
//!
//! What the tag trades away: with one salt for a number, whoever holds the database *and* the pepper searches the
//! 10 000 PINs of four digits once for the number (a few minutes of one core) and not once for each user, and equal
//! tags on a number show equal PINs. With the pepper so few PINs are found either way, and without it neither hash
//! nor tag can be searched at all: the pepper is what protects them, and the cost of Argon2id what slows down one
//! who has it. A tag says nothing on any other number, whose salt is another.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

/// Fewest digits of a PIN, and how many one usually has.
const SHORTEST: usize = 4;
/// Most digits of a PIN.
const LONGEST: usize = 8;

/// A PIN as its owner types it: 4 to 8 digits. Its `Debug` shows nothing, and its memory is cleared.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

/// Text that is no PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a PIN is {SHORTEST} to {LONGEST} digits, 0 to 9, and nothing else")]
pub struct InvalidPin;

impl FromStr for Pin {
    type Err = InvalidPin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (SHORTEST..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if fits {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(InvalidPin)
        }
    }
}

impl Pin {
    /// The digits, to compare two PINs of one request. Never to be stored or shown.
    pub(in crate::store) fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(***)")
    }
}

/// Whether two users of one dialed number may have the same PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PinRule {
    /// No: a PIN names its user.
    #[default]
    Unique,
    /// Yes: a PIN names those who share it, and the rest of a call's evidence has to say which of them it is.
    Shared,
}

/// The secret every PIN of a store is hashed with besides its own salt (RFC 9106 section 3.1, the secret
/// value K): the hashes alone, as in a stolen copy of the database, cannot be searched for the 10 000
/// PINs of four digits.
pub(in crate::store) struct Pepper(Zeroizing<[u8; 32]>);

impl Pepper {
    pub(in crate::store) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(in crate::store) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A PIN that cannot be read back: an Argon2id hash in PHC string form, of a random 16-byte salt and the
/// store's pepper. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PinHash(String);

/// Argon2id (RFC 9106) could not be computed: no memory, no randomness, or a hash of unknown form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct HashingFailed;

impl PinHash {
    /// Hashes `pin`. Takes tens of milliseconds of a core and 19 MiB: never on an async thread.
    pub(in crate::store) fn of(pin: &Pin, pepper: &Pepper) -> Result<Self, HashingFailed> {
        let hash = hasher(pepper)?
            .hash_password(pin.0.as_bytes())
            .map_err(|_| HashingFailed)?;
        Ok(Self(hash.to_string()))
    }

    /// Whether this is the hash of `pin`. As slow as [`PinHash::of`]; compares in constant time.
    pub(in crate::store) fn verifies(&self, pin: &Pin, pepper: &Pepper) -> Result<bool, HashingFailed> {
        use argon2::password_hash::Error;

        match hasher(pepper)?.verify_password(pin.0.as_bytes(), self.0.as_str()) {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(_) => Err(HashingFailed),
        }
    }

    pub(in crate::store) fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    pub(in crate::store) fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PinHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinHash(***)")
    }
}

/// The salt of the PINs on one dialed number: 16 random bytes (RFC 9106 section 3.1), no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct NumberSalt([u8; 16]);

impl NumberSalt {
    pub(in crate::store) fn fresh() -> Result<Self, HashingFailed> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| HashingFailed)?;
        Ok(Self(bytes))
    }

    /// `None` unless there are 16 bytes.
    pub(in crate::store) fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(in crate::store) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a PIN comes to on one dialed number: 32 bytes of Argon2id, equal for equal PINs there. Its `Debug` shows
/// nothing.
#[derive(Clone)]
pub(in crate::store) struct PinTag([u8; 32]);

impl PinTag {
    /// As slow as [`PinHash::of`].
    pub(in crate::store) fn of(pin: &Pin, salt: NumberSalt, pepper: &Pepper) -> Result<Self, HashingFailed> {
        let mut tag = [0; 32];
        hasher(pepper)?
            .hash_password_into(pin.0.as_bytes(), salt.as_bytes(), &mut tag)
            .map_err(|_| HashingFailed)?;
        Ok(Self(tag))
    }

    /// Whether both are of one PIN, in constant time. Only tags of one number may be compared.
    pub(in crate::store) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// `None` unless there are 32 bytes.
    pub(in crate::store) fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(in crate::store) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PinTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinTag(***)")
    }
}

/// Argon2id version 0x13 with 19 MiB, two passes, one lane: the first of the equal choices in OWASP's
/// Password Storage Cheat Sheet with a megabyte count that a small machine can spare per login
/// (m = 19456 KiB, t = 2, p = 1).
fn hasher(pepper: &Pepper) -> Result<Argon2<'_>, HashingFailed> {
    let params = Params::new(19 * 1024, 2, 1, Some(32)).map_err(|_| HashingFailed)?;
    Argon2::new_with_secret(pepper.as_bytes(), Algorithm::Argon2id, Version::V0x13, params)
        .map_err(|_| HashingFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> Pin {
        text.parse().unwrap()
    }

    #[test]
    fn a_pin_is_four_to_eight_digits() {
        for good in ["0000", "4821", "12345678"] {
            assert!(good.parse::<Pin>().is_ok(), "{good} was refused");
        }
        for bad in ["", "123", "123456789", "12a4", " 1234", "١٢٣٤", "-123"] {
            assert!(bad.parse::<Pin>().is_err(), "{bad:?} passed");
        }
    }

    #[test]
    fn only_the_same_pin_under_the_same_pepper_verifies() {
        let (pepper, other) = (Pepper::new([7; 32]), Pepper::new([8; 32]));
        let hash = PinHash::of(&pin("4821"), &pepper).unwrap();
        assert_eq!(hash.verifies(&pin("4821"), &pepper), Ok(true));
        assert_eq!(hash.verifies(&pin("4822"), &pepper), Ok(false));
        assert_eq!(hash.verifies(&pin("4821"), &other), Ok(false));
    }

    #[test]
    fn two_hashes_of_one_pin_have_nothing_in_common_but_their_parameters() {
        let pepper = Pepper::new([7; 32]);
        let one = PinHash::of(&pin("4821"), &pepper).unwrap();
        let two = PinHash::of(&pin("4821"), &pepper).unwrap();
        assert_ne!(one, two);
        assert!(one.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[test]
    fn a_hash_of_unknown_form_is_an_error_and_not_a_wrong_pin() {
        let damaged = PinHash::from_stored("$argon2id$nonsense".to_owned());
        assert_eq!(
            damaged.verifies(&pin("4821"), &Pepper::new([7; 32])),
            Err(HashingFailed)
        );
    }

    #[test]
    fn tags_are_equal_for_one_pin_on_one_number_under_one_pepper_only() {
        let pepper = Pepper::new([7; 32]);
        let (here, there) = (NumberSalt([1; 16]), NumberSalt([2; 16]));
        let tag = |digits, salt, pepper: &Pepper| PinTag::of(&pin(digits), salt, pepper).unwrap();
        let one = tag("4821", here, &pepper);
        assert!(one.is(&tag("4821", here, &pepper)));
        assert!(!one.is(&tag("4822", here, &pepper)));
        assert!(!one.is(&tag("4821", there, &pepper)));
        assert!(!one.is(&tag("4821", here, &Pepper::new([8; 32]))));
        assert_eq!(format!("{one:?}"), "PinTag(***)");
    }

    #[test]
    fn printing_shows_no_digit() {
        let printed = format!("{:?} {:?}", pin("4821"), PinHash::from_stored("4821".to_owned()));
        assert!(!printed.contains('4'), "{printed}");
    }
}
