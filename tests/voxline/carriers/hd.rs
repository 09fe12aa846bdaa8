//! Calls in HD: Telnyx's streams in G.722, where the call's codec cannot be made PCMU of.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use voxline::carriers::Carrier;

use super::frames::{media, stop};
use super::peer::{Deployment, NUMBER, call, direct, mulaw};
use crate::support;

/// The start of a stream in this format.
fn start(call: &str, token: &str, format: &Value) -> Message {
    let text = json!({"event": "start", "sequence_number": "1", "stream_id": "s", "start": {
        "call_control_id": call, "to": NUMBER, "custom_parameters": {"call_token": token}, "media_format": format}});
    Message::text(text.to_string())
}

/// Plays a call, its packets in pairs that changed places, but for those that `loses` says are lost; the verdict.
async fn played(
    deployment: &mut Deployment,
    id: &'static str,
    format: &Value,
    audio: &[u8],
    loses: impl Fn(usize) -> bool,
) -> Value {
    let call = call(id);
    let token = deployment.token(Carrier::Telnyx, &call).await;
    let mut stream = deployment.open(Carrier::Telnyx, &[]).await.unwrap();
    stream.send(start(id, &token, format)).await;
    let packets = audio.chunks(160).enumerate().filter(|(at, _)| !loses(*at));
    let mut frames: Vec<Message> = packets
        .map(|(at, packet)| media(Carrier::Telnyx, packet, at, at + 2))
        .collect();
    for pair in frames[1..].chunks_mut(2) {
        pair.reverse();
    }
    frames.extend(stop(Carrier::Telnyx));
    for frame in frames {
        stream.send(frame).await;
    }
    assert_eq!(stream.close_code().await, Some(1000), "{id}");
    deployment.verdict(id).await
}

/// Whether a packet is lost, by its place.
type Loses = fn(usize) -> bool;

#[tokio::test]
async fn a_call_in_g722_comes_to_the_verdict_of_the_same_call_in_pcmu() {
    let mut deployment = Deployment::start().await;
    let pcmu = json!({"encoding": "PCMU", "sample_rate": 8000, "channels": 1});
    let narrow = played(&mut deployment, "v2:pcmu", &pcmu, &mulaw("alice-1"), |_| false).await;
    assert_eq!(narrow["speaker"]["user_id"], json!(deployment.alice), "{narrow}");

    let wide = support::read("tests/data/audio/streams/alice-1.g722");
    // By RTP's clock, by what is decoded, and with one packet of ten lost.
    let cases: [(&str, u32, Loses); 3] = [
        ("v2:clock", 8_000, |_| false),
        ("v2:decoded", 16_000, |_| false),
        ("v2:losses", 8_000, |at| at % 10 == 7),
    ];
    for (id, rate, loses) in cases {
        let format = json!({"encoding": "G722", "sample_rate": rate, "channels": 1});
        let said = played(&mut deployment, id, &format, &wide, loses).await;
        for part in [
            "/outcome",
            "/speaker/status",
            "/speaker/user_id",
            "/line_owner/user_id",
            "/quality/bandwidth",
        ] {
            assert_eq!(said.pointer(part), narrow.pointer(part), "{id} {part}: {said}");
        }
    }
}

#[tokio::test]
async fn a_stream_in_another_codec_is_refused_and_told_what_to_ask_for() {
    let mut deployment = Deployment::start().await;
    for (id, encoding, rate) in [("v2:opus", "OPUS", 48_000), ("v2:amr", "AMR-WB", 16_000)] {
        let call = direct(id);
        let token = deployment.token(Carrier::Telnyx, &call).await;
        let mut stream = deployment.open(Carrier::Telnyx, &[]).await.unwrap();
        let format = json!({"encoding": encoding, "sample_rate": rate, "channels": 1});
        stream.send(start(id, &token, &format)).await;
        assert_eq!(stream.close_code().await, Some(1003), "{encoding}");
    }
}
