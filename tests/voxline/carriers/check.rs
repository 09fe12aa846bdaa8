//! `voxline carrier check`, the real program: files of every kind.

use std::path::Path;

use serde_json::{Value, json};
use voxline::carriers::Carrier;

use super::peer::{ALICE, CALLER, NUMBER, call};
use crate::process::program;

/// What each carrier's INVITE to us looks like on a forwarded call, by what was seen of it, and the verdict.
pub const INVITES: [(&str, &str, &str); 7] = [
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

/// An INVITE of `call` with these headers.
pub fn invite(headers: &str, call: &str) -> String {
    format!(
        "INVITE sip:{NUMBER}@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-{call}\r\n\
         From: <sip:{CALLER}@192.0.2.1>;tag=1\r\nTo: <sip:{NUMBER}@192.0.2.9>\r\nCall-ID: {call}\r\n\
         CSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{}Content-Length: 0\r\n\r\n",
        headers.replace("@PASSPORT@", &passport())
    )
}

/// A PASSporT that says the call was meant for Alice's phone; nobody has signed it.
pub fn passport() -> String {
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
        let call = call("CA1");
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
    let carriers = Carrier::ALL.map(Carrier::name).into_iter().chain([INVITES[2].0]);
    for (call, carrier) in calls[INVITES.len()..].iter().zip(carriers) {
        assert_eq!(
            (&call["carrier"], &call["forwarder"], &call["verdict"]),
            (&json!(carrier), &json!(ALICE), &json!("forwards")),
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
        );
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
