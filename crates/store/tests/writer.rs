//! The writer's promises, tried with a store that can be stopped and made to fail.

#![allow(dead_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use aws_types::{AwsError, codes};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Change, Lagged, Limits, MemoryStore, Schema, StateHandle, Store, StoreError, World};
use support::{NOTES, ctx, key, note, schema};

/// What the test tells the store to do with the next commit.
enum Order {
    Succeed,
    /// Nothing is written.
    Fail,
    /// Everything is written, and the caller is told that it failed.
    FailAfterwards,
}

/// A store whose every commit waits for the test's order.
struct Ordered {
    inner: MemoryStore,
    arrived: Sender<Vec<Change>>,
    orders: Arc<Mutex<Receiver<Order>>>,
    limits: Limits,
    /// How often `reopen` fails before it succeeds.
    reopen_failures: u32,
}

impl Store for Ordered {
    fn load(&mut self, schema: &Schema) -> Result<World, StoreError> {
        self.inner.load(schema)
    }

    fn commit(&mut self, batch: &[Change], revision: u64, fence: u64) -> Result<(), StoreError> {
        self.arrived.send(batch.to_vec()).unwrap();
        let failed = Err(StoreError::Failed {
            doing: "commit",
            why: "ordered by the test".into(),
        });
        match self.orders.lock().unwrap().recv().unwrap() {
            Order::Succeed => self.inner.commit(batch, revision, fence),
            Order::Fail => failed,
            Order::FailAfterwards => {
                self.inner.commit(batch, revision, fence)?;
                failed
            }
        }
    }

    fn lead(&mut self, name: &str, ttl: Duration) -> Result<u64, StoreError> {
        self.inner.lead(name, ttl)
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        match self.reopen_failures.checked_sub(1) {
            None => Ok(()),
            Some(left) => {
                self.reopen_failures = left;
                Err(StoreError::Failed {
                    doing: "reopen",
                    why: "ordered by the test".into(),
                })
            }
        }
    }
}

struct Stage {
    state: StateHandle,
    arrived: Receiver<Vec<Change>>,
    orders: Sender<Order>,
    disk: MemoryStore,
    _guard: store::WriterGuard,
}

fn stage(limits: Limits) -> Stage {
    let (arrived_in, arrived) = channel();
    let (orders, orders_out) = channel();
    let disk = MemoryStore::default();
    let store = Ordered {
        inner: disk.clone(),
        arrived: arrived_in,
        orders: Arc::new(Mutex::new(orders_out)),
        limits,
        reopen_failures: 2,
    };
    let (state, guard) = store::start(Box::new(store), schema()).unwrap();
    Stage {
        state,
        arrived,
        orders,
        disk,
        _guard: guard,
    }
}

/// Submits without waiting for the answer; polled once, so that it is in the queue on return.
fn put(state: &StateHandle, name: &str) -> tokio::task::JoinHandle<Result<(), AwsError>> {
    let (state, name) = (state.clone(), name.to_owned());
    tokio::spawn(async move {
        state
            .submit(ctx(), move |txn, _| {
                txn.put(&NOTES, note(&name, "text"));
                Ok(())
            })
            .await
    })
}

/// Whether the row is there, answered by a transaction that writes nothing.
fn seen(state: &StateHandle, name: &str) -> tokio::task::JoinHandle<Result<bool, AwsError>> {
    let (state, name) = (state.clone(), name.to_owned());
    tokio::spawn(async move {
        state
            .submit(ctx(), move |txn, _| {
                Ok(txn.get(&NOTES, &key(&name)).is_some())
            })
            .await
    })
}

fn names(batch: &[Change]) -> Vec<String> {
    batch
        .iter()
        .map(|change| change.key.reader().text().unwrap())
        .collect()
}

/// On one thread, spawned tasks run when the test yields (some sixty a yield): each submits.
async fn let_them_submit() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_batch_is_answered_only_after_its_one_commit() {
    let stage = stage(Limits::NONE);
    let mut changes = stage.state.subscribe();
    let first = put(&stage.state, "first");
    let_them_submit().await;
    assert_eq!(names(&stage.arrived.recv().unwrap()), ["first"]);
    let behind: Vec<_> = ["a", "b", "c"].map(|name| put(&stage.state, name)).into();
    let reader = seen(&stage.state, "c");
    let_them_submit().await;
    assert!(!first.is_finished());
    assert_eq!(stage.state.snapshot().count(&NOTES), 0, "nothing published");

    stage.orders.send(Order::Succeed).unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(stage.state.snapshot().revision(), 1);

    assert_eq!(names(&stage.arrived.recv().unwrap()), ["a", "b", "c"]);
    let_them_submit().await;
    assert!(behind.iter().all(|put| !put.is_finished()));
    assert!(
        !reader.is_finished(),
        "it has seen a row that is not durable yet"
    );
    stage.orders.send(Order::Succeed).unwrap();
    for put in behind {
        put.await.unwrap().unwrap();
    }
    assert!(reader.await.unwrap().unwrap());
    assert_eq!(stage.state.snapshot().count(&NOTES), 4);

    let told: Vec<_> = [
        changes.next().await.unwrap().unwrap(),
        changes.next().await.unwrap().unwrap(),
    ]
    .iter()
    .map(|batch| (batch.revision, batch.changes.len()))
    .collect();
    assert_eq!(told, [(1, 1), (2, 3)]);
}

