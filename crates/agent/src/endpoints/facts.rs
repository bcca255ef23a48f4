//! Gathers what is known of a task: its records, and its place in the network.

use super::metadata::{ContainerFacts, Facts};
use super::shapes::EphemeralStorageMetrics;
use crate::actor::TaskContext;
use crate::labels;
use crate::records;
use crate::task::state::TaskState;
use netdev::vpc::VpcAttachment;

const MIB: u64 = 1 << 20;

/// What is known of a task.
pub struct Gathered<'a> {
    task: &'a TaskContext,
    cluster: String,
    zone: String,
    state: TaskState,
    interface: Option<VpcAttachment>,
    disk: Option<EphemeralStorageMetrics>,
    containers: Vec<ContainerFacts>,
}

/// Of a task; `None` before anything was written of it.
pub fn gather(task: &TaskContext) -> Option<Gathered<'_>> {
    let state = records::read_task_state(&task.dir)?;
    let of = |index: usize| {
        let kept = labels::read(&task.container_dir(index));
        ContainerFacts {
            image_id: kept.as_ref().map(|kept| kept.image_id.clone()),
            created_at: kept.as_ref().map(|kept| kept.created_at),
            labels: kept.map(|kept| kept.labels).unwrap_or_default(),
            address: task.bridge_address(index),
        }
    };
    Some(Gathered {
        cluster: task.definition.told_cluster(),
        zone: match task.definition.zone.as_str() {
            "" => task.host.config.zone(),
            own => own.to_owned(),
        },
        interface: task.adopted_interface(),
        disk: disk(task),
        containers: (0..task.definition.containers.len()).map(of).collect(),
        state,
        task,
    })
}

/// As it is now; `None` also of a disk that is being made or removed.
fn disk(task: &TaskContext) -> Option<EphemeralStorageMetrics> {
    let usage = task.given().usage(&task.dir)?;
    Some(EphemeralStorageMetrics {
        utilized: usage.used_bytes.div_ceil(MIB),
        reserved: usage.size_bytes / MIB,
    })
}

impl Gathered<'_> {
    /// The Docker id of a container.
    pub fn id(&self, index: usize) -> &str {
        &self.state.containers[index].runtime_id
    }

    /// The container of this Docker id.
    pub fn index(&self, docker_id: &str) -> Option<usize> {
        let containers = &self.state.containers;
        containers
            .iter()
            .position(|one| one.runtime_id == docker_id)
    }

    /// The same, to be shown.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            cluster: &self.cluster,
            zone: &self.zone,
            definition: &self.task.definition,
            state: &self.state,
            interface: self.interface.as_ref(),
            disk: self.disk,
            containers: self.containers.clone(),
        }
    }
}
