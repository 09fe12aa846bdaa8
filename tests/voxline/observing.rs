//! What the real program tells those who run it: metrics, dashboard and log, and what it tells nobody.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::carriers::proofs::twilio_signature;
use crate::process::{Logged, NUMBER, Service, program, signup};
use crate::recovering::{call, text};
use crate::support;

/// The value of a metric, by its name and labels as they are written.
fn figure(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

/// The names of metrics that an expression of Prometheus asks for.
fn asked_for(expression: &str) -> BTreeSet<String> {
    let word = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
    let words = expression.split(|sign| !word(sign));
    words
        .filter(|word| word.starts_with("voxline_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// Whether a metric is in this text, with labels or without; of a histogram how often it was measured.
fn shows(metrics: &str, name: &str) -> bool {
    let mut rest = metrics.lines().filter_map(|line| line.strip_prefix(name));
    rest.any(|rest| rest.starts_with([' ', '{']) || rest.starts_with("_count"))
}

/// The metrics that the table of the page names, written out.
fn of_the_page() -> BTreeSet<String> {
    let page = String::from_utf8(support::read("docs/operations.md")).unwrap();
    let (_, watched) = page.split_once("## What to watch").unwrap();
    let rows = watched.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.take_while(|line| line.contains("voxline_") || line.contains("process_"));
    let mut names = BTreeSet::new();
    for cell in rows.filter_map(|row| row.split('|').nth(1)) {
        for name in cell.split('`').skip(1).step_by(2) {
            let Some((begin, rest)) = name.split_once('{') else {
                names.insert(name.to_owned());
                continue;
            };
            // In the middle it is several names, and at the end the labels.
            let (within, end) = rest.split_once('}').unwrap();
            if end.is_empty() {
                names.insert(begin.to_owned());
            } else {
                names.extend(within.split(',').map(|part| format!("{begin}{part}{end}")));
            }
        }
    }
    names
}

/// Every value of `key` anywhere in a document.
fn all_of<'a>(document: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match document {
        Value::Object(members) => {
            found.extend(members.get(key).and_then(Value::as_str));
            members.values().for_each(|value| all_of(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| all_of(item, key, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_dashboard_asks_only_for_metrics_that_the_service_has() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start(data.path());
    let (_, before) = text(&service, "/metrics").await;
    for name in ["full", "busy", "damaged", "other"] {
        let errors = format!("voxline_store_errors_total{{kind=\"{name}\"}}");
        assert_eq!(figure(&before, &errors), Some(0.0), "{before}");
    }
    service.enrol_alice().await;
    let last = call(&service, "measured").await;
    assert_eq!(last["outcome"], "identified", "{last}");

    let (status, metrics) = text(&service, "/metrics").await;
    assert_eq!(status, 200);
    let at = |name: &str| figure(&metrics, name).unwrap_or_else(|| panic!("no {name} in {metrics}"));
    assert!(at("voxline_decision_lag_seconds_count") >= 3.0, "{metrics}");
    let lag = at("voxline_decision_lag_seconds_sum") / at("voxline_decision_lag_seconds_count");
    assert!((0.0..60.0).contains(&lag) && lag > 0.0, "{lag}");
    for class in ["live", "recording"] {
        assert_eq!(at(&format!("voxline_queue_depth{{class=\"{class}\"}}")), 0.0);
        assert_eq!(
            at(&format!("voxline_queue_age_seconds{{class=\"{class}\"}}")),
            0.0
        );
    }
    assert_eq!(at("voxline_outcomes_total{outcome=\"identified\"}"), 1.0);
    assert_eq!(
        (at("voxline_live_calls"), at("voxline_permits_in_use")),
        (0.0, 0.0)
    );
    assert!(at("process_cpu_seconds_total") > 0.0 && at("process_open_fds") > 3.0);
    assert!(
        (1e7..1e10).contains(&at("process_resident_memory_bytes")),
        "{metrics}"
    );
    let build = metrics
        .lines()
        .find(|line| line.starts_with("voxline_build_info{"));
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(build.is_some_and(|line| line.contains(&version) && line.ends_with(" 1")));

    let dashboard: Value = serde_json::from_slice(&support::read("docs/grafana/voxline.json")).unwrap();
    let mut expressions = Vec::new();
    all_of(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 10, "{expressions:?}");
    let asked: BTreeSet<String> = expressions.into_iter().flat_map(asked_for).collect();
    for name in asked.iter().filter(|name| !is_of_tls_alone(name.as_str())) {
        let shown = |line: &str| {
            let rest = line.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.starts_with([' ', '{']))
        };
        assert!(metrics.lines().any(shown), "the dashboard asks for {name}");
    }
    for name in [
        "replays_total",
        "spoofed_total",
        "audit_entries_lost_total",
        "store_damaged_tables",
    ] {
        assert!(asked.contains(&format!("voxline_{name}")), "no panel has {name}");
    }
}

/// Whether a metric is there only where Voxline speaks TLS itself.
fn is_of_tls_alone(name: &str) -> bool {
    name.starts_with("voxline_tls_certificate_")
}

#[tokio::test]
async fn whatever_the_page_says_to_watch_is_counted_from_the_start() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start(data.path());
    text(&service, "/readyz").await;
    let (_, metrics) = text(&service, "/metrics").await;
    let names = of_the_page();
    assert!(names.len() > 40, "{names:?}");
    // When the store was examined is known once it was.
    let later = |name: &str| name == "voxline_store_examined_timestamp_seconds" || is_of_tls_alone(name);
    for name in names.iter().filter(|name| !later(name.as_str())) {
        assert!(shows(&metrics, name), "no {name} in {metrics}");
    }
    for counted in [
        "voxline_replays_total",
        "voxline_spoofed_total",
        "voxline_vapi_refused_total",
        "voxline_vapi_relay_dropped_total{reason=\"expired\"}",
        "voxline_stream_restarts_total{carrier=\"plivo\"}",
        "voxline_retention_removed_total{kind=\"voices\"}",
        "voxline_tls_handshakes_total{outcome=\"crowded\"}",
        "voxline_net_speech_seconds_count",
    ] {
        assert_eq!(figure(&metrics, counted), Some(0.0), "{counted} in {metrics}");
    }
}

/// A form of Twilio's, signed.
async fn twilio_webhook(logged: &Logged, path: &str, body: &str) -> u16 {
    let request = support::http().post(format!("{}{path}", logged.base));
    let sent = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", twilio_signature("hook-secret", path, body))
        .body(body.to_owned());
    sent.send().await.unwrap().status().as_u16()
}

async fn post(logged: &Logged, key: &str, path: &str, body: &Value) -> Value {
    let request = support::http()
        .post(format!("{}{path}", logged.base))
        .bearer_auth(key)
        .json(body);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap()
}

/// Plays a call on a stream of either kind, in `frames`, and waits for its end.
async fn play(logged: &Logged, key: &str, path: &str, frames: Vec<Message>) {
    let mut request = format!("{}{path}", logged.base.replacen("http", "ws", 1))
        .into_client_request()
        .unwrap();
    let bearer = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    for frame in frames {
        socket.send(frame).await.unwrap();
    }
    while let Some(Ok(_)) = socket.next().await {}
}

fn octets() -> Vec<u8> {
    support::mulaw("alice-1")
}

fn pcm_frames(id: &str) -> Vec<Message> {
    let start = json!({
        "event": "start", "call_id": id, "number": NUMBER,
        "encoding": "mulaw", "sample_rate": 8000, "channels": 1,
    });
    let octets = octets();
    let audio = octets.chunks(160).map(|frame| Message::binary(frame.to_vec()));
    let stop = Message::text(r#"{"event":"stop"}"#);
    [Message::text(start.to_string())]
        .into_iter()
        .chain(audio)
        .chain([stop])
        .collect()
}

fn twilio_frames(id: &str) -> Vec<Message> {
    let start = json!({
        "event": "start", "sequenceNumber": "1", "start": {"callSid": id,
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"number": NUMBER}},
    });
    let media = |(at, frame): (usize, &[u8])| {
        json!({"event": "media", "sequenceNumber": (at + 2).to_string(),
            "media": {"track": "inbound", "payload": STANDARD.encode(frame)}})
    };
    let octets = octets();
    let documents = [start]
        .into_iter()
        .chain(octets.chunks(160).enumerate().map(media))
        .chain([json!({"event": "stop"})]);
    documents
        .map(|document| Message::text(document.to_string()))
        .collect()
}

const NAME: &str = "Wilhelmina Quackenbush";
const PIN: &str = "48213579";
const PHONE: &str = "+12025550143";
const CONSENT: &str = "I agree to be recognised by my bassoon voice.";

fn admin_key(data: &Path) -> String {
    let created = program(data)
        .args(["keys", "create", "--scope", "admin", "--json"])
        .output();
    let created: Value = serde_json::from_slice(&created.unwrap().stdout).unwrap();
    created["key"].as_str().unwrap().to_owned()
}

/// An enrolment with name, phone and PIN, a call on each kind of stream, and a webhook with a PIN; what was logged.
async fn eventful_day(data: &Path, log: &[(&str, &str)]) -> (String, String) {
    let key = admin_key(data);
    let mut settings = vec![
        ("VOXLINE_PUBLIC_URL", "https://id.example.com"),
        ("VOXLINE_TWILIO_AUTH_TOKEN", "hook-secret"),
        ("VOXLINE_TWILIO_PIN_PROMPT", "Your PIN, please."),
    ];
    settings.extend(log);
    let logged = Logged::start(data, &settings).await;
    post(&logged, &key, "/v1/numbers", &json!({ "number": NUMBER })).await;
    let user = json!({ "name": NAME, "number": NUMBER, "phones": [PHONE], "pin": PIN });
    let user = post(&logged, &key, "/v1/users", &user).await;
    let form = signup("alice", &[("consent", CONSENT)]);
    let path = format!("/v1/users/{}/enrollments", user["id"].as_str().unwrap());
    let sent = support::http()
        .post(format!("{}{path}", logged.base))
        .bearer_auth(&key);
    assert_eq!(sent.multipart(form).send().await.unwrap().status(), 201);
    play(&logged, &key, "/media/pcm", pcm_frames("day-1")).await;
    play(&logged, &key, "/media/twilio", twilio_frames("day-2")).await;
    let ringing = "CallSid=CA-day&From=%2B12025550177&To=%2B12025550101&ForwardedFrom=%2B12025550143\
        &CallStatus=ringing&Direction=inbound&AccountSid=AC1";
    let voice = "/carriers/twilio/voice";
    assert_eq!(twilio_webhook(&logged, voice, ringing).await, 200);
    let typed = format!("{ringing}&Digits={PIN}");
    let at = format!("{voice}?typed=pin");
    assert_eq!(twilio_webhook(&logged, &at, &typed).await, 200);
    (logged.end(), key)
}

/// The longest run of signs that base64 and hexadecimal are written in.
fn longest_run(text: &str) -> &str {
    let coded = |sign: char| sign.is_ascii_alphanumeric() || "+/=".contains(sign);
    let runs = text.split(|sign| !coded(sign));
    runs.max_by_key(|run| run.len()).unwrap_or_default()
}

/// The most numbers with nothing but commas and spaces between them: samples, octets, embeddings.
fn numbers_in_a_row(line: &str) -> usize {
    let (mut most, mut now) = (0, 0);
    for part in line.split(',') {
        let is_number = part
            .trim_matches([' ', '[', ']', '(', ')'])
            .parse::<f64>()
            .is_ok();
        now = if is_number { now + 1 } else { 0 };
        most = most.max(now);
    }
    most
}

#[tokio::test]
async fn no_log_has_names_digits_keys_or_audio_whatever_level_is_asked_for() {
    let all = "trace,hyper=trace,hyper_util=trace,h2=trace,tungstenite=trace,tokio_tungstenite=trace,sqlx=trace,\
        sqlx::query=trace,symphonia=trace,symphonia_core=trace,symphonia_bundle_flac::demuxer=trace,\
        codec_core=trace,axum=trace,tower_http=trace,reqwest=trace,rustls=trace,ort=trace,voxline=trace";
    for log in [
        [("RUST_LOG", "trace"), ("LOG_FORMAT", "text")],
        [("RUST_LOG", all), ("LOG_FORMAT", "json")],
    ] {
        let data = tempfile::tempdir().unwrap();
        let (written, key) = eventful_day(data.path(), &log).await;
        assert!(
            written.contains("day-1") && written.contains("day-2"),
            "{written}"
        );
        assert!(written.contains("/carriers/{carrier}/voice"), "{written}");
        let digits = ["2025550101", "2025550143", "2025550177", "5550143", PIN];
        let secrets = ["Wilhelmina", "Quackenbush", "bassoon", "hook-secret", &key[3..]];
        for secret in digits.iter().chain(&secrets) {
            let line = written.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{secret} in {line:?}");
        }
        assert!(longest_run(&written).len() < 48, "{}", longest_run(&written));
        for line in written.lines() {
            assert!(numbers_in_a_row(line) < 6, "{line}");
            assert!(line.matches("\\x").count() < 8, "{line}");
        }
        assert!(written.len() < 200_000, "{} bytes", written.len());
    }
}

#[tokio::test]
async fn a_log_in_json_is_a_document_a_line_and_lines_of_a_call_name_it() {
    let data = tempfile::tempdir().unwrap();
    let log = [("RUST_LOG", "info"), ("LOG_FORMAT", "json")];
    let (written, _) = eventful_day(data.path(), &log).await;
    let (mut documents, mut of_call) = (0, 0);
    for line in written.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        assert!(
            document["timestamp"].is_string() && document["level"].is_string(),
            "{line}"
        );
        documents += 1;
        let spans = document["spans"].as_array().cloned().unwrap_or_default();
        let is_of_call = |span: &Value| span["name"] == "call" && span["call.id"] == "day-1";
        of_call += usize::from(spans.iter().any(is_of_call));
    }
    assert!(documents > 5 && of_call > 0, "{documents}, {of_call}: {written}");
}

#[tokio::test]
async fn why_nobody_is_named_is_logged_by_the_names_of_the_api() {
    let data = tempfile::tempdir().unwrap();
    let key = admin_key(data.path());
    let settings = [
        ("VOXLINE_PUBLIC_URL", "https://id.example.com"),
        ("VOXLINE_TWILIO_AUTH_TOKEN", "hook-secret"),
        ("RUST_LOG", "info"),
        ("LOG_FORMAT", "json"),
    ];
    let logged = Logged::start(data.path(), &settings).await;
    post(&logged, &key, "/v1/numbers", &json!({ "number": NUMBER })).await;
    let ringing = "CallSid=CA-nobody&From=%2B12025550177&To=%2B12025550101&CallStatus=ringing&Direction=inbound\
        &AccountSid=AC1";
    assert_eq!(
        twilio_webhook(&logged, "/carriers/twilio/voice", ringing).await,
        200
    );
    let written = logged.end();
    let documents = written
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let said: Vec<Value> = documents
        .map(|document| document["fields"].clone())
        .filter(|fields| fields["call.id"] == "CA-nobody" && !fields["outcome"].is_null())
        .collect();
    assert!(!said.is_empty(), "{written}");
    for (field, name) in [
        ("outcome", "inconclusive"),
        ("reason", "too_little_speech"),
        ("line_owner", "unknown"),
        ("speaker", "inconclusive"),
        ("speaker_reason", "empty_roster"),
    ] {
        assert_eq!(said[0][field], name, "{field} in {}", said[0]);
    }
}

#[test]
fn what_looks_like_audio_is_found_where_it_is() {
    let octets: Vec<u8> = (0..160).collect();
    assert!(longest_run(&format!("payload={}", STANDARD.encode(&octets))).len() > 200);
    assert_eq!(numbers_in_a_row(&format!("heard {octets:?}")), 159);
    assert_eq!(numbers_in_a_row("[-0.25, 1.5e-3, 0.0]"), 3);
    assert_eq!(numbers_in_a_row("GET /media/pcm: 101, took 3, of 4"), 0);
}
