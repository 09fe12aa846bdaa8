//! The console: `tests/browser/console.py`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Browser, NUMBER, TestDeployment};
use crate::process::{CONSENT, program};

/// How long the browser may take until it watches.
const PATIENCE: Duration = Duration::from_secs(90);

impl TestDeployment {
    /// A new user whose voice is enrolled.
    async fn enrolled(&self, name: &str) {
        let user = json!({ "name": name, "number": NUMBER });
        let voice = name.to_lowercase();
        self.service.enrol(&user, &voice, &[CONSENT]).await;
    }

    fn console(&self, browser: &Browser, course: &str, key: &str) -> Command {
        let link = format!("{}/console/calls", self.service.base);
        let mut command = browser.command("console.py", course, &link);
        command.env("VOXLINE_KEY", key);
        command
    }
}

/// Waits until the browser says that it watches.
async fn watched(ready: &Path) {
    let began = tokio::time::Instant::now();
    while !ready.exists() && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_call_appears_forms_its_verdict_and_is_found_without_a_reload() {
    let Some(browser) = Browser::find() else { return };
    let deployment = TestDeployment::build().await;
    deployment.enrolled("Alice").await;
    deployment.enrolled("Robert").await;
    let other = json!({ "name": "Robert", "number": NUMBER });
    deployment.service.post("/v1/users", &other).await;
    let ready = deployment.folder.path().join("ready");
    let mut command = deployment.console(&browser, "live", &deployment.service.key);
    command.args(["--call", "CA-alice-1", "--ready"]).arg(&ready);
    let call = async {
        watched(&ready).await;
        deployment
            .call_paced("CA-alice-1", "alice-1", Duration::from_millis(100))
            .await
    };
    let (measured, said) = tokio::join!(Browser::goes("live", command), call);
    assert_eq!(said["outcome"], "identified", "{said}");
    assert!(
        measured["bytes"].as_u64().is_some_and(|bytes| bytes < 100_000),
        "{measured}"
    );
}

#[tokio::test]
async fn a_key_that_may_not_see_calls_is_told_so_in_words() {
    let Some(browser) = Browser::find() else { return };
    let deployment = TestDeployment::build().await;
    let made = program(&deployment.folder.path().join("data"))
        .args(["keys", "create", "--scope", "enroll", "--json"])
        .output()
        .unwrap();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let command = deployment.console(&browser, "scopes", made["key"].as_str().unwrap());
    Browser::goes("scopes", command).await;
}
