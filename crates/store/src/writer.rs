//! The one writer: runs transactions back to back, makes a batch durable with one commit, publishes
//! the new World, answers the callers, names the changed rows; in this order.
//!
//! So an acknowledged write is durable, and no reader sees what could still be lost. After a commit
//! that failed, or whose outcome is unknown, the unpublished World is dropped, everyone in the batch
//! and behind it gets an error, and writes are refused until the store is reopened and loaded
//! again; reads go on from the last published World.
//! Rule: design, "State: one writer, immutable snapshots, a durable log behind".

use crate::backend::{Store, StoreError};
use crate::batch::Batch;
use crate::changes::{CHANGES_LEN_MAX, CommittedBatch, Notice};
use crate::state::{StateHandle, Transaction, panic_text, unavailable};
use crate::world::{Schema, World};
use arc_swap::ArcSwap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, oneshot};

/// Transactions that may wait; a further one gets `ThrottlingException`.
const QUEUE_LEN_MAX: usize = 4096;
/// Transactions in one commit: bounds how long the first of them waits.
const BATCH_LEN_MAX: usize = 256;
/// First and longest wait before a failed store is opened again.
const REOPEN_AFTER_MIN: Duration = Duration::from_millis(50);
const REOPEN_AFTER_MAX: Duration = Duration::from_secs(5);
/// The lease of leadership, for stores that several servers share.
const LEADER_TTL: Duration = Duration::from_secs(10);

/// Loads the store and starts the writer's thread.
///
/// # Errors
/// The store cannot be led or loaded, or the thread cannot be started.
pub fn start(
    mut store: Box<dyn Store>,
    schema: Schema,
) -> Result<(StateHandle, WriterGuard), StoreError> {
    // Lead first: nobody else can then write after what `load` has seen.
    let fence = store.lead("writer", LEADER_TTL)?;
    let world = store.load(&schema)?;
    let published = Arc::new(ArcSwap::from_pointee(world));
    let (queue, messages) = sync_channel(QUEUE_LEN_MAX);
    let (changes, _) = broadcast::channel(CHANGES_LEN_MAX);
    let (alive, lives) = oneshot::channel();
    let handle = StateHandle {
        published: published.clone(),
        queue: queue.clone(),
        changes: changes.downgrade(),
    };
    let writer = Writer {
        store,
        schema,
        fence,
        published,
        changes,
        messages,
        ending: false,
    };
    let thread = Builder::new()
        .name("store-writer".into())
        .spawn(move || {
            // Dropped last, after a panic too.
            let _alive = alive;
            writer.run();
        })
        .map_err(|why| StoreError::Failed {
            doing: "start the writer's thread",
            why: why.to_string(),
        })?;
    let guard = WriterGuard {
        queue,
        thread: Some(thread),
        lives,
    };
    Ok((handle, guard))
}

/// Ends the writer when dropped: what was queued before is still committed and answered, then the
/// store is closed.
pub struct WriterGuard {
    queue: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
    /// Closed when the thread ends; nothing is ever sent.
    lives: oneshot::Receiver<()>,
}

impl WriterGuard {
    /// Resolves when the writer has ended although this guard is not dropped, with what it said in its
    /// panic. No write is possible any more, and no loop learns of changes: end the process.
    pub async fn failed(&mut self) -> String {
        if !self.lives.is_terminated() {
            let _ = (&mut self.lives).await;
        }
        // It is done but for its last few instructions.
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Err(panic)) => panic_text(panic.as_ref()).to_owned(),
            Some(Ok(())) | None => "it has ended before".into(),
        }
    }
}

impl Drop for WriterGuard {
    fn drop(&mut self) {
        // An error means that the writer has ended already.
        drop(self.queue.send(Message::End));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl fmt::Debug for WriterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriterGuard")
    }
}

/// What the writer's queue holds.
pub(crate) enum Message {
    Run(Box<dyn Transaction>),
    End,
}

struct Writer {
    store: Box<dyn Store>,
    schema: Schema,
    fence: u64,
    published: Arc<ArcSwap<World>>,
    changes: broadcast::Sender<Notice>,
    messages: Receiver<Message>,
    /// The guard was dropped: the batch at hand is the last one.
    ending: bool,
}

impl Writer {
    fn run(mut self) {
        while !self.ending {
            if let Err(error) = self.turn() {
                tracing::error!(%error, "store failed, writes refused");
                self.recover(&error);
            }
        }
    }

