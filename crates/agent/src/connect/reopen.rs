//! What an agent does about the proxies of tasks that an earlier one left: takes them up, or makes them anew.
//!
//! A task runs on meanwhile, and without its proxy it reaches nothing by name: what fails is tried again for as long as
//! the task and its namespace are there.

use super::Place;
use crate::actor::TaskContext;
use crate::engine::Host;
use crate::task::definition::NetworkMode;
use crate::task::state::TaskState;
use futures_util::stream::{self, StreamExt};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tracing::warn;

/// Each runs `nft` where its sockets must be made anew.
const AT_ONCE: usize = 8;
/// Before the second round; each further one is twice as far from the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// At most: what is wrong may be mended by hand.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Takes up the proxies of tasks that an earlier agent left, where their namespaces stand; closes those of all others.
/// Returns when all are open or gone.
pub async fn reopen(host: Arc<Host>, tasks: Vec<(Arc<TaskContext>, TaskState)>) {
    let all = tasks.iter().flat_map(|(task, state)| {
        let places = places(&host, task, state).into_iter();
        places.map(|place| Left::new(task.clone(), place))
    });
    let failed = round(all.collect()).await;
    host.connect.close_others().await;
    until_open(failed).await;
}

/// What is tried until it is open.
trait Attempt: Send + Sync {
    /// Once.
    fn open(&self) -> impl Future<Output = io::Result<()>> + Send;
    /// Whether there is anything to be opened.
    fn stands(&self) -> bool;
}

/// A namespace of a task that runs.
struct Left {
    task: Arc<TaskContext>,
    place: Place,
    /// Another one is whose task opens it.
    inode: Option<u64>,
}

impl Left {
    fn new(task: Arc<TaskContext>, place: Place) -> Self {
        let inode = inode(&place.netns);
        Self { task, place, inode }
    }
}

impl Attempt for Left {
    async fn open(&self) -> io::Result<()> {
        let opened = self.task.host.connect.open(&self.task, &self.place).await;
        if let Err(error) = &opened {
            let task = &self.task.definition.arn;
            warn!(task, %error, "a task's proxy cannot be opened again");
        }
        opened
    }

    fn stands(&self) -> bool {
        let is_there = self.inode.is_some() && inode(&self.place.netns) == self.inode;
        is_there && self.task.host.task(&self.task.definition.arn).is_some()
    }
}

fn inode(netns: &Path) -> Option<u64> {
    std::fs::metadata(netns).ok().map(|of| of.ino())
}

/// Each once; those that failed.
async fn round<T: Attempt>(all: Vec<T>) -> Vec<T> {
    let tried = stream::iter(all).map(async |one| match one.open().await {
        Ok(()) => None,
        Err(_) => Some(one),
    });
    let failed = tried.buffer_unordered(AT_ONCE);
    failed.filter_map(async |one| one).collect().await
}

async fn until_open<T: Attempt>(mut left: Vec<T>) {
    let mut pause = FIRST_PAUSE;
    while !left.is_empty() {
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        left.retain(Attempt::stands);
        left = round(left).await;
    }
}

fn places(host: &Host, task: &TaskContext, state: &TaskState) -> Vec<Place> {
    if task.definition.service_connect().is_none() {
        return Vec::new();
    }
    match task.definition.mode() {
        Ok(NetworkMode::Awsvpc) => {
            let interface = task.adopted_interface().into_iter();
            interface.map(|interface| interface.netns.into()).collect()
        }
        Ok(NetworkMode::Bridge) => {
            let containers = state.containers.iter();
            let ids = containers.map(|container| &container.runtime_id);
            let attached = ids.filter_map(|id| host.network.attached(id));
            attached.map(|bridge| Place::from(&bridge)).collect()
        }
        Ok(NetworkMode::Host | NetworkMode::None) | Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// Fails so often; is gone after so many attempts.
    #[derive(Default)]
    struct Scripted {
        fails: usize,
        gone_after: Option<usize>,
        attempts: AtomicUsize,
    }

    impl Attempt for Arc<Scripted> {
        async fn open(&self) -> io::Result<()> {
            match self.attempts.fetch_add(1, Relaxed) < self.fails {
                true => Err(io::ErrorKind::TimedOut.into()),
                false => Ok(()),
            }
        }

        fn stands(&self) -> bool {
            let attempts = self.attempts.load(Relaxed);
            self.gone_after.is_none_or(|after| attempts < after)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_tried_until_it_is_open_or_gone_and_nothing_twice() {
        let scripted = |fails, gone_after| {
            Arc::new(Scripted {
                fails,
                gone_after,
                ..Scripted::default()
            })
        };
        let all = [
            scripted(0, None),
            scripted(12, None),
            scripted(usize::MAX, Some(3)),
        ];
        until_open(round(all.to_vec()).await).await;
        let attempts = all.iter().map(|one| one.attempts.load(Relaxed));
        assert_eq!(attempts.collect::<Vec<_>>(), [1, 13, 3]);
    }
}
