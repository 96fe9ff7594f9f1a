//! Previews made or being made, by URL: whoever asks meanwhile waits for the same fetch.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::{sync::Semaphore, task::JoinHandle};
use url::Url;

use super::{Preview, PreviewError};

/// How long a preview is kept.
const KEPT_MS: i64 = 3_600_000;
/// How long a page that gave none is left alone.
const FAILURE_KEPT_MS: i64 = 60_000;
/// Previews kept; each is a few KiB at most.
const KEPT_MAX: usize = 1_000;
/// Pages fetched at a time; each may take 6 MiB.
const TURNS: usize = 16;

pub(super) type Answer = Result<Preview, PreviewError>;
type Waiting = Shared<BoxFuture<'static, Answer>>;

/// The previews of the last hour.
#[derive(Debug)]
pub(in crate::media) struct Previews {
    kept: Mutex<HashMap<String, Kept>>,
    /// Who may fetch.
    pub(super) turns: Semaphore,
}

#[derive(Debug)]
struct Kept {
    since_ms: i64,
    answer: Waiting,
}

impl Default for Previews {
    fn default() -> Self {
        Self { kept: Mutex::default(), turns: Semaphore::new(TURNS) }
    }
}

impl Kept {
    fn is_fresh(&self, now_ms: i64) -> bool {
        let kept_ms = match self.answer.peek() {
            Some(Err(_)) => FAILURE_KEPT_MS,
            Some(Ok(_)) | None => KEPT_MS,
        };
        now_ms < self.since_ms.saturating_add(kept_ms)
    }
}

impl Previews {
    /// The preview of `url`, made by what `start` starts if there is none.
    pub(super) fn find(
        &self,
        now_ms: i64,
        url: &Url,
        start: impl FnOnce() -> JoinHandle<Answer>,
    ) -> Waiting {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(url.as_str()).filter(|kept| kept.is_fresh(now_ms)) {
            return found.answer.clone();
        }
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, kept| kept.is_fresh(now_ms));
        }
        if kept.len() >= KEPT_MAX
            && let Some(oldest) = kept.iter().min_by_key(|(_, kept)| kept.since_ms)
        {
            let oldest = oldest.0.clone();
            kept.remove(&oldest);
        }
        let work = start();
        let answer = async move { work.await.unwrap_or(Err(PreviewError::Stopped)) };
        let answer = answer.boxed().shared();
        kept.insert(url.as_str().to_owned(), Kept { since_ms: now_ms, answer: answer.clone() });
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Map;
    use tern_federation::PageError;

    use super::*;

    fn url(number: usize) -> Url {
        Url::parse(&format!("https://example.org/{number}")).unwrap()
    }

    async fn ask(previews: &Previews, now_ms: i64, number: usize, answer: Answer) -> bool {
        let mut started = false;
        let given = previews.find(now_ms, &url(number), || {
            started = true;
            tokio::spawn(async move { answer })
        });
        given.await.ok();
        started
    }

    #[tokio::test]
    async fn a_preview_is_kept_for_an_hour_and_a_failure_for_a_minute() {
        let previews = Previews::default();
        let good = || Ok(Arc::new(Map::new()));
        let bad = || Err(PageError::Unreachable.into());
        assert!(ask(&previews, 0, 1, good()).await);
        assert!(!ask(&previews, KEPT_MS - 1, 1, good()).await);
        assert!(ask(&previews, KEPT_MS, 1, good()).await);
        assert!(ask(&previews, 0, 2, bad()).await);
        assert!(!ask(&previews, FAILURE_KEPT_MS - 1, 2, bad()).await);
        assert!(ask(&previews, FAILURE_KEPT_MS, 2, bad()).await);
    }

    #[tokio::test]
    async fn the_oldest_goes_when_there_are_too_many() {
        let previews = Previews::default();
        for number in 0..=KEPT_MAX {
            let now_ms = i64::try_from(number).unwrap();
            assert!(ask(&previews, now_ms, number, Ok(Preview::default())).await);
        }
        assert_eq!(previews.kept.lock().unwrap().len(), KEPT_MAX);
        assert!(!ask(&previews, 2_000, 1, Ok(Preview::default())).await);
        assert!(ask(&previews, 2_000, 0, Ok(Preview::default())).await);
    }
}
