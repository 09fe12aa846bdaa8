//! What the relay costs: the same calls, fifty a second, against a deployment without a backend and one with a backend
//! beside it in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::{ALICE, NUMBER, Percentiles, SECRET, deploy};
use crate::peer::Peer;

/// Between the beginnings of two calls: fifty a second.
const APART: Duration = Duration::from_millis(20);
/// Between two messages of a call.
const PAUSE: Duration = Duration::from_millis(150);
/// Messages of a call that nobody waits for.
const NEWS: usize = 5;
/// Calls before anything is counted.
const WARM_UP: usize = 100;

/// Measures with so many calls in each of `rounds` rounds of both deployments.
pub async fn run(calls: usize, rounds: usize) {
    let (mut backend, url) = backend();
    println!(
        "{calls} calls in each of {rounds} rounds, 50 a second; all processes on this machine; times in ms"
    );
    let settings = [("VOXLINE_VAPI_UPSTREAM_URL", url.as_str())];
    let (mut without, mut with) = (Times::default(), Times::default());
    for _ in 0..rounds {
        without.add(&measure(calls, &[]).await);
        with.add(&measure(calls, &settings).await);
    }
    for (what, alone, beside) in [
        ("assistant-request", &mut without.rings, &mut with.rings),
        ("news, acknowledged", &mut without.news, &mut with.news),
        ("identify_caller", &mut without.tools, &mut with.tools),
    ] {
        let (alone, beside) = (Percentiles::of(alone), Percentiles::of(beside));
        println!(
            "{what}: without {alone}; with {beside}; added p50 {:.1}, p99 {:.1}",
            beside.median - alone.median,
            beside.ninety_ninth - alone.ninety_ninth
        );
    }
    println!(
        "transfer-destination-request, which is theirs alone: {}",
        Percentiles::of(&mut with.transfers)
    );
    let _ = backend.kill();
    let _ = backend.wait();
}

/// Milliseconds by kind of message.
#[derive(Default, Clone)]
struct Times {
    rings: Vec<f64>,
    news: Vec<f64>,
    tools: Vec<f64>,
    transfers: Vec<f64>,
}

impl Times {
    fn add(&mut self, other: &Self) {
        self.rings.extend(&other.rings);
        self.news.extend(&other.news);
        self.tools.extend(&other.tools);
        self.transfers.extend(&other.transfers);
    }
}

/// One deployment, and the calls against it.
async fn measure(calls: usize, settings: &[(&str, &str)]) -> Times {
    let peer = Arc::new(Peer::start().await);
    let data = std::env::temp_dir().join(format!(
        "voxline-bench-relay-{}-{}",
        std::process::id(),
        settings.len()
    ));
    let (mut service, base) = deploy(&data, &peer.address, settings, false);
    peer.send_to(&format!("{base}/vapi/events"), SECRET);
    let times: Arc<Mutex<Times>> = Arc::default();
    let began = Instant::now();
    let mut tasks = Vec::new();
    for nth in 0..calls + WARM_UP {
        let due = began + APART * nth as u32;
        tokio::time::sleep(due.saturating_duration_since(Instant::now())).await;
        let (peer, times) = (Arc::clone(&peer), Arc::clone(&times));
        let relayed = !settings.is_empty();
        tasks.push(tokio::spawn(async move {
            let took = call(&peer, &format!("c-{nth}"), relayed).await;
            if nth >= WARM_UP {
                times.lock().expect("whole times").add(&took);
            }
        }));
    }
    for task in tasks {
        let _ = task.await;
    }
    let _ = service.kill();
    let _ = service.wait();
    let _ = std::fs::remove_dir_all(&data);
    times.lock().expect("whole times").clone()
}

/// One call from its ring to its end.
async fn call(peer: &Peer, id: &str, relayed: bool) -> Times {
    let mut times = Times::default();
    let message = |kind: &str, at: usize| {
        json!({
            "type": kind, "timestamp": at, "phoneNumber": {"number": NUMBER}, "customer": {"number": ALICE},
            "call": {"id": id, "type": "inboundPhoneCall"}, "role": "user", "transcript": "hello", "status": "in-progress",
        })
    };
    let send = async |message: &Value| match peer.send(message, true).await {
        Ok((200, answer, took)) => Some((answer, took)),
        other => {
            println!("a message was not answered as it should be: {other:?}");
            None
        }
    };
    if let Some((answer, took)) = send(&message("assistant-request", 0)).await {
        let named = &answer["assistantOverrides"]["variableValues"]["line_owner_name"];
        if named == "Alice" && (answer["voice"] == "theirs") == relayed {
            times.rings.push(took);
        } else {
            println!("a ring was answered otherwise: {answer}");
        }
    }
    for at in 1..=NEWS {
        tokio::time::sleep(PAUSE).await;
        let kind = if at % 2 == 0 {
            "status-update"
        } else {
            "transcript"
        };
        times
            .news
            .extend(send(&message(kind, at)).await.map(|(_, took)| took));
    }
    if relayed {
        let asked = send(&message("transfer-destination-request", 8)).await;
        times.transfers.extend(asked.map(|(_, took)| took));
    }
    let mut tool = message("tool-calls", 9);
    tool["toolCallList"] = json!([{"id": "t-1", "function": {"name": "identify_caller", "arguments": {}}}]);
    times.tools.extend(send(&tool).await.map(|(_, took)| took));
    let mut end = message("status-update", 10);
    end["status"] = json!("ended");
    times.news.extend(send(&end).await.map(|(_, took)| took));
    times
}

/// The backend, this same program in another process, which answers rings with something of its own.
fn backend() -> (Child, String) {
    let own = std::env::current_exe().expect("this program's path");
    let mut child = Command::new(own)
        .arg("backend")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let answer = json!({
        "do": "answer", "type": "assistant-request", "body": {"assistantId": "a-1", "voice": "theirs"},
    });
    let stdin = child.stdin.as_mut().expect("its stdin");
    std::io::Write::write_all(stdin, format!("{answer}\n").as_bytes()).expect("it listens");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("its stdout"));
    out.read_line(&mut line).expect("it says where it is");
    let ready: Value = serde_json::from_str(&line).expect("JSON");
    let address = ready["address"].as_str().expect("an address").to_owned();
    // What it says from now on is read by nobody; it says little.
    std::thread::spawn(move || for _ in out.lines() {});
    (child, format!("{address}/vapi"))
}
