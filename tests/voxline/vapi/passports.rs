//! PASSporTs whose certificates are fetched: after the answer, from the hosts that are listed, and believed only when
//! everything about them is right.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::harness::{ALICE, NUMBER, TestDeployment};
use crate::cli::hub_server::{Asked, Hub, good, head, tls};
use crate::evidence::Provider;

/// Who called Alice, and was forwarded.
const CALLER: &str = "+12025550101";

/// A door that stays closed until it is opened.
#[derive(Clone, Default)]
struct Door(Arc<(Mutex<bool>, Condvar)>);

impl Door {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let mut open = self.0.0.lock().unwrap();
        while !*open {
            open = self.0.1.wait(open).unwrap();
        }
    }
}

/// A deployment that trusts one provider, whose certificates lie on a TLS server of this machine.
struct Stage {
    deployment: TestDeployment,
    provider: Provider,
    certificates: Hub,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(answer: impl Fn(&Asked, &mut dyn Write, &[u8]) + Send + Sync + 'static) -> Self {
        let provider = Provider::new();
        let chain = provider.chain.clone().into_bytes();
        let (config, certificate) = tls();
        let certificates = Hub::start_tls(config, move |asked, wire| answer(asked, wire, &chain));
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (roots, authority) = (file("roots.pem", &provider.root), file("tls.pem", &certificate));
        let settings = [
            ("VOXLINE_IDENTITY_PASSPORT_ROOTS", roots.as_str()),
            ("VOXLINE_IDENTITY_PASSPORT_HOSTS", "localhost, 127.0.0.1"),
            ("VOXLINE_IDENTITY_PASSPORT_PRIVATE_HOSTS", "localhost"),
            ("SSL_CERT_FILE", authority.as_str()),
        ];
        Self {
            deployment: TestDeployment::open_with(&settings, false),
            provider,
            certificates,
            _folder: folder,
        }
    }

    /// The call comes in, with this Identity header: while it rings, so that it would be waited for if it ever were.
    fn invite(&mut self, call: &str, identity: &str) -> Value {
        let answer = self.deployment.send(json!({
            "type": "assistant-request", "timestamp": 1, "phoneNumber": {"number": NUMBER},
            "customer": {"number": CALLER},
            "call": {"id": call, "phoneCallProviderDetails": {"sip": {"headers": {"identity": identity}}}},
        }));
        answer["assistantOverrides"]["variableValues"].clone()
    }

