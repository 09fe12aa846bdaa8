//! Enrolment by a link: the page, what it sends, and what a link is good for.

use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use voxline::store::Scope;
use voxline::units::UserId;

use super::harness::{NUMBER, Service, call_form, form, json as body, problem, signup};
use super::live_enrolment::spoken;
use super::sockets::Socket;
use crate::support;

/// Makes a link by the API; gives its path.
async fn link(service: &Service, user: UserId, asked: Value) -> String {
    let key = service.key(&[Scope::Enroll]).await;
    let request = service
        .post(&format!("/v1/users/{user}/invites"))
        .bearer_auth(key);
    let made = body(request.json(&asked).send().await.unwrap(), 201).await;
    let url = made["url"].as_str().unwrap();
    url[url.find("/enroll/").unwrap()..].to_owned()
}

/// A service with the number, a user of it, and their link.
async fn invited(name: &str) -> (Service, UserId, String) {
    let service = Service::start().await;
    service.number().await;
    let user = service.user(name).await;
    let path = link(&service, user, json!({})).await;
    (service, user, path)
}

/// A page, by its status.
async fn page(response: Response, status: u16) -> (HeaderMap, String) {
    let headers = response.headers().clone();
    let came = response.status().as_u16();
    let text = response.text().await.unwrap();
    assert_eq!(came, status, "{text}");
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    (headers, text)
}

/// What stands in quotes behind `name=` in a page.
fn value<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("{name}=\"")).unwrap();
    rest.split_once('"').unwrap().0
}

/// The consent that the page shows in English, as its digest.
async fn consent(service: &Service, path: &str) -> String {
    let (_, html) = page(service.get(path).send().await.unwrap(), 200).await;
    value(&html, "data-consent").to_owned()
}

async fn send(service: &Service, path: &str, who: &str, consent: &str) -> Response {
    let texts = [("language", "en"), ("consent_sha256", consent)];
    let sent = service.post(path).multipart(form(signup(who), &texts));
    sent.send().await.unwrap()
}

#[tokio::test]
async fn who_enrols_by_a_link_is_found_on_the_next_call_and_the_link_is_spent() {
    let (service, alice, path) = invited("Alice").await;
    let agreed = consent(&service, &path).await;
    let report = body(send(&service, &path, "alice", &agreed).await, 201).await;
    assert_eq!(report["accepted"], true, "{report}");

    let consents = service.board.store().consents_of(alice).await.unwrap();
    assert_eq!(consents.len(), 1);
    assert_eq!(
        (consents[0].version.as_deref(), &consents[0].sha256),
        (Some("voxline-2"), &agreed)
    );
    let text = consents[0].text.as_deref().unwrap();
    assert!(text.contains(NUMBER) && support::sha256(text.as_bytes()) == agreed);

    problem(send(&service, &path, "alice", &agreed).await, 410, "invite_spent").await;
    page(service.get(&path).send().await.unwrap(), 410).await;
    let key = service.key(&[Scope::Identify]).await;
    let request = service.post("/v1/identify").bearer_auth(key);
    let said = request.multipart(call_form("alice-1")).send().await.unwrap();
    assert_eq!(body(said, 200).await["user_id"], alice.to_string());
}

#[tokio::test]
async fn of_two_recordings_sent_at_a_time_by_one_link_one_is_enrolled() {
    let (service, alice, path) = invited("Alice").await;
    let agreed = consent(&service, &path).await;
    let (one, other) = tokio::join!(
        send(&service, &path, "alice", &agreed),
        send(&service, &path, "alice", &agreed)
    );
    let mut came = [one.status().as_u16(), other.status().as_u16()];
    came.sort_unstable();
    assert!(came[0] == 201 && came[1] != 201, "{came:?}");
    let enrolled = service.board.store().enrolments_of(alice).await.unwrap();
    assert_eq!(enrolled.len(), 1);
}

#[tokio::test]
async fn the_page_lets_nothing_foreign_in_and_tells_its_address_to_nobody() {
    let (service, _, path) = invited("<b>Alice</b>").await;
    let (headers, html) = page(service.get(&path).send().await.unwrap(), 200).await;
    let policy = headers["content-security-policy"].to_str().unwrap();
    for part in [
        "default-src 'none';",
        "script-src 'self';",
        "style-src 'self';",
        "base-uri 'none';",
        "form-action 'none';",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part} is not in {policy}");
    }
    assert!(!policy.contains("unsafe"));
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        (
            "permissions-policy",
            "microphone=(self), camera=(), geolocation=()",
        ),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    // The token is in the address alone, nothing runs or looks different by what stands in the page itself, and a
    // name is text.
    let token = path.rsplit('/').next().unwrap();
    assert!(!html.contains(token) && !format!("{headers:?}").contains(token));
    let tags = html.split('<').filter_map(|piece| Some(piece.split_once('>')?.0));
    for tag in tags {
        let inline = tag.starts_with("style") || tag.contains(" style=") || tag.contains(" on");
        assert!(!inline, "<{tag}>");
    }
    let scripts = html.matches("<script").count();
    assert_eq!((scripts, html.matches("src=\"/assets/").count()), (1, 1));
    assert!(html.contains("&#60;b&#62;Alice") && !html.contains("<b>"));
}