    /// Waits for work, runs what is waiting, commits it.
    fn turn(&mut self) -> Result<(), StoreError> {
        let mut next = self.messages.recv().ok();
        let mut batch = Batch::over(self.newest());
        while let Some(message) = next.take() {
            match message {
                Message::Run(transaction) => self.take(&mut batch, transaction)?,
                Message::End => self.ending = true,
            }
            if batch.len() < BATCH_LEN_MAX && !self.ending {
                next = self.messages.try_recv().ok();
            }
        }
        self.commit(batch)
    }

    /// Runs a transaction into the batch, committing the batch first where both are too large.
    fn take(
        &mut self,
        batch: &mut Batch,
        transaction: Box<dyn Transaction>,
    ) -> Result<(), StoreError> {
        let limits = self.store.limits();
        let Some(ran) = batch.run(transaction, limits) else {
            return Ok(());
        };
        if !batch.has_room_for(&ran, limits) {
            batch.take_back();
            let full = std::mem::replace(batch, Batch::over(self.newest()));
            if let Err(error) = self.commit(full) {
                ran.fail(unavailable(&error));
                return Err(error);
            }
            *batch = Batch::over(self.newest());
            batch.add_again(ran);
        } else {
            batch.add(ran);
        }
        Ok(())
    }

    /// Makes the batch durable, publishes, answers, notifies.
    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        let (changes, mut world, answers, notes) = batch.finish();
        if !changes.is_empty() {
            let revision = self.newest().revision() + 1;
            if let Err(error) = self.store.commit(&changes, revision, self.fence) {
                for answer in answers {
                    answer.fail(unavailable(&error));
                }
                return Err(error);
            }
            world.set_revision(revision);
            self.published.store(Arc::new(world));
            let committed = CommittedBatch {
                revision,
                changes: changes.into_iter().map(|c| (c.table, c.key)).collect(),
                notes,
            };
            for answer in answers {
                answer.send();
            }
            // An error means that nobody watches.
            drop(self.changes.send(Notice::Committed(Arc::new(committed))));
        } else {
            for answer in answers {
                answer.send();
            }
            if !notes.is_empty() {
                let told = CommittedBatch {
                    revision: self.newest().revision(),
                    changes: Vec::new(),
                    notes,
                };
                drop(self.changes.send(Notice::Committed(Arc::new(told))));
            }
        }
        Ok(())
    }

    /// Refuses writes until the store is open and loaded again, or the guard is dropped.
    fn recover(&mut self, failure: &StoreError) {
        let mut wait = REOPEN_AFTER_MIN;
        while !self.ending {
            self.refuse_for(jittered(wait), failure);
            match self.reload() {
                Ok(()) => {
                    tracing::info!(revision = self.newest().revision(), "store reopened");
                    drop(self.changes.send(Notice::Reloaded));
                    return;
                }
                Err(error) => tracing::warn!(%error, "store not reopened yet"),
            }
            wait = (wait * 2).min(REOPEN_AFTER_MAX);
        }
    }

    fn reload(&mut self) -> Result<(), StoreError> {
        self.store.reopen()?;
        let fence = self.store.lead("writer", LEADER_TTL)?;
        let world = self.store.load(&self.schema)?;
        let acknowledged = self.newest().revision();
        if world.revision() < acknowledged {
            return Err(StoreError::WentBack {
                acknowledged,
                found: world.revision(),
            });
        }
        self.fence = fence;
        self.published.store(Arc::new(world));
        Ok(())
    }

    /// Answers everyone who comes within this time with an error.
    #[expect(clippy::disallowed_methods, reason = "a deadline of the writer's own")]
    fn refuse_for(&mut self, wait: Duration, failure: &StoreError) {
        let until = Instant::now() + wait;
        while !self.ending {
            let left = until.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(Message::Run(transaction)) => transaction.refuse(unavailable(failure)),
                Ok(Message::End) => self.ending = true,
                Err(_) => return,
            }
        }
    }

    fn newest(&self) -> World {
        World::clone(&self.published.load())
    }
}

/// Between half the time and all of it, so that servers of one store do not return in step.
fn jittered(wait: Duration) -> Duration {
    let half = wait / 2;
    let random = RandomState::new().hash_one(0_u8) % 1000;
    half + half * u32::try_from(random).unwrap_or(0) / 1000
}
