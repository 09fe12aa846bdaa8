//! The console's sessions over real sockets, and its page.

use std::time::Duration;

use reqwest::header::{ACCEPT, COOKIE, HeaderMap, ORIGIN, SET_COOKIE};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use voxline::reply::ConsoleSettings;
use voxline::store::Scope;

use super::harness::{NUMBER, Service, json as body, problem};
use super::sockets::Socket;

/// Somebody who is logged in: their cookie and their token.
struct Session {
    cookie: String,
    csrf: String,
}

impl Session {
    async fn of(service: &Service, key: &str) -> Self {
        let (headers, told) = logged_in(login(service, key).await).await;
        let cookie = headers[SET_COOKIE].to_str().unwrap();
        Self {
            cookie: cookie.split(';').next().unwrap().to_owned(),
            csrf: told["csrf"].as_str().unwrap().to_owned(),
        }
    }

    /// A request as the console's pages make them.
    fn asks(&self, request: RequestBuilder) -> RequestBuilder {
        self.cookie_alone(request).header("x-voxline-csrf", &self.csrf)
    }

    fn cookie_alone(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(COOKIE, &self.cookie)
    }
}

async fn login(service: &Service, key: &str) -> Response {
    let request = service.post("/console/session");
    request.json(&json!({ "key": key })).send().await.unwrap()
}

async fn logged_in(response: Response) -> (HeaderMap, Value) {
    let headers = response.headers().clone();
    (headers, body(response, 201).await)
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

async fn refused(request: RequestBuilder, status: u16, code: &str) -> Value {
    problem(request.send().await.unwrap(), status, code).await
}

/// A number to add, as the console would.
fn adding(service: &Service) -> RequestBuilder {
    service.post("/v1/numbers").json(&json!({ "number": NUMBER }))
}

#[tokio::test]
async fn a_session_may_what_its_key_may_by_a_cookie_no_script_reads() {
    let service = Service::start().await;
    let key = service.key(&[Scope::Identify, Scope::Enroll]).await;
    let (headers, told) = logged_in(login(&service, &key).await).await;
    let cookie = headers[SET_COOKIE].to_str().unwrap();
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{part} is not in the cookie");
    }
    assert!(!cookie.contains("Secure"), "there is no https here");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(told["scopes"], json!(["enroll", "identify"]));
    assert!(!format!("{cookie}{told}").contains(&key));

    let session = Session::of(&service, &key).await;
    assert_eq!(status(session.cookie_alone(service.get("/v1/calls"))).await, 200);
    assert_eq!(
        status(session.cookie_alone(service.get("/v1/numbers"))).await,
        200
    );
    let shown = session
        .cookie_alone(service.get("/console/session"))
        .send()
        .await
        .unwrap();
    assert_eq!(body(shown, 200).await["csrf"], session.csrf.as_str());
    // The key beside it counts alone.
    let request = session
        .cookie_alone(service.get("/v1/calls"))
        .bearer_auth("vx_none");
    refused(request, 401, "unauthorized").await;
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_the_host_and_no_other_counts() {
    let service = Service::with(&[("public_url", "https://id.example.com")]).await;
    let key = service.key(&[Scope::Identify]).await;
    let request = service
        .post("/console/session")
        .header(ORIGIN, "https://id.example.com");
    let (headers, _) = logged_in(request.json(&json!({ "key": key })).send().await.unwrap()).await;
    let cookie = headers[SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-voxline=") && cookie.contains("; Secure"),
        "{cookie}"
    );
    let given = cookie.split(';').next().unwrap();
    assert_eq!(status(service.get("/v1/calls").header(COOKIE, given)).await, 200);
    let planted = given.replace("__Host-", "");
    refused(
        service.get("/v1/calls").header(COOKIE, planted),
        401,
        "unauthorized",
    )
    .await;
    // Who comes by http would be logged out by the next request, and is told so before.
    let plain = service
        .post("/console/session")
        .header(ORIGIN, format!("http://{}", service.address));
    let said = refused(plain.json(&json!({ "key": key })), 403, "foreign_page").await;
    assert!(
        said["detail"]
            .as_str()
            .unwrap()
            .contains("https://id.example.com"),
        "{said}"
    );
}

#[tokio::test]
async fn nothing_is_changed_without_the_sessions_token() {
    let service = Service::start().await;
    let key = service.key(&[Scope::Admin]).await;
    let session = Session::of(&service, &key).await;
    let other = Session::of(&service, &key).await;
    for token in ["", "x", &other.csrf, &session.cookie] {
        let request = session
            .cookie_alone(adding(&service))
            .header("x-voxline-csrf", token);
        refused(request, 403, "foreign_page").await;
    }
    refused(session.cookie_alone(adding(&service)), 403, "foreign_page").await;
    let end = session.cookie_alone(service.request("DELETE", "/console/session"));
    refused(end, 403, "foreign_page").await;
    assert_eq!(status(session.asks(adding(&service))).await, 201);
}

#[tokio::test]
async fn what_another_sites_page_asks_for_is_refused_whatever_it_brings() {
    let service = Service::start().await;
    let key = service.key(&[Scope::Admin]).await;
    let session = Session::of(&service, &key).await;
    let own = format!("http://{}", service.address);
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        &format!("{own}.evil.example"),
    ] {
        let request = session.asks(adding(&service)).header(ORIGIN, origin);
        refused(request, 403, "foreign_page").await;
        let request = session.asks(service.get("/v1/calls")).header(ORIGIN, origin);
        refused(request, 403, "foreign_page").await;
        let request = service.post("/console/session").header(ORIGIN, origin);
        refused(request.json(&json!({ "key": key })), 403, "foreign_page").await;
    }
    for site in ["cross-site", "same-site", "none"] {
        let request = session.asks(adding(&service)).header("sec-fetch-site", site);
        refused(request, 403, "foreign_page").await;
    }
    let typed = session
        .cookie_alone(service.get("/v1/calls"))
        .header("sec-fetch-site", "none");
    assert_eq!(status(typed).await, 200);
    let request = session.asks(adding(&service)).header(ORIGIN, &own);
    assert_eq!(status(request.header("sec-fetch-site", "same-origin")).await, 201);
}