    /// Waits until so many PASSporTs were looked into in vain.
    async fn until_refused(&self, count: usize) {
        let wanted = format!("voxline_passports_total{{outcome=\"not_verified\"}} {count}\n");
        let mut said = String::new();
        for _ in 0..1_200 {
            said = self.deployment.metrics().await;
            if said.contains(&wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{wanted} is not in: {said}");
    }
}

/// A call to Alice that she diverted to our number, signed so many seconds ago.
fn diverted(by: &Provider, certificate: &str, age: i64) -> String {
    let header = json!({"alg": "ES256", "ppt": "div", "typ": "passport", "x5u": certificate});
    let claims = json!({
        "dest": {"tn": [NUMBER.trim_start_matches('+')]}, "div": {"tn": ALICE.0.trim_start_matches('+')},
        "iat": OffsetDateTime::now_utc().unix_timestamp() - age, "orig": {"tn": CALLER.trim_start_matches('+')},
    });
    by.sign(&header, &claims)
}

fn is_verified(said: &Value) -> bool {
    let evidence = said["verdict"]["evidence"].as_array().into_iter().flatten();
    let mut notes = evidence.filter_map(|one| one["note"].as_str());
    notes.any(|note| note.contains("signature verified"))
}

#[tokio::test]
async fn a_passport_becomes_strong_by_its_certificate_and_nothing_waits() {
    let door = Door::default();
    let closed = door.clone();
    let mut stage = Stage::new(move |asked, wire, chain| {
        closed.pass();
        good(asked, wire, chain, usize::MAX);
    });
    let address = format!("{}/p.pem", stage.certificates.base);
    let identity = diverted(&stage.provider, &address, 0);
    // The certificate is held back until the answer is there.
    let variables = stage.invite("c-first", &identity);
    assert_eq!(variables["line_owner_name"], "Alice", "{variables}");
    let before = stage.deployment.call("c-first").await;
    assert!(!is_verified(&before), "{before}");
    assert_eq!(before["verdict"]["line_owner"]["status"], "probable", "{before}");
    door.open();
    let after = stage.deployment.until("c-first", is_verified).await;
    assert_eq!(after["verdict"]["line_owner"]["status"], "identified", "{after}");
    assert_eq!(after["verdict"]["line_owner"]["user_id"], stage.deployment.alice);
    assert!(after["version"].as_u64() > before["version"].as_u64(), "{after}");
    assert_eq!(
        after["verdict"]["speaker"]["status"], "inconclusive",
        "nobody is named by it"
    );
    // The next call of the same provider asks for nothing.
    let identity = diverted(&stage.provider, &address, 0);
    stage.invite("c-second", &identity);
    stage.deployment.until("c-second", is_verified).await;
    assert_eq!(stage.certificates.asked().len(), 1);
    assert_eq!(stage.certificates.asked()[0].target, "/p.pem");
}

#[tokio::test]
async fn a_faulty_passport_stays_a_hint_and_asks_for_nothing() {
    let elsewhere = {
        let (config, _) = tls();
        Hub::start_tls(config, |_, wire| head(wire, "200 OK", &[]))
    };
    let away = format!("{}/p.pem", elsewhere.base);
    let mut stage = Stage::new(move |asked, wire, chain| match asked.target.as_str() {
        "/away" => head(wire, "302 Found", &[("Location", away.clone())]),
        "/here" => head(wire, "302 Found", &[("Location", "/p.pem".to_owned())]),
        "/large" => {
            head(wire, "200 OK", &[]);
            while wire.write_all(&[b' '; 4_096]).is_ok() {}
        }
        "/garbage" => good(asked, wire, b"no certificate", usize::MAX),
        _ => good(asked, wire, chain, usize::MAX),
    });
    let base = stage.certificates.base.clone();
    let numbers = base.replace("localhost", "127.0.0.1");
    let plain = base.replace("https://", "http://");
    let (ours, theirs) = (&stage.provider, Provider::new());
    let identities = [
        diverted(ours, &format!("{base}/away"), 0),
        diverted(ours, &format!("{base}/here"), 0),
        diverted(ours, &format!("{base}/large"), 0),
        diverted(ours, &format!("{base}/garbage"), 0),
        // Signed by somebody else than the certificate's owner; by ours, with nobody's certificate behind it.
        diverted(&theirs, &format!("{base}/p.pem"), 0),
        // From here on nothing is asked for: another day's, an address of numbers in a private network, another
        // host, without TLS, none at all.
        diverted(ours, &format!("{base}/old.pem"), 120),
        diverted(ours, &format!("{numbers}/p.pem"), 0),
        diverted(ours, "https://certificates.invalid/p.pem", 0),
        diverted(ours, &format!("{plain}/p.pem"), 0),
        diverted(ours, "", 0),
    ];
    for (nth, identity) in identities.iter().enumerate() {
        let call = format!("c-{nth}");
        let variables = stage.invite(&call, identity);
        assert_eq!(variables["line_owner_name"], "Alice", "{variables}");
        stage.until_refused(nth + 1).await;
        let said = stage.deployment.call(&call).await;
        assert!(!is_verified(&said), "{nth}: {said}");
        assert_eq!(
            said["verdict"]["line_owner"]["status"], "probable",
            "{nth}: {said}"
        );
    }
    let asked = stage.certificates.asked();
    let asked: Vec<&str> = asked.iter().map(|one| one.target.as_str()).collect();
    assert_eq!(asked, ["/away", "/here", "/large", "/garbage", "/p.pem"]);
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn hosts_without_roots_are_a_fault_of_the_configuration() {
    let sources = voxline::settings::Sources {
        flags: vec![("identity.passport_hosts", "cr.example".to_owned())],
        ..voxline::settings::Sources::default()
    };
    let faults = voxline::config::Config::load(&sources).unwrap_err().to_string();
    assert!(faults.contains("identity.passport_roots"), "{faults}");
}
