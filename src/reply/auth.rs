//! Who is asking, and may they: API keys and their scopes as a parameter of every handler. The console's pages bring a
//! session of theirs instead of the key (see `console`).
//!
//! A handler that takes [`Allowed<R>`] cannot run for anybody without the right `R`; one that takes none
//! is open to all, and those are few: see the router.

use std::marker::PhantomData;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::app_state::AppState;
use super::key_attempts::Peer;
use super::problem::{Kind, Problem};
use super::session_id::{SessionId, holder};
use super::sessions::SessionDigest;
use crate::store::{Access, Actor, Provenance, Scope, StoreError, Token};
use crate::switchboard::View;
use crate::verdict::Shown;

/// How a browser, which cannot set headers on a WebSocket, brings its key: as a subprotocol.
const BEARER_PROTOCOL: &str = "bearer.";

/// Somebody whose key was checked.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    access: Access,
    pass: Pass,
}

/// What somebody was let in by.
#[derive(Debug, Clone, Copy)]
enum Pass {
    /// None is needed with `--insecure-dev`.
    None,
    /// An API key, in the header `Authorization`.
    Key,
    /// A session of the console.
    Session(SessionDigest),
}

impl Visitor {
    /// What they may see and do.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Whether they would be let in again, for what goes on for long: their key is good, their session lasts.
    pub(super) async fn is_still_welcome(&self, app: &AppState) -> Result<bool, StoreError> {
        let lasts = match self.pass {
            Pass::None => return Ok(true),
            Pass::Key => true,
            Pass::Session(digest) => app.sessions.is_open(&digest, Instant::now()),
        };
        let Some(key) = self.access.key().filter(|_| lasts) else {
            return Ok(false);
        };
        Ok(app.access_of(key).await?.is_some())
    }

    /// Whether they may know who somebody is by name.
    pub(super) fn sees_names(&self) -> bool {
        self.access.allows(Scope::Enroll) || self.access.allows(Scope::Identify)
    }

    /// Whether scores are shown to them; to everybody else outcomes only (oracle attacks).
    pub(super) fn sees_scores(&self) -> bool {
        self.access.allows(Scope::Scores)
    }

    /// What is said, as they may see it.
    pub(super) fn shown<T>(&self, said: T) -> Shown<T> {
        Shown::new(said, self.sees_scores())
    }
}

/// A right that a handler asks for.
pub(super) trait Right {
    /// The scope that gives it, besides `admin`.
    const SCOPE: Scope;
}

/// To change what the deployment consists of.
pub(super) struct Administer;
/// To keep users and enrol their voices.
pub(super) struct Enrol;
/// To have callers identified and read what was said of calls.
pub(super) struct Identify;
/// To see how alike voices are.
pub(super) struct SeeScores;

impl Right for Administer {
    const SCOPE: Scope = Scope::Admin;
}
impl Right for Enrol {
    const SCOPE: Scope = Scope::Enroll;
}
impl Right for Identify {
    const SCOPE: Scope = Scope::Identify;
}
impl Right for SeeScores {
    const SCOPE: Scope = Scope::Scores;
}

/// Proof that whoever asks has the right `R`.
pub(super) struct Allowed<R> {
    /// Who it is.
    pub visitor: Visitor,
    right: PhantomData<R>,
}

impl<R> Allowed<R> {
    /// What they see of the service, and may change.
    pub(super) fn view<'a>(&'a self, app: &'a AppState) -> View<'a> {
        app.view(&self.visitor.access)
    }
}

impl<R: Right> FromRequestParts<Arc<AppState>> for Allowed<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, Problem> {
        let visitor = admit(parts, app, R::SCOPE).await?;
        Ok(Self {
            visitor,
            right: PhantomData,
        })
    }
}

