//! `voxline carrier check`, the real program: files of every kind, and test calls over real sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use voxline::carriers::Carrier;

use super::peer::{ALICE, CALLER, Call, NUMBER};
use crate::process::program;

/// What each carrier's INVITE to us looks like on a forwarded call, by what was seen of it, and the verdict.
const INVITES: [(&str, &str, &str); 7] = [
    (
        "twilio",
        "User-Agent: Twilio Gateway\r\nX-Twilio-CallSid: CA1\r\n\
         Diversion: <sip:+12025550102@twilio.com>;reason=unconditional, <sip:+12025550103@10.1.1.1;user=phone>\
         ;reason=unknown;counter=1\r\n",
        "forwards",
    ),
    (
        "twilio",
        "User-Agent: Twilio Gateway\r\nDiversion: <sip:+12025550102@twilio.com>;reason=unconditional\r\n",
        "echo_only",
    ),
    (
        "telnyx",
        "Contact: <sip:gw@sip.telnyx.com>\r\nDiversion: <sip:+12025550103@h>;reason=no-answer\r\n",
        "forwards",
    ),
    (
        "bandwidth",
        "Contact: <sip:gw@bandwidth.com>\r\nHistory-Info: <sip:+12025550103@h>;index=1,\r\n \
         <sip:+12025550102@h;cause=302>;index=1.1\r\n",
        "forwards",
    ),
    ("vonage", "User-Agent: Vonage\r\n", "none"),
    ("plivo", "Contact: <sip:gw@phone.plivo.com>\r\n", "none"),
    (
        "382com",
        "X-Originating-Carrier: 382com\r\nIdentity: @PASSPORT@\r\n",
        "passport_only",
    ),
];

fn invite(headers: &str, call: &str) -> String {
    format!(
        "INVITE sip:{NUMBER}@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-{call}\r\n\
         From: <sip:{CALLER}@192.0.2.1>;tag=1\r\nTo: <sip:{NUMBER}@192.0.2.9>\r\nCall-ID: {call}\r\n\
         CSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{}Content-Length: 0\r\n\r\n",
        headers.replace("@PASSPORT@", &passport())
    )
}

/// A PASSporT that says the call was meant for Alice's phone; nobody has signed it.
fn passport() -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = json!({"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": "https://c.example/c.pem"});
    let claims = json!({"attest": "A", "dest": {"tn": ["12025550103"]}, "iat": 1_760_000_000,
        "orig": {"tn": "12025550101"}, "origid": "o"});
    let signature = URL_SAFE_NO_PAD.encode([0; 64]);
    format!(
        "{}.{}.{signature};info=<https://c.example/c.pem>;alg=ES256;ppt=\"shaken\"",
        part(head),
        part(claims)
    )
}

/// The report on these arguments, and whether it is said that all went well.
fn check(data: &Path, arguments: &[&str]) -> (Value, bool) {
    let ran = program(data)
        .args(["carrier", "check", "--json"])
        .args(arguments)
        .output()
        .unwrap();
    let report = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&ran.stderr)));
    (report, ran.status.success())
}

fn carrier<'a>(report: &'a Value, name: &str) -> &'a Value {
    let carriers = report["carriers"].as_array().unwrap();
    let found = carriers.iter().find(|carrier| carrier["carrier"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {report}"))
}

#[test]
fn captured_invites_webhooks_and_packets_say_what_each_carrier_tells() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let mut write = |name: String, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        files.push(path.to_str().unwrap().to_owned());
    };
    for (at, (_, headers, _)) in INVITES.iter().enumerate() {
        write(
            format!("{at}.sip"),
            invite(headers, &format!("c-{at}")).as_bytes(),
        );
    }
    for carrier in Carrier::ALL {
        let call = Call {
            id: "CA1",
            from: CALLER,
            forwarded: Some(ALICE),
        };
        write(format!("{carrier}.webhook"), call.webhook(carrier).as_bytes());
    }
    write(
        "trace.pcap".to_owned(),
        &capture(&invite(INVITES[2].1, "c-in-packets")),
    );
    let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    let (report, well) = check(folder.path(), &arguments);
    assert!(well, "{report}");
    let calls = report["calls"].as_array().unwrap();
    assert_eq!(calls.len(), INVITES.len() + Carrier::ALL.len() + 1, "{report}");
    for (call, (name, _, verdict)) in calls.iter().zip(INVITES) {
        assert_eq!(
            (&call["carrier"], &call["verdict"]),
            (&json!(name), &json!(verdict)),
            "{call}"
        );
        let found = if matches!(verdict, "forwards" | "passport_only") {
            json!(ALICE)
        } else {
            Value::Null
        };
        assert_eq!(call["forwarder"], found, "{call}");
        assert_eq!(call["dialed"], NUMBER);
    }
    for call in &calls[INVITES.len()..] {
        assert_eq!(
            (&call["forwarder"], &call["verdict"]),
            (&json!(ALICE), &json!("forwards")),
            "{call}"
        );
    }
    let twilio = carrier(&report, "twilio");
    assert_eq!(
        (&twilio["calls"], &twilio["forwarded"]),
        (&json!(3), &json!(2)),
        "{twilio}"
    );
}

#[test]
fn a_user_with_the_forwarders_phone_is_named_from_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        assert!(
            program(folder.path())
                .args(arguments)
                .output()
                .unwrap()
                .status
                .success()
        )
    };
    run(&["number", "add", NUMBER]);
    run(&[
        "user", "add", "--name", "Alice", "--number", NUMBER, "--phone", ALICE,
    ]);
    let file = folder.path().join("invite.sip");
    std::fs::write(&file, invite(INVITES[0].1, "c-1")).unwrap();
    let (report, _) = check(folder.path(), &[file.to_str().unwrap()]);
    assert_eq!(report["calls"][0]["user"], "Alice", "{report}");
    assert_eq!(report["calls"][0]["voxline"], "takes the line to be Alice's");
}

#[test]
fn a_file_that_is_none_of_these_is_named_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good.sip"), folder.path().join("bad.txt"));
    std::fs::write(&good, invite(INVITES[2].1, "c-1")).unwrap();
    std::fs::write(&bad, "Dear sir").unwrap();
    let (report, well) = check(folder.path(), &[bad.to_str().unwrap(), good.to_str().unwrap()]);
    assert!(!well);
    assert_eq!(report["calls"].as_array().unwrap().len(), 1);
    assert!(
        report["unread"][0].as_str().unwrap().contains("bad.txt"),
        "{report}"
    );
}

/// A capture of one UDP datagram on Ethernet.
fn capture(message: &str) -> Vec<u8> {
    let length = message.len() as u16;
    let mut packet = [&[0; 12][..], &[8, 0, 0x45, 0]].concat();
    packet.extend((28 + length).to_be_bytes());
    packet.extend([
        0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9, 0x13, 0xc4, 0x13, 0xc4,
    ]);
    packet.extend((8 + length).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend_from_slice(message.as_bytes());
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1, 0, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend((packet.len() as u32).to_le_bytes());
    file.extend((packet.len() as u32).to_le_bytes());
    file.extend(packet);
    file
}

/// `voxline carrier check --listen`, and where it listens.
struct StreamSession {
    child: Child,
    output: ChildStdout,
    address: SocketAddr,
    _data: tempfile::TempDir,
}

impl StreamSession {
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

impl Drop for StreamSession {
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
    let listener = StreamSession::start(INVITES.len() + 1, &[]);
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
    let listener = StreamSession::start(INVITES.len(), &["--decline"]);
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
