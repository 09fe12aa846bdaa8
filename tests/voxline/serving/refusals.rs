//! What is refused, and in which words.

use serde_json::json;
use voxline::store::Scope;

use super::harness::{NUMBER, Service, call_form, form, problem, sample, signup};
use super::sockets::Socket;
use crate::support::wav;

const JSON: &str = "application/json";

#[tokio::test]
async fn every_bad_request_is_refused_with_what_was_wrong() {
    let service = Service::start().await;
    service.number().await;
    let key = service.key(&[Scope::Admin]).await;
    let id = "01990000-0000-7000-8000-000000000000";
    let user = format!("/v1/users/{id}");
    let enrolments = format!("/v1/users/{id}/enrollments");
    let one = format!("{enrolments}/{id}");
    let call = format!("/v1/calls/{}", "c".repeat(129));
    let big = format!("{{\"number\":\"{}\"}}", "1".repeat(70_000));
    #[rustfmt::skip]
    let table: &[(&str, &str, &str, &str, u16, &str, &str)] = &[
        // Method, path, content type, body; status, code, and part of the detail.
        ("GET",    "/v2/users",       "",   "", 404, "unknown_route", "/v2/users"),
        ("GET",    "/v1",             "",   "", 404, "unknown_route", "/openapi.json"),
        ("PUT",    "/v1/users",       "",   "", 405, "wrong_method", "PUT"),
        ("GET",    "/v1/identify",    "",   "", 405, "wrong_method", "GET"),
        ("POST",   "/v1/numbers",     "",   "{}", 415, "unsupported_media", "application/json"),
        ("POST",   "/v1/numbers",     "text/plain", "{}", 415, "unsupported_media", "application/json"),
        ("POST",   "/v1/numbers",     JSON, "", 400, "bad_request", "EOF"),
        ("POST",   "/v1/numbers",     JSON, "{\"number\":", 400, "bad_request", "EOF"),
        ("POST",   "/v1/numbers",     JSON, "{}", 422, "invalid", "missing field `number`"),
        ("POST",   "/v1/numbers",     JSON, "{\"number\":\"12\"}", 422, "invalid", "starts with +"),
        ("POST",   "/v1/numbers",     JSON, "{\"number\":\"+1202\"}", 422, "invalid", "no country's numbering plan"),
        ("POST",   "/v1/numbers",     JSON, "{\"number\":\"+12025550102\",\"regoin\":\"US\"}", 422, "invalid", "unknown field `regoin`"),
        ("POST",   "/v1/numbers",     JSON, "{\"number\":\"+12025550102\",\"region\":\"USA\"}", 422, "invalid", "region"),
        ("POST",   "/v1/numbers",     JSON, "{\"number\":\"+12025550101\"}", 409, "number_exists", "already here"),
        ("POST",   "/v1/numbers",     JSON, &big, 413, "too_large", "65536 bytes"),
        ("POST",   "/v1/users",       JSON, "{\"name\":\"A\",\"number\":\"+12025550199\"}", 404, "unknown_number", "POST /v1/numbers"),
        ("POST",   "/v1/users",       JSON, "{\"name\":\"\",\"number\":\"+12025550101\"}", 422, "invalid", "user's name"),
        ("POST",   "/v1/users",       JSON, "{\"name\":\"A\",\"number\":\"+12025550101\",\"pin\":\"12\"}", 422, "invalid", "4 to 8 digits"),
        ("GET",    "/v1/users",       "",   "", 400, "bad_request", "missing field `number`"),
        ("GET",    "/v1/users?number=12025550101", "", "", 400, "bad_request", "starts with +"),
        ("GET",    "/v1/users?number=%2B12025550199", "", "", 404, "unknown_number", "POST /v1/numbers"),
        ("GET",    "/v1/users/42",    "",   "", 400, "bad_request", "the path cannot be used"),
        ("GET",    &user,             "",   "", 404, "unknown_user", id),
        ("PATCH",  &user,             JSON, "{}", 404, "unknown_user", id),
        ("PATCH",  &user,             JSON, "{\"name\":null}", 422, "invalid", "null"),
        ("PATCH",  &user,             JSON, "{\"numbers\":[]}", 422, "invalid", "at least one number"),
        ("DELETE", &user,             "",   "", 404, "unknown_user", id),
        ("GET",    &enrolments,       "",   "", 404, "unknown_user", id),
        ("DELETE", &enrolments,       "",   "", 404, "unknown_user", id),
        ("DELETE", &one,              "",   "", 404, "unknown_user", id),
        ("POST",   &enrolments,       JSON, "{}", 415, "unsupported_media", "multipart/form-data"),
        ("POST",   &enrolments,       "multipart/form-data", "", 415, "unsupported_media", "boundary"),
        ("POST",   "/v1/identify",    "multipart/form-data; boundary=x", "--x\r\n", 400, "bad_request", "the form cannot be read"),
        ("POST",   "/v1/identify",    "multipart/form-data; boundary=x", "--x--\r\n", 400, "bad_request", "no part `number`"),
        ("GET",    "/v1/calls?limit=0", "", "", 400, "bad_request", "`limit` is 1 to 500"),
        ("GET",    "/v1/calls?limit=many", "", "", 400, "bad_request", "limit"),
        ("GET",    "/v1/calls?page=2", "",  "", 400, "bad_request", "unknown field `page`"),
        ("GET",    "/v1/calls/none",  "",   "", 404, "unknown_call", "none"),
        ("GET",    &call,             "",   "", 400, "bad_request", "1 to 128"),
        ("GET",    "/media/pcm",      "",   "", 426, "upgrade_needed", "WebSocket"),
        ("GET",    "/media/twilio",   "",   "", 426, "upgrade_needed", "WebSocket"),
    ];
    for (method, path, media_type, body, status, code, said) in table {
        let mut request = service
            .request(method, path)
            .bearer_auth(&key)
            .body((*body).to_owned());
        if !media_type.is_empty() {
            request = request.header("content-type", *media_type);
        }
        let response = request.send().await.unwrap();
        match *status {
            405 => assert!(!response.headers()["allow"].is_empty()),
            426 => assert_eq!(response.headers()["upgrade"], "websocket"),
            _ => {}
        }
        let document = problem(response, *status, code).await;
        let detail = document["detail"].as_str().unwrap();
        assert!(
            detail.contains(said),
            "{method} {path} {body:?}: {detail:?} does not say {said:?}"
        );
    }
}

