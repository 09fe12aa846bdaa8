//! The real program, with wires that are cut, held back, slow and noisy between it and what it depends on: calls fall to
//! the next evidence and never to a wrong name, the operator sees it, and it recovers by itself.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::gallery::peer;
use crate::process::{CONSENT, NUMBER, Service};
use crate::recovering::text;
use crate::wire::{Weather, Wire};
use crate::{postgres, support};

/// What is said of Alice's call now: a verdict, or `None` where the service says that it cannot.
async fn said(service: &Service, weather: Weather) -> Option<Value> {
    let call = support::read("enrollment_samples/calls/alice-2.wav");
    let form = Form::new()
        .text("number", NUMBER)
        .part("audio", Part::bytes(call).file_name("call.wav"));
    let request = service
        .http
        .post(format!("{}/v1/identify", service.base))
        .multipart(form);
    let answer = request
        .bearer_auth(&service.key)
        .timeout(Duration::from_secs(60))
        .send()
        .await
        .expect("the service answers whatever it depends on does");
    let status = answer.status();
    if status == 200 {
        return Some(answer.json().await.unwrap());
    }
    // What arrives as something else is seldom known for what it is; a fault is then said and written down.
    let garbled = weather == Weather::Garbled && status == 500;
    assert!(
        status == 503 || garbled,
        "{weather:?}: {status}: {}",
        answer.text().await.unwrap()
    );
    None
}

/// Whether a verdict is right, or says that it cannot tell: never another's name, never nobody's.
fn never_wrong(said: Option<&Value>, alice: &str, weather: Weather) {
    if let Some(said) = said {
        match said["outcome"].as_str().unwrap() {
            "identified" => assert_eq!(said["user_id"], json!(alice), "{weather:?}: {said}"),
            "inconclusive" => {}
            other => panic!("{weather:?}: {other}: {said}"),
        }
    }
}

async fn until_ready(service: &Service, ready: bool, weather: Weather) -> String {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let (status, why) = text(service, "/readyz").await;
        if (status == 200) == ready {
            return why;
        }
        assert!(
            Instant::now() < patience,
            "{weather:?}: /readyz says {status}: {why}"
        );
        sleep(Duration::from_millis(200)).await;
    }
}

/// Every weather on a wire in turn, and fair again after each.
async fn weathered(service: &Service, alice: &str, wire: &Wire, part: &str) {
    for weather in [Weather::Slow, Weather::Cut, Weather::Garbled, Weather::Silent] {
        wire.turn(weather);
        if weather != Weather::Slow {
            let why = until_ready(service, false, weather).await;
            assert!(why.contains(part), "{weather:?}: {why}");
        }
        never_wrong(said(service, weather).await.as_ref(), alice, weather);
        wire.turn(Weather::Fair);
        until_ready(service, true, weather).await;
        let again = said(service, Weather::Fair).await.expect("it serves again");
        assert_eq!(
            (&again["outcome"], &again["user_id"]),
            (&json!("identified"), &json!(alice)),
            "{weather:?}: {again}"
        );
    }
}

/// The voices of two users, of whom one calls.
async fn enrolled(service: &Service) -> String {
    let alice = service.enrol_alice().await;
    let robert = json!({ "name": "Robert", "number": NUMBER });
    service.enrol(&robert, "robert", &[CONSENT]).await;
    alice
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_to_qdrant_in_any_weather_costs_no_right_name() {
    if peer::skipped() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let settings = peer::settings(&peer::shared_url());
    let wire = Wire::to(&settings.url).await;
    let environment = [
        ("VOXLINE_GALLERY_BACKEND", "qdrant".to_owned()),
        ("VOXLINE_GALLERY_QDRANT_URL", wire.url()),
        ("VOXLINE_GALLERY_QDRANT_COLLECTION", settings.collection),
        ("VOXLINE_GALLERY_QDRANT_TIMEOUT_SECONDS", "5".to_owned()),
    ];
    let service = Service::start_with(data.path(), &environment);
    let alice = enrolled(&service).await;
    weathered(&service, &alice, &wire, "the gallery").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_to_postgresql_in_any_weather_costs_no_right_name() {
    if postgres::skipped() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let url = postgres::database().await;
    let (name, rest) = url.trim_start_matches("postgres:///").split_once('?').unwrap();
    let of = |key: &str| {
        rest.split('&')
            .find_map(|pair| pair.strip_prefix(key))
            .unwrap()
            .replace("%2F", "/")
    };
    let folder = of("host=");
    let wire = Wire::to_socket(&Path::new(&folder).join(".s.PGSQL.5432")).await;
    let through = format!(
        "postgres://{}@127.0.0.1:{}/{name}?sslmode=disable",
        of("user="),
        wire.port()
    );
    let environment = [("VOXLINE_STORE_URL", through)];
    let service = Service::start_with(data.path(), &environment);
    let alice = enrolled(&service).await;
    weathered(&service, &alice, &wire, "the store").await;
}
