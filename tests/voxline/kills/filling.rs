//! Killed while it fills an index that was thrown away: there is no command for that, `serve` does it when it starts.

use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{Victim, Work, serving};
use crate::gallery::peer;
use crate::process::{KEPT, Service};
use crate::support;

/// A number of its own, since on the other there are many with one voice.
const NUMBER: &str = "+12025550102";

/// An index that nobody has filled yet, a kill while it is being filled, and a service after that.
pub async fn round(victim: &mut Victim) {
    if peer::skipped() {
        return;
    }
    let mut environment = serving::environment(victim);
    let index = peer::settings(&peer::shared_url());
    environment.extend([
        ("VOXLINE_GALLERY_BACKEND", "qdrant".to_owned()),
        ("VOXLINE_GALLERY_QDRANT_URL", index.url.clone()),
        ("VOXLINE_GALLERY_QDRANT_COLLECTION", index.collection.clone()),
    ]);
    let Some(length) = victim.lengths.get(&Work::FillingTheIndex).copied() else {
        // The first is only timed.
        let service = Service::start_with(&victim.data(), &environment);
        service.post("/v1/numbers", &json!({ "number": NUMBER })).await;
        let robert = json!({ "name": "Robert", "number": NUMBER });
        victim.robert = service.enrol(&robert, "robert", &KEPT).await;
        let empty = peer::settings(&peer::shared_url());
        environment.pop();
        environment.push(("VOXLINE_GALLERY_QDRANT_COLLECTION", empty.collection));
        drop(service);
        let begun = Instant::now();
        let service = Service::start_with(&victim.data(), &environment);
        knows_robert(&service, &victim.robert).await;
        victim.lengths.insert(Work::FillingTheIndex, begun.elapsed());
        return;
    };
    let mut serve = victim.command(&victim.data(), &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = serve.envs(environment.iter().cloned()).spawn().unwrap();
    tokio::time::sleep(length.mul_f64(victim.rng.unit()) + Duration::from_millis(100)).await;
    victim.kill(Work::FillingTheIndex, &mut child);
    let service = Service::start_with(&victim.data(), &environment);
    knows_robert(&service, &victim.robert).await;
    let store = victim.store().await;
    victim.ledger.hold(&store).await;
    store.close().await;
}

/// Everybody enrolled is found: a search over half an index would say so and not name anybody.
async fn knows_robert(service: &Service, robert: &str) {
    let call = support::read("enrollment_samples/calls/robert-2.wav");
    let form = Form::new()
        .text("number", NUMBER)
        .part("audio", Part::bytes(call).file_name("call.wav"));
    let (status, said): (u16, Value) = service.upload("/v1/identify", form).await;
    assert_eq!(
        (status, &said["outcome"], &said["user_id"]),
        (200, &json!("identified"), &json!(robert)),
        "{said}"
    );
}
