//! Commits per second with 64 writers, and the time to start with 100,000 task-sized records, after
//! a clean end and after a kill. `cargo bench -p store`.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench measures time"
)]

use aws_types::{Ctx, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use store::{Index, Key, RedbStore, Schema, StateHandle, Table};

const RECORDS: usize = 100_000;
const RECORDS_PER_TRANSACTION: usize = 100;
const WRITERS: usize = 64;
const COMMITS_PER_WRITER: usize = 500;

/// About as large as a task's record: some 430 bytes encoded.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Task {
    id: String,
    cluster: String,
    service: String,
    instance: String,
    definition: String,
    desired: String,
    last: String,
    created_at: u64,
    cpu: u32,
    memory: u32,
    containers: Vec<Container>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Container {
    name: String,
    id: String,
    last: String,
    exit_code: Option<i32>,
}

static BY_SERVICE: Index<Task> = Index {
    name: "by_service",
    keys: |task| vec![Key::of(&[&task.cluster, &task.service])],
};
static BY_INSTANCE: Index<Task> = Index {
    name: "by_instance",
    keys: |task| vec![Key::of(&[&task.instance])],
};
static TASKS: Table<Key, Task> = Table::new(
    "bench.tasks",
    |task| Key::of(&["000000000000", "us-east-1", &task.cluster, &task.id]),
    &[&BY_SERVICE, &BY_INSTANCE],
);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, path] = args.as_slice()
        && flag == "--fill-and-die"
    {
        let (state, guard) = open(Path::new(path));
        fill(&state);
        std::mem::forget(guard);
        std::process::abort();
    }
    let directory = tempfile::tempdir().unwrap();
    let clean = directory.path().join("clean.redb");
    let (state, guard) = open(&clean);
    commits(&state);
    fill(&state);
    drop(guard);
    restart("after a clean end", &clean);

    let killed = directory.path().join("killed.redb");
    let status = Command::new(std::env::current_exe().unwrap())
        .arg("--fill-and-die")
        .arg(&killed)
        .status()
        .unwrap();
    assert!(!status.success());
    restart("after a crash", &killed);
}

fn open(path: &Path) -> (StateHandle, store::WriterGuard) {
    let store = RedbStore::open(path).unwrap();
    store::start(Box::new(store), Schema::new(&[&TASKS])).unwrap()
}

fn commits(state: &StateHandle) {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let state = state.clone();
            scope.spawn(move || {
                for n in 0..COMMITS_PER_WRITER {
                    let task = task(writer * COMMITS_PER_WRITER + n);
                    state
                        .submit_blocking(ctx(), move |txn, _| {
                            txn.put(&TASKS, task);
                            Ok(())
                        })
                        .unwrap();
                }
            });
        }
    });
    let total = WRITERS * COMMITS_PER_WRITER;
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{total} durable transactions from {WRITERS} writers: {:.0}/s, {:.1} to a commit",
        total as f64 / seconds,
        total as f64 / state.snapshot().revision() as f64
    );
}

fn fill(state: &StateHandle) {
    for start in (0..RECORDS).step_by(RECORDS_PER_TRANSACTION) {
        state
            .submit_blocking(ctx(), move |txn, _| {
                for n in start..start + RECORDS_PER_TRANSACTION {
                    txn.put(&TASKS, task(n));
                }
                Ok(())
            })
            .unwrap();
    }
}

fn restart(how: &str, path: &Path) {
    let begin = Instant::now();
    let store = RedbStore::open(path).unwrap();
    let opened = begin.elapsed();
    let (state, _guard) = store::start(Box::new(store), Schema::new(&[&TASKS])).unwrap();
    println!(
        "start {how}: {} records in {:.0} ms (of it {:.0} ms to open), file of {} MB",
        state.snapshot().count(&TASKS),
        begin.elapsed().as_secs_f64() * 1e3,
        opened.as_secs_f64() * 1e3,
        std::fs::metadata(path).unwrap().len() >> 20,
    );
}

fn ctx() -> Ctx {
    Ctx::for_tests(1, Timestamp::EPOCH)
}

fn task(n: usize) -> Task {
    // Spread over the key space, as random ids are.
    let id = format!("{:016x}{n:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Task {
        cluster: "default".into(),
        service: format!("service-{}", n % 200),
        instance: format!("{:032x}", n % 1000),
        definition: format!(
            "arn:aws:ecs:us-east-1:000000000000:task-definition/web:{}",
            n % 9
        ),
        desired: "RUNNING".into(),
        last: "RUNNING".into(),
        created_at: n as u64,
        cpu: 256,
        memory: 512,
        containers: vec![Container {
            name: "app".into(),
            id: id.clone(),
            last: "RUNNING".into(),
            exit_code: None,
        }],
        id,
    }
}
