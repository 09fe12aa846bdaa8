//! Jobs that wait for an inference thread: those of live calls first, in each class the nearest deadline first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Analyst;
use super::admission::{Admission, Urgency};

/// What a thread does with its models.
pub(super) type Job = Box<dyn FnOnce(&mut Analyst) + Send>;

/// The end that jobs are given to. When it is dropped, what waits is still done, and then the threads end.
pub(super) struct Queue(Arc<Shared>);

/// The end that threads take jobs from.
pub(super) struct Shared {
    waiting: Mutex<Waiting>,
    news: Condvar,
    threads: usize,
    admission: Arc<Admission>,
}

#[derive(Default)]
struct Waiting {
    live: BinaryHeap<Entry>,
    recordings: BinaryHeap<Entry>,
    /// Slices of recordings that are being worked on.
    recordings_at_work: usize,
    /// How many jobs there have been: of equal deadlines the first is the first.
    count: u64,
    closed: bool,
}

struct Entry {
    due: Instant,
    count: u64,
    since: Instant,
    job: Job,
}

/// A job whose turn has come.
pub(super) struct Turn {
    pub job: Job,
    pub urgency: Urgency,
    /// How long it waited.
    pub waited: Duration,
}

/// What waits of one class of jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many jobs.
    pub depth: usize,
    /// How long the oldest has waited.
    pub age: Duration,
}

impl Backlog {
    fn of(jobs: &BinaryHeap<Entry>) -> Self {
        let oldest = jobs.iter().map(|entry| entry.since).min();
        Self {
            depth: jobs.len(),
            age: oldest.map_or(Duration::ZERO, |since| since.elapsed()),
        }
    }
}

impl Queue {
    pub(super) fn new(threads: usize, admission: Arc<Admission>) -> Self {
        Self(Arc::new(Shared {
            waiting: Mutex::default(),
            news: Condvar::new(),
            threads,
            admission,
        }))
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0)
    }

    /// What waits of live calls, and of recordings.
    pub(super) fn backlogs(&self) -> [Backlog; 2] {
        let waiting = self.0.held();
        [&waiting.live, &waiting.recordings].map(Backlog::of)
    }

    pub(super) fn push(&self, urgency: Urgency, due: Instant, job: Job) {
        let mut waiting = self.0.held();
        waiting.count += 1;
        let entry = Entry {
            due,
            count: waiting.count,
            since: Instant::now(),
            job,
        };
        match urgency {
            Urgency::Live => waiting.live.push(entry),
            Urgency::Recording => waiting.recordings.push(entry),
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
    pub(super) fn next(&self) -> Option<Turn> {
        let mut waiting = self.held();
        loop {
            if let Some(entry) = waiting.live.pop() {
                return Some(entry.turn(Urgency::Live));
            }
            if waiting.recordings_at_work < self.for_recordings()
                && let Some(entry) = waiting.recordings.pop()
            {
                waiting.recordings_at_work += 1;
                return Some(entry.turn(Urgency::Recording));
            }
            if waiting.closed && waiting.recordings.is_empty() {
                return None;
            }
            waiting = self.news.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A job that was taken is done.
    pub(super) fn done(&self, urgency: Urgency) {
        if urgency == Urgency::Recording {
            self.held().recordings_at_work -= 1;
            // Another thread may have waited for recordings to have a place.
            self.news.notify_all();
        }
    }

    /// Threads that recordings may have: while anybody is on the line one is kept free of them where there are two, so
    /// that no live job waits even for a slice.
    fn for_recordings(&self) -> usize {
        let kept_free = usize::from(self.threads > 1 && self.admission.has_live());
        self.threads - kept_free
    }

    fn held(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn turn(self, urgency: Urgency) -> Turn {
        Turn {
            job: self.job,
            urgency,
            waited: self.since.elapsed(),
        }
    }
}

/// The greatest is the next: the nearest deadline, and of equal ones the first that came.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.count).cmp(&(self.due, self.count))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
