//! Ten thousand frames and webhooks that nobody meant well: the service stays up, and as small as it was.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use voxline::carriers::Carrier;

use super::frames::start;
use super::peer::{Deployment, call, direct};
use crate::support::Rng;

/// A text that is sometimes a good message, sometimes one with something changed, sometimes anything.
fn bent(rng: &mut Rng, good: &str) -> String {
    let mut bytes = good.as_bytes().to_vec();
    match rng.throw(4) {
        0 => {
            for _ in 0..=rng.throw(8) {
                let at = rng.throw(bytes.len());
                bytes[at] = rng.throw(256) as u8;
            }
        }
        1 => bytes.truncate(rng.throw(bytes.len())),
        2 => {
            let at = rng.throw(bytes.len());
            let piece: Vec<u8> = (0..rng.throw(2_000)).map(|_| rng.throw(256) as u8).collect();
            bytes.splice(at..at, piece);
        }
        _ => bytes = (0..rng.throw(500)).map(|_| rng.throw(256) as u8).collect(),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn good_frames(carrier: Carrier) -> Vec<String> {
    let begin = match start(carrier, "c-1", "t") {
        Message::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    };
    let media = json!({"event": "media", "eventType": "media", "sequenceNumber": "7", "sequence_number": "7",
        "track": "inbound", "payload": "//7+", "media": {"track": "inbound", "chunk": "7", "payload": "//7+"}});
    let key = json!({"event": "dtmf", "eventType": "dtmf", "dtmf": {"digit": "4"}, "digit": "4"});
    let digit = json!({"event": "websocket:dtmf", "digit": "4"});
    vec![begin, media.to_string(), key.to_string(), digit.to_string()]
}

/// Sends one hostile webhook, or a stream of some hostile frames; gives how many that were.
async fn attack(deployment: &Deployment, rng: &mut Rng, carrier: Carrier) -> usize {
    if rng.throw(2) == 0 {
        let call = call("CA1");
        let body = bent(rng, &call.webhook(carrier));
        let (status, said) = deployment.send(carrier, &body).await;
        assert!(matches!(status, 200 | 401 | 422), "{carrier} {status}: {said}");
        return 1;
    }
    let key = [("authorization", format!("Bearer {}", deployment.service.key))];
    let mut stream = deployment.open(carrier, &key).await.unwrap();
    let good = good_frames(carrier);
    let frames = 1 + rng.throw(12);
    for sent in 0..frames {
        let frame = &good[rng.throw(good.len())];
        let frame = if rng.throw(3) == 0 {
            frame.clone()
        } else {
            bent(rng, frame)
        };
        // It is closed for one that cannot be read before its start, and for a hundred after it.
        if !stream.try_send(Message::text(frame)).await {
            return sent + 1;
        }
    }
    frames
}

#[tokio::test]
async fn ten_thousand_hostile_frames_and_webhooks_leave_the_service_as_it_was() {
    let mut deployment = Deployment::start().await;
    let mut rng = Rng::new(5);
    let (mut sent, mut carriers) = (0, Carrier::ALL.into_iter().cycle());
    let mut warm = None;
    while sent < 10_000 {
        // What every service grows to in its first minutes is not what is looked for.
        if sent > 2_000 {
            warm.get_or_insert_with(|| rss_kib(&deployment));
        }
        sent += attack(&deployment, &mut rng, carriers.next().unwrap()).await;
    }
    let (warm, after) = (warm.unwrap(), rss_kib(&deployment));
    eprintln!("resident: {warm} KiB after 2000, {after} KiB after {sent}");
    assert!(after < warm + 32 * 1024, "from {warm} KiB to {after} KiB");
    let call = direct("CA-after");
    let token = deployment.token(Carrier::Twilio, &call).await;
    let said = deployment
        .hear(Carrier::Twilio, call.id, &token, "alice-1", "")
        .await;
    assert_eq!(said["outcome"], "identified", "{said}");
}

/// The service's resident memory in KiB; 0 where the system does not say.
fn rss_kib(deployment: &Deployment) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", deployment.service.id()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
