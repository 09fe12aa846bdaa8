//! Two nodes of one store: what belongs to one call comes to either.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use voxline::carriers::Carrier;

use super::audiosocket::{HANG_UP, audio, connect, frame, uuid};
use super::frames::{media, start, stop};
use super::gather::{PROMPT, types};
use super::peer::{Deployment, PIN, call, mulaw, of_tier};
use crate::postgres;
use crate::process::Service;

/// What an erasure or a change of keys holds while it is at work: who writes waits for that.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtextextended('voxline ' || current_schema(), 0))";

/// What no token comes past.
const NO_TOKENS: &str = "LOCK TABLE call_tokens IN ACCESS EXCLUSIVE MODE";

struct TwoNodes {
    /// With the node that is spoken to.
    deployment: Deployment,
    other: Service,
    /// Where their database is.
    url: String,
    _data: TempDir,
}

impl TwoNodes {
    /// With these settings besides; `None` where the tests against servers are switched off.
    async fn open(more: &[(&'static str, &str)]) -> Option<Self> {
        if postgres::skipped() {
            return None;
        }
        Some(Self::open_at(postgres::database().await, more).await)
    }

    /// The same in the database at `url`.
    async fn open_at(url: String, more: &[(&'static str, &str)]) -> Self {
        let key = "5e".repeat(32);
        let mut all = vec![
            ("VOXLINE_STORE_URL", url.as_str()),
            ("VOXLINE_STORE_PEPPER", key.as_str()),
            // Any 64 digits are a key.
            ("VOXLINE_STORE_MASTER_KEY", key.as_str()),
        ];
        all.extend(more);
        let deployment = Deployment::start_with(&all).await;
        let (other, data) = deployment.another_node();
        Self {
            deployment,
            other,
            url,
            _data: data,
        }
    }

    /// Holds this lock until the connection is closed.
    async fn holding(&self, lock: &'static str) -> PgConnection {
        let mut conn = PgConnection::connect(&self.url).await.unwrap();
        for statement in ["BEGIN", lock] {
            sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
        }
        conn
    }

    /// What is sent from now on comes to the other node.
    fn turn(&mut self) {
        std::mem::swap(&mut self.deployment.service, &mut self.other);
    }

    /// The tries of PINs that were accounted for.
    async fn tries(&self) -> Vec<Value> {
        let (status, tries) = self.deployment.service.get("/v1/audit?act=pin.try").await;
        assert_eq!(status, 200, "{tries}");
        tries.as_array().unwrap().clone()
    }

    /// The same, once there is one.
    async fn first_try(&self) -> Vec<Value> {
        for _ in 0..1_200 {
            let tries = self.tries().await;
            if !tries.is_empty() {
                return tries;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no PIN was tried");
    }
}

#[tokio::test]
async fn a_stream_may_come_to_another_node_than_its_webhook() {
    let Some(mut nodes) = TwoNodes::open(&[]).await else {
        return;
    };
    for (carrier, id) in [
        (Carrier::Telnyx, "v2:nodes"),
        (Carrier::Plivo, "eac94337-b1cd-499b-82d1-b39bca50dc32"),
        (Carrier::Asterisk, "1796000000.6"),
        (Carrier::Jambonz, "7a0b2c5e-6d1f-4a3b-9c8d-0e1f2a3b4c5e"),
    ] {
        let token = nodes.deployment.token(carrier, &call(id)).await;
        nodes.turn();
        let said = nodes.deployment.hear(carrier, id, &token, "alice-1", "").await;
        let alice = json!(nodes.deployment.alice);
        assert_eq!(said["line_owner"]["user_id"], alice, "{carrier}: {said}");
        assert_eq!(said["outcome"], "identified", "{carrier}: {said}");
        // It is used, and no stream is waited for at either.
        for _ in 0..2 {
            assert_eq!(nodes.deployment.open(carrier, &[]).await.err(), Some(401));
            nodes.turn();
        }
    }
}

#[tokio::test]
async fn a_token_is_good_at_the_other_node_whatever_the_nodes_clocks_show() {
    if postgres::skipped() {
        return;
    }
    let url = postgres::with_clock_ahead(&postgres::database().await, 1).await;
    let mut nodes = TwoNodes::open_at(url, &[]).await;
    let ringing = call("v2:clocks");
    let token = nodes.deployment.token(Carrier::Telnyx, &ringing).await;
    nodes.turn();
    let mut stream = nodes.deployment.open(Carrier::Telnyx, &[]).await.unwrap();
    stream
        .play(Carrier::Telnyx, ringing.id, &token, &mulaw("one-word"), "")
        .await;
    assert_eq!(stream.close_code().await, Some(1000));
}

#[tokio::test]
async fn a_token_that_one_node_took_opens_nothing_at_the_other() {
    let Some(mut nodes) = TwoNodes::open(&[]).await else {
        return;
    };
    let used = nodes.deployment.token(Carrier::Telnyx, &call("v2:used")).await;
    let waiting = nodes.deployment.token(Carrier::Telnyx, &call("v2:waiting")).await;
    nodes.turn();
    let mut first = nodes.deployment.open(Carrier::Telnyx, &[]).await.unwrap();
    first
        .play(Carrier::Telnyx, "v2:used", &used, &mulaw("one-word"), "")
        .await;
    assert_eq!(first.close_code().await, Some(1000));
    nodes.turn();
    for (id, token) in [
        ("v2:used", used.as_str()),
        ("v2:waiting", "made-up"),
        ("v2:another", waiting.as_str()),
        // Tried on another call, it is used up.
        ("v2:waiting", waiting.as_str()),
    ] {
        match nodes.deployment.open(Carrier::Telnyx, &[]).await {
            Ok(mut stream) => {
                stream.send(start(Carrier::Telnyx, id, token)).await;
                assert_eq!(stream.close_code().await, Some(1008), "{id}");
            }
            Err(status) => assert_eq!((status, token), (401, waiting.as_str())),
        }
        nodes.turn();
    }
}

#[tokio::test]
async fn an_audiosocket_may_come_to_another_node_keys_first() {
    let Some(mut nodes) = TwoNodes::open(&[]).await else {
        return;
    };
    let token = nodes.deployment.token(Carrier::Asterisk, &call("1.7")).await;
    nodes.turn();
    let mut socket = connect(&nodes.deployment).await;
    let mut bytes = uuid(&token);
    bytes.extend(PIN.bytes().flat_map(|key| frame(0x03, &[key])));
    bytes.extend(audio("alice-1"));
    bytes.extend(HANG_UP);
    socket.write_all(&bytes).await.unwrap();
    let said = nodes.deployment.verdict("1.7").await;
    for tier in ["T1", "T4"] {
        assert!(!of_tier(&said, tier).is_empty(), "{tier}: {said}");
    }
    assert_eq!(said["outcome"], "identified", "{said}");
}

#[tokio::test]
async fn keys_that_come_to_two_nodes_are_one_pin_and_no_other() {
    let Some(mut nodes) = TwoNodes::open(&[]).await else {
        return;
    };
    for _ in 0..2 {
        let (status, said) = nodes.deployment.ring(Carrier::Bandwidth, &call("c-keys")).await;
        assert_eq!(status, 200, "{said}");
        nodes.turn();
    }
    // As who types it again because nothing happens: the second time is of the same number.
    for (second, digit) in PIN.chars().chain(PIN.chars()).enumerate() {
        let time = format!("2026-09-01T10:00:{second:02}.250Z");
        let key =
            json!({"eventType": "dtmf", "callId": "c-keys", "digit": digit.to_string(), "eventTime": time});
        // Sent twice; the next comes to the other node.
        for _ in 0..2 {
            let (status, said) = nodes.deployment.send(Carrier::Bandwidth, &key.to_string()).await;
            assert_eq!(status, 200, "{said}");
        }
        nodes.turn();
    }
    let tries = nodes.first_try().await;
    assert_eq!(tries[0]["outcome"], "right", "{tries:?}");
    // Whichever node tried it, this one has taken that in.
    let is_claimed = |verdict: &Value| verdict["speaker"]["status"] == "claimed";
    nodes.deployment.until("c-keys", is_claimed).await;
    let end = json!({"eventType": "disconnect", "callId": "c-keys"}).to_string();
    nodes.deployment.send(Carrier::Bandwidth, &end).await;
    let said = nodes.deployment.verdict("c-keys").await;
    let pin = of_tier(&said, "T4");
    let alice = json!(nodes.deployment.alice);
    assert_eq!(pin.first().map(|pin| &pin["user_id"]), Some(&alice), "{said}");
    assert_eq!(nodes.tries().await.len(), 1);
}

#[tokio::test]
async fn what_a_caller_typed_may_come_to_another_node_and_counts_once() {
    let Some(mut nodes) = TwoNodes::open(&[("VOXLINE_TWILIO_PIN_PROMPT", PROMPT)]).await else {
        return;
    };
    let id = "CA-nodes";
    let (_, twiml) = nodes.deployment.ring(Carrier::Twilio, &call(id)).await;
    assert!(twiml.contains("<Gather"), "{twiml}");
    for _ in 0..2 {
        nodes.turn();
        let (status, after) = types(&nodes.deployment, id, "00000000").await;
        assert_eq!(status, 200, "{after}");
        // The forwarder that the first webhook named at the other node.
        assert!(after.contains("X-Forwarded-From=%2B12025550103"), "{after}");
        nodes.first_try().await;
    }
    // The last word waits for whatever is tried.
    let over = format!("CallSid={id}&CallStatus=completed");
    nodes.deployment.send(Carrier::Twilio, &over).await;
    nodes.deployment.verdict(id).await;
    assert_eq!(nodes.tries().await.len(), 1);
}

#[tokio::test]
async fn a_call_that_rings_while_all_who_write_wait_is_heard() {
    let prompt = ("VOXLINE_TWILIO_PIN_PROMPT", PROMPT);
    let Some(mut nodes) = TwoNodes::open(&[prompt]).await else {
        return;
    };
    let held = nodes.holding(ALONE).await;
    // Of its caller other nodes have to be told in transactions besides.
    nodes.deployment.token(Carrier::Twilio, &call("CA-waits")).await;
    let id = "eac94337-b1cd-499b-82d1-b39bca50dc33";
    let token = nodes.deployment.token(Carrier::Plivo, &call(id)).await;
    let mut stream = nodes.deployment.open(Carrier::Plivo, &[]).await.unwrap();
    stream
        .play(Carrier::Plivo, id, &token, &mulaw("alice-1"), "")
        .await;
    held.close().await.unwrap();
    let said = nodes.deployment.verdict(id).await;
    assert_eq!(said["outcome"], "identified", "{said}");
}

#[tokio::test]
async fn a_stream_is_heard_once_where_the_store_takes_no_token() {
    let Some(mut nodes) = TwoNodes::open(&[]).await else {
        return;
    };
    let held = nodes.holding(NO_TOKENS).await;
    let id = "v2:untold";
    let token = nodes.deployment.token(Carrier::Telnyx, &call(id)).await;
    let heard = nodes.deployment.hear(Carrier::Telnyx, id, &token, "alice-1", "");
    let said = heard.await;
    assert_eq!(said["outcome"], "identified", "{said}");
    assert_eq!(
        said["line_owner"]["user_id"],
        json!(nodes.deployment.alice),
        "{said}"
    );
    held.close().await.unwrap();
    // What was on its way into the store is taken out again.
    for _ in 0..2 {
        let mut refusal = None;
        for _ in 0..1_200 {
            refusal = nodes.deployment.open(Carrier::Telnyx, &[]).await.err();
            if refusal.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(refusal, Some(401));
        nodes.turn();
    }
}

#[tokio::test]
async fn a_call_that_no_stream_ends_is_over_on_record_before_a_shutdown() {
    let Some(mut nodes) = TwoNodes::open(&[]).await else {
        return;
    };
    let (status, said) = nodes
        .deployment
        .ring(Carrier::Bandwidth, &call("c-unheard"))
        .await;
    assert_eq!(status, 200, "{said}");
    let end = json!({"eventType": "disconnect", "callId": "c-unheard"}).to_string();
    nodes.deployment.send(Carrier::Bandwidth, &end).await;
    let service = &mut nodes.deployment.service;
    service.tell("-TERM");
    assert!(service.child().wait().unwrap().success());
    nodes.turn();
    let said = nodes.deployment.verdict("c-unheard").await;
    let alice = json!(nodes.deployment.alice);
    assert_eq!(said["line_owner"]["user_id"], alice, "{said}");
}

#[tokio::test]
async fn the_node_that_hears_says_the_last_word_wherever_the_end_is_told() {
    let Some(mut nodes) = TwoNodes::open(&[]).await else {
        return;
    };
    let ringing = call("v2:heard");
    let token = nodes.deployment.token(Carrier::Telnyx, &ringing).await;
    nodes.turn();
    let mut stream = nodes.deployment.open(Carrier::Telnyx, &[]).await.unwrap();
    stream.send(start(Carrier::Telnyx, ringing.id, &token)).await;
    let audio = mulaw("alice-1");
    let frames = audio.chunks(160).enumerate();
    let mut frames = frames.map(|(at, packet)| media(Carrier::Telnyx, packet, at, at + 2));
    for frame in frames.by_ref().take(audio.len() / 320) {
        stream.send(frame).await;
    }
    nodes.turn();
    nodes.deployment.is_heard(ringing.id).await;
    let end = ringing.telnyx("call.hangup");
    nodes.deployment.send(Carrier::Telnyx, &end).await;
    let seconds = |said: &Value| said["net_speech_seconds"].as_f64().unwrap();
    let path = "/v1/calls/v2%3Aheard";
    let before = seconds(&nodes.deployment.service.get(path).await.1["verdict"]);
    for frame in frames {
        stream.send(frame).await;
    }
    stream.send(stop(Carrier::Telnyx).unwrap()).await;
    let said = nodes.deployment.verdict(ringing.id).await;
    assert!(seconds(&said) > before, "{before} s before: {said}");
}
