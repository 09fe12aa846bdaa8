//! The frames of each carrier's stream.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use voxline::bytes::g711::mulaw_decode;
use voxline::carriers::Carrier;

use super::peer::NUMBER;

/// The frame that begins a stream.
pub fn start(carrier: Carrier, call: &str, token: &str) -> Message {
    let mulaw = json!({"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1});
    let text = match carrier {
        Carrier::Twilio => json!({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": {
            "callSid": call, "tracks": ["inbound"], "mediaFormat": mulaw,
            "customParameters": {"call_token": token}}}),
        Carrier::Telnyx => json!({"event": "start", "sequence_number": "1", "stream_id": "s", "start": {
            "call_control_id": call, "to": NUMBER, "custom_parameters": {"call_token": token},
            "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}}}),
        Carrier::Vonage => json!({"event": "websocket:connected", "content-type": "audio/l16;rate=8000",
            "call_token": token, "call_id": call}),
        Carrier::Bandwidth => {
            json!({"eventType": "start", "streamParams": {"call_token": token}, "metadata": {
            "callId": call, "tracks": [{"name": "inbound",
                "mediaFormat": {"encoding": "PCMU", "sampleRate": 8000}}]}})
        }
        Carrier::Plivo => json!({"event": "start", "sequenceNumber": 1, "start": {"callId": call,
            "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 8000}},
            "extra_headers": format!("call_token={token}")}),
        Carrier::Asterisk => {
            json!({"event": "MEDIA_START", "connection_id": "voxline", "channel": "WebSocket/voxline/0x1",
            "channel_id": "1796000000.99", "format": "ulaw", "optimal_frame_size": 160, "ptime": 20,
            "channel_variables": {"MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE": "160", "CALL_TOKEN": token}})
        }
        Carrier::Jambonz => {
            json!({"sampleRate": 8000, "mixType": "mono", "callSid": call, "direction": "inbound",
            "from": "+12025550101", "to": NUMBER, "callStatus": "in-progress", "call_token": token})
        }
    };
    Message::text(text.to_string())
}

pub fn media(carrier: Carrier, packet: &[u8], at: usize, place: usize) -> Message {
    let linear = |bytes: fn(i16) -> [u8; 2]| -> Vec<u8> {
        packet
            .iter()
            .flat_map(|byte| bytes(mulaw_decode(*byte)))
            .collect()
    };
    let payload = STANDARD.encode(packet);
    let text = match carrier {
        Carrier::Twilio => json!({"event": "media", "sequenceNumber": place.to_string(), "media": {
            "track": "inbound", "chunk": (at + 1).to_string(), "payload": payload}}),
        Carrier::Telnyx => json!({"event": "media", "sequence_number": place.to_string(), "media": {
            "track": "inbound", "chunk": (at + 1).to_string(), "payload": payload}}),
        Carrier::Vonage | Carrier::Jambonz => return Message::binary(linear(i16::to_le_bytes)),
        Carrier::Asterisk => return Message::binary(packet.to_vec()),
        Carrier::Bandwidth => json!({"eventType": "media", "track": "inbound", "payload": payload}),
        // The other byte order than the usual one of this machine: it has to be found out.
        Carrier::Plivo => json!({"event": "media", "sequenceNumber": place, "media": {"track": "inbound",
            "chunk": at, "payload": STANDARD.encode(linear(i16::to_be_bytes))}}),
    };
    Message::text(text.to_string())
}

pub fn key(carrier: Carrier, digit: char, place: usize) -> Option<Message> {
    let digit = digit.to_string();
    let text = match carrier {
        Carrier::Twilio => json!({"event": "dtmf", "sequenceNumber": place.to_string(),
            "dtmf": {"track": "inbound_track", "digit": digit}}),
        Carrier::Telnyx => json!({"event": "dtmf", "stream_id": "s", "dtmf": {"digit": digit}}),
        Carrier::Vonage => json!({"event": "websocket:dtmf", "digit": digit, "duration": 260}),
        Carrier::Plivo => json!({"event": "dtmf", "sequenceNumber": place,
            "dtmf": {"track": "inbound", "digit": digit}}),
        Carrier::Asterisk => json!({"event": "DTMF_END", "channel_id": "1796000000.99", "digit": digit}),
        Carrier::Jambonz => json!({"event": "dtmf", "dtmf": digit, "duration": "1600"}),
        Carrier::Bandwidth => return None,
    };
    Some(Message::text(text.to_string()))
}

/// What ends a stream in words; the others just close.
pub fn stop(carrier: Carrier) -> Option<Message> {
    match carrier {
        Carrier::Twilio | Carrier::Telnyx => Some(Message::text(r#"{"event":"stop"}"#)),
        Carrier::Bandwidth => Some(Message::text(r#"{"eventType":"stop"}"#)),
        Carrier::Vonage | Carrier::Plivo | Carrier::Asterisk | Carrier::Jambonz => None,
    }
}
