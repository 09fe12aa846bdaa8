//! Calls on `/media/pcm`, and what is said of them afterwards and meanwhile.

use serde_json::{Value, json};
use voxline::store::{Access, Scope};
use voxline::switchboard::Update;

use super::harness::{NUMBER, Service, mulaw};
use super::sockets::Socket;

#[tokio::test]
async fn a_call_is_identified_while_it_is_spoken_and_kept_afterwards() {
    let service = Service::start().await;
    let alice = service.enrolled().await;
    let key = service.key(&[Scope::Identify, Scope::Scores]).await;
    let mut socket = Socket::open(&service, "/media/pcm", &key).await;
    socket.start_call("call-1", NUMBER).await;
    socket.stream("alice-1").await;
    socket.say(&json!({"event": "stop"})).await;
    let updates = socket.rest().await;
    assert_eq!(socket.close_code_seen(), Some(1000));

    assert!(updates.len() > 1, "{updates:?}");
    for (version, update) in (1_u64..).zip(&updates) {
        assert_eq!(update["call_id"], "call-1");
        assert_eq!(update["version"], version);
        assert_eq!(update["final"], version == updates.len() as u64);
    }
    let last = updates.last().unwrap();
    assert_eq!(
        (&last["outcome"], &last["user_name"]),
        (&json!("identified"), &json!("Alice"))
    );
    assert_eq!(last["user_id"], alice.to_string());

    let shown = service.shown(&key, "/v1/calls/call-1").await;
    assert_eq!(
        (&shown["final"], &shown["version"]),
        (&json!(true), &last["version"])
    );
    assert_eq!(shown["verdict"]["user_id"], last["user_id"]);
    assert!(shown["verdict"]["posterior"].is_number());
    let veiled = service.key(&[Scope::Identify]).await;
    let listed = service.shown(&veiled, "/v1/calls?limit=1").await;
    assert_eq!(listed[0]["call_id"], "call-1");
    assert_eq!(listed[0]["verdict"]["posterior"], Value::Null);
    assert_eq!(listed[0]["verdict"]["candidates"], json!([]));
}

#[tokio::test]
async fn frames_of_any_size_give_the_same_verdict() {
    let service = Service::start().await;
    service.enrolled().await;
    let key = service.key(&[Scope::Admin]).await;
    let audio = mulaw("robert-1");
    let mut verdicts = Vec::new();
    for size in [37, 160, 4_000, audio.len()] {
        let mut socket = Socket::open(&service, "/media/pcm", &key).await;
        socket.start_call(&format!("size-{size}"), NUMBER).await;
        for piece in audio.chunks(size) {
            socket.send(piece).await;
        }
        socket.say(&json!({"event": "stop"})).await;
        let last = socket.rest().await.pop().unwrap();
        verdicts.push((
            last["user_name"].clone(),
            last["llr"].clone(),
            last["net_speech_seconds"].clone(),
        ));
    }
    assert_eq!(verdicts[0].0, "Robert");
    assert!(verdicts.windows(2).all(|pair| pair[0] == pair[1]), "{verdicts:?}");
}

#[tokio::test]
async fn a_cut_connection_ends_the_call_with_a_final_verdict() {
    let service = Service::start().await;
    service.enrolled().await;
    let key = service.key(&[Scope::Admin]).await;
    let mut updates = service.board.view(&Access::operator()).updates();
    let mut socket = Socket::open(&service, "/media/pcm", &key).await;
    socket.start_call("cut", NUMBER).await;
    socket.stream_until_update("alice-1").await;
    socket.cut();
    let ended = |update: Update| matches!(update, Update::Call(said) if said.identification.is_final);
    while !ended(updates.next().await.unwrap()) {}
    let kept = service.shown(&key, "/v1/calls/cut").await;
    assert_eq!(
        (&kept["final"], &kept["verdict"]["outcome"]),
        (&json!(true), &json!("identified"))
    );
}