#[tokio::test]
async fn a_failed_commit_fails_its_callers_and_those_who_saw_its_rows() {
    let stage = stage(Limits::NONE);
    let mut changes = stage.state.subscribe();
    let first = put(&stage.state, "first");
    let_them_submit().await;
    stage.arrived.recv().unwrap();
    stage.orders.send(Order::Fail).unwrap();
    let error = first.await.unwrap().unwrap_err();
    assert_eq!(error.code(), codes::SERVICE_UNAVAILABLE);
    assert_eq!(stage.state.snapshot().count(&NOTES), 0, "reads go on");

    assert!(matches!(changes.next().await, Some(Err(Lagged))));
    let second = put(&stage.state, "second");
    let_them_submit().await;
    assert_eq!(names(&stage.arrived.recv().unwrap()), ["second"]);
    stage.orders.send(Order::Succeed).unwrap();
    second.await.unwrap().unwrap();
    let world = stage.disk.clone().load(&schema()).unwrap();
    assert!(world.get(&NOTES, &key("first")).is_none());
    assert!(world.get(&NOTES, &key("second")).is_some());
}

#[tokio::test]
async fn a_commit_of_unknown_outcome_is_not_acknowledged_and_is_seen_after_the_reload() {
    let stage = stage(Limits::NONE);
    let mut changes = stage.state.subscribe();
    let first = put(&stage.state, "first");
    let_them_submit().await;
    stage.arrived.recv().unwrap();
    stage.orders.send(Order::FailAfterwards).unwrap();
    assert!(first.await.unwrap().is_err());
    assert!(matches!(changes.next().await, Some(Err(Lagged))));
    let world = stage.state.snapshot();
    assert!(world.get(&NOTES, &key("first")).is_some());
    assert_eq!(world.revision(), 1);
}

