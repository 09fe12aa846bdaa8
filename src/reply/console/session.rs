//! `/console/session`: logging in with an API key, and out.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::super::app_state::AppState;
use super::super::problem::{Kind, Problem};
use super::super::reading;
use super::origin::{is_safe, refuse_foreign};
use super::sessions::SessionDigest;
use crate::store::{KeyGrant, Scope, Token};
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
pub(in crate::reply) struct SessionId(Zeroizing<String>);

impl SessionId {
    /// A new one. `None` when the system gives no randomness.
    fn fresh() -> Option<Self> {
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
        let plain = || named(PLAIN_COOKIE).filter(|_| !app.signup.address.starts_with("https://"));
        let id = named(SECURE_COOKIE).or_else(plain)?;
        (id.len() == (RANDOM_BYTES * 4).div_ceil(3)).then(|| Self(Zeroizing::new(id)))
    }

    /// What is kept of it.
    pub fn digest(&self) -> SessionDigest {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The token that goes with it: who knows the id alone can make it, and it does not tell the id.
    fn csrf(&self) -> String {
        // HMAC takes keys of any length.
        Hmac::<Sha256>::new_from_slice(self.0.as_bytes())
            .map(|mac| hex(&mac.chain_update(b"voxline csrf").finalize().into_bytes()))
            .unwrap_or_default()
    }

    /// The `Set-Cookie` that gives it to the browser, or with `None` the one that takes it back.
    fn cookie(id: Option<&Self>, is_secure: bool) -> HeaderValue {
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

/// What the pages are told of a session.
#[derive(Serialize)]
pub(super) struct Shown {
    /// What the key may do.
    scopes: Vec<Scope>,
    /// To be brought as `X-Voxline-CSRF` with every request that changes something.
    csrf: String,
}

impl Shown {
    fn of(grant: &KeyGrant, id: &SessionId) -> Self {
        Self {
            scopes: grant.scopes.iter().copied().collect(),
            csrf: id.csrf(),
        }
    }

    /// What anybody may do with `--insecure-dev`.
    fn without_key() -> Self {
        Self {
            scopes: vec![Scope::Admin],
            csrf: String::new(),
        }
    }
}

/// Who holds the session that this request brings: their key must still be good, and the request one of the console's
/// own pages.
pub(in crate::reply) async fn holder(
    parts: &Parts,
    id: &SessionId,
    app: &AppState,
) -> Result<KeyGrant, Problem> {
    refuse_foreign(parts, app)?;
    let over = || {
        Problem::new(
            Kind::SessionOver,
            "the session of the console is over: log in again with an API key",
        )
    };
    let digest = id.digest();
    let key = app.sessions.key_of(&digest, Instant::now()).ok_or_else(over)?;
    let Some(grant) = app.board.store().grant(key).await? else {
        app.sessions.end(&digest);
        return Err(over());
    };
    if is_safe(&parts.method) {
        return Ok(grant);
    }
    let brought = parts.headers.get(CSRF).map_or(&b""[..], HeaderValue::as_bytes);
    if bool::from(brought.ct_eq(id.csrf().as_bytes())) {
        app.sessions.seen(&digest, Instant::now());
        return Ok(grant);
    }
    Err(Problem::new(
        Kind::ForeignPage,
        "with a session of the console whatever changes something brings its token as `X-Voxline-CSRF`: load the \
         page again; programs send an API key instead",
    ))
}

/// An API key to log in with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    key: String,
}

/// Logs in: a cookie for the key.
pub(super) async fn begin(
    State(app): State<Arc<AppState>>,
    parts: Parts,
    reading::Json(login): reading::Json<Login>,
) -> Result<Response, Problem> {
    refuse_foreign(&parts, &app)?;
    let now = Instant::now();
    app.sessions.may_try(now)?;
    let token = Token::received(login.key.trim());
    let Some(grant) = app.board.store().key_for(&token).await? else {
        app.sessions.failed(now);
        return Err(Problem::new(
            Kind::Unauthorized,
            "this API key is not known here or was revoked: make one with `voxline keys create --scope admin`",
        ));
    };
    // Whoever logs in anew leaves what was before.
    if let Some(before) = SessionId::brought(&parts.headers, &app) {
        app.sessions.end(&before.digest());
    }
    let id = SessionId::fresh().ok_or_else(|| Problem::internal("the system gives no randomness"))?;
    app.sessions.begin(id.digest(), grant.id, now);
    let cookie = SessionId::cookie(Some(&id), is_secure(&parts.headers, &app));
    let shown = Json(Shown::of(&grant, &id));
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], shown).into_response())
}

/// Says who is logged in. Pages ask this when somebody opens them or does something there, which prolongs the session.
pub(super) async fn show(State(app): State<Arc<AppState>>, parts: Parts) -> Result<Json<Shown>, Problem> {
    shown(&app, &parts).await.map(Json)
}

/// What pages are told of the session that a request brings; it is prolonged.
pub(super) async fn shown(app: &AppState, parts: &Parts) -> Result<Shown, Problem> {
    if app.insecure_dev {
        super::super::auth::refuse_other_sites(&parts.headers)?;
        return Ok(Shown::without_key());
    }
    let id = SessionId::brought(&parts.headers, app).ok_or_else(|| {
        let detail = "nobody is logged in to the console in this browser: log in with an API key";
        Problem::new(Kind::SessionOver, detail)
    })?;
    let grant = holder(parts, &id, app).await?;
    app.sessions.seen(&id.digest(), Instant::now());
    Ok(Shown::of(&grant, &id))
}

/// Logs out. Of a session that is over already too: then only the cookie goes.
pub(super) async fn end(State(app): State<Arc<AppState>>, parts: Parts) -> Result<Response, Problem> {
    refuse_foreign(&parts, &app)?;
    if let Some(id) = SessionId::brought(&parts.headers, &app)
        && app.sessions.is_open(&id.digest(), Instant::now())
    {
        holder(&parts, &id, &app).await?;
        app.sessions.end(&id.digest());
    }
    let taken_back = SessionId::cookie(None, is_secure(&parts.headers, &app));
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, taken_back)]).into_response())
}

/// Whether the browser came by https: it says so itself; where it does not, the configured address does.
fn is_secure(headers: &HeaderMap, app: &AppState) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    origin.unwrap_or(&app.signup.address).starts_with("https://")
}
