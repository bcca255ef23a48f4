//! The two metric stores behave alike, and the one on disk remembers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_types::Timestamp;
use proptest::prelude::*;
use store::backend::{FjallMetricStore, MemoryMetricStore};
use store::{
    Held, MetricStore, NAME_BYTES_MAX, NewPoint, PointPlace, PointRange, Resolution, SeriesName,
};

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
            prop_assert_eq!(memory.held(None), disk.held(None));
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

/// Does it on both stores.
fn on_both(test: impl Fn(&dyn MetricStore)) {
    let directory = tempfile::tempdir().unwrap();
    test(&MemoryMetricStore::default());
    test(&FjallMetricStore::open(directory.path()).unwrap());
}

#[test]
fn what_is_viewed_is_of_one_moment() {
    on_both(|store| {
        store.append(&[point(0, true, 5, 1)], at(5)).unwrap();
        let view = store.view(&name(0));
        let place = read(store, 0, true, 100)[0].0;
        let coarse = point(0, false, 0, 1);
        store.replace(&name(0), &[place], &[coarse]).unwrap();
        let count = |resolution: u16| {
            let range = PointRange {
                resolution: Resolution(resolution),
                from: at(-10),
                until: at(100),
                points_max: 9,
            };
            view.read(range).unwrap().len()
        };
        assert_eq!((count(1), count(60)), (1, 0), "as it was");
        let now = (read(store, 0, true, 100), read(store, 0, false, 100));
        assert_eq!((now.0.len(), now.1.len()), (0, 1));
    });
}

#[test]
fn a_name_that_is_too_long_is_refused_with_all_that_came_along() {
    on_both(|store| {
        let long = |length| NewPoint {
            series: SeriesName(vec![b'x'; length]),
            ..point(0, true, 5, 1)
        };
        let points = [point(0, true, 5, 1), long(NAME_BYTES_MAX + 1)];
        assert!(store.append(&points, at(5)).is_err());
        assert_eq!(store.held(None), Held::default());
        store.append(&[long(NAME_BYTES_MAX)], at(5)).unwrap();
        assert_eq!(store.held(None).name_bytes, NAME_BYTES_MAX);
    });
}

#[test]
fn series_are_counted_by_account_and_region() {
    on_both(|store| {
        let of = |region: &str, name: &str| NewPoint {
            series: SeriesName(store::Key::of(&["1", region, name]).as_bytes().to_vec()),
            ..point(0, true, 5, 1)
        };
        let points = [of("a", "x"), of("a", "y"), of("b", "x")];
        store.append(&points, at(5)).unwrap();
        store.append(&points[..1], at(6)).unwrap();
        let series = |of: &NewPoint| store.held(Some(&of.series)).series;
        assert_eq!((series(&points[0]), series(&points[2])), (2, 1));
        while store.delete(&points[1].series, 9).unwrap() {}
        assert_eq!((series(&points[0]), store.held(None).series), (1, 2));
        assert!(store.has(&points[0].series) && !store.has(&points[1].series));
    });
}
