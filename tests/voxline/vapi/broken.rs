//! What is broken is broken alone: a database that hangs, one that fails, a model that does not answer.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::harness::{ALICE, NUMBER, ROBERT, STRANGER, TestDeployment, script, silent};
use crate::support;

/// Another process that lets nobody read the database: it holds the bytes of the `-shm` file by which readers and
/// writers are admitted (120 to 127: SQLite's "WAL-mode File Format", section 2.1).
struct Lockout(Child);

impl Lockout {
    fn of(deployment: &TestDeployment) -> Self {
        let program = "import fcntl, sys\n\
                       file = open(sys.argv[1], 'r+b')\n\
                       fcntl.lockf(file, fcntl.LOCK_EX, 8, 120)\n\
                       print('held', flush=True)\n\
                       sys.stdin.read()";
        let mut child = Command::new("python3")
            .args(["-c", program])
            .arg(deployment.data.path().join("voxline.db-shm"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need python3");
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut said).unwrap();
        assert_eq!(said, "held\n");
        Self(child)
    }
}

impl Drop for Lockout {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The database's files as they were, to be spoilt and put back in place under the running service.
struct Files(Vec<(PathBuf, Vec<u8>)>);

impl Files {
    fn of(deployment: &TestDeployment) -> Self {
        let files = ["voxline.db", "voxline.db-wal", "voxline.db-shm"].map(|name| {
            let path = deployment.data.path().join(name);
            let bytes = std::fs::read(&path).unwrap();
            (path, bytes)
        });
        Self(files.into())
    }

    fn spoil(&self) {
        self.write(|bytes| vec![0xA5; bytes.len()]);
    }

    fn put_back(&self) {
        self.write(<[u8]>::to_vec);
    }