/// The visitor whose key or session this request brings, if it has `scope`.
pub(super) async fn admit(parts: &Parts, app: &AppState, scope: Scope) -> Result<Visitor, Problem> {
    if app.insecure_dev {
        refuse_other_sites(&parts.headers)?;
        Provenance::recognise(Actor::Development);
        return Ok(Visitor {
            access: Access::operator(),
            pass: Pass::None,
        });
    }
    let visitor = recognise(parts, app).await?;
    if let Some(key) = visitor.access.key() {
        Provenance::recognise(Actor::Key(key));
    }
    if !visitor.access.allows(scope) {
        let detail = format!("this needs an API key with the scope `{scope}` (or `admin`)");
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    Ok(visitor)
}

/// Whose key this request brings, or else whose session.
async fn recognise(parts: &Parts, app: &AppState) -> Result<Visitor, Problem> {
    let session = SessionId::brought(&parts.headers, app);
    if let Some(id) = session.filter(|_| !brings_key(&parts.headers)) {
        return Ok(Visitor {
            access: holder(parts, &id, app).await?,
            pass: Pass::Session(id.digest()),
        });
    }
    let token = token(&parts.headers)?;
    let access = app.access_by(&token, peer(parts)).await?.ok_or_else(|| {
        Problem::new(
            Kind::Unauthorized,
            "this API key is not known here or was revoked: make one with `voxline keys create`",
        )
    })?;
    Ok(Visitor {
        access,
        pass: Pass::Key,
    })
}

/// Where a request comes from.
pub(super) fn peer(parts: &Parts) -> Peer {
    let known = parts.extensions.get().copied();
    known.unwrap_or(Peer(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))
}

/// Whether a request brings an API key at all.
pub(super) fn brings_key(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || token_of_browser(headers).is_some()
}

fn token(headers: &HeaderMap) -> Result<Token, Problem> {
    let refuse = |detail: &str| Problem::new(Kind::Unauthorized, detail);
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return token_of_browser(headers)
            .map(Token::received)
            .ok_or_else(|| refuse("send an API key as `Authorization: Bearer vx_…`"));
    };
    let (scheme, key) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(|| refuse("the Authorization header is not of the form `Bearer vx_…`"))?;
    // RFC 9110 section 11.1: a scheme's case does not matter.
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refuse(
            "the Authorization header is of another scheme than `Bearer`",
        ));
    }
    Ok(Token::received(key.trim()))
}

/// `Sec-WebSocket-Protocol: voxline, bearer.vx_…`, on WebSocket handshakes only.
fn token_of_browser(headers: &HeaderMap) -> Option<&str> {
    let upgrade = headers.get(header::UPGRADE)?.to_str().ok()?;
    if !upgrade.eq_ignore_ascii_case("websocket") {
        return None;
    }
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
    offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(BEARER_PROTOCOL))
}

/// Without keys, any page open in a developer's browser could use the service. So the request must
/// name this machine as its host (no DNS rebinding), and come from no other site's page.
pub(super) fn refuse_other_sites(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let host = text(header::HOST).unwrap_or("");
    let same_site = text(header::ORIGIN).is_none_or(|origin| {
        origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority == host)
    });
    if is_loopback(host) && same_site {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Forbidden,
        "with --insecure-dev only this machine's own programs and pages may ask; start the service without it \
         and use an API key",
    ))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_key_comes_in_the_header_or_on_a_handshake_as_a_subprotocol() {
        let found = |pairs: &[_]| token(&headers(pairs)).map(|token| token.reveal().to_owned()).ok();
        assert_eq!(
            found(&[(header::AUTHORIZATION, "bearer vx_a")]).as_deref(),
            Some("vx_a")
        );
        let protocol = (header::SEC_WEBSOCKET_PROTOCOL, "voxline, bearer.vx_b");
        assert_eq!(
            found(&[(header::UPGRADE, "websocket"), protocol.clone()]).as_deref(),
            Some("vx_b")
        );
        assert_eq!(found(&[protocol]), None, "no handshake");
        assert_eq!(found(&[(header::AUTHORIZATION, "Basic dXNlcg==")]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn without_keys_only_this_machine_and_its_own_pages_are_served() {
        let served = |pairs: &[_]| refuse_other_sites(&headers(pairs)).is_ok();
        for host in ["127.0.0.1:8080", "localhost", "[::1]:8080", "LOCALHOST:1"] {
            assert!(served(&[(header::HOST, host)]), "{host}");
        }
        let page = "http://127.0.0.1:8080";
        assert!(served(&[
            (header::HOST, "127.0.0.1:8080"),
            (header::ORIGIN, page)
        ]));
        for (host, origin) in [
            ("127.0.0.1:8080", "https://evil.example"),
            ("127.0.0.1:8080", "http://127.0.0.1:9090"),
            ("127.0.0.1:8080", "null"),
            ("rebound.example:8080", "http://rebound.example:8080"),
        ] {
            assert!(
                !served(&[(header::HOST, host), (header::ORIGIN, origin)]),
                "{host} {origin}"
            );
        }
        assert!(!served(&[]), "no host at all");
    }
}
