//! Newer kernel calls and what stands in for them. Each fallback is forced here; on an older kernel (the test guest) it
//! is what the probe finds. Needs root.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use runtime::host::{Attached, ContainerRuntime, KernelFeature};
use runtime::overlay::OverlayMethod;
use runtime::record;
use runtime::spec::{ContainerSpec, RootFilesystem};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use support::{House, kernel_version};

const UNKNOWN: &str = "exit status unknown (shim lost)";
use KernelFeature::{LayerFd, LowerdirPlus, PidfdInfoExit};

/// What mainline kernels have, from which version on.
fn method_of_this_kernel() -> OverlayMethod {
    match kernel_version() {
        version if version >= (6, 15) => OverlayMethod::LayerDescriptors,
        version if version >= (6, 8) => OverlayMethod::LayerNames,
        _ => OverlayMethod::OptionString,
    }
}

#[tokio::test]
async fn the_probe_finds_what_this_kernel_has_and_a_switch_takes_it_away() {
    let with = |features: &'static [KernelFeature]| async move {
        let house = House::without(features).await;
        let found = house.runtime.capabilities();
        let left = std::fs::read_dir(house.dir.path()).unwrap().flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        let known = |name: &std::ffi::OsString| name == "layer" || name == "agent";
        assert!(left.iter().all(known), "the probe left something: {left:?}");
        house.close().await;
        (found.overlay(), found.tells_exit_status())
    };
    let best = method_of_this_kernel();
    let tells = kernel_version() >= (6, 15);
    assert_eq!(with(&[]).await, (best, tells));
    let names = match best {
        OverlayMethod::OptionString => OverlayMethod::OptionString,
        _ => OverlayMethod::LayerNames,
    };
    assert_eq!(with(&[LayerFd]).await, (names, tells));
    let string = OverlayMethod::OptionString;
    assert_eq!(with(&[LowerdirPlus]).await, (string, tells));
    assert_eq!(with(&[PidfdInfoExit]).await, (best, false));
}

/// Sixty layers above the first; each has a file of its own, and one that hides the one below.
fn with_sixty_layers(mut spec: ContainerSpec, base: &Path) -> ContainerSpec {
    let RootFilesystem::Overlay { layers, .. } = &mut spec.rootfs;
    for number in 0..60 {
        let layer = base.join(format!("a-rather-long-name-of-a-layer-{number:032}"));
        std::fs::create_dir_all(&layer).unwrap();
        std::fs::write(layer.join(format!("n{number}")), format!("{number}\n")).unwrap();
        std::fs::write(layer.join("which"), format!("{number}\n")).unwrap();
        layers.insert(0, layer);
    }
    spec
}

#[tokio::test]
async fn sixty_layers_are_mounted_in_order_by_every_method() {
    for features in [
        &[][..],
        &[LayerFd],
        &[LowerdirPlus],
        &[LayerFd, LowerdirPlus],
    ] {
        let house = House::without(features).await;
        let script =
            "cat /n0 /n59 /which; echo new >/which; cat /which; grep -c . /proc/self/mountinfo";
        let usual = house.run(house.script(script)).await;
        let spec = with_sixty_layers(house.script(script), house.dir.path());
        let (dir, RootFilesystem::Overlay { scratch, .. }) =
            (spec.dir.clone(), spec.rootfs.clone());
        let (exit, stdout, stderr) = house.run(spec).await;
        assert_eq!(exit.exit_code, Some(0), "{features:?}: {stderr}");
        let mounts = usual.1.lines().last().unwrap();
        // No mount of a layer is seen inside, and none is left in the scratch directory outside.
        let expected = format!("0\n59\n59\nnew\n{mounts}\n");
        assert_eq!(stdout, expected, "{features:?}");
        assert!(!scratch.exists() && dir.exists(), "{features:?}");
        house.close().await;
    }
}

#[tokio::test]
async fn layers_below_a_very_long_directory_are_mounted_by_every_method() {
    for features in [&[][..], &[LayerFd], &[LowerdirPlus]] {
        let house = House::without(features).await;
        // The kernel takes no option value of 256 bytes or more.
        let long = house.dir.path().join("d".repeat(200)).join("e".repeat(100));
        let spec = with_sixty_layers(house.script("cat /which"), &long);
        let (_, stdout, stderr) = house.run(spec).await;
        assert_eq!(stdout, "59\n", "{features:?}: {stderr}");
        house.close().await;
    }
}

fn shim_of(dir: &Path) -> Pid {
    let state = record::read_state(dir).unwrap().expect("a state record");
    Pid::from_raw(state.shim_pid as i32).unwrap()
}

/// The exit code of a container whose shim is killed while it runs: told where the kernel tells it, else unknown with a
/// reason; both by the agent that saw the loss and by a later one.
#[tokio::test]
async fn a_killed_shim_leaves_the_container_running_and_its_exit_code_known_where_the_kernel_tells()
{
    for features in [&[][..], &[PidfdInfoExit]] {
        let house = House::without(features).await;
        let tells = features.is_empty() && kernel_version() >= (6, 15);
        let expected = if tells {
            (Some(5), None)
        } else {
            (None, Some(UNKNOWN.to_owned()))
        };
        let spec = house.script("trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done");
        let dir = spec.dir.clone();
        let started = house.runtime.start(spec).await.unwrap();
        let mut stdout = std::fs::File::from(started.stdout);
        std::io::Read::read_exact(&mut stdout, &mut [0; 3]).unwrap();
        kill_process(shim_of(&dir), Signal::KILL).unwrap();
        house.runtime.signal(&dir, 15).await.unwrap();
        let exit = house.runtime.wait(&dir).await.unwrap();
        assert_eq!((exit.exit_code, exit.reason), expected, "{features:?}");
        let recorded = record::read_exit(&dir).unwrap().unwrap();
        assert_eq!((recorded.exit_code, recorded.reason), expected);
        house.runtime.remove(&dir).await.unwrap();
        house.close().await;
    }
}

#[tokio::test]
async fn without_exit_information_a_lost_container_ends_without_a_code_and_with_a_reason() {
    let without = [LayerFd, LowerdirPlus, PidfdInfoExit];
    let mut house = House::without(&without).await;
    let spec = house.spec(&["sleep", "1000"]);
    let dir = spec.dir.clone();
    drop(house.runtime.start(spec).await.unwrap());
    kill_process(shim_of(&dir), Signal::KILL).unwrap();
    house.runtime.shut_down(false).await.unwrap();
    house.runtime = House::open(house.dir.path(), &house.tag, &without);
    let Attached::Lost { reason } = house.runtime.attach(&dir).await.unwrap() else {
        panic!("not lost")
    };
    assert_eq!(reason, UNKNOWN);
    house.runtime.signal(&dir, 9).await.unwrap();
    let exit = house.runtime.wait(&dir).await.unwrap();
    assert_eq!(
        (exit.exit_code, exit.reason.as_deref()),
        (None, Some(UNKNOWN))
    );
    house.runtime.remove(&dir).await.unwrap();
    house.close().await;
}
