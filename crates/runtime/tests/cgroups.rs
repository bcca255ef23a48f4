//! What the kernel is told about a task's and a container's limits, on whichever version of control groups this machine
//! has: v2 is seen in the test guest. Needs root.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use runtime::host::ContainerRuntime;
use runtime::spec::TaskCgroupSpec;
use std::path::Path;
use support::{House, hierarchies, read_all};

fn is_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// The value of a file of a group, in whichever hierarchy has it.
fn value(house: &House, group: &str, file: &str) -> String {
    let group = format!("longshore-{}/{group}/{file}", house.tag);
    let found = hierarchies()
        .into_iter()
        .find_map(|hierarchy| std::fs::read_to_string(hierarchy.join(&group)).ok());
    found.unwrap_or_else(|| panic!("no {group}")).trim().into()
}

const V1: &[(&str, &str, &str)] = &[
    ("task", "memory.limit_in_bytes", "268435456"),
    ("task", "cpu.cfs_quota_us", "50000"),
    ("task", "cpu.shares", "512"),
    ("task", "pids.max", "100"),
    ("container", "memory.limit_in_bytes", "67108864"),
    ("container", "memory.soft_limit_in_bytes", "33554432"),
    ("container", "cpu.shares", "256"),
    ("container", "pids.max", "50"),
];
const V2: &[(&str, &str, &str)] = &[
    ("task", "memory.max", "268435456"),
    ("task", "memory.swap.max", "0"),
    ("task", "cpu.max", "50000 100000"),
    ("task", "cpu.weight", "20"),
    ("task", "pids.max", "100"),
    ("container", "memory.max", "67108864"),
    ("container", "memory.swap.max", "0"),
    ("container", "memory.low", "33554432"),
    ("container", "memory.oom.group", "0"),
    ("container", "cpu.weight", "10"),
    ("container", "pids.max", "50"),
];

#[tokio::test]
async fn every_limit_reaches_the_kernel() {
    let house = House::new().await;
    let task = TaskCgroupSpec {
        task_id: "task".into(),
        memory_mib: Some(256),
        cpu_units: Some(512),
        pids: Some(100),
    };
    house.runtime.create_task(&task).await.unwrap();
    let mut spec = house.spec(&["sleep", "1000"]);
    spec.memory_limit_mib = Some(64);
    spec.memory_reservation_mib = Some(32);
    spec.cpu_shares = 256;
    spec.pids_limit = Some(50);
    let (dir, container) = (spec.dir.clone(), format!("task/{}", spec.id));
    let started = house.runtime.start(spec).await.unwrap();
    for (group, file, expected) in if is_v2() { V2 } else { V1 } {
        let group = if *group == "task" { "task" } else { &container };
        assert_eq!(value(&house, group, file), *expected, "{group}/{file}");
    }
    let inside = value(&house, &container, "cgroup.procs");
    assert_eq!(inside, started.pid.to_string(), "only the container's own");
    house.runtime.remove(&dir).await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn devices_are_those_of_docker() {
    let house = House::new().await;
    let script = "cd /tmp; box=/bin/busybox; $box mknod disk b 7 0; $box mknod zero c 1 5; $box mknod mem c 1 1; \
        head -c 2 zero | cat -e; cat disk; cat mem; echo to >/dev/null && echo done";
    let (exit, stdout, stderr) = house.run(house.script(script)).await;
    assert_eq!(stdout, "^@^@done\n", "{stderr}");
    for refused in ["disk", "mem"] {
        let text = format!("can't open '{refused}': Operation not permitted");
        assert!(stderr.contains(&text), "{stderr}");
    }
    assert_eq!(exit.exit_code, Some(0));
    house.close().await;
}

#[tokio::test]
async fn a_task_over_its_memory_loses_the_container_that_used_it_and_no_other() {
    let house = House::new().await;
    let task = TaskCgroupSpec {
        task_id: "task".into(),
        memory_mib: Some(48),
        ..TaskCgroupSpec::default()
    };
    house.runtime.create_task(&task).await.unwrap();
    let modest = house.script("trap 'exit 4' TERM; echo up; while :; do sleep 0.1; done");
    let modest_dir = modest.dir.clone();
    let started = house.runtime.start(modest).await.unwrap();
    let mut stdout = std::fs::File::from(started.stdout);
    std::io::Read::read_exact(&mut stdout, &mut [0; 3]).unwrap();
    let greedy = house.spec(&["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]);
    let (exit, ..) = house.run(greedy).await;
    assert_eq!((exit.exit_code, exit.oom_killed), (Some(137), true));
    house.runtime.signal(&modest_dir, 15).await.unwrap();
    let exit = house.runtime.wait(&modest_dir).await.unwrap();
    assert_eq!((exit.exit_code, exit.oom_killed), (Some(4), false));
    house.runtime.remove(&modest_dir).await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn groups_that_a_privileged_container_made_go_with_it() {
    let house = House::new().await;
    let own = if is_v2() {
        "/sys/fs/cgroup"
    } else {
        "/sys/fs/cgroup/memory"
    };
    let script = format!(
        "/bin/busybox mkdir -p {own}/a/b; sleep 1000 & echo $! >{own}/a/b/cgroup.procs || exit 1; echo made; wait"
    );
    let mut spec = house.script(&script);
    spec.privileged = true;
    let dir = spec.dir.clone();
    let started = house.runtime.start(spec).await.unwrap();
    let mut stdout = std::fs::File::from(started.stdout);
    let mut first = [0; 5];
    std::io::Read::read_exact(&mut stdout, &mut first).unwrap();
    assert_eq!(&first, b"made\n");
    let stderr = read_all(started.stderr);
    house.runtime.remove(&dir).await.unwrap();
    assert_eq!(stderr.await.unwrap(), "");
    house.close().await;
}
