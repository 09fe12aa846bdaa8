//! Processes that are driven by JSON lines on stdin and answer each with one on stdout.

use std::io::{BufRead, Write};

use serde_json::Value;

/// Answers each line on stdin with what `act` makes of it, to their end; what is no JSON is passed over.
pub async fn follow_stdin(mut act: impl AsyncFnMut(Value) -> Value) {
    let (lines, mut next) = tokio::sync::mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = next.recv().await {
        if let Ok(line) = serde_json::from_str(&line) {
            say(&act(line).await);
        }
    }
}

/// Writes one line.
pub fn say(answer: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{answer}");
    let _ = out.flush();
}
