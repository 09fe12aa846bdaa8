//! The service as a whole: ready, counted, silent clients, and its end.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use voxline::bytes::Encoding;
use voxline::store::{Scope, Token};
use voxline::switchboard::CallStart;
use voxline::units::{CallId, Hertz};

use super::harness::{NUMBER, Service, call_form, json as body, mulaw, problem};
use super::sockets::Socket;

/// A service that waits for nobody.
pub async fn impatient() -> Service {
    Service::changed(|settings| {
        settings.app.timeouts.head = Duration::from_millis(100);
        settings.app.timeouts.body = Duration::from_millis(100);
        settings.app.timeouts.idle = Duration::from_millis(100);
    })
    .await
}

#[tokio::test]
async fn a_service_in_order_is_alive_and_ready() {
    let service = Service::start().await;
    let alive = body(service.get("/healthz").send().await.unwrap(), 200).await;
    assert_eq!(alive["alive"], true);
    let ready = body(service.get("/readyz").send().await.unwrap(), 200).await;
    assert_eq!(
        (&ready["ready"], &ready["model"]),
        (&json!(true), &json!("voxline-phone-2"))
    );
}

#[tokio::test]
async fn a_gallery_out_of_reach_makes_the_service_not_ready_but_alive() {
    // Port 1 of this machine: nobody listens there.
    let service = Service::with(&[
        ("gallery.backend", "qdrant"),
        ("gallery.qdrant_url", "http://127.0.0.1:1"),
        ("gallery.qdrant_timeout_seconds", "0.5"),
    ])
    .await;
    let unready = problem(service.get("/readyz").send().await.unwrap(), 503, "unavailable").await;
    assert_eq!(unready["reasons"], json!(["the gallery is out of order"]));
    assert!(
        !unready.to_string().contains("127.0.0.1"),
        "open to all, so no addresses: {unready}"
    );
    assert_eq!(service.get("/healthz").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_happens_is_counted_without_a_word_about_people() {
    let service = Service::start().await;
    let alice = service.enrolled().await;
    let key = service.key(&[Scope::Identify]).await;
    let request = service
        .post("/v1/identify")
        .bearer_auth(&key)
        .multipart(call_form("alice-1"));
    assert_eq!(request.send().await.unwrap().status(), 200);
    let asked = service.get(&format!("/v1/users/{alice}")).bearer_auth(&key);
    assert_eq!(asked.send().await.unwrap().status(), 403);
    let nowhere = service.get("/secret-path-of-a-client").send().await.unwrap();
    assert_eq!(nowhere.status(), 404);

    let text = service
        .get("/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        "# HELP voxline_http_requests_total ",
        "# TYPE voxline_live_calls gauge",
        "voxline_permits_in_use 0",
        "voxline_permits 256",
        "voxline_outcomes_total{outcome=\"identified\"}",
        "voxline_arrow_duration_seconds_bucket{arrow=\"embed\"",
        "voxline_http_requests_total{method=\"GET\",route=\"/v1/users/{id}\",status=\"403\"}",
        "voxline_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    for private in [&alice.to_string(), "Alice", "2025550101", "secret-path"] {
        assert!(!text.contains(private), "{private} is in the metrics");
    }
}

#[tokio::test]
async fn every_answer_names_its_request_and_is_kept_by_no_cache() {
    let service = Service::start().await;
    let given = service
        .get("/healthz")
        .header("x-request-id", "proxy-7")
        .send()
        .await
        .unwrap();
    assert_eq!(given.headers()["x-request-id"], "proxy-7");
    assert_eq!(given.headers()["cache-control"], "no-store");
    assert_eq!(given.headers()["x-content-type-options"], "nosniff");
    let made = service
        .get("/healthz")
        .header("x-request-id", "two words")
        .send()
        .await
        .unwrap();
    assert_eq!(made.headers()["x-request-id"].len(), 36, "a UUID of our own");
}

#[tokio::test]
async fn a_stream_without_audio_is_ended_with_a_final_verdict() {
    let service = impatient().await;
    service.number().await;
    let key = service.key(&[Scope::Identify]).await;
    let mut unsaid = Socket::open(&service, "/media/pcm", &key).await;
    assert_eq!(unsaid.next_json().await.unwrap()["problem"]["code"], "too_slow");
    assert_eq!(unsaid.close_code().await, 1008);
    let mut silent = Socket::open(&service, "/media/pcm", &key).await;
    silent.start_call("silent", NUMBER).await;
    let frames = silent.rest().await;
    assert_eq!(
        (&frames[0]["final"], &frames[0]["outcome"]),
        (&json!(true), &json!("inconclusive"))
    );
    assert_eq!(frames[1]["problem"]["code"], "too_slow");
    let kept = service
        .board
        .store()
        .call(&"silent".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert!(kept.is_final);
}

#[tokio::test]
async fn a_stream_that_trickles_is_ended_as_one_without_audio() {
    let service = impatient().await;
    service.number().await;
    let key = service.key(&[Scope::Identify]).await;
    let mut trickle = Socket::open(&service, "/media/pcm", &key).await;
    trickle.start_call("trickle", NUMBER).await;
    let ended = async {
        loop {
            if let Some(frame) = trickle.try_send(&[0xff; 2]).await {
                return frame;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let frame = tokio::time::timeout(Duration::from_secs(20), ended)
        .await
        .expect("a byte now and then keeps a place for ever");
    assert_eq!(frame["final"], true, "{frame}");
    assert_eq!(trickle.rest().await[0]["problem"]["code"], "too_slow");
}

#[tokio::test]
async fn who_closes_a_stream_is_answered_with_a_close() {
    let service = Service::start().await;
    service.number().await;
    let key = service.key(&[Scope::Identify]).await;
    for path in ["/media/pcm", "/media/twilio"] {
        let mut socket = Socket::open(&service, path, &key).await;
        socket.close().await;
        assert_eq!(socket.close_code().await, 1000, "{path}");
    }
    let mut heard = Socket::open(&service, "/media/pcm", &key).await;
    heard.start_call("closed", NUMBER).await;
    heard.stream("alice-1").await;
    heard.close().await;
    assert_eq!(heard.close_code().await, 1000);
    // A text frame of one byte that is no UTF-8, under a mask of noughts (RFC 6455 section 5.2).
    let mut garbled = Socket::open(&service, "/media/pcm", &key).await;
    garbled.send_raw(&[0x81, 0x81, 0, 0, 0, 0, 0xFF]).await;
    assert_eq!(garbled.close_code().await, 1003);
    // The head of a frame of five megabytes.
    let mut huge = Socket::open(&service, "/media/pcm", &key).await;
    huge.send_raw(&[0x82, 0xFF, 0, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0])
        .await;
    assert_eq!(huge.close_code().await, 1009);
}

#[tokio::test]
async fn a_carriers_stream_is_waited_for_no_longer_than_a_request() {
    let service = Service::changed(|settings| settings.app.timeouts.head = Duration::from_secs(1)).await;
    let key = service.key(&[Scope::Identify]).await;
    let mut silent = Socket::open(&service, "/media/twilio", &key).await;
    let closed = tokio::time::timeout(Duration::from_secs(20), silent.close_code()).await;
    assert_eq!(closed.expect("it has all the time of a silence"), 1008);
}

#[tokio::test]
async fn open_websockets_take_places_too() {
    let service = Service::changed(|settings| settings.connections = 2).await;
    let key = service.key(&[Scope::Identify]).await;
    let first = Socket::open(&service, "/media/pcm", &key).await;
    let _second = Socket::open(&service, "/media/pcm", &key).await;
    let third = service.get("/healthz").timeout(Duration::from_millis(300));
    assert!(third.send().await.is_err(), "a third connection was served");
    first.cut();
    let third = service.get("/healthz").timeout(Duration::from_secs(20));
    assert_eq!(third.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn who_reads_no_answer_is_let_go() {
    let service = Service::changed(|settings| {
        settings.app.timeouts.answer = Duration::from_millis(300);
        settings.connections = 1;
    })
    .await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut deaf = socket.connect(service.address.parse().unwrap()).await.unwrap();
    // Some ten megabytes of answers: more than the system takes for who does not read.
    let asked = "GET /openapi.json HTTP/1.1\r\nhost: here\r\n\r\n".repeat(100);
    deaf.write_all(asked.as_bytes()).await.unwrap();
    let other = service.get("/healthz").timeout(Duration::from_secs(20));
    assert_eq!(other.send().await.unwrap().status(), 200);
    drop(deaf);
}

#[tokio::test]
async fn revoking_a_key_ends_the_streams_it_opened_and_no_others() {
    let service = Service::start().await;
    service.number().await;
    let (revoked, good) = (
        service.key(&[Scope::Identify]).await,
        service.key(&[Scope::Identify]).await,
    );
    let mut ended = Socket::open(&service, "/media/pcm", &revoked).await;
    ended.start_call("ended", NUMBER).await;
    let mut goes_on = Socket::open(&service, "/media/pcm", &good).await;
    goes_on.start_call("goes-on", NUMBER).await;

    let store = service.board.store();
    let access = store.key_for(&Token::received(&revoked)).await.unwrap().unwrap();
    store.revoke_key(access.key().unwrap()).await.unwrap();
    let frames = ended.rest().await;
    assert_eq!(frames[0]["final"], true, "{frames:?}");
    assert_eq!(frames[1]["problem"]["code"], "unauthorized");
    assert_eq!(ended.close_code().await, 1008);

    goes_on.say(&json!({ "event": "stop" })).await;
    assert_eq!(goes_on.rest().await[0]["final"], true);
}

#[tokio::test]
async fn a_service_told_to_stop_finishes_live_calls_and_ends_every_stream() {
    let mut service = Service::start().await;
    service.enrolled().await;
    let key = service.key(&[Scope::Identify]).await;
    let mut events = service.asked(&key, "/v1/calls/events").await;
    let mut socket = Socket::open(&service, "/media/pcm", &key).await;
    socket.start_call("last", NUMBER).await;
    socket.stream_until_update("alice-1").await;

    let ((), frames) = tokio::join!(service.stop(), socket.rest());
    assert_eq!(frames.last().unwrap()["final"], true);
    assert_eq!(socket.close_code_seen(), Some(1001));
    while let Ok(Some(_)) = events.chunk().await {}
    let kept = service
        .board
        .store()
        .call(&"last".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert!(kept.is_final);
    assert!(
        service.get("/healthz").send().await.is_err(),
        "something still listens"
    );
}

#[tokio::test]
async fn a_call_is_counted_once_however_many_streams_it_has() {
    let service = Service::start().await;
    let alice = service.enrolled().await;
    let (board, number) = (&service.board, NUMBER.parse().unwrap());
    let id: CallId = "two-streams".parse().unwrap();
    let call = board.call_session(&id, &number).await.unwrap();
    call.hold_open();
    // A second call of which nobody sends audio.
    let silent = board.call_session(&CallId::fresh(), &number).await.unwrap();
    for audio in ["alice-1", "alice-2"] {
        let start = CallStart {
            call_id: id.clone(),
            number: number.clone(),
            encoding: Encoding::Mulaw,
            rate: Hertz(8_000),
            channels: 1,
            caller_channel: None,
        };
        let mut stream = board.open_call(start, None).await.unwrap();
        stream.push(&mulaw(audio)).await.unwrap();
        assert!(!board.finish_call(stream).await.ended);
    }
    assert_eq!(call.finish().await.identification.user_id, Some(alice));
    call.finish().await;
    silent.finish().await;
    let metrics = service.get("/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for counted in [
        "voxline_outcomes_total{outcome=\"identified\"} 1\n",
        "voxline_outcomes_total{outcome=\"inconclusive\"} 0\n",
        "voxline_net_speech_seconds_count 1\n",
    ] {
        assert!(metrics.contains(counted), "{counted} is not in {metrics}");
    }
}
