//! Jobs that wait for an inference thread: those of live calls first, each kind in its order.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Analyst;
use super::door::Urgency;

/// What a thread does with its models.
pub(super) type Job = Box<dyn FnOnce(&mut Analyst) + Send>;

/// The end that jobs are given to. When it is dropped, what waits is still done, and then the threads end.
#[derive(Default)]
pub(super) struct Queue(Arc<Shared>);

/// The end that threads take jobs from.
#[derive(Default)]
pub(super) struct Shared {
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Default)]
struct Waiting {
    live: VecDeque<Waited>,
    recordings: VecDeque<Waited>,
    closed: bool,
}

/// A job, and since when it has waited.
type Waited = (Instant, Job);

/// What waits of one kind of job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many jobs.
    pub depth: usize,
    /// How long the oldest has waited.
    pub age: Duration,
}

impl Backlog {
    fn of(jobs: &VecDeque<Waited>) -> Self {
        Self {
            depth: jobs.len(),
            age: jobs.front().map_or(Duration::ZERO, |(since, _)| since.elapsed()),
        }
    }
}

impl Queue {
    /// What waits of live calls, and of recordings.
    pub(super) fn backlogs(&self) -> [Backlog; 2] {
        let waiting = self.0.held();
        [&waiting.live, &waiting.recordings].map(Backlog::of)
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0)
    }

    pub(super) fn push(&self, urgency: Urgency, job: Job) {
        let mut waiting = self.0.held();
        match urgency {
            Urgency::Live => waiting.live.push_back((Instant::now(), job)),
            Urgency::Recording => waiting.recordings.push_back((Instant::now(), job)),
        }
        drop(waiting);
        self.0.news.notify_one();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.0.held().closed = true;
        self.0.news.notify_all();
    }
}

impl Shared {
    /// The next job, waited for; `None` when there will be none any more.
    pub(super) fn next(&self) -> Option<Job> {
        let mut waiting = self.held();
        loop {
            let live = waiting.live.pop_front();
            if let Some((_, job)) = live.or_else(|| waiting.recordings.pop_front()) {
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.news.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn held(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
