//! How long Vapi waits: a deployment of the release program on a store of its own, calls against it, p50 and p99.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peer::{PRIVATE_KEY, PUBLIC_KEY, Peer};

const NUMBER: &str = "+12025550102";
const ALICE: &str = "+12025550103";
const SECRET: &str = "bench";

/// Live calls that are listened to while others ring.
const LIVE: usize = 8;

/// Measures with so many ringing calls.
pub async fn run(calls: usize) {
    let peer = Peer::start().await;
    let data = std::env::temp_dir().join(format!("voxline-bench-vapi-{}", std::process::id()));
    let (mut service, base) = deploy(&data, &peer.address);
    peer.send_to(&format!("{base}/vapi/events"), SECRET);
    println!(
        "{calls} ringing calls one after the other, alone and beside {LIVE} live ones; 2 enrolled users"
    );
    times("assistant-request, quiet", ring(&peer, calls, "quiet").await);
    let live = live_calls(&peer).await;
    times(
        &format!("assistant-request, {LIVE} live calls"),
        ring(&peer, calls, "busy").await,
    );
    let mut named = Vec::new();
    for (call, began) in &live {
        if let Some(at) = told(&peer, call).await {
            named.push((at - *began).as_secs_f64() * 1e3);
        }
    }
    times(
        "answer of the call to `identified` at the control address (12 s recordings at their pace)",
        named,
    );
    times("identify_caller, decided", tools(&peer, &live).await);
    let _ = service.kill();
    let _ = service.wait();
    let _ = std::fs::remove_dir_all(&data);
}

async fn ring(peer: &Peer, calls: usize, name: &str) -> Vec<f64> {
    let mut took = Vec::with_capacity(calls);
    for nth in 0..calls {
        let message = json!({
            "type": "assistant-request", "phoneNumber": {"number": NUMBER}, "customer": {"number": ALICE},
            "call": {"id": format!("{name}-{nth}"), "type": "inboundPhoneCall"},
        });
        match peer.send(&message, true).await {
            Ok((200, answer, ms))
                if answer["assistantOverrides"]["variableValues"]["line_owner_name"] == "Alice" =>
            {
                took.push(ms);
            }
            other => println!("a call was not answered as it should be: {other:?}"),
        }
    }
    took
}

async fn live_calls(peer: &Peer) -> Vec<(String, Instant)> {
    let audio = project("enrollment_samples/calls/alice-1.wav")
        .display()
        .to_string();
    let mut live = Vec::new();
    for nth in 0..LIVE {
        let call = format!("live-{nth}");
        let part = json!({"who": "user", "audio": audio});
        peer.play(&call, &json!({"script": [part.clone(), part]}));
        let message = json!({
            "type": "status-update", "status": "in-progress", "timestamp": nth, "phoneNumber": {"number": NUMBER},
            "call": {"id": call, "monitor": peer.monitor(&call)},
        });
        live.push((call, Instant::now()));
        let _ = peer.send(&message, true).await;
    }
    live
}

/// When a call's model was told who speaks.
async fn told(peer: &Peer, call: &str) -> Option<Instant> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        let times = peer.told_at(call);
        if let Some((at, _)) = times
            .iter()
            .find(|(_, message)| message.to_string().contains("] identified: "))
        {
            return Some(*at);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("{call} was not identified");
    None
}

async fn tools(peer: &Peer, live: &[(String, Instant)]) -> Vec<f64> {
    let mut took = Vec::new();
    for (nth, (call, _)) in live.iter().cycle().take(LIVE * 10).enumerate() {
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

fn times(what: &str, mut took: Vec<f64>) {
    took.sort_by(f64::total_cmp);
    let Some(last) = took.len().checked_sub(1) else {
        println!("{what}: nothing");
        return;
    };
    let at = |share: f64| took[((took.len() as f64 * share) as usize).min(last)];
    println!(
        "{what}: p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms (n = {})",
        at(0.5),
        at(0.99),
        took[last],
        took.len()
    );
}

fn deploy(data: &Path, peer: &str) -> (Child, String) {
    let run = |words: &[&str]| -> Value {
        let done = program(data, peer)
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
    let mut child = program(data, peer)
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
fn program(data: &Path, peer: &str) -> Command {
    let own = std::env::current_exe().expect("this program's path");
    let folder = own.parent().and_then(Path::parent).expect("a folder above");
    let mut command = Command::new(folder.join("voxline"));
    command
        .env_clear()
        .arg("--data-dir")
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
        ]);
    command
}

fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}
