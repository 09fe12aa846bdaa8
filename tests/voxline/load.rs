//! `voxline load`: the real program against a service of its own.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::support;

#[path = "../../examples/demo/alone.rs"]
mod alone;

/// What a stand-in does with a request.
enum Answer {
    /// Answers with this status.
    Status(u16),
    /// Hangs up.
    Nothing,
    /// Lets the client wait.
    Hold,
}

/// A service that does with each request, by its method and path, what `does` says; its address, and the requests.
fn stand_in(mut does: impl FnMut(&str) -> Answer + Send + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (asked, seen) = channel();
    std::thread::spawn(move || {
        let (mut users, mut held) = (0, Vec::new());
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = request(&stream);
            let answer = does(&request);
            users += usize::from(request == "POST /v1/users");
            if asked.send(request).is_err() {
                return;
            }
            let status = match answer {
                Answer::Status(status) => status,
                Answer::Nothing => continue,
                Answer::Hold => {
                    held.push(stream);
                    continue;
                }
            };
            let body = format!(r#"{{"id":"u-{users}","accepted":true}}"#);
            let length = body.len();
            let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\nconnection: close");
            // Who hung up meanwhile is not answered.
            let _ = write!(stream, "{head}\r\n\r\n{body}");
        }
    });
    (base, seen)
}

/// Reads a request to its end; its method and path.
fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
    let words: Vec<&str> = first.split(' ').take(2).collect();
    words.join(" ")
}

/// A load test of a service that runs already.
fn of_server(base: &str, calls: &str) -> Command {
    let mut command = Command::new(crate::support::binary());
    command.current_dir(support::project(".")).env_clear();
    command.args(["--config", "/dev/null"]);
    let typed = "load --seconds 1 --ramp 0 --numbers 1 --keys k --json --server";
    command.args(typed.split(' ')).args([base, "--calls", calls]);
    command
}

/// How often users were added, and which were asked to be removed.
fn users(seen: &Receiver<String>) -> (usize, Vec<String>) {
    let asked: Vec<String> = seen.try_iter().collect();
    let added = asked.iter().filter(|request| *request == "POST /v1/users");
    let removed = asked
        .iter()
        .filter_map(|request| request.strip_prefix("DELETE /v1/users/"));
    (added.count(), removed.map(str::to_owned).collect())
}

