//! What a call brought while the store could not be read, brought in once it can.
//!
//! A ringing call is answered without it, and webhooks are acknowledged without it; neither comes again. What they
//! said of the call's origin is kept on its line, and tried again until it is weighed or the call is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::units::DialedNumber;

use super::attend::NoCase;
use super::line::{Line, State};
use super::service::Vapi;
use super::view::CallView;

/// The pause between two attempts.
const AGAIN: Duration = Duration::from_secs(2);

impl Vapi {
    /// Keeps what `view` says for later. One task a call tries again, whatever comes meanwhile.
    pub(super) fn fall_behind(self: &Arc<Self>, line: &Arc<Line>, number: &DialedNumber, view: &CallView) {
        let first = {
            let mut state = line.state();
            state.put_off(view.clone());
            !std::mem::replace(&mut state.catching_up, true)
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
                Ok(case) => Some(case),
                Err(NoCase::Failed) => continue,
                // Now it is known that there is nothing to look into.
                Err(NoCase::NotOurs | NoCase::Never) => None,
            };
            let view = {
                let mut state = line.state();
                let view = state.behind.take();
                if case.is_none() || view.is_none() {
                    state.catching_up = false;
                }
                view
            };
            let (Some(case), Some(view)) = (case, view) else {
                return;
            };
            self.learn(line, &case, &view, number).await;
            if case.is_in_the_dark() {
                line.state().put_off_older(view);
            } else {
                self.go_on(line, &case, number);
            }
        }
    }
}

impl State {
    /// Keeps news for later; what they leave out was said before.
    fn put_off(&mut self, view: CallView) {
        self.behind = Some(match self.behind.take() {
            Some(older) => view.with(older),
            None => view,
        });
    }

    /// Keeps what was tried in vain; what has come since is newer.
    fn put_off_older(&mut self, view: CallView) {
        self.behind = Some(match self.behind.take() {
            Some(newer) => newer.with(view),
            None => view,
        });
    }
}
