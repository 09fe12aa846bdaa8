//! `voxline carrier check --listen`: test calls over real sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::check::{INVITES, invite, passport};
use super::peer::{CALLER, NUMBER};
use crate::process::program;

/// `voxline carrier check --listen`, and where it listens.
struct Listening {
    child: Child,
    output: ChildStdout,
    address: SocketAddr,
    _data: tempfile::TempDir,
}

impl Listening {
    fn start(calls: usize, more: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let count = calls.to_string();
        let mut command: Command = program(data.path());
        command
            .args([
                "carrier",
                "check",
                "--json",
                "--listen",
                "127.0.0.1:0",
                "--calls",
                &count,
            ])
            .args(more);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("the listener ended").unwrap();
            if let Some((_, rest)) = line.split_once(" on ") {
                break rest.split(' ').next().unwrap().parse().unwrap();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let output = child.stdout.take().unwrap();
        Self {
            child,
            output,
            address,
            _data: data,
        }
    }

    /// The report, once it has heard enough.
    fn report(mut self) -> Value {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success());
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The statuses of the next answers.
fn statuses(socket: &UdpSocket, count: usize) -> Vec<String> {
    let next = |_| {
        let mut answer = [0; 4096];
        let length = socket.recv(&mut answer).expect("no answer came");
        let text = String::from_utf8_lossy(&answer[..length]).into_owned();
        text.split(' ').nth(1).unwrap().to_owned()
    };
    (0..count).map(next).collect()
}

#[test]
fn test_calls_over_udp_and_tcp_are_refused_politely_and_reported() {
    let listener = Listening::start(INVITES.len() + 1, &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(listener.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
        .send(invite("", "o-1").replace("INVITE", "OPTIONS").as_bytes())
        .unwrap();
    assert_eq!(statuses(&socket, 1), ["200"]);
    socket.send(b"not SIP at all").unwrap();
    for (at, (_, headers, _)) in INVITES.iter().enumerate() {
        let message = invite(headers, &format!("c-{at}"));
        // The last would end the listener before it is sent again.
        let times = if at == 0 { 2 } else { 1 };
        for _ in 0..times {
            socket.send(message.as_bytes()).unwrap();
            assert_eq!(statuses(&socket, 2), ["100", "486"]);
        }
    }
    let mut stream = TcpStream::connect(listener.address).unwrap();
    let message = invite(INVITES[2].1, "c-tcp");
    let (first, rest) = message.split_at(40);
    stream.write_all(first.as_bytes()).unwrap();
    stream.write_all(rest.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = String::new();
    while !answer.contains("SIP/2.0 486") {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "no answer came: {answer}");
        answer.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    let report = listener.report();
    let calls = report["calls"].as_array().unwrap();
    assert_eq!(calls.len(), INVITES.len() + 1, "{report}");
    for (call, (name, _, verdict)) in calls.iter().zip(INVITES) {
        assert_eq!(
            (&call["carrier"], &call["verdict"]),
            (&json!(name), &json!(verdict)),
            "{call}"
        );
    }
}

#[test]
fn sipp_plays_every_carriers_call() {
    let there = Command::new("sipp").arg("-v").output();
    if there.is_err() {
        eprintln!("skipped: SIPp is not installed (Debian's package sip-tester)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let listener = Listening::start(INVITES.len(), &["--decline"]);
    for (at, (_, headers, _)) in INVITES.iter().enumerate() {
        let scenario = folder.path().join(format!("{at}.xml"));
        std::fs::write(&scenario, sipp_scenario(headers)).unwrap();
        let mut sipp = Command::new("sipp");
        sipp.arg("-sf")
            .arg(&scenario)
            .args(["-m", "1", "-nostdin", "-timeout", "60", "-timeout_error"]);
        let ran = sipp
            .arg(listener.address.to_string())
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{} {said}", INVITES[at].0);
    }
    let report = listener.report();
    for (call, (name, _, verdict)) in report["calls"].as_array().unwrap().iter().zip(INVITES) {
        assert_eq!(
            (&call["carrier"], &call["verdict"]),
            (&json!(name), &json!(verdict)),
            "{call}"
        );
    }
}

/// A caller that sends these headers, expects to be declined, and acknowledges it.
fn sipp_scenario(headers: &str) -> String {
    let headers = headers
        .replace("@PASSPORT@", &passport())
        .replace("\r\n ", " ")
        .replace("\r\n", "\n");
    format!(
        r#"<?xml version="1.0" encoding="UTF-8" ?>
<scenario name="forwarded call">
<send retrans="500"><![CDATA[
INVITE sip:{NUMBER}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:{CALLER}@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
To: <sip:{NUMBER}@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Max-Forwards: 70
{headers}Content-Length: 0

]]></send>
<recv response="100" optional="true"></recv>
<recv response="603"></recv>
<send><![CDATA[
ACK sip:{NUMBER}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:{CALLER}@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
To: <sip:{NUMBER}@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
</scenario>
"#
    )
}
