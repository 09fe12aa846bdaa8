//! One question to the store for all who ask the same at a time: whoever knocks at a carrier's door has the store asked whether
//! anybody is waited for, before anything is known of them.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// The least time from one question to the next.
const BETWEEN: Duration = Duration::from_millis(100);

/// A question that is put for many.
#[derive(Default)]
pub(super) struct Together(Mutex<Option<(Instant, Option<bool>)>>);

impl Together {
    /// The answer to the question, put after this was called: by this caller or by another. An older one says nothing of what
    /// came into the store since.
    pub async fn ask(&self, question: impl Future<Output = Option<bool>>) -> Option<bool> {
        let came = Instant::now();
        let mut latest = self.0.lock().await;
        if let Some((put, answer)) = *latest {
            if put >= came {
                return answer;
            }
            sleep_until(put + BETWEEN).await;
        }
        let put = Instant::now();
        let answer = question.await;
        *latest = Some((put, answer));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn of_ten_thousand_who_ask_at_once_two_have_the_store_asked() {
        const MANY: usize = 10_000;
        let (together, gate) = (Together::default(), Semaphore::new(0));
        let (came, put) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let asking = (0..MANY).map(|_| async {
            came.fetch_add(1, Ordering::Relaxed);
            let question = async {
                put.fetch_add(1, Ordering::Relaxed);
                let _ = gate.acquire().await;
                Some(true)
            };
            together.ask(question).await
        });
        let open = async {
            while came.load(Ordering::Relaxed) < MANY {
                yield_now().await;
            }
            gate.add_permits(1);
        };
        let (answers, ()) = tokio::join!(join_all(asking), open);
        assert!(answers.iter().all(|answer| *answer == Some(true)));
        // The first, and one for all who came while that was under way.
        assert_eq!(put.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_comes_after_a_question_was_put_has_no_answer_of_before() {
        let (together, gate) = (Together::default(), Semaphore::new(0));
        let first = together.ask(async {
            let _ = gate.acquire().await;
            Some(false)
        });
        let late = async {
            gate.add_permits(1);
            together.ask(async { Some(true) }).await
        };
        assert_eq!(tokio::join!(first, late), (Some(false), Some(true)));
    }
}
