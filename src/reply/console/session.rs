//! `/console/session`: logging in with an API key, and out.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::super::app_state::AppState;
use super::super::auth::peer;
use super::super::origin::refuse_foreign;
use super::super::problem::{Kind, Problem};
use super::super::reading;
use super::super::session_id::{SessionId, holder};
use crate::store::{Access, Scope, Token};

/// What the pages are told of a session.
#[derive(Serialize)]
pub(super) struct Shown {
    /// What the key may do.
    scopes: Vec<Scope>,
    /// To be brought as `X-Voxline-CSRF` with every request that changes something.
    csrf: String,
}

impl Shown {
    fn of(access: &Access, id: &SessionId) -> Self {
        Self {
            scopes: access.scopes().iter().copied().collect(),
            csrf: id.csrf(),
        }
    }

    /// Whether the key may do what `scope` is for.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// What anybody may do with `--insecure-dev`.
    fn without_key() -> Self {
        Self {
            scopes: vec![Scope::Admin],
            csrf: String::new(),
        }
    }
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
    refuse_plain_login(&parts.headers, &app)?;
    let now = Instant::now();
    let from = peer(&parts);
    app.key_attempts.may_try(from, now)?;
    let token = Token::received(login.key.trim());
    let found = app.access_by(&token, from).await?;
    let Some((key, access)) = found.and_then(|access| Some((access.key()?, access))) else {
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
    app.sessions.begin(id.digest(), key, now);
    let cookie = SessionId::cookie(Some(&id), is_secure(&parts.headers, &app));
    let shown = Json(Shown::of(&access, &id));
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
    let access = holder(parts, &id, app).await?;
    app.sessions.seen(&id.digest(), Instant::now());
    Ok(Shown::of(&access, &id))
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

/// Refuses to log in a browser that came by http where only the cookie of https counts: the session would be over with the
/// next request.
fn refuse_plain_login(headers: &HeaderMap, app: &AppState) -> Result<(), Problem> {
    let address = &app.settings.address;
    if is_secure(headers, app) || !address.starts_with("https://") {
        return Ok(());
    }
    let detail =
        format!("over http no session lasts while `public_url` is https: open the console at {address}");
    Err(Problem::new(Kind::ForeignPage, detail))
}

/// Whether the browser came by https: it says so itself; where it does not, the configured address does.
fn is_secure(headers: &HeaderMap, app: &AppState) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    origin.unwrap_or(&app.settings.address).starts_with("https://")
}
