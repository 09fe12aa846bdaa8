//! People and numbers, Accuracy and Set-up of the console: `tests/browser/console_people.py`.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use voxline::store::{CallRecord, Store};

use super::{Browser, NUMBER, TestDeployment};
use crate::process::{CONSENT, program};
use crate::support::{clip, project};

impl TestDeployment {
    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    async fn person(&self, name: &str) -> String {
        let user = json!({ "name": name, "number": NUMBER });
        let user = self.service.post("/v1/users", &user).await;
        user["id"].as_str().unwrap().to_owned()
    }

    /// A person with a voice of the samples, whoever else has it.
    async fn person_with_voice(&self, name: &str, folder: &str) {
        let user = json!({ "name": name, "number": NUMBER });
        let texts = [CONSENT, ("allow_duplicate", "true")];
        self.service.enrol(&user, folder, &texts).await;
    }

    /// The report of the benchmark on the shipped samples, where the console looks for it.
    fn report(&self) {
        let measured = program(&self.data())
            .current_dir(project(""))
            .args([
                "bench",
                "--no-cache",
                "--no-leakage",
                "--replicates",
                "50",
                "--protocol",
            ])
            .args(["enrollment_samples/protocol", "--out"])
            .arg(self.data().join("accuracy/samples"))
            .output()
            .unwrap();
        assert!(
            measured.status.success(),
            "{}",
            String::from_utf8_lossy(&measured.stderr)
        );
    }

    /// Ten weeks of calls; after the first four, their ratios are lower.
    async fn calls_of_weeks(&self) {
        let store = Store::open(&self.data().join("voxline.db")).await.unwrap();
        let begin = OffsetDateTime::now_utc() - Duration::days(70);
        for at in 0..420_i64 {
            let llr = (at % 20) as f64 / 4.0 - if at >= 168 { 2.0 } else { 0.0 };
            let started_at = begin + Duration::hours(4 * at);
            let record = CallRecord {
                call_id: format!("call-{at}").parse().unwrap(),
                number: NUMBER.parse().unwrap(),
                started_at,
                updated_at: started_at + Duration::MINUTE,
                version: 1,
                is_final: true,
                verdict: json!({ "outcome": if at % 3 == 0 { "unknown" } else { "identified" }, "llr": llr }),
                evidence: None,
            };
            assert!(store.put_verdict(&record).await.unwrap());
        }
    }

    async fn course(&self, browser: &Browser, course: &str, key: &str, microphone: Option<&Path>) -> Value {
        let mut command: Command = browser.command("console_people.py", course, &self.service.base);
        command.env("VOXLINE_KEY", key);
        if let Some(file) = microphone {
            command.arg("--microphone").arg(file);
        }
        Browser::goes(course, command).await
    }
}

#[tokio::test]
async fn a_user_is_found_invited_and_erased_with_a_receipt() {
    let Some(browser) = Browser::find() else { return };
    let deployment = TestDeployment::build().await;
    deployment.person_with_voice("Alice", "alice").await;
    deployment.person_with_voice("Aliénor Twin", "alice").await;
    deployment.person("Carol").await;
    deployment
        .course(&browser, "people", &deployment.service.key, None)
        .await;
    let (_, left) = deployment.service.get("/v1/users?number=%2B12025550101").await;
    assert_eq!(left.as_array().unwrap().len(), 2, "{left}");
    deployment
        .course(&browser, "import", &deployment.service.key, None)
        .await;
}

#[tokio::test]
async fn the_picker_changes_the_figures_and_drift_is_said_in_a_sentence() {
    let Some(browser) = Browser::find() else { return };
    let deployment = TestDeployment::build().await;
    deployment.report();
    deployment.calls_of_weeks().await;
    deployment
        .course(&browser, "accuracy", &deployment.service.key, None)
        .await;
}

#[tokio::test]
async fn the_set_up_shows_what_is_done_and_the_microphone_is_known() {
    let Some(browser) = Browser::find() else { return };
    let deployment = TestDeployment::build().await;
    deployment.person_with_voice("Alice", "alice").await;
    deployment.person_with_voice("Robert", "robert").await;
    // Not what she enrolled with, which would be a recording that is played.
    let microphone = deployment.microphone("alice", &clip("enrollment_samples/calls/alice-1.wav"));
    let key = &deployment.service.key;
    deployment.course(&browser, "setup", key, Some(&microphone)).await;
}

#[tokio::test]
async fn a_key_that_may_not_see_people_is_told_so_in_words() {
    let Some(browser) = Browser::find() else { return };
    let deployment = TestDeployment::build().await;
    deployment.calls_of_weeks().await;
    let made = program(&deployment.data())
        .args(["keys", "create", "--scope", "identify", "--json"])
        .output()
        .unwrap();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    deployment
        .course(&browser, "scopes", made["key"].as_str().unwrap(), None)
        .await;
}