#[tokio::test]
async fn no_other_sites_page_opens_a_websocket_with_a_session() {
    let service = Service::start().await;
    service.number().await;
    let session = Session::of(&service, &service.key(&[Scope::Identify]).await).await;
    let own = format!("http://{}", service.address);
    for (origin, opens) in [
        (Some(own.as_str()), true),
        (Some("https://evil.example"), false),
        (None, false),
    ] {
        let mut headers = vec![("cookie", session.cookie.clone())];
        headers.extend(origin.map(|origin| ("origin", origin.to_owned())));
        let opened = Socket::with_headers(&service, "/media/pcm", &headers).await;
        assert_eq!(opened.err(), (!opens).then_some(403), "from {origin:?}");
    }
}

#[tokio::test]
async fn a_revoked_key_ends_its_sessions_and_their_streams() {
    let service = Service::start().await;
    let key = service.key(&[Scope::Identify]).await;
    let session = Session::of(&service, &key).await;
    let stream = session
        .cookie_alone(service.get("/v1/calls/events"))
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status(), 200);
    let store = service.board.store();
    let made = store.keys().await.unwrap();
    store.revoke_key(made.last().unwrap().id).await.unwrap();
    let said = refused(
        session.cookie_alone(service.get("/v1/calls")),
        401,
        "session_over",
    )
    .await;
    assert!(
        said["detail"].as_str().unwrap().contains("log in again"),
        "{said}"
    );
    refused(
        session.cookie_alone(service.get("/console/session")),
        401,
        "session_over",
    )
    .await;
    let ended = tokio::time::timeout(Duration::from_secs(30), stream.text()).await;
    ended
        .expect("the stream goes on after its key was revoked")
        .unwrap();
}

