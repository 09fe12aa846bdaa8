//! What each carrier signs its webhooks with, written here a second time.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;
use voxline::carriers::Carrier;
use voxline::units::hex;

use super::peer::PUBLIC;
use crate::support::sha256;

/// The secret of every carrier that has one.
pub const TOKEN: &str = "tok-test";
const SEED: [u8; 32] = [7; 32];

/// Where a carrier's webhook goes.
pub fn path(carrier: Carrier) -> String {
    format!("/carriers/{carrier}/voice")
}

pub fn media_type(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Twilio | Carrier::Plivo | Carrier::Asterisk => "application/x-www-form-urlencoded",
        _ => "application/json",
    }
}

/// The headers that prove a webhook.
pub fn proof(carrier: Carrier, body: &str) -> Vec<(&'static str, String)> {
    let url = format!("{PUBLIC}{}", path(carrier));
    match carrier {
        Carrier::Twilio => vec![(
            "x-twilio-signature",
            twilio_signature(TOKEN, &path(carrier), body),
        )],
        Carrier::Telnyx => {
            let now = now();
            let signature = telnyx_key().sign(format!("{now}|{body}").as_bytes());
            vec![
                ("telnyx-signature-ed25519", STANDARD.encode(signature)),
                ("telnyx-timestamp", now.to_string()),
            ]
        }
        Carrier::Vonage => vec![("authorization", format!("Bearer {}", jwt(body)))],
        Carrier::Bandwidth | Carrier::Asterisk => login(),
        Carrier::Jambonz => {
            let now = now();
            let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).unwrap();
            mac.update(format!("{now}.{body}").as_bytes());
            let signature = hex(&mac.finalize().into_bytes());
            vec![("jambonz-signature", format!("t={now},v1={signature}"))]
        }
        Carrier::Plivo => vec![
            (
                "x-plivo-signature-v3",
                sha256_mac(&format!("{url}?{}.nonce", joined(body))),
            ),
            ("x-plivo-signature-v3-nonce", "nonce".to_owned()),
        ],
    }
}

/// The signature of a form to this path by Twilio's rules, which are SignalWire's too.
pub fn twilio_signature(key: &str, path: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(format!("{PUBLIC}{path}{}", joined(body)).as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A form's names and values, sorted and joined.
fn joined(body: &str) -> String {
    let mut parameters: Vec<(String, String)> =
        form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    parameters.sort();
    parameters
        .into_iter()
        .flat_map(|(name, value)| [name, value])
        .collect()
}

/// The login that Bandwidth and the exchanges bring.
pub fn login() -> Vec<(&'static str, String)> {
    let login = STANDARD.encode(format!("voxline:{TOKEN}"));
    vec![("authorization", format!("Basic {login}"))]
}

fn jwt(body: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"iat": now(), "jti": "j", "iss": "Vonage", "payload_hash": sha256(body.as_bytes())});
    let signed = format!("{}.{}", part(json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn sha256_mac(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

pub fn telnyx_key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap()
}

pub fn percent(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
