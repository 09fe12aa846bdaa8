//! A customer's own backend, as a process of its own: it takes Vapi's messages, checks their signatures as it did before
//! anything stood between, and answers what it was told to.
//!
//! It is driven by JSON lines on stdin and answers each with one on stdout:
//!
//! | line | does |
//! |---|---|
//! | `{"do":"answer","type":…,"status":200,"body":{…},"text":…,"delay":6.0,"location":…}` | how messages of a type are answered from now on; tools and the rest have usual answers |
//! | `{"do":"got","type":…,"count":2,"within":30}` | waits for so many messages of a type: all there were, with headers and bodies |
//! | `{"do":"forget"}` | forgets what it got and how to answer |

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::lines::{follow_stdin, say};

#[derive(Default)]
struct Office {
    secret: String,
    answers: HashMap<String, Value>,
    got: Vec<Value>,
}

type Shared = Arc<Mutex<Office>>;

/// Serves on `port` (0 for any), says where, and follows lines on stdin to their end. Signatures are checked with
/// `secret`.
pub async fn run(port: u16, secret: &str) {
    let office: Shared = Arc::new(Mutex::new(Office {
        secret: secret.to_owned(),
        ..Office::default()
    }));
    let app = Router::new()
        .route("/vapi", post(take))
        .route("/elsewhere", post(take))
        .with_state(Arc::clone(&office));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("the port is free");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    say(&json!({"ready": true, "address": format!("http://{address}"), "port": address.port()}));
    follow_stdin(async |line| act(&office, &line).await).await;
}

async fn act(office: &Shared, line: &Value) -> Value {
    let kind = line["type"].as_str().unwrap_or_default();
    match line["do"].as_str().unwrap_or_default() {
        "answer" => {
            let mut office = office.lock().unwrap();
            office.answers.insert(kind.to_owned(), line.clone());
            json!({"ok": true})
        }
        "got" => {
            let wanted = line["count"].as_u64().unwrap_or(1) as usize;
            let within = Duration::from_secs_f64(line["within"].as_f64().unwrap_or(30.0));
            let began = Instant::now();
            loop {
                let got = of_kind(office, kind);
                if got.len() >= wanted || began.elapsed() >= within {
                    return json!({"ok": got.len() >= wanted, "got": got});
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        "forget" => {
            let mut office = office.lock().unwrap();
            office.answers.clear();
            office.got.clear();
            json!({"ok": true})
        }
        other => json!({"fault": format!("no such command: {other}")}),
    }
}

fn of_kind(office: &Shared, kind: &str) -> Vec<Value> {
    let office = office.lock().unwrap();
    let all = office.got.iter();
    all.filter(|got| kind.is_empty() || got["type"] == *kind)
        .cloned()
        .collect()
}

async fn take(State(office): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let message: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let kind = message["message"]["type"].as_str().unwrap_or_default().to_owned();
    let answer = {
        let mut office = office.lock().unwrap();
        let held = headers.iter();
        let held: serde_json::Map<String, Value> = held
            .map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))))
            .collect();
        let signed = is_signed(&office.secret, &headers, &body);
        office.got.push(json!({
            "type": kind, "headers": held, "signed": signed, "body": String::from_utf8_lossy(&body),
        }));
        office.answers.get(&kind).cloned().unwrap_or(Value::Null)
    };
    if let Some(seconds) = answer["delay"].as_f64() {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }
    let status = answer["status"].as_u64().unwrap_or(200);
    let status = StatusCode::from_u16(status as u16).unwrap();
    let mut response = match (answer["text"].as_str(), answer.get("body")) {
        (Some(text), _) => (status, text.to_owned()).into_response(),
        (None, Some(body)) => (status, axum::Json(body.clone())).into_response(),
        (None, None) => (status, axum::Json(usual(&message["message"]))).into_response(),
    };
    if let Some(location) = answer["location"].as_str() {
        response
            .headers_mut()
            .insert(header::LOCATION, location.parse().unwrap());
    }
    response
}

/// What it answers unless told otherwise: its tools work, and nothing else needs an answer.
fn usual(message: &Value) -> Value {
    let calls = message["toolCallList"].as_array();
    let Some(calls) = calls else { return json!({}) };
    let results = calls.iter().map(|call| {
        json!({"toolCallId": call["id"], "name": call["function"]["name"], "result": format!("theirs of {}", call["id"])})
    });
    json!({"results": results.collect::<Vec<_>>()})
}

/// Whether a message bears the signature of this moment: HMAC-SHA256 over timestamp, dot and body, in hexadecimal.
fn is_signed(secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(timestamp), Some(signature)) = (text("x-timestamp"), text("x-signature")) else {
        return false;
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    let made: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    made == signature
}
