//! The two metric stores behave alike, and the one on disk remembers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_types::Timestamp;
use proptest::prelude::*;
use store::backend::{FjallMetricStore, MemoryMetricStore};
use store::{MetricStore, NewPoint, PointPlace, PointRange, Resolution, SeriesName};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn name(series: u8) -> SeriesName {
    SeriesName(vec![b's', series])
}

fn point(series: u8, fine: bool, moment: i64, value: u8) -> NewPoint {
    NewPoint {
        series: name(series),
        resolution: Resolution(if fine { 1 } else { 60 }),
        at: at(moment),
        value: vec![value],
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(u8, bool, i64, u8)>, i64),
    /// Of one series: every fine point before a moment becomes one coarse point.
    Roll(u8, i64),
    Delete(u8),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let points = prop::collection::vec((0u8..3, any::<bool>(), -3i64..12, any::<u8>()), 1..5);
    prop_oneof![
        4 => (points, 0i64..3_000_000).prop_map(|(points, arrived)| Step::Append(points, arrived)),
        2 => (0u8..3, -3i64..12).prop_map(|(series, moment)| Step::Roll(series, moment)),
        1 => (0u8..3).prop_map(Step::Delete),
        1 => Just(Step::Reopen),
    ]
}

fn read(store: &dyn MetricStore, series: u8, fine: bool, until: i64) -> Vec<(PointPlace, Vec<u8>)> {
    let range = PointRange {
        resolution: Resolution(if fine { 1 } else { 60 }),
        from: at(-10),
        until: at(until),
        points_max: 1000,
    };
    let found = store.read(&name(series), range).unwrap();
    let found = found.into_iter();
    found.map(|point| (point.place, point.value)).collect()
}

/// What both must agree on: sequences are each store's own.
fn shown(store: &dyn MetricStore) -> Vec<(u8, bool, i64, Vec<u8>)> {
    let mut all = Vec::new();
    for (series, fine) in [
        (0, true),
        (0, false),
        (1, true),
        (1, false),
        (2, true),
        (2, false),
    ] {
        let found = read(store, series, fine, 100).into_iter();
        all.extend(found.map(|(place, value)| (series, fine, place.at.millis(), value)));
    }
    all
}

fn take(store: &dyn MetricStore, step: &Step) {
    match step {
        Step::Append(points, arrived) => {
            let points = points.iter();
            let points =
                points.map(|(series, fine, moment, value)| point(*series, *fine, *moment, *value));
            store
                .append(&points.collect::<Vec<_>>(), at(*arrived))
                .unwrap();
        }
        Step::Roll(series, until) => {
            let found = read(store, *series, true, *until);
            let places: Vec<_> = found.iter().map(|(place, _)| *place).collect();
            let sum = found
                .iter()
                .fold(0u8, |sum, (_, value)| sum.wrapping_add(value[0]));
            let whole = point(*series, false, 0, sum);
            store.replace(&name(*series), &places, &[whole]).unwrap();
        }
        Step::Delete(series) => while store.delete(&name(*series), 2).unwrap() {},
        Step::Reopen => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_store_on_disk_agrees_with_the_one_in_memory(steps in prop::collection::vec(step(), 1..25)) {
        let directory = tempfile::tempdir().unwrap();
        let memory = MemoryMetricStore::default();
        let mut disk = FjallMetricStore::open(directory.path()).unwrap();
        for step in &steps {
            if matches!(step, Step::Reopen) {
                drop(disk);
                disk = FjallMetricStore::open(directory.path()).unwrap();
            }
            take(&memory, step);
            take(&disk, step);
            prop_assert_eq!(shown(&memory), shown(&disk));
            let names = |store: &dyn MetricStore| {
                let found = store.series(b"s", Some(&name(0)), 5).unwrap();
                found.into_iter().map(|series| series.name).collect::<Vec<_>>()
            };
            prop_assert_eq!(names(&memory), names(&disk));
            prop_assert_eq!(memory.series_count(), disk.series_count());
        }
    }
}

#[test]
fn points_that_come_after_a_start_replace_none_of_before() {
    let directory = tempfile::tempdir().unwrap();
    for value in 1..4 {
        let disk = FjallMetricStore::open(directory.path()).unwrap();
        disk.append(&[point(0, true, 5, value)], at(5)).unwrap();
    }
    let disk = FjallMetricStore::open(directory.path()).unwrap();
    let values: Vec<_> = read(&disk, 0, true, 100)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert_eq!(values, [[1], [2], [3]]);
}

#[test]
fn listings_go_by_prefix_and_on_after_a_name() {
    let store = MemoryMetricStore::default();
    for series in 0..4 {
        store.append(&[point(series, true, 5, 0)], at(7)).unwrap();
    }
    let found = store.series(b"s", Some(&name(1)), 1).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].name.clone(), found[0].last_arrived),
        (name(2), at(7))
    );
    assert!(store.series(b"x", None, 9).unwrap().is_empty());
}
