//! The customer's own exchanges, and SignalWire by Twilio's door: what their streams say by themselves.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use voxline::bytes::g711::mulaw_decode;
use voxline::carriers::Carrier;

use super::frames::media;
use super::peer::{ALICE, CALLER, Deployment, NUMBER, PIN, SIGNING_KEY, call, mulaw, of_tier, token_in};
use super::proofs::{login, path, percent, twilio_signature};

const CALL: &str = "1796000000.5";

fn with_protocol(name: &str) -> Vec<(&'static str, String)> {
    let mut headers = login();
    headers.push(("sec-websocket-protocol", name.to_owned()));
    headers
}

fn variables(more: Value) -> Value {
    let mut variables = json!({"DIALED": NUMBER, "CALLERID": CALLER, "CALL": CALL,
        "DIVERSION": format!("<sip:{ALICE}@pbx.example>;reason=no-answer")});
    for (name, value) in more.as_object().unwrap() {
        variables[name] = value.clone();
    }
    variables
}

fn media_start(format: &str, variables: &Value) -> Message {
    let text = json!({"event": "MEDIA_START", "connection_id": "voxline", "channel": "WebSocket/voxline/0x1",
        "channel_id": "1796000000.6", "format": format, "optimal_frame_size": 320, "ptime": 20,
        "channel_variables": variables});
    Message::text(text.to_string())
}

/// A recorded call as 16 bits a sample, in packets of 20 ms.
fn linear(call: &str) -> Vec<Vec<u8>> {
    let samples: Vec<u8> = mulaw(call)
        .into_iter()
        .flat_map(|byte| mulaw_decode(byte).to_le_bytes())
        .collect();
    samples.chunks(320).map(<[u8]>::to_vec).collect()
}

fn is_alices(said: &Value, alice: &str) {
    assert_eq!(said["line_owner"]["user_id"], json!(alice), "{said}");
    assert_eq!(said["speaker"]["user_id"], json!(alice), "{said}");
    assert!(!of_tier(said, "T1").is_empty(), "{said}");
}

#[tokio::test]
async fn asterisks_variables_name_the_line_and_its_audio_the_voice() {
    let deployment = Deployment::start().await;
    let (mut stream, agreed) = deployment
        .open_at("/media/asterisk", &with_protocol("media"))
        .await
        .unwrap();
    assert_eq!(agreed.as_deref(), Some("media"));
    stream.send(media_start("slin", &variables(json!({})))).await;
    for packet in linear("alice-1") {
        stream.send(Message::binary(packet)).await;
    }
    stream.close().await;
    is_alices(&deployment.verdict(CALL).await, &deployment.alice);
}

#[tokio::test]
async fn an_asterisk_without_json_says_the_same_in_the_query() {
    let deployment = Deployment::start().await;
    let diversion = percent(&format!("<sip:{ALICE}@pbx.example>;reason=no-answer"));
    let (number, caller) = (percent(NUMBER), percent(CALLER));
    let path = format!("/media/asterisk?dialed={number}&caller={caller}&call={CALL}&diversion={diversion}");
    let (mut stream, _) = deployment.open_at(&path, &login()).await.unwrap();
    let start = "MEDIA_START connection_id:voxline channel:WebSocket/voxline/0x1 channel_id:1796000000.6 \
                 format:ulaw optimal_frame_size:160 ptime:20";
    stream.send(Message::text(start)).await;
    for packet in mulaw("alice-1").chunks(160) {
        stream.send(Message::binary(packet.to_vec())).await;
    }
    for key in PIN.chars() {
        let text = format!("DTMF_END digit:{key} channel_id:1796000000.6");
        stream.send(Message::text(text)).await;
    }
    stream.close().await;
    let said = deployment.verdict(CALL).await;
    is_alices(&said, &deployment.alice);
    assert!(!of_tier(&said, "T4").is_empty(), "{said}");
}

#[tokio::test]
async fn asterisks_streams_need_a_login_a_number_and_readable_audio() {
    let deployment = Deployment::start().await;
    let forged = [("authorization", "Basic dTpw".to_owned())];
    for headers in [&forged[..], &[]] {
        let opened = deployment.open(Carrier::Asterisk, headers).await;
        assert_eq!(opened.err(), Some(401));
    }
    let start = |format, more| media_start(format, &variables(more));
    let silence = || Message::binary(vec![0; 320]);
    for (frames, code) in [
        (vec![media_start("slin", &json!({}))], 1008),
        (vec![start("slin", json!({"DIALED": "reception"}))], 1008),
        // Not ours.
        (vec![start("slin", json!({"DIALED": "+12025550188"}))], 1008),
        (vec![start("opus", json!({}))], 1003),
        (vec![silence()], 1003),
        (vec![Message::text("hello")], 1003),
        (vec![Message::text("MEDIA_XOFF"), silence()], 1003),
        (vec![start("slin", json!({})), start("slin", json!({}))], 1003),
    ] {
        let mut stream = deployment.open(Carrier::Asterisk, &login()).await.unwrap();
        for frame in &frames {
            stream.send(frame.clone()).await;
        }
        assert_eq!(stream.close_code().await, Some(code), "{frames:?}");
    }
}

