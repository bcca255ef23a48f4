//! What must survive: agents that die, shims that are killed, sweeps. Needs root.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use runtime::host::{Attached, ContainerRuntime};
use runtime::record;
use runtime::spec::{ExecSpec, RootFilesystem, StreamMode};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;
use support::{House, read_all};

const TERM: i32 = 15;

fn exec(args: &[&str]) -> ExecSpec {
    ExecSpec {
        args: args.iter().map(|s| (*s).to_owned()).collect(),
        env: Vec::new(),
        cwd: None,
        user: None,
        timeout_ms: 20_000,
        output_bytes_max: 4096,
    }
}

fn shim_of(dir: &std::path::Path) -> Pid {
    let state = record::read_state(dir).unwrap().expect("a state record");
    Pid::from_raw(state.shim_pid as i32).unwrap()
}

#[tokio::test]
async fn another_agent_takes_over_with_no_output_lost() {
    let mut house = House::new().await;
    let spec = house.script("trap 'echo bye; exit 3' TERM; echo one; while :; do sleep 0.1; done");
    let dir = spec.dir.clone();
    drop(house.runtime.start(spec).await.unwrap());
    house.runtime.shut_down(false).await.unwrap();
    house.runtime = House::open(house.dir.path(), &house.tag, &[]);
    let Attached::Running { started } = house.runtime.attach(&dir).await.unwrap() else {
        panic!("not running")
    };
    let stdout = read_all(started.stdout);
    // The trap is set once the first line is written, and that may be later than the start.
    while house
        .runtime
        .exec(&dir, exec(&["true"]))
        .await
        .unwrap()
        .exit_code
        != 0
    {}
    tokio::time::sleep(Duration::from_millis(300)).await;
    house.runtime.signal(&dir, TERM).await.unwrap();
    let exit = house.runtime.wait(&dir).await.unwrap();
    assert_eq!(exit.exit_code, Some(3));
    assert_eq!(stdout.await.unwrap(), "one\nbye\n");
    house.runtime.remove(&dir).await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn a_container_that_ended_without_an_agent_keeps_its_record_and_its_output() {
    let mut house = House::new().await;
    let spec = house.script("sleep 0.3; echo late; exit 9");
    let dir = spec.dir.clone();
    drop(house.runtime.start(spec).await.unwrap());
    house.runtime.shut_down(false).await.unwrap();
    drop(std::mem::replace(
        &mut house.runtime,
        House::open(house.dir.path(), &house.tag, &[]),
    ));
    while record::read_exit(&dir).unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let Attached::Exited(exit, Some((stdout, _))) = house.runtime.attach(&dir).await.unwrap()
    else {
        panic!("not exited")
    };
    assert_eq!(exit.exit_code, Some(9));
    let stdout = read_all(stdout);
    house.runtime.remove(&dir).await.unwrap();
    assert_eq!(stdout.await.unwrap(), "late\n");
    house.close().await;
}

#[tokio::test]
async fn a_sweep_leaves_the_group_of_a_task_whose_containers_are_still_to_come() {
    let mut house = House::new().await;
    let task = house.spec(&["true"]).task_id;
    house.runtime.shut_down(false).await.unwrap();
    // The next agent has made nothing of it, and knows it from its records.
    house.runtime = House::open(house.dir.path(), &house.tag, &[]);
    let report = house.runtime.sweep(&[], std::slice::from_ref(&task)).await;
    assert!(report.unwrap().tasks.is_empty());
    let report = house.runtime.sweep(&[], &[]).await.unwrap();
    assert_eq!(report.tasks, [task]);
    house.close().await;
}

#[tokio::test]
async fn a_sweep_removes_what_no_record_wants_and_nothing_else() {
    let mut house = House::new().await;
    let (kept, stray) = (
        house.spec(&["sleep", "1000"]),
        house.spec(&["sleep", "1000"]),
    );
    let (kept_dir, stray_dir, stray_id) = (kept.dir.clone(), stray.dir.clone(), stray.id.clone());
    drop(house.runtime.start(kept).await.unwrap());
    let stray = house.runtime.start(stray).await.unwrap();
    let stray_shim = shim_of(&stray_dir);
    house.runtime.shut_down(false).await.unwrap();
    house.runtime = House::open(house.dir.path(), &house.tag, &[]);
    let report = house
        .runtime
        .sweep(std::slice::from_ref(&kept_dir), &[])
        .await
        .unwrap();
    assert_eq!(report.containers, [stray_id]);
    assert_eq!(report.shims, [stray_shim.as_raw_nonzero().get() as u32]);
    assert!(report.tasks.is_empty(), "the task has another container");
    assert!(!std::path::Path::new(&format!("/proc/{}/exe", stray.pid)).exists());
    let Attached::Running { .. } = house.runtime.attach(&kept_dir).await.unwrap() else {
        panic!("not running")
    };
    house.runtime.remove(&kept_dir).await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn an_agent_without_a_zygote_makes_another() {
    let house = House::new().await;
    house.run(house.spec(&["true"])).await;
    kill_process(
        Pid::from_raw(house.runtime.zygote_pid().unwrap() as i32).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    let (exit, ..) = house.run(house.spec(&["true"])).await;
    assert_eq!(exit.exit_code, Some(0));
    house.close().await;
}

#[tokio::test]
async fn a_start_that_is_never_answered_is_given_up_and_leaves_nothing() {
    let house = House::new().await;
    house.run(house.spec(&["true"])).await;
    let zygote = Pid::from_raw(house.runtime.zygote_pid().unwrap() as i32).unwrap();
    let spec = house.script("exit 7");
    let dir = spec.dir.clone();
    // Nobody takes the request, so that no shim ever says that it has started.
    kill_process(zygote, Signal::STOP).unwrap();
    let waited = tokio::time::timeout(
        Duration::from_millis(200),
        house.runtime.start(spec.clone()),
    );
    assert!(waited.await.is_err(), "it was answered");
    house.runtime.give_up(&dir).await.unwrap();
    kill_process(zygote, Signal::CONT).unwrap();
    // The zygote takes requests in their order: had it still made this one, the next could not.
    let (exit, ..) = house.run(house.spec(&["true"])).await;
    assert_eq!(exit.exit_code, Some(0));
    assert!(record::read_state(&dir).unwrap().is_none());
    assert!(house.runtime.signal(&dir, TERM).await.is_err(), "unknown");
    // A start that came to its end is nothing to give up, and the place is free.
    let started = house.runtime.start(spec).await.unwrap();
    house.runtime.give_up(&dir).await.unwrap();
    assert_eq!(read_all(started.stdout).await.unwrap(), "");
    assert_eq!(house.runtime.wait(&dir).await.unwrap().exit_code, Some(7));
    house.runtime.remove(&dir).await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn a_start_that_was_cut_off_after_its_mount_does_not_keep_the_next_from_mounting() {
    let house = House::new().await;
    let spec = house.spec(&["true"]);
    let RootFilesystem::Overlay { scratch, .. } = &spec.rootfs;
    // The mark of a volatile overlay, as the kernel leaves it.
    std::fs::create_dir_all(scratch.join("upper")).unwrap();
    std::fs::create_dir_all(scratch.join("work/work/incompat/volatile")).unwrap();
    let (exit, ..) = house.run(spec).await;
    assert_eq!(exit.exit_code, Some(0));
    house.close().await;
}

#[tokio::test]
async fn a_cleared_container_starts_again_with_its_files() {
    let house = House::new().await;
    let mut spec = house.script("cat /kept; echo run >> /kept; exit 3");
    let dir = spec.dir.clone();
    for expected in ["", "run\n", "run\nrun\n"] {
        let (exit, stdout, _) = house.run_keeping(&spec).await;
        assert_eq!((exit.exit_code, &*stdout), (Some(3), expected));
        house.runtime.clear(&dir).await.unwrap();
        assert_eq!(record::read_exit(&dir).unwrap(), None);
        // As an agent does that was killed after it.
        house.runtime.clear(&dir).await.unwrap();
    }
    // Whatever kills it: the next run counts its own kills for lack of memory.
    spec.args = vec!["true".into()];
    let (exit, ..) = house.run_keeping(&spec).await;
    assert_eq!((exit.exit_code, exit.oom_killed), (Some(0), false));
    house.runtime.remove(&dir).await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn exec_gives_code_output_and_a_bound() {
    let house = House::new().await;
    let spec = house.spec(&["sleep", "1000"]);
    let dir = spec.dir.clone();
    let _started = house.runtime.start(spec).await.unwrap();
    let result = house
        .runtime
        .exec(&dir, exec(&["sh", "-c", "echo hi; echo no >&2; exit 7"]))
        .await
        .unwrap();
    assert_eq!(
        (
            result.exit_code,
            &*result.stdout,
            &*result.stderr,
            result.timed_out
        ),
        (7, "hi\n", "no\n", false)
    );
    let error = house.runtime.exec(&dir, exec(&["foo"])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"exec: "foo": executable file not found in $PATH"#
    );
    let mut long = exec(&["sh", "-c", "yes | head -c 1000000"]);
    long.output_bytes_max = 100;
    assert_eq!(
        house.runtime.exec(&dir, long).await.unwrap().stdout.len(),
        100
    );
    let mut slow = exec(&["sh", "-c", "sleep 50 & sleep 60"]);
    slow.timeout_ms = 200;
    let result = house.runtime.exec(&dir, slow).await.unwrap();
    assert_eq!((result.exit_code, result.timed_out), (137, true));
    // The container's first process does not reap, so the killed one stays as a zombie.
    let living = exec(&["sh", "-c", "cat /proc/[0-9]*/stat | grep -c '(sleep) [^Z]'"]);
    assert_eq!(
        house.runtime.exec(&dir, living).await.unwrap().stdout,
        "1\n"
    );
    house.runtime.remove(&dir).await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn a_non_blocking_stream_spills_to_a_bound_while_no_agent_is_there() {
    let mut house = House::new().await;
    let mut spec = house.script("sleep 0.3; head -c 3000000 /dev/zero; echo end");
    spec.stdout = StreamMode::NonBlocking {
        spill_bytes: 500_000,
    };
    let dir = spec.dir.clone();
    drop(house.runtime.start(spec).await.unwrap());
    house.runtime.shut_down(false).await.unwrap();
    drop(std::mem::replace(
        &mut house.runtime,
        House::open(house.dir.path(), &house.tag, &[]),
    ));
    // More than the pipe holds: the container ends only because the shim makes room.
    while record::read_exit(&dir).unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let Attached::Exited(_, Some((stdout, _))) = house.runtime.attach(&dir).await.unwrap() else {
        panic!("not exited")
    };
    let spilled = std::fs::metadata(dir.join(record::SPILL_STDOUT_FILE))
        .unwrap()
        .len();
    let dropped = record::read_dropped(&dir.join(record::SPILL_STDOUT_FILE))
        .unwrap()
        .bytes;
    let rest = read_all(stdout);
    house.runtime.remove(&dir).await.unwrap();
    // The end of the line that is begun comes with it.
    let longest = 500_000 + runtime::overflow::LINE_BYTES_MAX as u64;
    assert!((500_000..=longest).contains(&spilled), "{spilled}");
    assert_eq!(
        spilled + dropped + rest.await.unwrap().len() as u64,
        3_000_004
    );
    house.close().await;
}
