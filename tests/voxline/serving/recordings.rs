//! Recordings as they are sent: what was not heard of them, what they say of themselves, and which channel is meant.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use voxline::store::Scope;

use super::harness::{CONSENT, NUMBER, Service, form, json as body, mulaw, problem, sample};
use crate::support::{read, stereo_signup, wav};

/// What is said of the speaker in these bytes.
async fn identify(service: &Service, key: &str, bytes: Vec<u8>) -> Value {
    let filled = form(vec![("call.wav".to_owned(), bytes)], &[("number", NUMBER)]);
    let request = service.post("/v1/identify").bearer_auth(key).multipart(filled);
    body(request.send().await.unwrap(), 200).await
}

#[tokio::test]
async fn what_was_not_heard_of_a_recording_is_said_with_the_answer() {
    let service = Service::start().await;
    service.number().await;
    let key = &service.key(&[Scope::Identify]).await;
    let word = sample("calls/one-word.wav");
    let whole = identify(&service, key, word.clone()).await;
    assert_eq!(whole.get("warnings"), None, "{whole}");

    // Half a second at another rate behind it.
    let other = wav(16_000, 1, &[0.1; 8_000]);
    let joined = [word.clone(), other].concat();
    let said = identify(&service, key, joined).await;
    let warnings = said["warnings"].as_array().unwrap();
    assert_eq!(
        (warnings.len(), &warnings[0]["code"]),
        (1, &json!("part_unheard"))
    );
    let message = warnings[0]["message"].as_str().unwrap();
    let start = format!(
        "call.wav: 0:00:00.500 of audio from byte {} on were not heard",
        word.len()
    );
    assert!(message.starts_with(&start), "{message}");
    assert_eq!(said["net_speech_seconds"], whole["net_speech_seconds"]);

    let cut = word[..word.len() - 800].to_vec();
    let said = identify(&service, key, cut).await;
    assert_eq!(said["warnings"][0]["code"], "truncated", "{said}");
}

#[tokio::test]
async fn raw_telephone_audio_is_heard_as_its_media_type_says() {
    let service = Service::start().await;
    let alice = service.enrolled().await;
    let key = &service.key(&[Scope::Identify]).await;
    let send = async |bytes: Vec<u8>, media_type: Option<&str>| {
        let part = Part::bytes(bytes).file_name("call.raw");
        let part = match media_type {
            Some(media_type) => part.mime_str(media_type).unwrap(),
            None => part,
        };
        let filled = Form::new().text("number", NUMBER).part("audio", part);
        let request = service.post("/v1/identify").bearer_auth(key).multipart(filled);
        request.send().await.unwrap()
    };
    let call = mulaw("alice-1");
    let said = body(send(call.clone(), Some("audio/PCMU")).await, 200).await;
    assert_eq!(said["user_id"], alice.to_string(), "{said}");
    problem(send(call, None).await, 415, "unsupported_media").await;

    // The core of HE-AAC is wide band too: what a decoder would put above it is not needed for that.
    for (name, media_type) in [("raw.g722", Some("audio/G722")), ("he.m4a", None)] {
        let wide = read(&format!("tests/data/audio/kinds/{name}"));
        let said = body(send(wide, media_type).await, 200).await;
        let speech = said["net_speech_seconds"].as_f64().unwrap();
        assert!(
            speech > 0.8 && said["quality"]["bandwidth"] == "wide",
            "{name}: {said}"
        );
    }
}

#[tokio::test]
async fn of_two_voices_on_two_channels_the_named_one_is_enrolled() {
    let service = Service::start().await;
    service.number().await;
    let key = &service.key(&[Scope::Enroll, Scope::Identify]).await;
    let enrol = async |user: &str, channel: Option<&str>| {
        // The service of these tests takes voices for one person easily.
        let texts: Vec<(&'static str, &str)> = [("consent", CONSENT), ("allow_duplicate", "true")]
            .into_iter()
            .chain(channel.map(|channel| ("channel", channel)))
            .collect();
        let path = format!("/v1/users/{user}/enrollments");
        let filled = form(stereo_signup("alice", "walter"), &texts);
        let request = service.post(&path).bearer_auth(key).multipart(filled);
        request.send().await.unwrap()
    };
    let (left, right) = (
        service.user("Left").await.to_string(),
        service.user("Right").await.to_string(),
    );
    let refused = problem(enrol(&left, None).await, 422, "bad_audio").await;
    assert!(
        refused["detail"].as_str().unwrap().contains("channel"),
        "{refused}"
    );
    body(enrol(&left, Some("0")).await, 201).await;
    body(enrol(&right, Some("1")).await, 201).await;
    for (call, speaker) in [("calls/alice-1.wav", &left), ("calls/walter-1.wav", &right)] {
        let said = identify(&service, key, sample(call)).await;
        assert_eq!(said["user_id"], json!(speaker), "{call}: {said}");
    }
}
