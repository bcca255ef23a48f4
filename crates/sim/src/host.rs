//! A machine: its programs, attachments and control groups, which outlive the agent; and the agent's
//! disk.
//!
//! The fake of `ContainerRuntime`, `HostNetwork` and `ImageStore`. It does at once what the real ones
//! do in time; when, the agent's edge decides.

use crate::vpc_host::Kernel;
use agent::task::definition::TaskDefinition;
use agent::task::resume::Found;
use agent::task::state::{Binding, ContainerIndex, TaskState};
use aws_types::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// First of the ports that are given where a definition names none.
const DYNAMIC_PORT_MIN: u16 = 32_768;

/// A container of a task, by the task's ARN.
pub type ContainerKey = (String, ContainerIndex);

/// A program that was started in a container.
#[derive(Debug)]
pub struct Process {
    /// Unique in the simulation.
    pub number: u64,
    /// By the host's clock.
    pub started: Timestamp,
    /// Exit code and moment, once it ended.
    pub end: Option<(i32, Timestamp)>,
}

/// A task as the agent's disk has it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// As it came.
    pub payload: serde_json::Value,
    /// It survives a power failure.
    pub synced: bool,
    /// The last state written down.
    pub state: Option<TaskState>,
    /// The last one that survives a power failure.
    pub durable: Option<TaskState>,
}

/// The agent's records.
#[derive(Debug, Default)]
pub struct Disk {
    /// ARN of its container instance.
    pub instance: Option<String>,
    /// The highest number of a manifest or payload.
    pub number: i64,
    /// By ARN.
    pub tasks: BTreeMap<String, Kept>,
}

/// A machine.
#[derive(Debug, Default)]
pub struct Machine {
    /// Containers whose program runs or ran.
    pub processes: BTreeMap<ContainerKey, Process>,
    /// Attachments with their host ports.
    pub attached: BTreeMap<ContainerKey, Vec<Binding>>,
    /// Tasks with a control group.
    pub cgroups: BTreeSet<String>,
    /// The networks of the VPCs.
    pub kernel: Kernel,
    /// Images that are here.
    pub images: BTreeSet<String>,
    /// The agent's records.
    pub disk: Disk,
}

impl Machine {
    /// ARNs of the tasks of which a program runs.
    pub fn running(&self) -> BTreeSet<&str> {
        let running = self.processes.iter().filter(|(_, p)| p.end.is_none());
        running.map(|((arn, _), _)| arn.as_str()).collect()
    }

    /// Something of some task is left.
    pub fn leftover(&self) -> Option<String> {
        let process = self.processes.keys().next();
        let attached = self.attached.keys().next();
        process
            .map(|(arn, index)| format!("container {index} of {arn}"))
            .or(attached.map(|(arn, index)| format!("attachment {index} of {arn}")))
            .or(self
                .cgroups
                .first()
                .map(|arn| format!("control group of {arn}")))
            .or(self
                .disk
                .tasks
                .keys()
                .next()
                .map(|arn| format!("records of {arn}")))
    }

    /// Starts a program. `Err`: one runs there already.
    pub fn start(&mut self, key: ContainerKey, process: Process) -> Result<(), String> {
        if self.processes.get(&key).is_some_and(|p| p.end.is_none()) {
            return Err(format!(
                "container {} of {} was started twice",
                key.1, key.0
            ));
        }
        self.processes.insert(key, process);
        Ok(())
    }

    /// Ends a program, unless it ended before; which container's it was.
    pub fn exit(&mut self, number: u64, code: i32, at: Timestamp) -> Option<ContainerKey> {
        let mut running = self.processes.iter_mut();
        let (key, process) =
            running.find(|(_, process)| process.number == number && process.end.is_none())?;
        process.end = Some((code, at));
        Some(key.clone())
    }

    /// How a container stands, for an agent that comes after another.
    pub fn look(&self, arn: &str, index: ContainerIndex) -> Found {
        match self.processes.get(&(arn.to_owned(), index)) {
            None => Found::Nothing,
            Some(process) => match process.end {
                None => Found::Running(process.started),
                Some((code, at)) => Found::Exited {
                    started_at: Some(process.started),
                    exit_code: Some(code),
                    out_of_memory: false,
                    at,
                    reason: None,
                },
            },
        }
    }

    /// Attaches a container; the task that holds one of its ports, if there is one.
    pub fn attach(
        &mut self,
        task: &TaskDefinition,
        index: ContainerIndex,
    ) -> Result<Vec<Binding>, String> {
        let mut bindings = Vec::new();
        for mapping in &task.containers[index].port_mappings {
            let protocol = match mapping.protocol.as_str() {
                "udp" => "udp",
                _ => "tcp",
            };
            let port = match mapping.host_port {
                0 => self.free_port(protocol, &bindings),
                port => port,
            };
            if let Some(other) = self.holder(port, protocol, &task.arn) {
                return Err(other);
            }
            bindings.push(Binding {
                bind_ip: "0.0.0.0".into(),
                container_port: mapping.container_port,
                host_port: port,
                protocol: protocol.into(),
                // No definition of the workload has a range.
                range_len: None,
            });
        }
        let key = (task.arn.clone(), index);
        self.attached.insert(key, bindings.clone());
        Ok(bindings)
    }

    /// Everything that needs power ends, and what was not synced may be lost.
    pub fn lose_power(&mut self, mut is_lost: impl FnMut() -> bool) {
        self.processes.clear();
        self.attached.clear();
        self.cgroups.clear();
        self.kernel = Kernel::default();
        self.disk.tasks.retain(|_, kept| kept.synced || !is_lost());
        for kept in self.disk.tasks.values_mut() {
            if is_lost() {
                kept.state.clone_from(&kept.durable);
            }
        }
    }

    fn holder(&self, port: u16, protocol: &str, but: &str) -> Option<String> {
        let is_it = |b: &Binding| b.host_port == port && b.protocol == protocol;
        let mut others = self.attached.iter().filter(|((arn, _), _)| arn != but);
        let found = others.find(|(_, bindings)| bindings.iter().any(is_it));
        found.map(|((arn, _), _)| arn.clone())
    }

    fn free_port(&self, protocol: &str, mine: &[Binding]) -> u16 {
        let held = self.attached.values().flatten().chain(mine);
        let used: BTreeSet<u16> = held
            .filter(|b| b.protocol == protocol)
            .map(|b| b.host_port)
            .collect();
        let mut free = (DYNAMIC_PORT_MIN..=u16::MAX).filter(|port| !used.contains(port));
        free.next().unwrap_or(DYNAMIC_PORT_MIN)
    }
}
