//! Killed while it enrols, adds and erases over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use voxline::store::{NewClip, NewEnrolment, NewUser, Store};
use voxline::units::{DialedNumber, EnrolmentId, Seconds, UserId};
use voxline::voiceprint::{Bandwidth, Embedding, Voiceprint};

use super::ledger::Ledger;
use super::{Victim, Work};
use crate::process::{CONSENT, NUMBER, Service, signup};
use crate::support;

/// Components of the shipped model's voiceprints.
const COMPONENTS: usize = 192;

pub fn number() -> DialedNumber {
    NUMBER.parse().unwrap()
}

/// A store with the number, and somebody enrolled by a real recording, so that the model in use is known. The service that
/// did it is killed.
pub async fn prepare(victim: &mut Victim) {
    let service = Service::start_with(&victim.data(), &environment(victim));
    let alice = service.enrol_alice().await;
    victim.ledger.user(alice.parse().unwrap());
}

pub fn environment(victim: &Victim) -> Vec<(&'static str, String)> {
    let known = [
        "VOXLINE_MODELS_DIR",
        "VOXLINE_ENROLLMENT_RETAIN_AUDIO",
        "VOXLINE_STORE_URL",
    ];
    let value = |name: &str| victim.environment.iter().find(|(known, _)| known == name);
    known
        .into_iter()
        .filter_map(|name| Some((name, value(name)?.1.clone())))
        .collect()
}

/// Users with a voice that no model made, to be erased.
async fn add_users(store: &Store, ledger: &mut Ledger, rng: &mut support::Rng, count: usize) {
    let model = store.active_model().await.unwrap().unwrap();
    for _ in 0..count {
        let new = NewUser {
            name: "Somebody".into(),
            number: number(),
            phones: vec![],
            pin: None,
            exclusive: false,
        };
        let user = store.add_user(new).await.unwrap().id;
        let values = (0..COMPONENTS).map(|_| rng.unit() as f32 - 0.5).collect();
        let print = Voiceprint {
            embedding: Embedding::from_direction(values).unwrap(),
            model: model.clone(),
            bandwidth: Bandwidth::Wide,
            net_speech: Seconds::new(9.0),
        };
        let mut content_sha256 = [0; 32];
        for byte in &mut content_sha256 {
            *byte = rng.throw(256) as u8;
        }
        let clip = NewClip {
            content_sha256,
            net_speech: Seconds::new(9.0),
            snr_db: None,
            source: "wav 16000 Hz".into(),
            fingerprint: None,
            prints: vec![print],
        };
        let enrolment = NewEnrolment {
            user,
            consent: "I agree".into(),
            consent_version: None,
            invite: None,
            clips: vec![clip],
        };
        let id = store.add_enrolment(enrolment).await.unwrap();
        ledger.user(user).enrolments.push(id);
    }
}

/// One service, from its start to its end by a kill.
pub async fn round(victim: &mut Victim) {
    let store = victim.store().await;
    let mut ledger = std::mem::take(&mut victim.ledger);
    add_users(&store, &mut ledger, &mut victim.rng, 4).await;
    store.close().await;
    let mut service = Service::start_with(&victim.data(), &environment(victim));
    if victim.killed() == 0 {
        // The service that enrolled Alice was killed when that was acknowledged; nobody else has her voice yet.
        let alice = ledger.there().next().unwrap();
        assert_eq!(service.get("/readyz").await.0, 200);
        let said = service.identify_alice().await;
        assert_eq!(said["outcome"], "identified", "{said}");
        assert_eq!(said["user_id"], json!(alice));
    }
    let mut erased: Vec<UserId> = ledger.there().skip(1).collect();
    // Those with recordings first: a change of models hears all that there are.
    erased.sort_by_key(|user| !ledger.user(*user).heard);
    erased.truncate(3);
    let life = Duration::from_millis(100 + victim.rng.throw(8_000) as u64);
    let spread = Duration::from_millis(victim.rng.throw(400) as u64);
    {
        let client = Client::of(&service);
        let (mut added, mut gone, mut heard) = (Ledger::default(), Ledger::default(), Ledger::default());
        let all = async {
            tokio::join!(
                client.add(&mut added),
                client.erase(&erased, spread, &mut gone),
                client.enrol(&mut heard)
            )
        };
        let _ = timeout(life, all).await;
        for part in [added, heard] {
            ledger.users.extend(part.users);
        }
        for (user, known) in gone.users {
            let of_user = ledger.user(user);
            (of_user.erasure_asked, of_user.erased) = (known.erasure_asked, known.erased);
        }
    }
    victim.ledger = ledger;
    victim.kill(Work::EnrollingAndErasing, service.child());
    let store = victim.store().await;
    victim.ledger.hold(&store).await;
    // Whoever was not acknowledged is there whole or not at all: with every clip of an enrolment, or none.
    let model = store.active_model().await.unwrap().unwrap();
    for entry in store.roster(&number(), &model).await.unwrap() {
        assert!(
            [0, 1, 3].contains(&entry.clips.len()),
            "an enrolment was stored in part"
        );
    }
    store.close().await;
}

/// Whoever asks the service; what is acknowledged is noted at once.
struct Client {
    base: String,
    key: String,
    http: reqwest::Client,
}

impl Client {
    fn of(service: &Service) -> Self {
        Self {
            base: service.base.clone(),
            key: service.key.clone(),
            http: service.http.clone(),
        }
    }

    async fn post(&self, path: &str, body: Value) -> Option<Value> {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .bearer_auth(&self.key)
            .json(&body);
        let answer = request.send().await.ok()?;
        if answer.status() == 201 {
            answer.json().await.ok()
        } else {
            None
        }
    }

    async fn new_user(&self) -> Option<UserId> {
        let user = self
            .post("/v1/users", json!({ "name": "New", "number": NUMBER }))
            .await?;
        user["id"].as_str()?.parse().ok()
    }

    async fn add(&self, ledger: &mut Ledger) {
        for _ in 0..40 {
            if let Some(user) = self.new_user().await {
                ledger.user(user);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn erase(&self, users: &[UserId], spread: Duration, ledger: &mut Ledger) {
        for user in users {
            tokio::time::sleep(spread).await;
            ledger.user(*user).erasure_asked = true;
            let path = format!("{}/v1/users/{user}", self.base);
            let answer = self.http.delete(path).bearer_auth(&self.key).send().await;
            ledger.user(*user).erased = answer.is_ok_and(|answer| answer.status() == 200);
        }
    }

    async fn enrol(&self, ledger: &mut Ledger) {
        for _ in 0..10 {
            let Some(user) = self.new_user().await else { return };
            ledger.user(user);
            // Everybody here has one voice.
            let form = signup(
                "alice",
                &[CONSENT, ("keep_audio", "true"), ("allow_duplicate", "true")],
            );
            let path = format!("{}/v1/users/{user}/enrollments", self.base);
            let sent = self
                .http
                .post(path)
                .bearer_auth(&self.key)
                .multipart(form)
                .send()
                .await;
            let Ok(answer) = sent else { return };
            let said: Value = answer.json().await.unwrap_or_default();
            let id: Option<EnrolmentId> = said["enrollment_id"].as_str().and_then(|id| id.parse().ok());
            ledger.user(user).enrolments.extend(id);
            ledger.user(user).heard = id.is_some();
        }
    }
}
