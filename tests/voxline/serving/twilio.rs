//! Calls that Twilio forks to `/media/twilio`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use voxline::carriers::signature::Proofs;
use voxline::reply::ServeSettings;
use voxline::store::Scope;
use voxline::units::CallId;

use super::audiosocket::listened;
use super::harness::{NUMBER, Service, mulaw};
use super::sockets::{PACKET, Socket};

const PUBLIC: &str = "https://id.example.com";
const TOKEN: &str = "tok-test";

/// A service that knows Twilio's signatures.
async fn service() -> Service {
    Service::changed(known_by_twilio).await
}

fn known_by_twilio(settings: &mut ServeSettings) {
    settings.app.carriers.proofs = Proofs {
        twilio: Some(TOKEN.into()),
        public_url: Some(PUBLIC.to_owned()),
        ..Proofs::default()
    };
}

/// What Twilio signs a handshake with: an HMAC-SHA1 of the address, written here a second time.
fn signature(token: &str, url: &str) -> (&'static str, String) {
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(url.as_bytes());
    ("x-twilio-signature", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The messages of a forked call, as Twilio sends them; the caller's track and the other one in turn.
fn messages(sid: &str, parameters: &Value, call: &str) -> Vec<Value> {
    let mut messages = vec![
        json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}),
        json!({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": {
            "accountSid": "AC1", "streamSid": "MZ1", "callSid": sid, "tracks": ["inbound", "outbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters}}),
    ];
    let mut number = 1;
    let mut next = || {
        number += 1;
        number.to_string()
    };
    // What the caller hears: another voice, loud and clear, which must not be listened to.
    let heard = mulaw("robert-1");
    for (at, (said, other)) in mulaw(call)
        .chunks(PACKET)
        .zip(heard.chunks(PACKET).cycle())
        .enumerate()
    {
        for (track, packet) in [("inbound", said), ("outbound", other)] {
            messages.push(
                json!({"event": "media", "sequenceNumber": next(), "streamSid": "MZ1", "media": {
                "track": track, "chunk": (at + 1).to_string(), "timestamp": (at * 20).to_string(),
                "payload": STANDARD.encode(packet)}}),
            );
        }
        if at == 20 {
            messages.push(
                json!({"event": "dtmf", "sequenceNumber": next(), "streamSid": "MZ1",
                "dtmf": {"track": "inbound_track", "digit": "4"}}),
            );
        }
    }
    messages.push(json!({"event": "stop", "sequenceNumber": next(), "stop": {"callSid": sid}}));
    messages
}

async fn send(socket: &mut Socket, messages: &[Value]) {
    for message in messages {
        socket.say(message).await;
    }
}

#[tokio::test]
async fn a_forked_call_is_identified_and_nothing_is_sent_to_twilio() {
    let service = service().await;
    let alice = service.enrolled().await;
    let signed = signature(TOKEN, "wss://id.example.com/media/twilio");
    let mut socket = Socket::with_headers(&service, "/media/twilio", &[signed])
        .await
        .unwrap();
    send(
        &mut socket,
        &messages("CA1", &json!({"number": NUMBER}), "alice-1"),
    )
    .await;
    assert_eq!(socket.rest().await, Vec::<Value>::new());
    assert_eq!(socket.close_code_seen(), Some(1000));
    let key = service.key(&[Scope::Identify]).await;
    let kept = service.shown(&key, "/v1/calls/CA1").await;
    assert_eq!(kept["final"], true);
    assert_eq!(kept["verdict"]["user_id"], alice.to_string());
}

#[tokio::test]
async fn a_caller_on_hold_gives_the_place_back_and_is_heard_again() {
    let service = Service::changed(|settings| {
        known_by_twilio(settings);
        settings.app.timeouts.idle = Duration::from_secs(2);
    })
    .await;
    let alice = service.enrolled().await;
    let signed = signature(TOKEN, "wss://id.example.com/media/twilio");
    let mut socket = Socket::with_headers(&service, "/media/twilio", &[signed])
        .await
        .unwrap();
    let call: CallId = "CA9".parse().unwrap();
    let messages = messages("CA9", &json!({"number": NUMBER}), "alice-1");
    // All but the last half second, by which alone nobody is named.
    let (before, after) = messages.split_at(messages.len() - 1 - 2 * 25);
    send(&mut socket, before).await;
    listened(&service, &call, true).await;
    listened(&service, &call, false).await;
    let silent = service.board.find_call_session(&call).unwrap().verdict();
    assert!(!silent.ended, "silence is no end");
    let pinged = tokio::time::timeout(Duration::from_secs(20), socket.pinged()).await;
    pinged.expect("nobody would find out that the connection is dead");
    send(&mut socket, after).await;
    assert_eq!(socket.rest().await, Vec::<Value>::new());
    assert_eq!(socket.close_code_seen(), Some(1000));
    let said = service.board.find_call_session(&call).unwrap().verdict();
    assert!(said.ended);
    assert_eq!(said.identification.user_id, Some(alice));
}

#[tokio::test]
async fn audio_says_the_same_as_on_pcm_even_when_packets_change_places() {
    let service = service().await;
    service.enrolled().await;
    let key = service.key(&[Scope::Admin]).await;
    let mut plain = Socket::open(&service, "/media/pcm", &key).await;
    plain.start_call("plain", NUMBER).await;
    plain.stream("alice-1").await;
    plain.say(&json!({"event": "stop"})).await;
    let plain = plain.rest().await.pop().unwrap();

    let mut forked = messages("CA2", &json!({"number": NUMBER, "updates": "true"}), "alice-1");
    let last = forked.len() - 1;
    // After the start; each four turned round.
    for four in forked[2..last].chunks_mut(4) {
        four.reverse();
    }
    // The first number seen says where the numbers begin.
    forked[2..last].sort_by_key(|message| message["sequenceNumber"] != "2");
    let mut socket = Socket::open(&service, "/media/twilio", &key).await;
    send(&mut socket, &forked).await;
    let told = socket.rest().await.pop().unwrap();
    for same in ["outcome", "user_id", "llr", "net_speech_seconds", "final"] {
        assert_eq!(told[same], plain[same], "{same}");
    }
}

#[tokio::test]
async fn only_twilio_or_a_key_is_let_in() {
    let service = service().await;
    let good = "wss://id.example.com/media/twilio";
    let open = async |headers: &[_]| {
        Socket::with_headers(&service, "/media/twilio", headers)
            .await
            .err()
    };
    assert_eq!(open(&[signature(TOKEN, good)]).await, None);
    assert_eq!(
        open(&[signature(TOKEN, "wss://id.example.com:443/media/twilio")]).await,
        None
    );
    assert_eq!(open(&[signature("another", good)]).await, Some(401));
    assert_eq!(
        open(&[signature(TOKEN, "wss://evil.example/media/twilio")]).await,
        Some(401)
    );
    assert_eq!(open(&[]).await, Some(401));
    // A bad key is not made good by anything else.
    let key = ("authorization", "Bearer vx_none".to_owned());
    assert_eq!(open(&[key, signature(TOKEN, good)]).await, Some(401));

    let plain = Service::start().await;
    let unchecked = Socket::with_headers(&plain, "/media/twilio", &[signature(TOKEN, good)]).await;
    assert_eq!(unchecked.err(), Some(401), "no token is configured");
}

#[tokio::test]
async fn a_stream_that_names_no_number_of_ours_is_closed_without_a_word() {
    let service = service().await;
    service.number().await;
    let key = service.key(&[Scope::Identify]).await;
    for (parameters, format, close) in [
        (json!({}), "audio/x-mulaw", 1008),
        (json!({"number": "12"}), "audio/x-mulaw", 1008),
        (json!({"number": "+12025550199"}), "audio/x-mulaw", 1008),
        (json!({"number": NUMBER}), "audio/l16", 1003),
    ] {
        let mut start = messages("CA3", &parameters, "one-word")[1].clone();
        start["start"]["mediaFormat"]["encoding"] = json!(format);
        let mut socket = Socket::open(&service, "/media/twilio", &key).await;
        socket.say(&start).await;
        assert_eq!(socket.rest().await, Vec::<Value>::new(), "{parameters}");
        assert_eq!(socket.close_code_seen(), Some(close), "{parameters}");
    }
}

#[tokio::test]
async fn a_webhook_that_is_out_of_time_is_answered_with_the_plain_forward() {
    let service = Service::changed(|settings| {
        settings.app.carriers.budget = std::time::Duration::ZERO;
        known_by_twilio(settings);
    })
    .await;
    service.number().await;
    let form = format!(
        "CallSid=CA1&From=%2B12025550103&To={}",
        NUMBER.replace('+', "%2B")
    );
    let url = format!("{PUBLIC}/carriers/twilio/voice");
    let (header, signed) = signature(TOKEN, &format!("{url}CallSidCA1From+12025550103To{NUMBER}"));
    let request = service.post("/carriers/twilio/voice").header(header, signed);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(form).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["content-type"], "application/xml");
    let twiml = answer.text().await.unwrap();
    assert!(twiml.contains("<Dial") && !twiml.contains("<Stream"), "{twiml}");
}
