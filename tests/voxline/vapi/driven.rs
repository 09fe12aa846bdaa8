//! Processes that the tests drive by JSON lines: the peer, and a customer's backend.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// The peer's process.
pub struct PeerProcess {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<Value>,
    pub address: String,
}

impl PeerProcess {
    pub fn start() -> Self {
        Self::start_as(
            "vapi::peer_process",
            &[("VOXLINE_TEST_VAPI_PEER", "1".to_owned())],
        )
    }

    /// A test of this binary as a process of its own, told by these variables that it is meant.
    pub fn start_as(test: &str, environment: &[(&str, String)]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--ignored", "--nocapture"])
            .envs(environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (found, answers) = channel();
        std::thread::spawn(move || {
            // The test runner's own lines are no JSON.
            for line in lines.map_while(Result::ok) {
                let object = line
                    .find('{')
                    .and_then(|at| serde_json::from_str(&line[at..]).ok());
                if let Some(answer) = object
                    && found.send(answer).is_err()
                {
                    return;
                }
            }
        });
        let stdin = child.stdin.take().unwrap();
        let ready: Value = answers
            .recv_timeout(Duration::from_secs(60))
            .expect("the peer did not start");
        Self {
            child,
            stdin,
            answers,
            address: ready["address"].as_str().unwrap().to_owned(),
        }
    }

    /// Has the peer do something, and what it answers.
    pub fn ask(&mut self, line: &Value) -> Value {
        writeln!(self.stdin, "{line}").unwrap();
        let answer = self.answers.recv_timeout(Duration::from_secs(120));
        answer.unwrap_or_else(|fault| panic!("{fault}: {line}"))
    }

    /// Puts something into the peer's account.
    pub fn shelve(&mut self, shelf: &str, entry: Value) {
        self.ask(&json!({"do": "shelve", "shelf": shelf, "entry": entry}));
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
