//! What takes the kernel a while to tell, kept for some seconds.

use std::time::Duration;
use tokio::sync::Mutex;

/// A host's way out changes rarely.
const KEPT_FOR: Duration = Duration::from_secs(5);

/// The last that was told, and when: times count from any fixed moment.
#[derive(Debug)]
pub struct Kept<T> {
    /// Of tokio: held while it is asked, so that many askers ask once.
    last: Mutex<Option<(Duration, T)>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            last: Mutex::new(None),
        }
    }
}

impl<T: Clone> Kept<T> {
    /// As it was last told, or as `ask` tells it where that is too long ago.
    pub async fn get(&self, now: Duration, ask: impl Future<Output = T>) -> T {
        let mut last = self.last.lock().await;
        match &*last {
            Some((at, known)) if now.saturating_sub(*at) < KEPT_FOR => known.clone(),
            Some(_) | None => {
                let told = ask.await;
                *last = Some((now, told.clone()));
                told
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_asked_once_in_a_while() {
        let kept = Kept::default();
        let moment = KEPT_FOR / 2;
        assert_eq!(kept.get(moment, async { 1 }).await, 1);
        let unasked = async { panic!("it is known") };
        assert_eq!(kept.get(moment + KEPT_FOR / 2, unasked).await, 1);
        assert_eq!(kept.get(moment + KEPT_FOR, async { 2 }).await, 2);
    }
}
