//! What a call brought while the store could not be read, brought in once it can.
//!
//! A ringing call is answered without it, and webhooks are acknowledged without it; neither comes again. What they
//! said of the call's origin is kept on its line, and tried again until it is weighed or the call is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::switchboard::Case;
use crate::units::DialedNumber;

use super::attend::NoCase;
use super::line::Line;
use super::service::Vapi;
use super::view::CallView;

/// The pause between two attempts.
const AGAIN: Duration = Duration::from_secs(2);

/// Why nothing is known of a call while the store cannot be read.
const UNAVAILABLE: &str = "unavailable";

/// Whether what was learnt of a call waits for the store.
pub(super) fn waits_for_the_store(case: &Case) -> bool {
    case.verdict().identity.speaker.reason == Some(UNAVAILABLE)
}

impl Vapi {
    /// Keeps what `view` says for later. There is one who tries again a call, whatever comes meanwhile.
    pub(super) fn fall_behind(self: &Arc<Self>, line: &Arc<Line>, number: &DialedNumber, view: &CallView) {
        let first = {
            let mut state = line.state();
            let kept = state.behind.take();
            let first = kept.is_none();
            // What came last is said best; what it leaves out was said before.
            state.behind = Some(kept.map_or_else(|| view.clone(), |before| view.with(before)));
            first
        };
        if first {
            let (house, line, number) = (Arc::clone(self), Arc::clone(line), number.clone());
            self.tasks
                .spawn(async move { house.catch_up(&line, &number).await });
        }
    }

    async fn catch_up(self: &Arc<Self>, line: &Arc<Line>, number: &DialedNumber) {
        loop {
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = line.ended.cancelled() => return,
                () = self.leaving.cancelled() => return,
            }
            let case = match self.case(line, number).await {
                Ok(case) => case,
                Err(NoCase::Failed) => continue,
                // Now it is known that there is nothing to look into.
                Err(NoCase::NotOurs | NoCase::Never) => break,
            };
            let Some(view) = line.state().behind.clone() else {
                return;
            };
            self.learn(line, &case, &view, number).await;
            if !waits_for_the_store(&case) {
                self.go_on(line, &case, number);
                break;
            }
        }
        line.state().behind = None;
    }
}
