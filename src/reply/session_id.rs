//! A session of the console, by the cookie that a browser brings: what it proves, and how it is given and taken back.

use std::time::Instant;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::app_state::AppState;
use super::origin::{is_safe, refuse_foreign};
use super::problem::{Kind, Problem};
use super::sessions::SessionDigest;
use crate::store::Access;
use crate::units::hex;

/// The cookie over https. The prefix has browsers refuse one that is not of this very host and of https
/// (RFC 6265bis section 4.1.3.2).
const SECURE_COOKIE: &str = "__Host-voxline";
/// The cookie where there is no https, as on one's own machine.
const PLAIN_COOKIE: &str = "voxline";
/// What every request that changes something brings besides the cookie.
const CSRF: HeaderName = HeaderName::from_static("x-voxline-csrf");
/// Random bytes of a session's id.
const RANDOM_BYTES: usize = 32;

/// A session's id, as the cookie has it: 32 random bytes in base64url.
pub(super) struct SessionId(Zeroizing<String>);

impl SessionId {
    /// A new one. `None` when the system gives no randomness.
    pub fn fresh() -> Option<Self> {
        let mut bytes = Zeroizing::new([0_u8; RANDOM_BYTES]);
        getrandom::fill(&mut *bytes).ok()?;
        Some(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// The one that a request brings. Over https no cookie counts that anything but this host may have set.
    pub fn brought(headers: &HeaderMap, app: &AppState) -> Option<Self> {
        let named = |name: &str| {
            let lines = headers.get_all(header::COOKIE).into_iter();
            let mut pairs = lines
                .filter_map(|line| line.to_str().ok())
                .flat_map(|line| line.split(';'))
                .filter_map(|pair| pair.trim().split_once('='));
            pairs
                .find(|(found, _)| *found == name)
                .map(|(_, id)| id.to_owned())
        };
        let plain = || named(PLAIN_COOKIE).filter(|_| !app.settings.address.starts_with("https://"));
        let id = named(SECURE_COOKIE).or_else(plain)?;
        (id.len() == (RANDOM_BYTES * 4).div_ceil(3)).then(|| Self(Zeroizing::new(id)))
    }

    /// What is kept of it.
    pub fn digest(&self) -> SessionDigest {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The token that goes with it: who knows the id alone can make it, and it does not tell the id.
    pub fn csrf(&self) -> String {
        // HMAC takes keys of any length.
        Hmac::<Sha256>::new_from_slice(self.0.as_bytes())
            .map(|mac| hex(&mac.chain_update(b"voxline csrf").finalize().into_bytes()))
            .unwrap_or_default()
    }

    /// The `Set-Cookie` that gives it to the browser, or with `None` the one that takes it back.
    pub fn cookie(id: Option<&Self>, is_secure: bool) -> HeaderValue {
        let (name, secure) = if is_secure {
            (SECURE_COOKIE, "; Secure")
        } else {
            (PLAIN_COOKIE, "")
        };
        let (value, age) = id.map_or(("", "; Max-Age=0"), |id| (id.0.as_str(), ""));
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{age}");
        // Names and base64url are header text.
        let mut header = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
        header.set_sensitive(true);
        header
    }
}

/// Who holds the session that this request brings: their key must still be good, and the request one of the console's
/// own pages.
pub(super) async fn holder(parts: &Parts, id: &SessionId, app: &AppState) -> Result<Access, Problem> {
    refuse_foreign(parts, app)?;
    let over = || {
        Problem::new(
            Kind::SessionOver,
            "the session of the console is over: log in again with an API key",
        )
    };
    let digest = id.digest();
    let key = app.sessions.key_of(&digest, Instant::now()).ok_or_else(over)?;
    let Some(access) = app.access_of(key).await? else {
        app.sessions.end(&digest);
        return Err(over());
    };
    if is_safe(&parts.method) {
        return Ok(access);
    }
    let brought = parts.headers.get(CSRF).map_or(&b""[..], HeaderValue::as_bytes);
    if bool::from(brought.ct_eq(id.csrf().as_bytes())) {
        app.sessions.seen(&digest, Instant::now());
        return Ok(access);
    }
    Err(Problem::new(
        Kind::ForeignPage,
        "with a session of the console whatever changes something brings its token as `X-Voxline-CSRF`: load the \
         page again; programs send an API key instead",
    ))
}
