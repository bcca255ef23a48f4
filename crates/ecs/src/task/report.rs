//! What a host's report changes in a task.
//!
//! A report may be late, repeated, or name one container twice: it is applied in its own order, and
//! only what moves forward counts. An agent blocks its later reports on an error, so nothing here
//! fails. Rule: the public agent's SubmitTaskStateChange; ECS guide, "Task lifecycle".

use super::status::{ContainerStatus, DesiredStatus, TaskStatus};
use super::stop_reason::StopReason;
use super::{network, traffic};
use crate::records::task::{BindingRecord, ContainerRecord, TaskRecord};
use aws_types::Timestamp;

/// A report about one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskReport {
    /// The task's status, when the report is about it.
    pub status: Option<TaskStatus>,
    /// The task's own reason; often empty.
    pub reason: Option<String>,
    /// Its containers, in the order in which things happened.
    pub containers: Vec<ContainerReport>,
    /// The first image began to be pulled.
    pub pull_started: Option<Timestamp>,
    /// The last image was there.
    pub pull_stopped: Option<Timestamp>,
    /// The first essential container ended.
    pub execution_stopped: Option<Timestamp>,
    /// ARNs of attachments that are there.
    pub attached: Vec<String>,
}

/// What happened to one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerReport {
    /// Its name in the definition.
    pub name: String,
    /// Its status.
    pub status: ContainerStatus,
    /// The runtime's id of it.
    pub runtime_id: Option<String>,
    /// The digest that its image was resolved to.
    pub image_digest: Option<String>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// Why it ended.
    pub reason: Option<String>,
    /// Its ports on the host.
    pub bindings: Vec<BindingRecord>,
}

/// Applies a report that arrived at `now`. Whether anything changed; then `version` has grown.
pub fn apply(task: &mut TaskRecord, report: &TaskReport, now: Timestamp) -> bool {
    let before = task.clone();
    if task.last_status == TaskStatus::Stopped {
        // Nothing moves a stopped task, but its host's word frees what a lost host still held.
        if report.status == Some(TaskStatus::Stopped) {
            task.holds = false;
        }
    } else {
        apply_to_living(task, report, now);
    }
    let changed = *task != before;
    if changed {
        task.version += 1;
    }
    changed
}

/// Asks a task to stop. Whether anything changed: a task that is to stop already keeps its reason.
pub fn ask_to_stop(task: &mut TaskRecord, why: StopReason, now: Timestamp) -> bool {
    if task.desired == DesiredStatus::Stopped {
        return false;
    }
    wind_down(task, why, now);
    if traffic::leave(task) {
        task.delivery.wanted += 1;
    }
    task.version += 1;
    true
}

/// Counts a task as STOPPED without its host's word; it holds its resources until that word comes.
pub fn count_as_stopped(task: &mut TaskRecord, why: StopReason, now: Timestamp) {
    if traffic::told(task) == DesiredStatus::Running {
        task.delivery.wanted += 1;
    }
    wind_down(task, why, now);
    finish(task, now);
    task.host_was_lost = true;
    task.version += 1;
}

fn apply_to_living(task: &mut TaskRecord, report: &TaskReport, now: Timestamp) {
    let times = &mut task.times;
    times.connectivity.get_or_insert(now);
    set_once(&mut times.pull_started, report.pull_started);
    set_once(&mut times.pull_stopped, report.pull_stopped);
    set_once(&mut times.execution_stopped, report.execution_stopped);
    for attachment in &report.attached {
        network::attached(task, attachment);
    }
    for container in &report.containers {
        apply_to_container(&mut task.containers, container);
    }
    let reported = report.status.map(|status| traffic::reported(task, status));
    let advance = reported.filter(|next| task.last_status.may_become(*next));
    match advance {
        Some(TaskStatus::Stopped) => {
            let why = why_it_stopped(task, report.reason.as_deref());
            wind_down(task, why, now);
            finish(task, now);
            task.holds = false;
        }
        Some(next) => {
            task.last_status = next;
            if next == TaskStatus::Running {
                task.times.started.get_or_insert(now);
            }
        }
        None => {}
    }
    let ended = |c: &ContainerRecord| c.essential && c.status == ContainerStatus::Stopped;
    if task.desired == DesiredStatus::Running && task.containers.iter().any(ended) {
        // The agent stops the rest by itself; nothing has to be delivered.
        let why = why_it_stopped(task, None);
        wind_down(task, why, now);
        traffic::leave(task);
    }
}

/// `reason`: the report's own, of the task.
fn why_it_stopped(task: &TaskRecord, reason: Option<&str>) -> StopReason {
    let ran = task.times.started.is_some();
    StopReason::from_report(ran, task.launch_type(), reason, &task.containers)
}

fn apply_to_container(containers: &mut [ContainerRecord], report: &ContainerReport) {
    // Internal containers of an agent are not in the definition; they are nobody's business.
    let Some(container) = containers.iter_mut().find(|c| c.name == report.name) else {
        return;
    };
    container.status = container.status.max(report.status);
    set_once(&mut container.runtime_id, report.runtime_id.clone());
    set_once(&mut container.image_digest, report.image_digest.clone());
    set_once(&mut container.exit_code, report.exit_code);
    set_once(&mut container.reason, report.reason.clone());
    if !report.bindings.is_empty() {
        container.bindings.clone_from(&report.bindings);
    }
}

/// Sets what a task that is to stop shows, the first reason given being the one that counts.
fn wind_down(task: &mut TaskRecord, why: StopReason, now: Timestamp) {
    task.desired = DesiredStatus::Stopped;
    task.stop.get_or_insert(why);
    task.times.stopping.get_or_insert(now);
}

fn finish(task: &mut TaskRecord, now: Timestamp) {
    traffic::leave(task);
    task.last_status = TaskStatus::Stopped;
    task.times.stopped.get_or_insert(now);
    if task.times.started.is_some() {
        task.times.execution_stopped.get_or_insert(now);
    }
    for container in &mut task.containers {
        container.status = ContainerStatus::Stopped;
    }
}

fn set_once<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}