#[test]
fn a_service_that_gives_out_leaves_the_figures_of_the_steps_before() {
    let (mut streams, mut removals) = (0, 0);
    let (base, seen) = stand_in(move |request| {
        streams += usize::from(request == "GET /media/pcm");
        removals += usize::from(request.starts_with("DELETE "));
        match request {
            "GET /metrics" if streams > 1 => Answer::Nothing,
            "GET /media/pcm" => Answer::Status(503),
            // It is still busy when it is asked first.
            _ if removals == 1 => Answer::Status(503),
            _ => Answer::Status(200),
        }
    });
    let output = of_server(&base, "1,1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("did not answer /metrics"), "{said}");
    let steps: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(steps.as_array().unwrap().len(), 1, "{said}");
    assert_eq!((&steps[0]["calls"], &steps[0]["refused"]), (&1.into(), &1.into()));
    let (added, mut removed) = users(&seen);
    assert_eq!(removed.first(), removed.last(), "the first is tried again");
    removed.pop();
    assert!(added > 1 && removed.len() == added, "{added} {removed:?}");
}

#[test]
fn an_interrupted_load_test_leaves_nobody_on_the_service() {
    let (streaming, streams) = channel();
    let (base, seen) = stand_in(move |request| {
        if request == "GET /media/pcm" {
            streaming.send(()).unwrap();
            return Answer::Hold;
        }
        Answer::Status(200)
    });
    let mut command = of_server(&base, "1");
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    streams.recv().unwrap();
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    let (added, removed) = users(&seen);
    assert!(added > 1 && removed.len() == added, "{added} {removed:?}");
}

#[test]
fn a_load_test_of_its_own_touches_no_store_that_is_configured() {
    for (settings, part) in [
        (
            &[("VOXLINE_STORE_URL", "postgres://u:p@127.0.0.1:1/x")][..],
            "store.url",
        ),
        (
            &[
                ("VOXLINE_GALLERY_BACKEND", "qdrant"),
                ("VOXLINE_GALLERY_QDRANT_URL", "http://127.0.0.1:1"),
            ],
            "gallery.backend",
        ),
        (
            &[
                ("VOXLINE_TLS_CERTIFICATE", "/c.pem"),
                ("VOXLINE_TLS_KEY", "/k.pem"),
            ],
            "tls.certificate",
        ),
        (
            &[
                ("VOXLINE_ASTERISK_AUDIOSOCKET", "127.0.0.1:1"),
                ("VOXLINE_ASTERISK_USERNAME", "pbx"),
                ("VOXLINE_ASTERISK_PASSWORD", "a long enough password"),
            ],
            "asterisk.audiosocket",
        ),
    ] {
        let mut command = Command::new(crate::support::binary());
        command.current_dir(support::project(".")).env_clear();
        command.args(["--config", "/dev/null"]);
        command.envs(settings.iter().copied());
        let output = command
            .args(["load", "--calls", "1", "--seconds", "1"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(part) && said.contains("--server"), "{said}");
    }
}

#[test]
fn a_load_test_measures_both_kinds_of_stream_and_names_every_caller() {
    let mut command = Command::new(crate::support::binary());
    command.current_dir(support::project(".")).env_clear();
    command.args(["--config", "/dev/null"]);
    let typed = "load --calls 4 --seconds 12 --ramp 1 --numbers 4 --files 1 --json";
    let output = command.args(typed.split(' ')).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let steps: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = steps.as_array().unwrap();
    // Without files, and then with.
    assert_eq!(steps.len(), 2);
    for step in steps {
        assert_eq!((&step["calls"], &step["made"]), (&4.into(), &4.into()), "{step}");
        assert_eq!(
            (&step["refused"], &step["failed"]),
            (&0.into(), &0.into()),
            "{step}"
        );
        assert_eq!(step["names"]["wrong"], 0, "{step}");
        assert_eq!(step["names"]["right"], 4, "{step}");
        assert_eq!(step["call_seconds"], 48.0, "{step}");
        // Every update says as much speech as the recording has at some frame of it.
        assert_eq!(step["unplaced_updates"], 0, "{step}");
        let figure = |path: &str| step.pointer(path).and_then(Value::as_f64).unwrap();
        assert!(figure("/decision_lag_ms/count") >= 16.0, "{step}");
        assert!(figure("/decision_lag_ms/p50") > 0.0 && figure("/hang_up_ms/p50") > 0.0);
        assert!(figure("/first_verdict_s/p50") > 1.2, "{step}");
        assert!(figure("/cpu_ms_per_call_second") > 0.0 && figure("/peak_memory_mb") > 10.0);
        let speech = figure("/speech_seconds");
        assert!((12.0..48.0).contains(&speech), "{speech}");
    }
    assert_eq!((&steps[0]["files"], &steps[1]["files"]), (&0.into(), &1.into()));
}

#[test]
fn the_demo_works_on_no_store_that_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    let others = "postgres://u:p@127.0.0.1:1/x";
    let file = format!("[store]\nurl = \"{others}\"\n");
    std::fs::write(folder.path().join("voxline.toml"), file).unwrap();
    let environment = [(OsString::from("VOXLINE_STORE_URL"), OsString::from(others))];
    let data = folder.path().join("data");
    let mut command = alone::program_alone(support::binary(), &data, environment);
    command
        .current_dir(folder.path())
        .args(["keys", "create", "--scope", "admin"]);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(data.join("voxline.db").exists());
}
