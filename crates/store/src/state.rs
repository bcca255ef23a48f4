//! The handle through which everything reads snapshots and submits transactions.

use crate::changes::{ChangeStream, Notice};
use crate::txn::Txn;
use crate::world::World;
use crate::writer::Message;
use arc_swap::ArcSwap;
use aws_types::{AwsError, Ctx, codes};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use tokio::sync::{broadcast, oneshot};

/// Reads snapshots, submits transactions, subscribes to changes. Cheap to clone.
#[derive(Clone)]
pub struct StateHandle {
    pub(crate) published: Arc<ArcSwap<World>>,
    pub(crate) queue: SyncSender<Message>,
    /// Weak, so that subscribers see the end of the writer.
    pub(crate) changes: broadcast::WeakSender<Notice>,
}

impl StateHandle {
    /// The newest durable World. Takes no lock.
    #[must_use]
    pub fn snapshot(&self) -> World {
        World::clone(&self.published.load())
    }

    /// Runs a transaction in the one writer and answers once what it wrote, and what it saw, is
    /// durable. It runs even when the caller no longer waits.
    ///
    /// # Errors
    /// What the transaction returned (nothing of it stays); `ThrottlingException` when the queue is
    /// full (it did not run); `InternalFailure` when it panicked; `ServiceUnavailable` when the
    /// store failed (a store's commit of unknown outcome included) or the writer has ended.
    pub async fn submit<T: Send + 'static>(
        &self,
        ctx: Ctx,
        call: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError> + Send + 'static,
    ) -> Result<T, AwsError> {
        self.enqueue(ctx, call)?
            .await
            .unwrap_or_else(|_| Err(ended()))
    }

    /// As [`submit`](Self::submit), for threads outside an async runtime.
    ///
    /// # Errors
    /// As `submit`.
    ///
    /// # Panics
    /// When called on a thread of an async runtime: it would block every task of that thread.
    pub fn submit_blocking<T: Send + 'static>(
        &self,
        ctx: Ctx,
        call: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError> + Send + 'static,
    ) -> Result<T, AwsError> {
        self.enqueue(ctx, call)?
            .blocking_recv()
            .unwrap_or_else(|_| Err(ended()))
    }

    /// The batches committed from now on. Subscribe first, then take a snapshot: nothing is missed.
    #[must_use]
    pub fn subscribe(&self) -> ChangeStream {
        ChangeStream(match self.changes.upgrade() {
            Some(changes) => changes.subscribe(),
            None => broadcast::channel(1).1,
        })
    }

    fn enqueue<T: Send + 'static>(
        &self,
        ctx: Ctx,
        call: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, AwsError>>, AwsError> {
        let (reply, answer) = oneshot::channel();
        let waiting: Box<dyn Transaction> = Box::new(Waiting { ctx, call, reply });
        match self.queue.try_send(Message::Run(waiting)) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(codes::THROTTLING.with("Rate exceeded")),
            Err(TrySendError::Disconnected(_)) => Err(ended()),
        }
    }
}

impl fmt::Debug for StateHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateHandle({:?})", self.published.load())
    }
}

fn ended() -> AwsError {
    unavailable("the writer has ended")
}

/// The error of every caller whom the store has failed.
pub(crate) fn unavailable(detail: impl fmt::Display) -> AwsError {
    codes::SERVICE_UNAVAILABLE
        .with("The service is currently unavailable. Try again later.")
        .detail(detail)
}

/// A transaction that waits for its turn, its types erased.
pub(crate) trait Transaction: Send {
    /// Runs it over `txn`; its answer waits for the commit.
    fn run(self: Box<Self>, txn: &mut Txn) -> Box<dyn Answer>;
    /// Answers without running.
    fn refuse(self: Box<Self>, error: AwsError);
}

/// The answer of a transaction that has run, waiting for the commit.
pub(crate) trait Answer: Send {
    /// Whether what it staged is to be committed.
    fn keeps_writes(&self) -> bool;
    /// Everything it wrote and saw is durable.
    fn send(self: Box<Self>);
    /// What it wrote or saw may be lost.
    fn fail(self: Box<Self>, error: AwsError);
}

struct Waiting<T, F> {
    ctx: Ctx,
    call: F,
    reply: oneshot::Sender<Result<T, AwsError>>,
}

struct Answered<T> {
    result: Result<T, AwsError>,
    reply: oneshot::Sender<Result<T, AwsError>>,
}

impl<T, F> Transaction for Waiting<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError> + Send,
{
    fn run(self: Box<Self>, txn: &mut Txn) -> Box<dyn Answer> {
        let Self {
            mut ctx,
            call,
            reply,
        } = *self;
        // Unwind safe: nobody else sees `ctx`, and of `txn` the batch keeps nothing after a panic but a
        // World to which no write has even begun.
        let run = || {
            let done = call(txn, &mut ctx)?;
            txn.end(&mut ctx);
            Ok(done)
        };
        let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            Err(codes::INTERNAL_FAILURE
                .with("An internal error occurred.")
                .detail(format_args!("panic: {}", panic_text(panic.as_ref()))))
        });
        Box::new(Answered { result, reply })
    }

    fn refuse(self: Box<Self>, error: AwsError) {
        answer(self.reply, Err(error));
    }
}

impl<T: Send> Answer for Answered<T> {
    fn keeps_writes(&self) -> bool {
        self.result.is_ok()
    }

    fn send(self: Box<Self>) {
        answer(self.reply, self.result);
    }

    fn fail(self: Box<Self>, error: AwsError) {
        answer(self.reply, Err(error));
    }
}

/// A caller who no longer waits has no use for the answer.
fn answer<T>(reply: oneshot::Sender<Result<T, AwsError>>, result: Result<T, AwsError>) {
    drop(reply.send(result));
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of no text")
}
