//! What `serve` says whatever is asked of its log, and how often it may say one thing.

use serde_json::Value;

use crate::process::{Logged, program};

#[test]
fn why_a_service_does_not_start_is_a_document_of_its_log_in_json() {
    let data = tempfile::tempdir().unwrap();
    // Whatever is asked of the log; the last is no level at all.
    for (asked, named) in [
        ("info", "VOXLINE_LISTEM"),
        ("off", "VOXLINE_LISTEM"),
        ("voxline::vapi=debug", "VOXLINE_LISTEM"),
        ("voxline=loud", "RUST_LOG"),
    ] {
        let mut serve = program(data.path());
        serve.env("LOG_FORMAT", "json").env("RUST_LOG", asked);
        let refused = serve.env("VOXLINE_LISTEM", "1").arg("serve").output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{asked}");
        let written = String::from_utf8(refused.stderr).unwrap();
        let lines = written
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let all: Vec<Value> = lines.collect();
        assert_eq!(all.len(), 1, "{asked}: {written}");
        assert_eq!(all[0]["level"], "ERROR");
        let why = all[0]["fields"]["message"].as_str().unwrap();
        assert!(why.contains(named), "{asked}: {why}");
    }
}

#[tokio::test]
async fn where_a_service_listens_is_said_whatever_is_asked_of_its_log() {
    for asked in ["warn", "off"] {
        let data = tempfile::tempdir().unwrap();
        let log = [("RUST_LOG", asked), ("LOG_FORMAT", "json")];
        // Starting waits for the address.
        let written = Logged::start(data.path(), &log).await.end();
        for line in written.lines() {
            let document: Value = serde_json::from_str(line).unwrap();
            assert!(document["fields"]["message"].is_string(), "{line}");
        }
        assert!(written.contains("there is no API key yet"), "{written}");
    }
}

#[tokio::test]
async fn one_place_warns_sixty_times_a_minute_and_the_service_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let logged = Logged::start(data.path(), &[("RUST_LOG", "info")]).await;
    let (client, address) = (crate::support::http(), format!("{}/vapi/events", logged.base));
    for _ in 0..200 {
        let answer = client.post(&address).body("{}").send().await.unwrap();
        assert_eq!(answer.status(), 401);
    }
    let written = logged.end();
    let warned = |line: &&str| line.contains("a request to /vapi/events was refused");
    let lines = written.lines().filter(warned).count();
    // A minute may end meanwhile.
    assert!((60..=120).contains(&lines), "{lines}");
}
