//! What runs at the end of every transaction, and what transactions note.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use aws_types::{AwsError, codes};
use std::sync::Arc;
use store::{MemoryStore, Schema, StateHandle, WriterGuard};
use support::{NOTES, ctx, key, note, schema};

/// Notes each changed row as text, and adds one row that counts them.
fn start() -> (StateHandle, WriterGuard) {
    let schema: Schema = schema().with_finish(|txn, _| {
        let changed = txn.changed(&NOTES);
        for (before, now) in &changed {
            let text = |row: &Option<Arc<support::Note>>| {
                row.as_ref()
                    .map_or_else(|| "-".into(), |note| note.text.clone())
            };
            txn.note(Arc::new(format!("{} to {}", text(before), text(now))));
        }
        if !changed.is_empty() {
            txn.put(&NOTES, note("count", &changed.len().to_string()));
        }
    });
    store::start(Box::new(MemoryStore::default()), schema).unwrap()
}

fn texts(batch: &store::CommittedBatch) -> Vec<String> {
    let texts = batch
        .notes
        .iter()
        .map(|note| note.downcast_ref::<String>().unwrap().clone());
    texts.collect()
}

#[tokio::test]
async fn it_sees_what_changed_and_is_committed_with_it() {
    let (state, _guard) = start();
    let mut changes = state.subscribe();
    let both = state.submit(ctx(), |txn, _| {
        txn.put(&NOTES, note("a", "1"));
        txn.put(&NOTES, note("a", "2"));
        txn.put(&NOTES, note("b", "3"));
        Ok(())
    });
    both.await.unwrap();
    let batch = changes.next().await.unwrap().unwrap();
    assert_eq!(texts(&batch), ["- to 2", "- to 3"]);
    let count = state
        .snapshot()
        .get(&NOTES, &key("count"))
        .unwrap()
        .text
        .clone();
    assert_eq!(count, "2");
    let one = state.submit(ctx(), |txn, _| {
        txn.put(&NOTES, note("a", "4"));
        txn.delete(&NOTES, &key("b"));
        Ok(())
    });
    one.await.unwrap();
    let batch = changes.next().await.unwrap().unwrap();
    assert_eq!(texts(&batch), ["2 to 4", "3 to -"]);
}

#[tokio::test]
async fn a_transaction_that_fails_is_neither_finished_nor_told() {
    let (state, _guard) = start();
    let mut changes = state.subscribe();
    let failed = state.submit(ctx(), |txn, _| {
        txn.put(&NOTES, note("a", "1"));
        txn.note(Arc::new("lost".to_owned()));
        Err::<(), AwsError>(codes::INTERNAL_FAILURE.with("no"))
    });
    failed.await.unwrap_err();
    let told = state.submit(ctx(), |txn, _| {
        txn.note(Arc::new("of nothing written".to_owned()));
        Ok(())
    });
    told.await.unwrap();
    let batch = changes.next().await.unwrap().unwrap();
    assert_eq!(texts(&batch), ["of nothing written"]);
    assert!(batch.changes.is_empty());
    assert_eq!(state.snapshot().count(&NOTES), 0);
}