#[tokio::test]
async fn bad_recordings_and_forms_are_refused_with_what_was_wrong() {
    let service = Service::start().await;
    service.number().await;
    let key = service.key(&[Scope::Identify]).await;
    let stereo = stereo_wav();
    let recording = |bytes: &[u8]| vec![("call.wav".to_owned(), bytes.to_vec())];
    let number = ("number", NUMBER);
    let silence = wav(8_000, 1, &[0.0; 8_000]);
    let cases = [
        (form(recording(b""), &[number]), 422, "bad_audio", "empty input"),
        (
            form(recording(b"hello, I am text"), &[number]),
            415,
            "unsupported_media",
            "not audio",
        ),
        (
            form(recording(&sample("calls/alice-1.wav")[..40]), &[number]),
            422,
            "bad_audio",
            "call.wav: ",
        ),
        (
            form(recording(&wav(96_000, 1, &[0.0; 100])), &[number]),
            422,
            "bad_audio",
            "8000 Hz to 48000 Hz",
        ),
        (form(recording(&stereo), &[number]), 422, "bad_audio", "`channel`"),
        (
            form(recording(&stereo), &[number, ("channel", "2")]),
            400,
            "bad_request",
            "0 or 1",
        ),
        (
            form(recording(&silence), &[number, ("channel", "1")]),
            422,
            "bad_audio",
            "channel 1 of 1",
        ),
        (
            form(recording(&silence), &[("number", "12")]),
            422,
            "invalid",
            "`number`",
        ),
        (
            form(recording(&silence), &[("number", "+12025550199")]),
            404,
            "unknown_number",
            "+12025550199",
        ),
        (
            form(recording(&silence), &[]),
            400,
            "bad_request",
            "no part `number`",
        ),
        (
            form(Vec::new(), &[number]),
            400,
            "bad_request",
            "exactly one part `audio`",
        ),
        (
            form([recording(&silence), recording(&silence)].concat(), &[number]),
            400,
            "bad_request",
            "exactly one",
        ),
        (
            form(recording(&silence), &[number, ("colour", "red")]),
            400,
            "bad_request",
            "\"colour\"",
        ),
        (
            form(recording(&silence), &[number, number]),
            400,
            "bad_request",
            "`number` twice",
        ),
    ];
    for (form, status, code, said) in cases {
        let request = service.post("/v1/identify").bearer_auth(&key).multipart(form);
        let document = problem(request.send().await.unwrap(), status, code).await;
        let detail = document["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{detail:?} does not say {said:?}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_the_limit_announced_or_not() {
    let service = Service::with(&[("limits.upload_mb", "1")]).await;
    service.number().await;
    let key = service.key(&[Scope::Identify]).await;
    let limit = (1024 * 1024 + 64 * 1024).to_string();
    let announced = form(
        vec![("a.wav".to_owned(), vec![0; 2 << 20])],
        &[("number", NUMBER)],
    );
    let request = service
        .post("/v1/identify")
        .bearer_auth(&key)
        .multipart(announced);
    let document = problem(request.send().await.unwrap(), 413, "too_large").await;
    assert!(
        document["detail"].as_str().unwrap().contains(&limit),
        "{document}"
    );
    // Chunked, so that nobody knows before.
    let head = format!(
        "POST /v1/identify HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {key}\r\n\
         content-type: multipart/form-data; boundary=x\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let mut stream = Raw::open(&service, &head).await;
    stream
        .chunk(b"--x\r\ncontent-disposition: form-data; name=\"audio\"; filename=\"a\"\r\n\r\n")
        .await;
    let mut answer = String::new();
    for _ in 0..40 {
        stream.chunk(&[0; 32 * 1024]).await;
    }
    stream.read_to(&mut answer, "\"code\":\"too_large\"").await;
    assert!(answer.contains(" 413 ") && answer.contains(&limit), "{answer}");
}

#[tokio::test]
async fn when_every_permit_is_taken_others_are_asked_to_come_again() {
    let service = Service::with(&[("inference.capacity", "1")]).await;
    let alice = service.enrolled().await;
    let key = service.key(&[Scope::Admin]).await;
    let mut held = Socket::open(&service, "/media/pcm", &key).await;
    held.start_call("held", NUMBER).await;
    held.stream_until_update("alice-1").await;

    let identify = service.post("/v1/identify").multipart(call_form("alice-1"));
    let path = format!("/v1/users/{alice}/enrollments");
    let enrol = service
        .post(&path)
        .multipart(form(signup("alice"), &[("consent", "yes")]));
    for request in [identify, enrol] {
        let response = request.bearer_auth(&key).send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "2");
        problem(response, 503, "busy").await;
    }
    // Also who sends all of a large recording before looking hears of it.
    let mut sender = Raw::open(
        &service,
        &format!(
            "POST /v1/identify HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {key}\r\n\
             content-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n",
            20 << 20
        ),
    )
    .await;
    sender.write(&vec![0; 20 << 20]).await;
    let mut answer = String::new();
    sender.read_to(&mut answer, "\"code\":\"busy\"").await;
    assert!(
        answer.contains(" 503 ") && answer.contains("retry-after: 2"),
        "{answer}"
    );

    let mut second = Socket::open(&service, "/media/pcm", &key).await;
    second.start_call("second", NUMBER).await;
    assert_eq!(second.next_json().await.unwrap()["problem"]["code"], "busy");
    assert_eq!(second.close_code().await, 1013);

    held.say(&json!({"event": "stop"})).await;
    assert_eq!(held.close_code().await, 1000);
    let identify = service.post("/v1/identify").multipart(call_form("alice-1"));
    assert_eq!(identify.bearer_auth(&key).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn who_sends_too_slowly_is_not_waited_for() {
    let service = super::life::impatient().await;
    let key = service.key(&[Scope::Admin]).await;
    let mut head = Raw::open(&service, "GET /v1/numbers HTTP/1.1\r\nhost: he").await;
    assert!(head.is_closed().await, "half a head was waited for");
    let request = format!(
        "POST /v1/numbers HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    let mut answer = String::new();
    Raw::open(&service, &request)
        .await
        .read_to(&mut answer, "\"code\":\"too_slow\"")
        .await;
    assert!(answer.contains(" 408 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_too_large() {
    use tokio::io::AsyncWriteExt;
    let service = Service::start().await;
    let key = service.key(&[Scope::Admin]).await;
    let head = format!(
        "POST /v1/users HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    );
    for (length, body) in [
        ("transfer-encoding: chunked", "8\r\n{\"name\":\r\nno size\r\n"),
        ("content-length: 100", "{\"name\":"),
    ] {
        let mut broken = Raw::open(&service, &format!("{head}{length}\r\n\r\n{body}")).await;
        broken.0.shutdown().await.unwrap();
        let mut answer = String::new();
        broken.read_to(&mut answer, "\"code\":\"").await;
        assert!(
            answer.contains(" 400 ") && answer.contains("ended early"),
            "{length}: {answer}"
        );
    }
}

/// A connection that need not keep to HTTP.
struct Raw(tokio::net::TcpStream);

impl Raw {
    async fn open(service: &Service, first: &str) -> Self {
        use tokio::io::AsyncWriteExt;
        let mut stream = tokio::net::TcpStream::connect(&service.address).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        Self(stream)
    }

    async fn write(&mut self, bytes: &[u8]) {
        use tokio::io::AsyncWriteExt;
        self.0.write_all(bytes).await.unwrap();
    }

    /// A chunk of a chunked body; once the service has refused it may not get through.
    async fn chunk(&mut self, bytes: &[u8]) {
        use tokio::io::AsyncWriteExt;
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        let _ = self.0.write_all(&framed).await;
    }

    /// Reads until `end` came or the connection closed.
    async fn read_to(&mut self, text: &mut String, end: &str) {
        use tokio::io::AsyncReadExt;
        let mut piece = [0; 4096];
        while !text.contains(end) {
            match self.0.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(read) => text.push_str(&String::from_utf8_lossy(&piece[..read])),
            }
        }
    }

    async fn is_closed(&mut self) -> bool {
        let mut text = String::new();
        self.read_to(&mut text, "\u{0}never").await;
        text.is_empty() || text.contains(" 408 ")
    }
}

fn stereo_wav() -> Vec<u8> {
    // Nothing on the left, a buzz on the right.
    let buzz = |at: usize| {
        if at.is_multiple_of(2) {
            0.0
        } else {
            [0.25, -0.25][at / 40 % 2]
        }
    };
    wav(8_000, 2, &(0..6_400).map(buzz).collect::<Vec<f32>>())
}
