//! How long people wait: a deployment of the release program on a store of its own, calls against it, at their pace.
//!
//! Three things an operator asks. How long does a ringing call wait for its answer, when nothing else goes on and
//! while so many calls are listened to? How long after their first word has a caller's name reached the model? How
//! long does the model wait for `identify_caller` once it has?

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peer::{PRIVATE_KEY, PUBLIC_KEY, Peer};

/// The number on Vapi that is called.
pub const NUMBER: &str = "+12025550102";
/// The telephone of the user who calls.
pub const ALICE: &str = "+12025550103";
/// What requests are authenticated by, as `vapi.secret`.
pub const SECRET: &str = "bench";

/// The pause between the beginnings of two live calls: calls do not begin together.
const APART: Duration = Duration::from_millis(170);
/// The pause between two ringing calls beside live ones.
const RINGS_APART: Duration = Duration::from_millis(50);
/// The longest a round may take; its calls last a quarter of a minute.
const LONGEST: Duration = Duration::from_secs(120);
/// How often each live call's model asks who speaks.
const ASKED: usize = 10;

/// Measures with `calls` ringing calls, and with `live` live calls in each of `rounds` rounds.
pub async fn run(calls: usize, live: usize, rounds: usize) {
    let peer = Peer::start().await;
    let data = std::env::temp_dir().join(format!("voxline-bench-vapi-{}", std::process::id()));
    let (mut service, base) = deploy(&data, &peer.address, &[], true);
    peer.send_to(&format!("{base}/vapi/events"), SECRET);
    println!("a stand-in for Vapi on this machine, which works too; 2 enrolled users; times in ms");
    let mut quiet = Vec::new();
    for nth in 0..calls {
        quiet.extend(ring(&peer, &format!("quiet-{nth}")).await);
    }
    times("assistant-request, nothing else going on", quiet);
    let mut heard = Heard::default();
    for round in 0..rounds {
        heard.round(&peer, round, live).await;
    }
    times(
        &format!("assistant-request while {live} calls are listened to"),
        heard.ringing,
    );
    times(
        "the caller's first word to `identified` at the control address (most of it is speech that is needed)",
        heard.named,
    );
    times("identify_caller, once that is known", heard.asked);
    println!(
        "{} of {} live calls were identified before they ended",
        heard.known,
        live * rounds
    );
    let _ = service.kill();
    let _ = service.wait();
    let _ = std::fs::remove_dir_all(&data);
}

/// What the rounds brought, in milliseconds.
#[derive(Default)]
struct Heard {
    ringing: Vec<f64>,
    named: Vec<f64>,
    asked: Vec<f64>,
    known: usize,
}

impl Heard {
    /// One round: live calls from their beginnings to their ends, and ringing ones all the while.
    async fn round(&mut self, peer: &Peer, round: usize, live: usize) {
        let began = Instant::now();
        let mut calls: Vec<String> = Vec::new();
        let mut rings = 0;
        while began.elapsed() < LONGEST {
            if calls.len() < live && began.elapsed() >= APART * calls.len() as u32 {
                let call = format!("live-{round}-{}", calls.len());
                begin(peer, &call).await;
                calls.push(call);
            } else if calls.iter().all(|call| peer.done(call)) {
                break;
            }
            self.ringing
                .extend(ring(peer, &format!("busy-{round}-{rings}")).await);
            rings += 1;
            tokio::time::sleep(RINGS_APART).await;
        }
        for call in &calls {
            let times = peer.told_at(call);
            let named = times
                .iter()
                .find(|(_, message)| message.to_string().contains("] identified: "));
            if let (Some((at, _)), Some(spoke)) = (named, peer.spoke_at(call)) {
                self.known += 1;
                self.named.push((*at - spoke).as_secs_f64() * 1e3);
                self.asked.extend(asked(peer, call).await);
            }
            let ended =
                json!({"type": "status-update", "status": "ended", "timestamp": 9, "call": {"id": call}});
            let _ = peer.send(&ended, true).await;
        }
    }
}

/// A call of Alice's rings; how long the answer took, if it was the right one.
async fn ring(peer: &Peer, call: &str) -> Option<f64> {
    let message = json!({
        "type": "assistant-request", "phoneNumber": {"number": NUMBER}, "customer": {"number": ALICE},
        "call": {"id": call, "type": "inboundPhoneCall"},
    });
    match peer.send(&message, true).await {
        Ok((200, answer, ms))
            if answer["assistantOverrides"]["variableValues"]["line_owner_name"] == "Alice" =>
        {
            Some(ms)
        }
        other => {
            println!("a call was not answered as it should be: {other:?}");
            None
        }
    }
}