    /// Never shorter: the service has mapped one of them.
    fn write(&self, content: impl Fn(&[u8]) -> Vec<u8>) {
        for (path, bytes) in &self.0 {
            let mut file = OpenOptions::new().write(true).open(path).unwrap();
            file.write_all(&content(bytes)).unwrap();
        }
    }
}

/// The call was given to the fallback, which was told nothing.
fn taken_by_the_fallback(answer: &Value) {
    assert_eq!(answer["assistantId"], "a-fallback", "{answer}");
    let variables = &answer["assistantOverrides"]["variableValues"];
    assert_eq!(variables["identity_status"], "unknown", "{answer}");
    for name in ["line_owner_id", "line_owner_name", "speaker_id", "speaker_name"] {
        assert_eq!(variables[name], "", "{answer}");
    }
}

/// What came while nothing could be read is weighed as if it had come now, and the next call is as any other.
async fn all_is_well_again(deployment: &mut TestDeployment, call: &str) {
    let told = deployment.told(call, "that of Alice");
    assert!(told.iter().all(|said| !said.contains("Robert")), "{told:?}");
    let next = deployment.ring("c-next", ALICE.0);
    assert_eq!(next["assistantId"], "a-1", "{next}");
    let variables = &next["assistantOverrides"]["variableValues"];
    assert_eq!(variables["line_owner_name"], "Alice", "{next}");
    deployment.end(call);
    let last = deployment.last_word(call).await;
    assert_eq!(
        last["verdict"]["line_owner"]["user_id"], deployment.alice,
        "{last}"
    );
}

fn headers() -> Value {
    json!({"Diversion": format!("<sip:{}@h>;reason=unconditional", ALICE.0)})
}

#[tokio::test]
async fn a_database_that_hangs_costs_the_identity_and_not_the_call() {
    // The usual budget; and headers are believed, so that one is enough for the owner.
    let settings = [
        ("VOXLINE_VAPI_ANSWER_BUDGET_SECONDS", ""),
        ("VOXLINE_VAPI_TRUST_FORWARDED", "always"),
    ];
    let mut deployment = TestDeployment::open_with(&settings, false);
    let lockout = Lockout::of(&deployment);
    // Both answers come while the lock is held, so neither waited for it.
    taken_by_the_fallback(&deployment.ring("c-hung", STRANGER));
    deployment.answer("c-hung", silent(), headers());
    let metrics = deployment.metrics().await;
    // It was the budget that ended the wait: SQLite itself would have gone on waiting.
    assert!(metrics.contains("voxline_vapi_late_answers_total 1"), "{metrics}");
    assert!(deployment.told_so_far("c-hung").is_empty());
    drop(lockout);
    all_is_well_again(&mut deployment, "c-hung").await;
}

#[tokio::test]
async fn while_the_database_hangs_a_number_keeps_its_own_assistant() {
    let settings = [
        ("VOXLINE_VAPI_ANSWER_BUDGET_SECONDS", ""),
        ("VOXLINE_VAPI_FALLBACK_ASSISTANT_ID", ""),
        ("VOXLINE_VAPI_ASSISTANTS", "+12025550102=a-2"),
    ];
    let mut deployment = TestDeployment::open_with(&settings, false);
    let entry = json!({"id": "pn-1", "provider": "vapi", "number": NUMBER});
    deployment.peer.shelve("phone-number", entry);
    let lockout = Lockout::of(&deployment);
    // The number itself, and its id alone, which Vapi's API knows.
    for (call, number) in [
        ("c-named", json!({"number": NUMBER})),
        ("c-by-id", json!({"id": "pn-1"})),
    ] {
        let answer = deployment.send(json!({
            "type": "assistant-request", "timestamp": 1, "phoneNumber": number, "customer": {"number": STRANGER},
            "call": {"id": call, "type": "inboundPhoneCall", "status": "ringing"},
        }));
        assert_eq!(answer["assistantId"], "a-2", "{call}: {answer}");
    }
    let metrics = deployment.metrics().await;
    assert!(metrics.contains("voxline_vapi_late_answers_total 2"), "{metrics}");
    drop(lockout);
}

#[tokio::test]
async fn a_database_that_fails_costs_the_identity_and_not_the_call() {
    let mut deployment = TestDeployment::open_with(&[("VOXLINE_VAPI_TRUST_FORWARDED", "always")], false);
    let files = Files::of(&deployment);
    files.spoil();
    taken_by_the_fallback(&deployment.ring("c-failed", STRANGER));
    deployment.answer("c-failed", silent(), headers());
    let pin = deployment.tool("c-failed", "t-1", "verify_pin", json!({"pin": ALICE.1}));
    assert!(!pin.contains("verified"), "{pin}");
    let ready = support::http()
        .get(format!("{}/readyz", deployment.base))
        .send()
        .await
        .unwrap();
    assert_eq!(ready.status(), 503);
    files.put_back();
    all_is_well_again(&mut deployment, "c-failed").await;
}

/// Versions of a call's verdict: each with whom it takes for the line's owner, and its evidence's kinds.
fn words(versions: &Value) -> Vec<(u64, Value, Vec<String>)> {
    let word = |version: &Value| {
        let verdict = &version["verdict"];
        let kinds = verdict["evidence"].as_array().unwrap().iter();
        (
            version["version"].as_u64().unwrap(),
            verdict["line_owner"]["user_id"].clone(),
            kinds
                .map(|item| item["kind"].as_str().unwrap().to_owned())
                .collect(),
        )
    };
    versions.as_array().unwrap().iter().map(word).collect()
}

#[tokio::test]
async fn a_stuck_writer_costs_neither_call_nor_identity_nor_record() {
    // SQLite would wait for ten seconds: longer than the budget, however slow the machine.
    let settings = [
        ("VOXLINE_VAPI_ANSWER_BUDGET_SECONDS", "7"),
        ("VOXLINE_VAPI_TRUST_FORWARDED", "always"),
    ];
    let mut deployment = TestDeployment::open_with(&settings, false);
    let path = deployment.data.path().join("voxline.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut lock = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
    // More calls than the store has connections: none takes from another what it reads by.
    let calls: Vec<String> = (0..6).map(|nth| format!("c-unwritten-{nth}")).collect();
    for call in &calls {
        let answer = deployment.ring(call, ALICE.0);
        assert_eq!(answer["assistantId"], "a-1", "{answer}");
        let variables = &answer["assistantOverrides"]["variableValues"];
        assert_eq!(variables["line_owner_name"], "Alice", "{answer}");
    }
    // Other news of the first: Robert's telephone forwarded it.
    let forwarded = json!({"Diversion": format!("<sip:{}@h>;reason=unconditional", ROBERT.0)});
    deployment.answer("c-unwritten-0", silent(), forwarded);
    let mut meanwhile = json!([]);
    for _ in 0..1_200 {
        meanwhile = deployment.get("/v1/calls/c-unwritten-0/verdicts").await;
        if words(&meanwhile)
            .last()
            .is_some_and(|(_, _, kinds)| kinds.iter().any(|kind| kind == "diversion"))
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let said = words(&meanwhile);
    assert!(said.len() >= 2 && said[0].1 == deployment.alice, "{meanwhile}");
    let shown = deployment.call("c-unwritten-0").await;
    assert_eq!(
        shown["version"],
        said.last().unwrap().0,
        "nothing older is shown than was given out"
    );
    assert_eq!(
        deployment.calls().await,
        Vec::<Value>::new(),
        "and nothing is recorded yet"
    );

    sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
    for call in &calls {
        deployment.end(call);
    }
    // Lists show what is recorded.
    let is_over = |listed: &[Value]| listed.iter().filter(|call| call["final"] == true).count();
    let mut listed = Vec::new();
    for _ in 0..1_200 {
        listed = deployment.calls().await;
        if is_over(&listed) == calls.len() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(is_over(&listed), calls.len(), "{listed:?}");
    let recorded = deployment.get("/v1/calls/c-unwritten-0/verdicts").await;
    let recorded = words(&recorded);
    assert_eq!(recorded[..said.len()], said[..], "complete, and in order");
    assert!(
        recorded.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "{recorded:?}"
    );
}

/// A folder of models with `slow` in it: a graph with the ports of the shipped model whose run takes hours.
fn slow_model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let models = support::link_models(folder.path());
    let slow = models.join("slow");
    std::fs::create_dir(&slow).unwrap();
    let graph = support::read("tests/data/graphs/slow.onnx");
    std::fs::write(slow.join("slow.onnx"), &graph).unwrap();
    let theirs = support::read("models/voxline-phone-2/voxline-phone-2.onnx");
    for name in ["card.toml", "calibration.toml"] {
        let text = std::fs::read_to_string(support::project("models/voxline-phone-2").join(name)).unwrap();
        let text = text
            .replace(&support::sha256(&theirs), &support::sha256(&graph))
            .replace("\"voxline-phone-2\"", "\"slow\"")
            .replace("voxline-phone-2.onnx", "slow.onnx");
        std::fs::write(slow.join(name), text).unwrap();
    }
    folder
}

#[tokio::test]
async fn a_model_that_does_not_answer_costs_the_voice_and_nothing_else() {
    let folder = slow_model();
    let models = folder.path().join("models").display().to_string();
    let settings = [
        ("VOXLINE_MODELS_DIR", models.as_str()),
        ("VOXLINE_MODEL", "slow"),
        ("VOXLINE_INFERENCE_THREADS", "1"),
        ("VOXLINE_VAPI_TOOL_SECONDS", "1"),
    ];
    let mut deployment = TestDeployment::open_with(&settings, false);
    // The one thread is taken: a recording that was uploaded is not answered as long as this test lasts.
    let upload = tokio::spawn(deployment.identify("enrollment_samples/calls/alice-1.wav"));
    deployment.ring("c-first", ALICE.0);
    let play = json!({"script": script(&[("assistant", "robert-1"), ("user", "alice-1")]), "speed": 3.0});
    deployment.answer("c-first", play, json!({}));
    deployment.played("c-first");
    // Everything that needs no voice goes on: the call's, another's, the tools, and what is told.
    let answer = deployment.ring("c-second", ALICE.0);
    assert_eq!(answer["assistantId"], "a-1");
    assert_eq!(
        answer["assistantOverrides"]["variableValues"]["line_owner_name"],
        "Alice"
    );
    let said = deployment.tool("c-first", "t-1", "identify_caller", json!({}));
    assert!(
        said.contains("claimed: ") && !said.contains("] identified: "),
        "{said}"
    );
    let pin = deployment.tool("c-first", "t-2", "verify_pin", json!({"pin": ALICE.1}));
    assert!(pin.contains("verified: "), "{pin}");
    deployment.told("c-first", "] claimed: ");
    deployment.end("c-first");
    let last = deployment.last_word("c-first").await;
    assert_eq!(last["verdict"]["outcome"], "inconclusive", "{last}");
    assert_eq!(
        last["verdict"]["line_owner"]["user_id"], deployment.alice,
        "{last}"
    );
    assert!(!upload.is_finished(), "the model was not slow: nothing was shown");
    upload.abort();
    deployment.stop();
}