#[tokio::test]
async fn jambonzs_first_frame_names_the_line_and_its_first_channel_the_voice() {
    let deployment = Deployment::start().await;
    let (mut stream, agreed) = deployment
        .open_at("/media/jambonz", &with_protocol("audio.jambonz.org"))
        .await
        .unwrap();
    assert_eq!(agreed.as_deref(), Some("audio.jambonz.org"));
    let start = json!({"sampleRate": 8000, "mixType": "stereo", "callSid": "7a0b", "direction": "inbound",
        "from": CALLER, "to": NUMBER.trim_start_matches('+'), "callStatus": "in-progress",
        "headers": {"Diversion": format!("<sip:{ALICE}@h>;reason=no-answer")}});
    stream.send(Message::text(start.to_string())).await;
    for (caller, agent) in linear("alice-1").iter().zip(linear("robert-1").iter().cycle()) {
        let both = caller
            .chunks(2)
            .zip(agent.chunks(2))
            .flat_map(|(a, b)| [a, b].concat());
        stream.send(Message::binary(both.collect::<Vec<u8>>())).await;
    }
    stream.close().await;
    is_alices(&deployment.verdict("7a0b").await, &deployment.alice);
}

#[tokio::test]
async fn jambonzs_mix_of_everybody_is_refused_with_its_remedy() {
    let deployment = Deployment::empty().await;
    let mut stream = deployment.open(Carrier::Jambonz, &login()).await.unwrap();
    let start =
        json!({"sampleRate": 8000, "mixType": "mixed", "callSid": "7a0b", "from": CALLER, "to": NUMBER});
    stream.send(Message::text(start.to_string())).await;
    assert_eq!(stream.close_code().await, Some(1003));
}

#[tokio::test]
async fn signalwire_comes_by_twilios_route_with_its_own_signature() {
    let deployment = Deployment::start_with(&[("VOXLINE_TWILIO_PIN_PROMPT", "Your PIN?")]).await;
    let call = call("76ac3c36-56da-4a3e-a0d6-b5f8df6da9ad");
    let body = call.webhook(Carrier::Twilio);
    let path = path(Carrier::Twilio);
    let signed = |key: &str| [("x-signalwire-signature", twilio_signature(key, &path, &body))];
    let forged = deployment
        .send_with(Carrier::Twilio, &body, &signed("tok-test"))
        .await;
    assert_eq!(forged.0, 401, "{}", forged.1);
    assert!(forged.1.contains("signalwire.signing_key"), "{}", forged.1);
    let (status, answer) = deployment
        .send_with(Carrier::Twilio, &body, &signed(SIGNING_KEY))
        .await;
    assert_eq!(status, 200, "{answer}");
    // Its streams bring the keys: who is asked beside them gives a PIN twice.
    assert!(!answer.contains("<Gather"), "{answer}");
    let token = token_in(Carrier::Twilio, &answer);

    let mut stream = deployment.open(Carrier::Twilio, &[]).await.unwrap();
    let connected = json!({"event": "connected", "protocol": "Call", "version": "0.2.0"});
    stream.send(Message::text(connected.to_string())).await;
    let start = json!({"event": "start", "sequenceNumber": "1", "start": {"streamSid": "7d56", "accountSid": "b08d",
        "callSid": call.id, "tracks": ["inbound"], "customParameters": {"call_token": token},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}}});
    stream.send(Message::text(start.to_string())).await;
    let mut place = 2;
    for (at, packet) in mulaw("alice-1").chunks(160).enumerate() {
        stream.send(media(Carrier::Twilio, packet, at, place)).await;
        place += 1;
    }
    for key in PIN.chars() {
        let text = json!({"event": "dtmf", "sequenceNumber": place.to_string(),
            "dtmf": {"digit": key.to_string(), "duration": 2000}});
        stream.send(Message::text(text.to_string())).await;
        place += 1;
    }
    let stop = json!({"event": "stop", "sequenceNumber": place.to_string()});
    stream.send(Message::text(stop.to_string())).await;
    assert_eq!(stream.close_code().await, Some(1000));
    let said = deployment.verdict(call.id).await;
    is_alices(&said, &deployment.alice);
    assert!(!of_tier(&said, "T4").is_empty(), "{said}");
}

#[tokio::test]
async fn a_dialplan_is_answered_with_the_token_and_all_to_hand_on() {
    let deployment = Deployment::start().await;
    let call = call(CALL);
    let (status, answer) = deployment.ring(Carrier::Asterisk, &call).await;
    assert_eq!(status, 200, "{answer}");
    let fields: Vec<(String, String)> = form_urlencoded::parse(answer.as_bytes()).into_owned().collect();
    let value = |name: &str| {
        let found = fields.iter().find(|(known, _)| known == name);
        found
            .unwrap_or_else(|| panic!("no {name} in {answer}"))
            .1
            .as_str()
    };
    assert_eq!(value("forward_to"), format!("sip:{NUMBER}@sip.vapi.ai"));
    assert_eq!((value("X-Forwarded-From"), value("X-Fwd-Call")), (ALICE, CALL));
    assert!(value("token").parse::<uuid::Uuid>().is_ok(), "{answer}");
}