#[tokio::test]
async fn a_session_that_nobody_uses_is_over_and_one_that_is_left_is_gone() {
    let short: fn(&mut voxline::reply::ServeSettings) = |settings| {
        settings.app.console = ConsoleSettings {
            idle: Duration::from_secs(3),
            ..ConsoleSettings::default()
        };
    };
    let service = Service::changed(short).await;
    let key = service.key(&[Scope::Identify]).await;
    let left = Session::of(&service, &key).await;
    let end = left
        .asks(service.request("DELETE", "/console/session"))
        .send()
        .await
        .unwrap();
    assert_eq!(end.status(), 204);
    assert!(end.headers()[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    refused(left.cookie_alone(service.get("/v1/calls")), 401, "session_over").await;

    // A page that asks for things by itself keeps no session open.
    let session = Session::of(&service, &key).await;
    let began = tokio::time::Instant::now();
    let mut answered = 0;
    while status(session.cookie_alone(service.get("/v1/calls"))).await == 200 {
        answered += 1;
        assert!(began.elapsed() < Duration::from_secs(30), "it goes on");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(answered > 0 && began.elapsed() > Duration::from_secs(2));
    refused(
        session.cookie_alone(service.get("/v1/calls")),
        401,
        "session_over",
    )
    .await;
}

#[tokio::test]
async fn a_key_without_a_scope_is_told_which_one_it_lacks_and_sees_no_scores() {
    let service = Service::start().await;
    let enrolling = Session::of(&service, &service.key(&[Scope::Enroll]).await).await;
    let said = refused(enrolling.cookie_alone(service.get("/v1/calls")), 403, "forbidden").await;
    assert!(said["detail"].as_str().unwrap().contains("`identify`"), "{said}");

    service.enrolled().await;
    let key = service.key(&[Scope::Identify]).await;
    let identifying = Session::of(&service, &key).await;
    let form = super::harness::call_form("alice-1");
    let request = identifying.asks(service.post("/v1/identify")).multipart(form);
    let said = body(request.send().await.unwrap(), 200).await;
    assert_eq!(said["outcome"], "identified", "{said}");
    assert_eq!(
        (&said["posterior"], &said["candidates"]),
        (&Value::Null, &json!([]))
    );
}

#[tokio::test]
async fn keys_that_are_none_are_looked_at_some_thirty_times_a_minute() {
    let service = Service::start().await;
    let good = service.key(&[Scope::Identify]).await;
    let bad = format!("vx_{}", "A".repeat(43));
    let mut refusals = 0;
    let limited = loop {
        let response = login(&service, &bad).await;
        if response.status() != 401 {
            break response;
        }
        let said = problem(response, 401, "unauthorized").await;
        assert!(said["detail"].as_str().unwrap().contains("voxline keys create"));
        refusals += 1;
        assert!(refusals < 100, "nobody stops it");
    };
    assert!(limited.headers().contains_key("retry-after"));
    problem(limited, 429, "too_many_logins").await;
    problem(login(&service, &good).await, 429, "too_many_logins").await;
    // What programs do is none of it.
    assert_eq!(status(service.get("/v1/calls").bearer_auth(&good)).await, 200);
}

#[tokio::test]
async fn the_page_is_the_same_for_all_and_lets_nothing_foreign_in() {
    let service = Service::start().await;
    for path in ["/", "/console", "/console/"] {
        let url = service.get(path).send().await.unwrap();
        assert_eq!(url.url().path(), "/console/calls", "{path}");
    }
    for path in [
        "/console/login",
        "/console/calls",
        "/console/calls/CA%22%3E%3Cb%3E",
        "/console/people/01990000-0000-7000-8000-000000000000",
        "/console/numbers/%2B12025550101",
        "/console/accuracy",
        "/console/setup",
    ] {
        let response = service.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let headers = response.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none';") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe") && !headers.contains_key(SET_COOKIE));
        assert_eq!(headers["cache-control"], "no-store");
        let html = response.text().await.unwrap();
        assert!(!html.contains("<b>") && !html.contains(" style=") && !html.contains(" onclick="));
        assert_eq!(
            html.matches("<script").count(),
            html.matches("<script type=\"module\" src=\"/assets/").count()
        );
    }
}

#[tokio::test]
async fn where_the_console_has_no_page_a_browser_gets_one_that_says_so() {
    let service = Service::start().await;
    let asked = |path| service.get(path).header(ACCEPT, "text/html,*/*;q=0.8");
    for path in ["/console/nothing", "/console/calls/one/two"] {
        let response = asked(path).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        let html = response.text().await.unwrap();
        assert!(html.contains("data-page=\"missing\""), "{html}");
        refused(service.get(path), 404, "unknown_route").await;
    }
    refused(asked("/v1/nothing"), 404, "unknown_route").await;
}
