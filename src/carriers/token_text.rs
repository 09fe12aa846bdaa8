//! A call token as it is written.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::Carrier;
use crate::units::hex;

/// Bytes of a token: as many as nobody guesses.
const BYTES: usize = 24;

/// A token that nobody guesses, for a stream of `carrier`; `None` when the system has no random numbers.
pub(super) fn random(carrier: Carrier) -> Option<String> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).ok()?;
    Some(match carrier {
        Carrier::Asterisk => {
            let (id, _) = random.split_first_chunk()?;
            Builder::from_random_bytes(*id).into_uuid().to_string()
        }
        Carrier::Twilio
        | Carrier::Telnyx
        | Carrier::Vonage
        | Carrier::Bandwidth
        | Carrier::Plivo
        | Carrier::Jambonz => hex(&random),
    })
}

/// Whether a token of a stream of `carrier` may be one that was made: of any other nobody need be asked.
pub(super) fn may_be_one(token: &str, carrier: Carrier) -> bool {
    if carrier == Carrier::Asterisk {
        return token.parse::<Uuid>().is_ok();
    }
    token.len() == 2 * BYTES && token.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Found by its hash, so that the time a look-up takes says nothing of a token.
pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_may_be_one_and_other_text_may_not() {
        for carrier in Carrier::ALL {
            let token = random(carrier).unwrap();
            assert!(may_be_one(&token, carrier), "{carrier}");
            for other in ["", "made-up", &token[1..], format!("{token}0").as_str()] {
                assert!(!may_be_one(other, carrier), "{carrier}: {other}");
            }
        }
    }
}
