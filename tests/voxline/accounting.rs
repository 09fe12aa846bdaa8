//! The audit log of the real program: each kind of act leaves its one entry, whoever acts and however.

use std::path::Path;

use futures_util::{SinkExt, StreamExt};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::process::{NUMBER, Service, program};
use crate::support;

/// What the program says on its stdout, in JSON, and its exit status.
fn cli(data: &Path, args: &[&str]) -> (i32, Value) {
    let output = program(data).args(args).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = serde_json::from_str(&text).unwrap_or(Value::Null);
    (output.status.code().unwrap(), said)
}

/// The entries from after `seq`, as `actor act outcome`, oldest first.
async fn told_after(service: &Service, seq: u64) -> Vec<String> {
    let (status, entries) = service.get("/v1/audit?limit=1000").await;
    assert_eq!(status, 200, "{entries}");
    let entries = entries.as_array().unwrap().iter().rev();
    let entries = entries.filter(|entry| entry["seq"].as_u64().unwrap() > seq);
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
    entries
        .map(|entry| {
            ["actor", "act", "outcome"]
                .map(|field| text(entry, field))
                .join(" ")
        })
        .collect()
}

async fn request(service: &Service, method: &str, path: &str, body: Option<Value>) -> Value {
    let url = format!("{}{path}", service.base);
    let mut request = service.http.request(method.parse().unwrap(), url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.bearer_auth(&service.key).send().await.unwrap();
    assert!(
        answer.status().is_success(),
        "{method} {path}: {}",
        answer.status()
    );
    answer.json().await.unwrap_or(Value::Null)
}

fn recording(form: Form, name: &str) -> Form {
    form.part("audio", Part::bytes(support::read(name)).file_name("call.wav"))
}

/// Enrolments, identifications and a stream over the network.
async fn voices(service: &Service) -> String {
    let alice = service.enrol_alice().await;
    let form = recording(
        Form::new().text("number", NUMBER),
        "enrollment_samples/calls/alice-2.wav",
    );
    let (status, _) = service.upload("/v1/identify", form).await;
    assert_eq!(status, 200);
    let form = recording(
        Form::new().text("number", "+12025550177"),
        "enrollment_samples/calls/alice-2.wav",
    );
    let (status, _) = service.upload("/v1/identify", form).await;
    assert_eq!(status, 404);
    // The same recording once more is refused.
    let again = Form::new().text("consent", "I agree.");
    let again = recording(again, "enrollment_samples/signup/alice/1.flac");
    let (status, _) = service
        .upload(&format!("/v1/users/{alice}/enrollments"), again)
        .await;
    assert!(status == 409 || status == 422, "{status}");
    // The second stream of c-1 is refused, for the call is over.
    for call in ["c-1", "c-1", "c-2"] {
        let mut stream = service.pcm_stream(call).await;
        stream.send(Message::text(r#"{"event":"stop"}"#)).await.unwrap();
        while let Some(Ok(_)) = stream.next().await {}
    }
    alice
}

#[tokio::test]
async fn each_kind_of_act_leaves_its_one_entry_and_says_who_did_it() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start(data.path());
    let alice = voices(&service).await;
    let user = format!("/v1/users/{alice}");
    request(&service, "PATCH", &user, Some(json!({ "pin": "4821" }))).await;
    request(&service, "PATCH", &user, Some(json!({ "name": "Alice B." }))).await;
    let invites = format!("{user}/invites");
    let invite = request(&service, "POST", &invites, Some(json!({}))).await;
    let id = invite["id"].as_str().unwrap();
    request(&service, "DELETE", &format!("{invites}/{id}"), None).await;
    let number = format!("/v1/numbers/{}", NUMBER.replace('+', "%2B"));
    request(
        &service,
        "PATCH",
        &number,
        Some(json!({ "max_false_accept": 0.001 })),
    )
    .await;
    request(&service, "DELETE", &format!("{user}/enrollments"), None).await;
    request(&service, "DELETE", &user, None).await;
    let (_, made) = cli(data.path(), &["keys", "create", "--scope", "identify"]);
    cli(data.path(), &["keys", "revoke", made["id"].as_str().unwrap()]);
    cli(data.path(), &["audit", "export"]);
    let expected = [
        "cli key.create done",
        "key number.add done",
        "key user.add done",
        "key enrolment.add done",
        "key identify identified",
        "key identify failed",
        "key enrolment.add refused",
        "key call.serve begun",
        "key call.serve begun",
        "key pin.set done",
        "key user.change done",
        "key invite.create done",
        "key invite.revoke done",
        "key number.change done",
        "key enrolment.erase done",
        "key user.erase done",
        "cli key.create done",
        "cli key.revoke done",
        "cli audit.export done",
    ];
    assert_eq!(told_after(&service, 0).await, expected);
    let (_, entries) = service.get("/v1/audit?limit=1000").await;
    let by_key = entries
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["actor"] == "key");
    for entry in by_key {
        assert_eq!(entry["address"], "127.0.0.1", "{entry}");
        assert!(
            entry["actor_id"].as_str().is_some_and(|id| id.len() == 36),
            "{entry}"
        );
    }
    let (_, of_alice) = service.get(&format!("/v1/audit?user={alice}&act=user.")).await;
    assert_eq!(of_alice.as_array().unwrap().len(), 3, "{of_alice}");
    let (status, report) = cli(data.path(), &["audit", "verify"]);
    assert_eq!(
        (status, &report["entries"], &report["fault"]),
        (0, &json!(19), &Value::Null)
    );
    let head = report["head"].as_str().unwrap();
    assert_eq!(cli(data.path(), &["audit", "verify", "--head", head]).0, 0);
    let other = "ab".repeat(32);
    assert_eq!(cli(data.path(), &["audit", "verify", "--head", &other]).0, 1);
}

#[tokio::test]
async fn who_enrols_by_a_link_and_who_acts_on_the_machine_are_told_apart() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start_with(data.path(), &[]);
    service.post("/v1/numbers", &json!({ "number": NUMBER })).await;
    let (_, added) = cli(data.path(), &["user", "add", "--name", "Bob", "--number", NUMBER]);
    let id = added["id"].as_str().unwrap().to_owned();
    cli(data.path(), &["user", "remove", &id]);
    let told = told_after(&service, 1).await;
    assert_eq!(
        told,
        ["key number.add done", "cli user.add done", "cli user.erase done"]
    );
    let (_, export) = service.get("/v1/audit?act=key.create").await;
    assert_eq!(export[0]["actor"], "cli");
    // Without a key, and with one that may not administer, nobody reads it.
    let url = format!("{}/v1/audit", service.base);
    let answer = service.http.get(&url).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401);
    let (_, made) = cli(
        data.path(),
        &["keys", "create", "--scope", "identify,enroll,scores"],
    );
    let key = made["key"].as_str().unwrap();
    let answer = service.http.get(&url).bearer_auth(key).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
}

