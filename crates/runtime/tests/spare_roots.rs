//! Root file systems made ahead: taken by the next start of the image, never a stale one, and gone with
//! their agent. Needs root, and a kernel that takes layers by descriptor.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use runtime::host::{ContainerRuntime, KernelFeature};
use runtime::overlay::OverlayMethod;
use runtime::spec::{ContainerSpec, RootFilesystem};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::House;

fn scratch(spec: &ContainerSpec) -> &Path {
    let RootFilesystem::Overlay { scratch, .. } = &spec.rootfs;
    scratch
}

fn kept(house: &House) -> Vec<PathBuf> {
    let dir = house.dir.path().join("agent/spare-roots");
    let found = std::fs::read_dir(dir).unwrap();
    found.map(|entry| entry.unwrap().path()).collect()
}

/// Waits until one is made; gives its directory.
async fn one_made(house: &House) -> PathBuf {
    let since = Instant::now();
    while house.runtime.spare_roots() != 1 {
        assert!(since.elapsed() < Duration::from_secs(60), "none is made");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    kept(house).pop().unwrap()
}

/// Whether this kernel takes layers by descriptor (Linux 6.15); else it is asserted that none is made.
async fn is_made_here(house: &House) -> bool {
    let is_made = house.runtime.capabilities().overlay() == OverlayMethod::LayerDescriptors;
    if !is_made {
        house.run(house.script("true")).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(kept(house), Vec::<PathBuf>::new());
    }
    is_made
}

fn inode(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

#[tokio::test]
async fn the_next_start_of_an_image_takes_the_root_that_was_made_ahead() {
    let house = House::new().await;
    if !is_made_here(&house).await {
        return house.close().await;
    }
    house.run(house.script("true")).await;
    let upper = inode(&one_made(&house).await.join("upper"));
    let spec = house.script("stat -c %a /; ls /mine; echo text > /mine; cat /mine");
    let (exit, stdout, _) = house.run_keeping(&spec).await;
    assert_eq!((exit.exit_code, stdout.as_str()), (Some(0), "755\ntext\n"));
    let scratch = scratch(&spec);
    assert_eq!(inode(&scratch.join("upper")), upper, "it was made ahead");
    let written = std::fs::read_to_string(scratch.join("upper/mine")).unwrap();
    assert_eq!(written, "text\n");
    // A further run in its place sees what the first wrote, so it gets no other root.
    house.runtime.clear(&spec.dir).await.unwrap();
    one_made(&house).await;
    let again = ContainerSpec {
        args: ["/bin/sh", "-c", "cat /mine"].map(Into::into).into(),
        ..spec.clone()
    };
    let (_, stdout, _) = house.run(again).await;
    assert_eq!(stdout, "text\n");
    assert!(!scratch.exists());
    house.close().await;
}

#[tokio::test]
async fn a_layer_that_was_removed_and_unpacked_again_is_not_shown_as_it_was() {
    let house = House::new().await;
    if !is_made_here(&house).await {
        return house.close().await;
    }
    house.run(house.script("true")).await;
    let made = one_made(&house).await;
    let layer = house.dir.path().join("layer");
    std::fs::rename(&layer, house.dir.path().join("removed")).unwrap();
    support::make_layer(&layer);
    std::fs::write(layer.join("new"), "new").unwrap();
    let (_, stdout, _) = house.run(house.script("cat /new")).await;
    assert_eq!(stdout, "new");
    assert!(!made.exists(), "it is of no use any more");
    house.close().await;
}

#[tokio::test]
async fn a_root_does_not_keep_the_files_of_an_image_that_is_gone() {
    let house = House::new().await;
    if !is_made_here(&house).await {
        return house.close().await;
    }
    house.run(house.script("true")).await;
    let made = one_made(&house).await;
    house.runtime.sweep(&[], &[]).await.unwrap();
    assert!(made.exists());
    std::fs::remove_dir_all(house.dir.path().join("layer")).unwrap();
    house.runtime.sweep(&[], &[]).await.unwrap();
    assert!(!made.exists() && house.runtime.spare_roots() == 0);
    support::make_layer(&house.dir.path().join("layer"));
    house.close().await;
}

#[tokio::test]
async fn an_agent_takes_its_roots_along_and_removes_those_of_one_that_was_killed() {
    let mut house = House::new().await;
    if !is_made_here(&house).await {
        return house.close().await;
    }
    house.run(house.script("true")).await;
    one_made(&house).await;
    house.runtime.shut_down(false).await.unwrap();
    assert_eq!(kept(&house), Vec::<PathBuf>::new());
    let left = house.dir.path().join("agent/spare-roots/7/work/work");
    std::fs::create_dir_all(left).unwrap();
    house.runtime = House::open(house.dir.path(), &house.tag, &[]);
    assert_eq!(kept(&house), Vec::<PathBuf>::new());
    house.close().await;
}

#[tokio::test]
async fn without_mounts_by_descriptor_none_is_made_and_a_start_does_without() {
    let house = House::without(&[KernelFeature::LayerFd]).await;
    for _ in 0..2 {
        let (exit, _, _) = house.run(house.script("true")).await;
        assert_eq!(exit.exit_code, Some(0));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(kept(&house), Vec::<PathBuf>::new());
    }
    house.close().await;
}