/// A call of Alice's is answered, and she speaks at once.
async fn begin(peer: &Peer, call: &str) {
    let part = |name: &str| {
        let path = project(&format!("enrollment_samples/calls/{name}.wav"));
        json!({"who": "user", "audio": path.display().to_string()})
    };
    peer.play(call, &json!({"script": [part("alice-1"), part("alice-2")]}));
    let message = json!({
        "type": "status-update", "status": "in-progress", "timestamp": 2, "phoneNumber": {"number": NUMBER},
        "call": {"id": call, "monitor": peer.monitor(call)},
    });
    let _ = peer.send(&message, true).await;
}

async fn asked(peer: &Peer, call: &str) -> Vec<f64> {
    let mut took = Vec::new();
    for nth in 0..ASKED {
        let message = json!({
            "type": "tool-calls", "phoneNumber": {"number": NUMBER}, "call": {"id": call},
            "toolCallList": [{"id": format!("t-{nth}"), "function": {"name": "identify_caller", "arguments": {}}}],
        });
        if let Ok((200, _, ms)) = peer.send(&message, true).await {
            took.push(ms);
        }
    }
    took
}

/// Nearest-rank percentiles of some times in milliseconds.
pub struct Percentiles {
    pub median: f64,
    ninetieth: f64,
    pub ninety_ninth: f64,
    worst: f64,
    count: usize,
}

impl Percentiles {
    pub fn of(took: &mut [f64]) -> Self {
        took.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (took.len() * percent).div_ceil(100).saturating_sub(1);
            took.get(rank).copied().unwrap_or(f64::NAN)
        };
        Self {
            median: at(50),
            ninetieth: at(90),
            ninety_ninth: at(99),
            worst: at(100),
            count: took.len(),
        }
    }
}

/// Of fewer than a hundred there is no 99th.
impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, high) = match self.count {
            0 => return f.write_str("nothing"),
            100.. => (99, self.ninety_ninth),
            _ => (90, self.ninetieth),
        };
        let Self {
            median, worst, count, ..
        } = self;
        write!(
            f,
            "p50 {median:.1}, p{percent} {high:.1}, worst {worst:.1} (n = {count})"
        )
    }
}

fn times(what: &str, mut took: Vec<f64>) {
    println!("{what}: {}", Percentiles::of(&mut took));
}

/// A deployment with two users, enrolled or not, and these settings besides: the service and its address.
pub fn deploy(data: &Path, peer: &str, settings: &[(&str, &str)], enrolled: bool) -> (Child, String) {
    let run = |words: &[&str]| -> Value {
        let done = program(data, peer, settings)
            .args(words)
            .arg("--json")
            .output()
            .expect("the program");
        serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|_| panic!("{words:?}: {}", String::from_utf8_lossy(&done.stderr)))
    };
    run(&["number", "add", NUMBER]);
    for (name, phone) in [("Alice", ALICE), ("Robert", "+12025550104")] {
        let added = run(&[
            "user", "add", "--name", name, "--number", NUMBER, "--phone", phone,
        ]);
        if !enrolled {
            continue;
        }
        let id = added["id"].as_str().expect("an id").to_owned();
        let clips: Vec<String> = (1..=3)
            .map(|clip| {
                project(&format!(
                    "enrollment_samples/signup/{}/{clip}.flac",
                    name.to_lowercase()
                ))
            })
            .map(|path| path.display().to_string())
            .collect();
        let mut words = vec!["enroll", "--user", &id, "--consent", "I agree"];
        words.extend(clips.iter().map(String::as_str));
        run(&words);
    }
    let mut child = program(data, peer, settings)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let lines = BufReader::new(child.stderr.take().expect("its stderr")).lines();
    let (found, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("listening on ") {
                let _ = found.send(address.trim().to_owned());
            }
        }
    });
    let base = wait
        .recv_timeout(Duration::from_secs(60))
        .expect("the service did not listen");
    (child, base)
}

/// The program beside this one: `target/release/voxline` for `target/release/examples/vapi_peer`.
fn program(data: &Path, peer: &str, settings: &[(&str, &str)]) -> Command {
    let own = std::env::current_exe().expect("this program's path");
    let folder = own.parent().and_then(Path::parent).expect("a folder above");
    let mut command = Command::new(folder.join("voxline"));
    command
        .env_clear()
        // An empty configuration in place of a `voxline.toml` here, which may name a store.
        .args(["--config", "/dev/null", "--data-dir"])
        .arg(data)
        .current_dir(project("."))
        .envs([
            ("VOXLINE_VAPI_AUTH", "hmac"),
            ("VOXLINE_VAPI_SECRET", SECRET),
            ("VOXLINE_VAPI_ASSISTANT_ID", "a-1"),
            ("VOXLINE_VAPI_PLAIN_HOSTS", "127.0.0.1"),
            ("VOXLINE_VAPI_API_KEY", PRIVATE_KEY),
            ("VOXLINE_VAPI_PUBLIC_KEY", PUBLIC_KEY),
            ("VOXLINE_VAPI_API_URL", peer),
        ])
        .envs(settings.iter().copied());
    command
}

fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}
