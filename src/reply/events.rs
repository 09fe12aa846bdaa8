//! `/v1/calls/events`: every call's updates as they come, as server-sent events (WHATWG HTML, 9.2).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::switchboard::{CallVerdict, Update, Updates};
use crate::verdict::{EarlyWords, Shown};

use super::app_state::AppState;
use super::auth::{Allowed, Identify};
use super::guest::{Guest, unwelcome};

/// How often a silent stream shows that it is alive; proxies commonly drop what is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams the updates of every call that the key sees
///
/// Until the service ends, or the reader's key or session does.
#[utoipa::path(
    get, path = "/v1/calls/events", operation_id = "streamCalls", tag = "calls",
    responses((
        status = 200, content_type = "text/event-stream", body = CallVerdict,
        description = "An event `update` for each new version of a verdict (for a key without the scope `scores`, \
                       while little was heard, for each that says something new); an event `enrolled` with `user_id`, \
                       `enrollment_id`, `again` (whether the user was enrolled before) and `at` for each voice that is \
                       enrolled here; an event `lagged` with `{\"missed\": n}` when the reader was too slow and lost some",
    )),
    security(("bearer" = ["identify"])),
)]
pub(super) async fn stream(
    allowed: Allowed<Identify>,
    State(app): State<Arc<AppState>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let watch = Watch {
        updates: allowed.view(&app).updates(),
        leaving: app.leaving.clone(),
        scores: allowed.visitor.sees_scores(),
        early: EarlyWords::default(),
        reader: Some(Guest::new(allowed.visitor, app)),
    };
    let events = unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

struct Watch {
    updates: Updates,
    leaving: CancellationToken,
    scores: bool,
    /// What was told without scores so far, where there is more to come: that there is another version, and when, would tell what it says.
    early: EarlyWords,
    /// Whoever reads the stream, while they may.
    reader: Option<Guest>,
}

impl Watch {
    /// The next event; `None` when the service shuts down, or whoever reads may no longer.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let received = tokio::select! {
                biased;
                () = self.leaving.cancelled() => return None,
                () = unwelcome(&mut self.reader) => return None,
                received = self.updates.next() => received,
            };
            if let Ok(Update::Call(verdict)) = &received
                && !self.is_told(verdict)
            {
                continue;
            }
            return self.event(received);
        }
    }

    /// Whether a version is told to whoever reads.
    fn is_told(&mut self, verdict: &CallVerdict) -> bool {
        let document = || serde_json::to_value(verdict).unwrap_or_default();
        self.scores || self.early.is_told(&verdict.call_id, &document())
    }

    /// What was received, as an event.
    fn event(&mut self, received: Result<Update, RecvError>) -> Option<Event> {
        match received {
            Ok(Update::Call(verdict)) => self.update(*verdict),
            Ok(Update::Enrolled(enrolled)) => Event::default().event("enrolled").json_data(enrolled).ok(),
            Err(RecvError::Lagged(missed)) => {
                // The end of a call may be among them.
                self.early = EarlyWords::default();
                let data = json!({ "missed": missed }).to_string();
                Some(Event::default().event("lagged").data(data))
            }
            Err(RecvError::Closed) => None,
        }
    }

    fn update(&self, verdict: CallVerdict) -> Option<Event> {
        let id = format!("{}/{}", verdict.call_id, verdict.version);
        let event = Event::default().event("update").id(id);
        event.json_data(Shown::new(verdict, self.scores)).ok()
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use futures_util::stream;
    use tokio::sync::broadcast;

    use super::*;
    use crate::decision::Reason;
    use crate::store::Access;
    use crate::switchboard::Identification;
    use crate::units::CallId;
    use crate::voiceprint::ModelId;

    fn update(version: u64) -> CallVerdict {
        let number = "+12025550102".parse().unwrap();
        let identification =
            Identification::inconclusive(number, ModelId::new("m"), "c".to_owned(), Reason::TooLittleSpeech);
        CallVerdict {
            call_id: CallId::fresh(),
            version,
            ended: false,
            identification,
            identity: crate::verdict::chain::nothing_known(Reason::TooLittleSpeech, &[], None),
        }
    }

    async fn text(event: Event) -> String {
        let response = Sse::new(stream::iter([Ok::<_, Infallible>(event)])).into_response();
        let bytes = axum::body::to_bytes(response.into_body(), 64 * 1024)
            .await
            .unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn without_scores_one_event_tells_of_versions_that_say_the_same() {
        let (sender, updates) = broadcast::channel(8);
        let first = update(1);
        for (version, reason) in [(1, Reason::TooLittleSpeech), (2, Reason::Ambiguous)] {
            let mut next = first.clone();
            (next.version, next.identification.reason) = (version, Some(reason));
            sender.send(Update::Call(Box::new(next))).unwrap();
        }
        sender.send(Update::Call(Box::new(update(3)))).unwrap();
        let mut watch = Watch {
            updates: Updates::new(updates, Access::operator()),
            leaving: CancellationToken::new(),
            scores: false,
            early: EarlyWords::default(),
            reader: None,
        };
        assert!(text(watch.next().await.unwrap()).await.contains("\"version\":1"));
        let next = text(watch.next().await.unwrap()).await;
        assert!(next.contains("\"version\":3"), "of another call: {next}");
    }

    #[tokio::test]
    async fn a_reader_who_fell_behind_is_told_how_much_it_missed() {
        let (sender, updates) = broadcast::channel(2);
        for version in 1..=5 {
            sender.send(Update::Call(Box::new(update(version)))).unwrap();
        }
        let mut watch = Watch {
            updates: Updates::new(updates, Access::operator()),
            leaving: CancellationToken::new(),
            scores: true,
            early: EarlyWords::default(),
            reader: None,
        };
        let lagged = text(watch.next().await.unwrap()).await;
        assert_eq!(lagged, "event: lagged\ndata: {\"missed\":3}\n\n");
        let next = text(watch.next().await.unwrap()).await;
        assert!(
            next.starts_with("event: update\n") && next.contains("\"version\":4"),
            "{next}"
        );
        watch.leaving.cancel();
        assert!(
            watch.next().await.is_none(),
            "the service leaves, and the stream with it"
        );
    }
}