#[tokio::test]
async fn a_bad_beginning_is_refused_with_its_problem_and_a_close_code() {
    let service = Service::start().await;
    service.number().await;
    let key = service.key(&[Scope::Identify]).await;
    let start = |change: Value| {
        let mut start = json!({"event": "start", "number": NUMBER, "encoding": "mulaw", "sample_rate": 8000});
        start
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        start.to_string()
    };
    for (text, code, said, close) in [
        ("not json".to_owned(), "bad_request", "expected", 1003),
        (json!({"event": "begin"}).to_string(), "invalid", "`begin`", 1008),
        (
            json!({"event": "start"}).to_string(),
            "invalid",
            "missing field",
            1008,
        ),
        (start(json!({"encoding": "opus"})), "invalid", "`opus`", 1008),
        (
            start(json!({"number": "+12025550199"})),
            "unknown_number",
            "+12025550199",
            1008,
        ),
        (start(json!({"number": "12"})), "invalid", "starts with +", 1008),
        (
            start(json!({"sample_rate": 96000})),
            "bad_audio",
            "8000 Hz to 48000 Hz",
            1008,
        ),
        (
            start(json!({"sample_rate": 0})),
            "bad_audio",
            "8000 Hz to 48000 Hz",
            1008,
        ),
        (start(json!({"channels": 0})), "bad_audio", "0 channels", 1008),
        (start(json!({"channels": 2})), "bad_audio", "caller_channel", 1008),
        (
            start(json!({"channels": 2, "caller_channel": 2})),
            "bad_audio",
            "channel 2 of 2",
            1008,
        ),
        (start(json!({"call_id": "two words"})), "invalid", "call id", 1008),
        (start(json!({"rate": 1})), "invalid", "unknown field `rate`", 1008),
    ] {
        let mut socket = Socket::open(&service, "/media/pcm", &key).await;
        socket.say_text(&text).await;
        let frame = socket.next_json().await.unwrap();
        assert_eq!(
            (&frame["event"], &frame["problem"]["code"]),
            (&json!("error"), &json!(code)),
            "{text}"
        );
        let detail = frame["problem"]["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{text}: {detail:?} does not say {said:?}");
        assert_eq!(socket.close_code().await, close, "{text}");
    }
    let mut socket = Socket::open(&service, "/media/pcm", &key).await;
    socket.send(&[0; 160]).await;
    assert_eq!(socket.close_code().await, 1003, "audio before start");
    let mut socket = Socket::open(&service, "/media/pcm", &key).await;
    socket.say(&json!({"event": "stop"})).await;
    assert_eq!(socket.close_code().await, 1000, "stop before start");
    assert_eq!(service.board.engine().load().0, 0, "a permit was kept");
}

#[tokio::test]
async fn a_frame_beyond_the_limit_ends_the_call_and_is_named() {
    let service = Service::start().await;
    service.number().await;
    let key = service.key(&[Scope::Identify]).await;
    let mut socket = Socket::open(&service, "/media/pcm", &key).await;
    socket.start_call("large", NUMBER).await;
    socket.send(&vec![0xff; (1 << 20) + 1]).await;
    let frames = socket.rest().await;
    assert_eq!(frames.last().unwrap()["problem"]["code"], "too_large");
    assert_eq!(socket.close_code_seen(), Some(1009));
}

#[tokio::test]
async fn an_id_is_one_calls_only() {
    let service = Service::start().await;
    service.number().await;
    let key = service.key(&[Scope::Identify]).await;
    let mut first = Socket::open(&service, "/media/pcm", &key).await;
    first.start_call("same", NUMBER).await;
    first.stream("alice-1").await;
    first.next_json().await.unwrap();
    for when in ["while the first goes on", "after it"] {
        let mut second = Socket::open(&service, "/media/pcm", &key).await;
        second.start_call("same", NUMBER).await;
        assert_eq!(
            second.next_json().await.unwrap()["problem"]["code"],
            "call_exists",
            "{when}"
        );
        assert_eq!(second.close_code().await, 1008, "{when}");
        if when == "while the first goes on" {
            first.say(&json!({"event": "stop"})).await;
            assert_eq!(first.close_code().await, 1000);
        }
    }
}