#[tokio::test]
async fn an_unwritable_store_makes_it_unready_and_is_accounted_for_later() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start(data.path());
    service.enrol_alice().await;
    let file = data.path().join("voxline.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
    let mut other: sqlx::SqliteConnection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    // What fails is the log alone: everything else can be written.
    sqlx::raw_sql("CREATE TRIGGER no_entries BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
        .execute(&mut other)
        .await
        .unwrap();
    let before = told_after(&service, 0).await.len();
    let form = recording(
        Form::new().text("number", NUMBER),
        "enrollment_samples/calls/alice-2.wav",
    );
    let (status, said) = service.upload("/v1/identify", form).await;
    assert_eq!((status, &said["outcome"]), (200, &json!("identified")), "{said}");
    let (status, unready) = service.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(unready.to_string().contains("the audit log"), "{unready}");
    // What writes to the store is not done where it cannot be accounted for.
    let request = service.http.post(format!("{}/v1/numbers", service.base));
    let answer = request
        .bearer_auth(&service.key)
        .json(&json!({ "number": "+12025550178" }));
    assert_eq!(answer.send().await.unwrap().status().as_u16(), 500);
    sqlx::raw_sql("DROP TRIGGER no_entries")
        .execute(&mut other)
        .await
        .unwrap();
    for _ in 0..100 {
        if service.get("/readyz").await.0 == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(service.get("/readyz").await.0, 200);
    let told = told_after(&service, 0).await;
    assert_eq!(told[before..], ["key identify identified"]);
    let (_, numbers) = service.get("/v1/numbers").await;
    assert_eq!(numbers.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_person_gets_their_data_is_left_alone_and_has_proof_of_their_erasure() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start(data.path());
    let alice = service.enrol_alice().await;
    let (status, person) = service.get(&format!("/v1/users/{alice}/export")).await;
    assert_eq!(
        (status, &person["user"]["name"]),
        (200, &json!("Alice")),
        "{person}"
    );
    let (status, printed) = cli(data.path(), &["user", "export", &alice]);
    assert_eq!((status, &printed["voiceprints"]), (0, &person["voiceprints"]));
    let identified = async || {
        let form = recording(
            Form::new().text("number", NUMBER),
            "enrollment_samples/calls/alice-2.wav",
        );
        service.upload("/v1/identify", form).await.1
    };
    assert_eq!(identified().await["user_id"], json!(alice));
    // By another process: the running service has it in its gallery until then.
    assert_eq!(cli(data.path(), &["user", "opt-out", &alice]).0, 0);
    let said = identified().await;
    assert_eq!(
        (&said["outcome"], &said["user_id"]),
        (&json!("inconclusive"), &Value::Null),
        "{said}"
    );
    assert_eq!(said["reason"], "empty_roster");
    request(
        &service,
        "PATCH",
        &format!("/v1/users/{alice}"),
        Some(json!({ "opted_out": false })),
    )
    .await;
    assert_eq!(identified().await["user_id"], json!(alice));

    let receipt = request(&service, "DELETE", &format!("/v1/users/{alice}"), None).await;
    let file = data.path().join("receipt.json");
    std::fs::write(&file, receipt.to_string()).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(cli(data.path(), &["receipt", "verify", file]).0, 0);
    // Somebody without this deployment, who has its public key only.
    let (_, keys) = service.get("/v1/receipts/keys").await;
    let key = keys[0]["public_key"].as_str().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let verify = ["receipt", "verify", file, "--key", key];
    assert_eq!(
        cli(elsewhere.path(), &verify),
        (0, json!({ "good": true, "fault": null }))
    );
    std::fs::write(
        file,
        receipt
            .to_string()
            .replace("\"calls_redacted\":0", "\"calls_redacted\":1"),
    )
    .unwrap();
    assert_eq!(cli(elsewhere.path(), &verify).0, 1);
    let told = told_after(&service, 4).await;
    let expected = [
        "key user.export done",
        "cli user.export done",
        "key identify identified",
        "cli user.opt_out opted out",
        "key identify inconclusive",
        "key user.opt_out opted in",
        "key identify identified",
        "key user.erase done",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_is_older_than_it_is_kept_goes_while_serving_and_by_command() {
    let data = tempfile::tempdir().unwrap();
    let kept = [("VOXLINE_RETENTION_UNUSED_VOICE_DAYS", "30".to_owned())];
    let service = Service::start_with(data.path(), &kept);
    let alice = service.enrol_alice().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data.path().join("voxline.db"));
    let mut other: sqlx::SqliteConnection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("UPDATE enrollments SET created_at = '2020-01-01T00:00:00.000000Z'")
        .execute(&mut other)
        .await
        .unwrap();
    let (status, retention) = service.get("/v1/retention").await;
    assert_eq!(status, 200);
    assert_eq!(
        (&retention["unused_voice_days"], &retention["audio_days"]),
        (&json!(30), &Value::Null)
    );
    assert_eq!(
        (&retention["due"]["voices"], &retention["last_removed_at"]),
        (&json!(1), &Value::Null)
    );
    let run = |args: &[&str]| {
        let mut command = program(data.path());
        let output = command
            .envs(kept.clone())
            .args(args)
            .arg("--json")
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let doctor = run(&["doctor"]).to_string();
    assert!(
        doctor.contains("unused voices 30 days") && doctor.contains("due: 1 voices"),
        "{doctor}"
    );
    assert_eq!(run(&["retention", "run"])["voices"], json!(1));
    let (_, user) = service.get(&format!("/v1/users/{alice}")).await;
    assert_eq!(user["enrolled"], false);
    let told = told_after(&service, 4).await;
    assert_eq!(told, ["cli enrolment.erase unused", "cli retention.run done"]);
    let (_, retention) = service.get("/v1/retention").await;
    assert_eq!(
        (
            &retention["due"]["voices"],
            retention["last_removed_at"].is_string()
        ),
        (&json!(0), true)
    );
    // The service itself, when it starts.
    let again = service.enrol_alice_again(&alice).await;
    assert_eq!(again, 201);
    sqlx::raw_sql("UPDATE enrollments SET created_at = '2020-01-01T00:00:00.000000Z'")
        .execute(&mut other)
        .await
        .unwrap();
    drop(service);
    let service = Service::start_with(data.path(), &kept);
    for _ in 0..100 {
        if told_after(&service, 0)
            .await
            .iter()
            .any(|told| told == "service retention.run done")
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{:?}", told_after(&service, 0).await);
}

#[tokio::test]
async fn the_audit_log_has_the_senders_address_behind_a_trusted_proxy_alone() {
    let data = tempfile::tempdir().unwrap();
    for (trusted, sender) in [("127.0.0.0/8", "198.51.100.7"), ("10.0.0.0/8", "127.0.0.1")] {
        let settings = [("VOXLINE_TRUSTED_PROXIES", trusted.to_owned())];
        let service = Service::start_with(data.path(), &settings);
        let request = service
            .http
            .post(format!("{}/v1/numbers", service.base))
            .bearer_auth(&service.key)
            .header("x-forwarded-for", "203.0.113.9, 198.51.100.7")
            .json(&json!({ "number": if sender == "127.0.0.1" { "+12025550102" } else { NUMBER } }));
        assert_eq!(request.send().await.unwrap().status(), 201);
        let (_, log) = service.get("/v1/audit?act=number").await;
        assert_eq!(log[0]["address"], sender, "{log}");
    }
}