#[tokio::test]
async fn every_link_that_is_not_good_is_answered_in_the_same_words() {
    let (service, alice, path) = invited("Alice").await;
    let key = service.key(&[Scope::Enroll]).await;
    let listed = service
        .get(&format!("/v1/users/{alice}/invites"))
        .bearer_auth(&key);
    let listed = body(listed.send().await.unwrap(), 200).await;
    assert_eq!(listed[0]["state"], "open");
    assert!(!listed.to_string().contains(path.rsplit('/').next().unwrap()));
    let id = listed[0]["id"].as_str().unwrap();
    let revoke = service.request("DELETE", &format!("/v1/users/{alice}/invites/{id}"));
    assert_eq!(revoke.bearer_auth(&key).send().await.unwrap().status(), 204);

    let (spent_headers, spent) = page(service.get(&path).send().await.unwrap(), 410).await;
    let guessed = service.get("/enroll/ve_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let (headers, unknown) = page(guessed.send().await.unwrap(), 404).await;
    assert_eq!(spent, unknown);
    assert_eq!(
        headers["content-security-policy"],
        spent_headers["content-security-policy"]
    );
    page(service.get("/enroll/%ff%00").send().await.unwrap(), 404).await;
    let texts = [("language", "en"), ("consent_sha256", "")];
    let sent = service.post(&path).multipart(form(signup("alice"), &texts));
    problem(sent.send().await.unwrap(), 410, "invite_spent").await;
}

#[tokio::test]
async fn a_removed_users_link_is_none() {
    let (service, alice, path) = invited("Alice").await;
    service.board.remove_user(alice).await.unwrap();
    page(service.get(&path).send().await.unwrap(), 404).await;
}

#[tokio::test]
async fn a_link_of_somebody_who_opted_out_lets_nobody_in() {
    let (service, alice, path) = invited("Alice").await;
    let agreed = consent(&service, &path).await;
    let key = service.key(&[Scope::Admin]).await;
    let opt = service
        .request("PATCH", &format!("/v1/users/{alice}"))
        .bearer_auth(key);
    let opted = opt.json(&json!({"opted_out": true})).send().await.unwrap();
    assert_eq!(body(opted, 200).await["opted_out"], true);
    page(service.get(&path).send().await.unwrap(), 410).await;
    problem(send(&service, &path, "alice", &agreed).await, 409, "opted_out").await;
}

#[tokio::test]
async fn words_that_were_not_shown_are_no_consent() {
    let (service, alice, path) = invited("Alice").await;
    let agreed = consent(&service, &path).await;
    let other = agreed.replace(|sign: char| sign.is_ascii_digit(), "a");
    problem(
        send(&service, &path, "alice", &other).await,
        409,
        "consent_changed",
    )
    .await;
    // The digest of the English words is none of the German ones.
    let texts = [("language", "de"), ("consent_sha256", agreed.as_str())];
    let sent = service.post(&path).multipart(form(signup("alice"), &texts));
    problem(sent.send().await.unwrap(), 409, "consent_changed").await;
    let sent = service
        .post(&path)
        .multipart(form(signup("alice"), &[("language", "en")]));
    problem(sent.send().await.unwrap(), 400, "bad_request").await;
    assert!(service.board.store().consents_of(alice).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_gate_is_that_of_every_enrolment() {
    let (service, _, path) = invited("Alice").await;
    let agreed = consent(&service, &path).await;
    let texts = [("language", "en"), ("consent_sha256", agreed.as_str())];
    let two = [signup("alice").remove(0), signup("walter").remove(1)];
    let sent = service.post(&path).multipart(form(two.to_vec(), &texts));
    let refused = problem(sent.send().await.unwrap(), 422, "enrollment_refused").await;
    assert_eq!(refused["report"]["accepted"], false);
    // What was refused can be done better by the same link.
    body(send(&service, &path, "alice", &agreed).await, 201).await;
}

#[tokio::test]
async fn the_page_is_in_the_links_language_the_browsers_or_the_chosen() {
    let (service, alice, path) = invited("Alice").await;
    let lang = async |path: &str, accepted: &str| {
        let request = service.get(path).header("accept-language", accepted);
        let (_, html) = page(request.send().await.unwrap(), 200).await;
        value(&html, "<html lang").to_owned()
    };
    assert_eq!(lang(&path, "pl, fr;q=0.8, de;q=0.9").await, "de");
    assert_eq!(lang(&path, "pl").await, "en");
    assert_eq!(lang(&format!("{path}?lang=hi"), "de").await, "hi");
    assert_eq!(lang(&format!("{path}?lang=xx&more=1"), "fr").await, "fr");
    let spanish = link(&service, alice, json!({"language": "es"})).await;
    assert_eq!(lang(&spanish, "de").await, "es");
}

#[tokio::test]
async fn what_pages_are_made_of_is_kept_by_browsers_and_comes_compressed() {
    let (service, _, path) = invited("Alice").await;
    let (_, html) = page(service.get(&path).send().await.unwrap(), 200).await;
    let script = value(&html, "type=\"module\" src");
    let packed = service.get(script).header("accept-encoding", "gzip");
    let packed = packed.send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["content-type"], "text/javascript; charset=utf-8");
    let kept = packed.headers()["cache-control"].to_str().unwrap();
    assert!(kept.contains("immutable"), "{kept}");
    let tag = packed.headers()["etag"].clone();
    let again = service.get(script).header("if-none-match", tag);
    assert_eq!(again.send().await.unwrap().status(), 304);
    for missing in [
        "/assets/0000000000000000/signup/main.js",
        &script.replace("main.js", "../Cargo.toml"),
    ] {
        let response = service.get(missing).send().await.unwrap();
        problem(response, 404, "unknown_route").await;
    }
    let packed = service.get(&path).header("accept-encoding", "gzip");
    assert_eq!(packed.send().await.unwrap().headers()["content-encoding"], "gzip");
}

#[tokio::test]
async fn who_speaks_is_told_how_far_they_are_and_nothing_is_kept() {
    let (service, alice, path) = invited("Alice").await;
    let agreed = consent(&service, &path).await;
    let mut socket = Socket::open(&service, &format!("{path}/check"), "none").await;
    let start = json!({"event": "start", "language": "en", "consent_sha256": agreed,
                       "encoding": "pcm_s16le", "sample_rate": 16000});
    socket.say(&start).await;
    for piece in spoken("alice").chunks(4_096) {
        socket.send(piece).await;
    }
    socket.say(&json!({"event": "stop"})).await;
    let mut frames = socket.rest().await;
    let report = frames.pop().unwrap();
    assert_eq!(
        (&report["event"], &report["accepted"], &report["enrollment_id"]),
        (&json!("report"), &json!(true), &Value::Null),
        "{report}"
    );
    assert!(frames.len() > 20 && frames.iter().all(|frame| frame["event"] == "progress"));
    assert!(frames.iter().all(|frame| frame["issues"].is_array()));
    let store = service.board.store();
    assert!(store.enrolments_of(alice).await.unwrap().is_empty());
    assert!(store.consents_of(alice).await.unwrap().is_empty());
    body(send(&service, &path, "alice", &agreed).await, 201).await;
}

#[tokio::test]
async fn a_soft_voice_is_told_so_while_it_speaks() {
    let (service, _, path) = invited("Alice").await;
    let agreed = consent(&service, &path).await;
    let mut socket = Socket::open(&service, &format!("{path}/check"), "none").await;
    let start = json!({"event": "start", "language": "en", "consent_sha256": agreed,
                       "encoding": "pcm_s16le", "sample_rate": 16000});
    socket.say(&start).await;
    let spoken = spoken("alice");
    let soft = spoken.chunks_exact(2).flat_map(|two| {
        let sample = i16::from_le_bytes([two[0], two[1]]) / 40;
        sample.to_le_bytes()
    });
    for piece in soft.collect::<Vec<u8>>().chunks(16_000) {
        socket.send(piece).await;
    }
    socket.say(&json!({"event": "stop"})).await;
    let frames = socket.rest().await;
    let told = |frame: &Value| {
        let issues = frame["issues"].as_array().unwrap().iter();
        issues
            .map(|issue| issue["code"].clone())
            .any(|code| code == "too_quiet")
    };
    assert!(
        frames
            .iter()
            .filter(|frame| frame["event"] == "progress")
            .any(told),
        "{frames:?}"
    );
}

#[tokio::test]
async fn a_link_is_not_tried_endlessly() {
    let (service, _, path) = invited("Alice").await;
    for _ in 0..30 {
        let sent = service
            .post(&path)
            .multipart(form(Vec::new(), &[("language", "en")]));
        problem(sent.send().await.unwrap(), 400, "bad_request").await;
    }
    let sent = service
        .post(&path)
        .multipart(form(Vec::new(), &[("language", "en")]));
    let refused = sent.send().await.unwrap();
    assert!(refused.headers().contains_key("retry-after"));
    problem(refused, 429, "too_many_tries").await;
}

#[tokio::test]
async fn only_pages_that_were_named_may_show_it_in_a_frame() {
    let service = Service::with(&[
        ("signup.embed_from", "https://app.example.com, https://b.example"),
        ("signup.organisation", "Garten & Söhne"),
        ("public_url", "https://id.example.com"),
    ])
    .await;
    service.number().await;
    let alice = service.user("Alice").await;
    let path = link(&service, alice, json!({})).await;
    let (headers, html) = page(service.get(&path).send().await.unwrap(), 200).await;
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.ends_with("frame-ancestors https://app.example.com https://b.example"),
        "{policy}"
    );
    assert!(
        policy.contains("connect-src 'self' wss://id.example.com;"),
        "{policy}"
    );
    assert!(html.contains("Garten &#38; Söhne"));
}