#[tokio::test]
async fn writes_are_refused_until_the_store_is_open_again() {
    let stage = stage(Limits::NONE);
    let first = put(&stage.state, "first");
    let_them_submit().await;
    stage.arrived.recv().unwrap();
    let behind = put(&stage.state, "behind");
    let_them_submit().await;
    stage.orders.send(Order::Fail).unwrap();
    assert!(first.await.unwrap().is_err());
    assert_eq!(
        behind.await.unwrap().unwrap_err().code(),
        codes::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_panic_fails_its_caller_alone_and_an_error_leaves_nothing() {
    let stage = stage(Limits::NONE);
    let blocker = put(&stage.state, "blocker");
    let_them_submit().await;
    stage.arrived.recv().unwrap();
    let before = put(&stage.state, "before");
    let panicking = tokio::spawn({
        let state = stage.state.clone();
        async move {
            state
                .submit(ctx(), |txn, _| -> Result<(), AwsError> {
                    txn.put(&NOTES, note("half", "done"));
                    panic!("ordered by the test");
                })
                .await
        }
    });
    let refused = tokio::spawn({
        let state = stage.state.clone();
        async move {
            state
                .submit(ctx(), |txn, _| -> Result<(), AwsError> {
                    txn.put(&NOTES, note("staged", "text"));
                    Err(codes::ACCESS_DENIED.with("no"))
                })
                .await
        }
    });
    let after = put(&stage.state, "after");
    let_them_submit().await;
    stage.orders.send(Order::Succeed).unwrap();
    stage.orders.send(Order::Succeed).unwrap();
    assert_eq!(
        names(&stage.arrived.recv().unwrap()),
        ["after", "before"],
        "changes in order of key"
    );
    for good in [blocker, before, after] {
        good.await.unwrap().unwrap();
    }
    let error = panicking.await.unwrap().unwrap_err();
    assert_eq!(error.code(), codes::INTERNAL_FAILURE);
    assert_eq!(error.log_detail(), Some("panic: ordered by the test"));
    assert_eq!(
        refused.await.unwrap().unwrap_err().code(),
        codes::ACCESS_DENIED
    );
    let rows: Vec<_> = stage
        .state
        .snapshot()
        .scan(&NOTES)
        .map(|note| note.name.clone())
        .collect();
    assert_eq!(rows, ["after", "before", "blocker"]);
}

#[tokio::test]
async fn batches_are_split_between_transactions_at_the_stores_limits() {
    let stage = stage(Limits {
        rows_per_commit: 2,
        ..Limits::NONE
    });
    let blocker = put(&stage.state, "blocker");
    let_them_submit().await;
    stage.arrived.recv().unwrap();
    let five: Vec<_> = ["a", "b", "c", "d", "e"]
        .map(|name| put(&stage.state, name))
        .into();
    let too_large = tokio::spawn({
        let state = stage.state.clone();
        async move {
            state
                .submit(ctx(), |txn, _| {
                    for name in ["x", "y", "z"] {
                        txn.put(&NOTES, note(name, "text"));
                    }
                    Ok(())
                })
                .await
        }
    });
    let_them_submit().await;
    for _ in 0..4 {
        stage.orders.send(Order::Succeed).unwrap();
    }
    blocker.await.unwrap().unwrap();
    for put in five {
        put.await.unwrap().unwrap();
    }
    assert_eq!(
        too_large.await.unwrap().unwrap_err().code(),
        codes::INTERNAL_FAILURE
    );
    let batches: Vec<_> = stage.arrived.try_iter().map(|b| names(&b)).collect();
    assert_eq!(batches, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
}

#[tokio::test]
async fn what_found_no_room_in_a_commit_is_not_published_with_it() {
    let stage = stage(Limits {
        rows_per_commit: 2,
        ..Limits::NONE
    });
    let blocker = put(&stage.state, "blocker");
    let_them_submit().await;
    stage.arrived.recv().unwrap();
    let three: Vec<_> = ["a", "b", "c"].map(|name| put(&stage.state, name)).into();
    let_them_submit().await;
    stage.orders.send(Order::Succeed).unwrap();
    blocker.await.unwrap().unwrap();
    assert_eq!(names(&stage.arrived.recv().unwrap()), ["a", "b"]);
    stage.orders.send(Order::Succeed).unwrap();
    assert_eq!(names(&stage.arrived.recv().unwrap()), ["c"]);
    let published = stage.state.snapshot();
    assert!(published.get(&NOTES, &key("b")).is_some());
    assert!(published.get(&NOTES, &key("c")).is_none(), "not durable");
    stage.orders.send(Order::Succeed).unwrap();
    for put in three {
        put.await.unwrap().unwrap();
    }
    assert!(stage.state.snapshot().get(&NOTES, &key("c")).is_some());
}

#[test]
fn a_deposed_leader_cannot_write() {
    let disk = MemoryStore::default();
    let (old, _old_guard) = store::start(Box::new(disk.clone()), schema()).unwrap();
    let mut rival = disk.clone();
    let fence = rival.lead("writer", Duration::from_secs(1)).unwrap();
    let error = old
        .submit_blocking(ctx(), |txn, _| {
            txn.put(&NOTES, note("late", "text"));
            Ok(())
        })
        .unwrap_err();
    assert_eq!(error.code(), codes::SERVICE_UNAVAILABLE);
    assert_eq!(rival.load(&schema()).unwrap().count(&NOTES), 0);
    assert!(fence > 1);
}

#[test]
fn dropping_the_guard_commits_what_was_queued_and_ends_the_writer() {
    let disk = MemoryStore::default();
    let (state, guard) = store::start(Box::new(disk.clone()), schema()).unwrap();
    state
        .submit_blocking(ctx(), |txn, _| {
            txn.put(&NOTES, note("kept", "text"));
            Ok(())
        })
        .unwrap();
    drop(guard);
    let error = state.submit_blocking(ctx(), |_, _| Ok(())).unwrap_err();
    assert_eq!(error.code(), codes::SERVICE_UNAVAILABLE);
    assert_eq!(disk.clone().load(&schema()).unwrap().count(&NOTES), 1);
}

#[tokio::test]
async fn a_full_queue_answers_throttling() {
    let stage = stage(Limits::NONE);
    let first = put(&stage.state, "first");
    let_them_submit().await;
    stage.arrived.recv().unwrap();
    let waiting: Vec<_> = (0..5000)
        .map(|n| put(&stage.state, &n.to_string()))
        .collect();
    let_them_submit().await;
    for _ in 0..5001 {
        stage.orders.send(Order::Succeed).unwrap();
    }
    first.await.unwrap().unwrap();
    let (mut done, mut throttled) = (0, 0);
    for put in waiting {
        match put.await.unwrap() {
            Ok(()) => done += 1,
            Err(error) => {
                assert_eq!(error.code(), codes::THROTTLING);
                assert_eq!(error.message(), "Rate exceeded");
                throttled += 1;
            }
        }
    }
    assert_eq!((done, throttled), (4096, 904));
}