#[tokio::test]
async fn updates_are_streamed_to_whoever_watches_with_scores_for_those_who_may() {
    let service = Service::start().await;
    service.enrolled().await;
    let key = service.key(&[Scope::Identify]).await;
    let scores = service.key(&[Scope::Identify, Scope::Scores]).await;
    let mut veiled = service.asked(&key, "/v1/calls/events").await;
    let mut open = service.asked(&scores, "/v1/calls/events").await;
    assert_eq!(open.headers()["content-type"], "text/event-stream");

    let mut socket = Socket::open(&service, "/media/pcm", &key).await;
    socket.start_call("watched", NUMBER).await;
    socket.stream("alice-1").await;
    socket.say(&json!({"event": "stop"})).await;
    let told = socket.rest().await.pop().unwrap();
    for (events, shown) in [(&mut veiled, false), (&mut open, true)] {
        let mut text = String::new();
        let whole = |text: &str| {
            let last = text.find("\"final\":true");
            last.is_some_and(|at| text[at..].contains("\n\n"))
        };
        while !whole(&text) {
            text.push_str(&String::from_utf8_lossy(&events.chunk().await.unwrap().unwrap()));
        }
        let mut parts = text.split("\n\n");
        let last = parts.find(|event| event.contains("\"final\":true")).unwrap();
        assert!(last.contains("event: update"), "{last}");
        assert!(
            last.contains(&format!("id: watched/{}", told["version"])),
            "{last}"
        );
        let data = last.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["user_name"], "Alice");
        assert_eq!(data["posterior"].is_number(), shown);
        assert_eq!(data["speaker"]["status"], "identified");
        assert_eq!(data["speaker"]["posterior"].is_number(), shown);
        assert_eq!(data["evidence"][0]["llr"].is_number(), shown);
    }
}

#[tokio::test]
async fn a_browser_brings_its_key_as_a_subprotocol_that_is_not_repeated() {
    let service = Service::start().await;
    let key = service.key(&[Scope::Identify]).await;
    let offer = [("sec-websocket-protocol", format!("voxline, bearer.{key}"))];
    let socket = Socket::with_headers(&service, "/media/pcm", &offer)
        .await
        .unwrap();
    assert_eq!(socket.protocol.as_deref(), Some("voxline"));
    let wrong = [("sec-websocket-protocol", "voxline, bearer.vx_none".to_owned())];
    assert_eq!(
        Socket::with_headers(&service, "/media/pcm", &wrong).await.err(),
        Some(401)
    );
    assert_eq!(
        Socket::with_headers(&service, "/media/pcm", &[]).await.err(),
        Some(401)
    );
    let other = [(
        "authorization",
        format!("Bearer {}", service.key(&[Scope::Enroll]).await),
    )];
    assert_eq!(
        Socket::with_headers(&service, "/media/pcm", &other).await.err(),
        Some(403)
    );
}

#[tokio::test]
async fn a_search_may_reach_to_either_end_of_the_calendar() {
    let service = Service::start().await;
    let key = service.key(&[Scope::Admin]).await;
    // Open ends as whoever is west or east of Greenwich writes them: in UTC they are beyond the calendar.
    let ends = "from=0000-01-01T00:00:00%2B01:00&until=9999-12-31T23:59:59-01:00";
    for (path, some) in [("/v1/calls", false), ("/v1/audit", true)] {
        let found = service.shown(&key, &format!("{path}?{ends}")).await;
        assert_eq!(!found.as_array().unwrap().is_empty(), some, "{path}: {found}");
    }
}
