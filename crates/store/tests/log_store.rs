//! The two log stores behave alike, and the one on disk remembers.

#![allow(clippy::unwrap_used, dead_code)]

use aws_types::Timestamp;
use proptest::prelude::*;
use store::backend::{FjallLogStore, MemoryLogStore};
use store::{Appended, LogEntry, LogRange, LogStore, LogStreamId, Position};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn range(from: i64, until: i64, backward: bool, entries_max: usize, bytes_max: usize) -> LogRange {
    LogRange {
        from: Position::before(at(from)),
        until: Position::before(at(until)),
        backward,
        entries_max,
        bytes_max,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        stream: u8,
        entries: Vec<(i64, String)>,
        cursor: Option<u64>,
    },
    DeleteBefore {
        stream: u8,
        moment: i64,
    },
    Delete {
        stream: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..3, prop::collection::vec((-3i64..12, "[a-z]{0,5}"), 1..5), prop::option::of(0u64..6))
            .prop_map(|(stream, entries, cursor)| Step::Append { stream, entries, cursor }),
        1 => (0u8..3, -3i64..12).prop_map(|(stream, moment)| Step::DeleteBefore { stream, moment }),
        1 => (0u8..3).prop_map(|stream| Step::Delete { stream }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_store_on_disk_agrees_with_the_one_in_memory(
        steps in prop::collection::vec(step(), 1..25),
        from in -4i64..12, length in 0i64..16, backward: bool, entries_max in 1usize..8, bytes_max in 1usize..12,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let memory = MemoryLogStore::default();
        let mut disk = FjallLogStore::open(directory.path()).unwrap();
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Append { stream, entries, cursor } => {
                    let entries: Vec<_> = entries.iter().map(|(millis, message)| LogEntry { timestamp: at(*millis), message: message.clone() }).collect();
                    let id = LogStreamId([*stream; 16]);
                    let arrived = at(number as i64);
                    prop_assert_eq!(memory.append(id, &entries, arrived, *cursor), disk.append(id, &entries, arrived, *cursor));
                }
                Step::DeleteBefore { stream, moment } => {
                    let id = LogStreamId([*stream; 16]);
                    prop_assert_eq!(memory.delete_before(id, at(*moment), 3), disk.delete_before(id, at(*moment), 3));
                }
                Step::Delete { stream } => {
                    let id = LogStreamId([*stream; 16]);
                    while memory.delete(id, 2).unwrap() {}
                    while disk.delete(id, 2).unwrap() {}
                }
            }
        }
        drop(disk);
        disk = FjallLogStore::open(directory.path()).unwrap();
        prop_assert_eq!(memory.streams(), disk.streams());
        for stream in 0u8..3 {
            let id = LogStreamId([stream; 16]);
            prop_assert_eq!(memory.state(id), disk.state(id));
            let range = range(from, from + length, backward, entries_max, bytes_max);
            prop_assert_eq!(memory.read(id, range), disk.read(id, range));
        }
    }
}

#[test]
fn a_repeated_batch_is_dropped_whole() {
    let store = MemoryLogStore::default();
    let id = LogStreamId([1; 16]);
    let batch = [LogEntry {
        timestamp: at(5),
        message: "a".into(),
    }];
    assert_eq!(
        store.append(id, &batch, at(6), Some(10)),
        Ok(Appended::Stored)
    );
    assert_eq!(
        store.append(id, &batch, at(7), Some(10)),
        Ok(Appended::Repeat)
    );
    assert_eq!(
        store.append(id, &batch, at(8), Some(11)),
        Ok(Appended::Stored)
    );
    assert_eq!(store.append(id, &batch, at(9), None), Ok(Appended::Stored));
    assert_eq!(
        store.read(id, range(0, 9, false, 10, 100)).unwrap().len(),
        3
    );
}
