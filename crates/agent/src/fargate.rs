//! How containers of launch type FARGATE are started: as any other, but with nothing left to opt out of.

use crate::task::definition::TaskDefinition;
use runtime::spec::{ContainerSpec, Ulimit};

/// Most processes and threads of one task. AWS names no number; this one keeps a task from using up the host's.
pub const PIDS_MAX: u64 = 16_384;
/// `nofile`, soft and hard. Rule: API reference, ContainerDefinition `ulimits`: Fargate's own default.
const NOFILE: u64 = 65_535;

/// Takes from a container what [`crate::task`]'s check of its definition does not say already.
pub fn harden(spec: &mut ContainerSpec, task: &TaskDefinition) {
    if !task.is_fargate() {
        return;
    }
    spec.privileged = false;
    spec.linux.no_new_privileges = true;
    spec.linux.unfiltered = false;
    spec.linux.devices.clear();
    if spec.ulimits.iter().all(|limit| limit.name != "nofile") {
        spec.ulimits.push(Ulimit {
            name: "nofile".into(),
            soft: NOFILE as _,
            hard: NOFILE as _,
        });
    }
}
