//! Enrolment while the user speaks.

use serde_json::{Value, json};
use voxline::bytes::Limits;
use voxline::samples::load;
use voxline::store::Scope;
use voxline::units::UserId;

use super::harness::{CONSENT, Service, call_form, json as body, signup};
use super::sockets::Socket;

/// A synthetic caller's recordings one after the other, as 16-bit PCM at 16 kHz.
pub fn spoken(who: &str) -> Vec<u8> {
    let samples = signup(who).into_iter().flat_map(|(_, bytes)| {
        let clip = load(bytes, None, &Limits::default()).unwrap();
        clip.samples
    });
    samples
        .flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes())
        .collect()
}

async fn socket(service: &Service, user: UserId) -> Socket {
    let key = service.key(&[Scope::Enroll]).await;
    Socket::open(service, &format!("/v1/users/{user}/enrollments/stream"), &key).await
}

fn start(change: Value) -> Value {
    let mut start =
        json!({"event": "start", "consent": CONSENT, "encoding": "pcm_s16le", "sample_rate": 16000});
    start
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    start
}

#[tokio::test]
async fn a_voice_enrolled_live_is_found_on_the_next_call() {
    let service = Service::start().await;
    service.number().await;
    let alice = service.user("Alice").await;
    let mut socket = socket(&service, alice).await;
    socket.say(&start(json!({"channels": 1}))).await;
    let audio = spoken("alice");
    for piece in audio.chunks(1_600) {
        socket.send(piece).await;
    }
    socket.say(&json!({"event": "stop"})).await;
    let mut frames = socket.rest().await;
    assert_eq!(socket.close_code_seen(), Some(1000));
    let report = frames.pop().unwrap();
    assert_eq!(
        (&report["event"], &report["accepted"]),
        (&json!("report"), &json!(true)),
        "{report}"
    );

    let half_seconds = audio.len() / 16_000;
    assert_eq!(frames.len(), half_seconds, "progress twice a second of audio");
    let spoken: Vec<f64> = frames
        .iter()
        .map(|frame| frame["net_speech_seconds"].as_f64().unwrap())
        .collect();
    assert!(spoken.windows(2).all(|pair| pair[0] <= pair[1]), "{spoken:?}");
    let last = frames.last().unwrap();
    assert_eq!(
        (&last["event"], &last["needed_seconds"]),
        (&json!("progress"), &json!(6.0))
    );
    assert_eq!(last["quality"]["bandwidth"], "wide");

    let key = service.key(&[Scope::Identify]).await;
    let request = service
        .post("/v1/identify")
        .bearer_auth(key)
        .multipart(call_form("alice-1"));
    assert_eq!(
        body(request.send().await.unwrap(), 200).await["user_id"],
        alice.to_string()
    );
}

#[tokio::test]
async fn what_is_not_good_enough_or_not_ended_leaves_nothing_behind() {
    let service = Service::start().await;
    service.number().await;
    let alice = service.user("Alice").await;
    let audio = spoken("alice");

    let mut short = socket(&service, alice).await;
    short.say(&start(json!({}))).await;
    short.send(&audio[..64_000]).await;
    short.say(&json!({"event": "stop"})).await;
    let frames = short.rest().await;
    let refused = &frames.last().unwrap()["problem"];
    assert_eq!(
        (&refused["code"], short.close_code_seen()),
        (&json!("enrollment_refused"), Some(1008))
    );
    assert_eq!(refused["report"]["issues"][0]["code"], "too_little_speech");

    let mut cut = socket(&service, alice).await;
    cut.say(&start(json!({}))).await;
    cut.send(&audio).await;
    cut.next_json().await.unwrap();
    cut.cut();
    while service.board.engine().load().0 > 0 {
        tokio::task::yield_now().await;
    }
    assert!(
        service
            .board
            .store()
            .enrolments_of(alice)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_bad_beginning_is_refused_with_its_problem() {
    let service = Service::start().await;
    service.number().await;
    let alice = service.user("Alice").await;
    for (user, begin, code) in [
        (alice, start(json!({"consent": " "})), "invalid"),
        (alice, start(json!({"consent": null})), "invalid"),
        (alice, start(json!({"sample_rate": 7999})), "bad_audio"),
        (alice, start(json!({"channels": 2})), "bad_audio"),
        (UserId::fresh(), start(json!({})), "unknown_user"),
    ] {
        let mut socket = socket(&service, user).await;
        socket.say(&begin).await;
        assert_eq!(
            socket.next_json().await.unwrap()["problem"]["code"],
            code,
            "{begin}"
        );
        assert_eq!(socket.close_code().await, 1008);
    }
}

#[tokio::test]
async fn an_enrolment_is_not_listened_to_without_end() {
    let service = Service::start().await;
    service.number().await;
    let alice = service.user("Alice").await;
    let mut socket = socket(&service, alice).await;
    socket
        .say(&start(json!({"encoding": "mulaw", "sample_rate": 8000})))
        .await;
    let silence = vec![0xff; 400_000];
    for _ in 0..4 {
        socket.send(&silence).await;
    }
    let refused = socket.rest().await.pop().unwrap();
    assert_eq!(refused["problem"]["code"], "too_large", "{refused}");
    assert!(
        refused["problem"]["detail"].as_str().unwrap().contains("180 s"),
        "{refused}"
    );
}
