//! Kills a writing process with SIGKILL, again and again, and looks at what it left.
//!
//! Every acknowledged transaction is there; none is half there; a worker's transactions are there
//! in the order in which it made them, without a gap.

#![allow(dead_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use store::{RedbStore, Store, World};
use support::{NOTES, ctx, note, schema};

const WRITERS: usize = 64;
const ROUNDS: usize = 8;

fn main() {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("--write-until-killed"), Some(path)) => write_until_killed(Path::new(&path)),
        _ => every_acknowledged_write_survives_a_kill(),
    }
}

fn every_acknowledged_write_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.redb");
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--write-until-killed")
            .arg(&path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        // A different moment each round: after 1, 151, 301, … answers.
        for _ in 0..=round * 150 {
            line.clear();
            assert!(answers.read_line(&mut line).unwrap() > 0, "the child ended");
            remember(&mut acknowledged, &line);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had answered before it died counts too; a line cut short is no answer.
        for line in answers.split(b'\n').map(Result::unwrap) {
            remember(&mut acknowledged, &String::from_utf8(line).unwrap());
        }
        let world = RedbStore::open(&path).unwrap().load(&schema()).unwrap();
        check(&world, &acknowledged);
    }
    let total: u64 = acknowledged.values().sum();
    println!("{ROUNDS} kills, {total} acknowledged transactions, none lost, none half done: ok");
}

/// An answer is `WORKER COUNT.`: its transactions up to COUNT are acknowledged.
fn remember(acknowledged: &mut BTreeMap<String, u64>, line: &str) {
    let Some(line) = line.trim_end().strip_suffix('.') else {
        return;
    };
    let (worker, count) = line.split_once(' ').unwrap();
    acknowledged.insert(worker.into(), count.parse().unwrap());
}

fn check(world: &World, acknowledged: &BTreeMap<String, u64>) {
    let mut left: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut right = left.clone();
    for row in world.scan(&NOTES) {
        let [side, worker, count] = row.name.split('/').collect::<Vec<_>>()[..] else {
            panic!("unexpected row {}", row.name);
        };
        let rows = if side == "left" {
            &mut left
        } else {
            &mut right
        };
        rows.entry(worker.into())
            .or_default()
            .push(count.parse().unwrap());
    }
    assert_eq!(left, right, "a transaction is half there");
    for (worker, counts) in &left {
        let expected: Vec<u64> = (1..=counts.len() as u64).collect();
        assert_eq!(counts, &expected, "worker {worker} has a gap");
    }
    for (worker, count) in acknowledged {
        let found = left.get(worker).map_or(0, Vec::len) as u64;
        assert!(
            (*count..=*count + ROUNDS as u64).contains(&found),
            "worker {worker}: {count} acknowledged, {found} found"
        );
    }
}

fn write_until_killed(path: &Path) {
    let store = RedbStore::open(path).unwrap();
    let (state, _guard) = store::start(Box::new(store), schema()).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..WRITERS {
            let state = state.clone();
            scope.spawn(move || {
                let prefix = store::Key::empty();
                let done = state
                    .snapshot()
                    .scan_prefix(&NOTES, &prefix, None)
                    .filter(|(_, row)| row.name.starts_with(&format!("left/{worker:02}/")))
                    .count();
                for count in done + 1.. {
                    state
                        .submit_blocking(ctx(), move |txn, _| {
                            for side in ["left", "right"] {
                                let name = format!("{side}/{worker:02}/{count:09}");
                                txn.put(&NOTES, note(&name, "text"));
                            }
                            Ok(())
                        })
                        .unwrap();
                    let mut out = std::io::stdout().lock();
                    // One write: a kill leaves it whole or out, or cut before the final dot.
                    out.write_all(format!("{worker:02} {count}.\n").as_bytes())
                        .unwrap();
                    out.flush().unwrap();
                }
            });
        }
    });
}
