//! SubmitTaskStateChange: a host's word about a task.
//!
//! Whatever is late or unknown is accepted and changes nothing: an agent repeats an error for ever
//! and holds back what came after it. Rule: the public agent.

use crate::cluster;
use crate::decisions::Stopped;
use crate::records::task::{BindingRecord, TASKS};
use crate::service::images;
use crate::task::reference;
use crate::task::report::{ContainerReport, TaskReport, apply};
use crate::task::status::{ContainerStatus, TaskStatus};
use aws_api::ecs::{
    AttachmentStateChange, ContainerStateChange, NetworkBinding, SubmitTaskStateChangeRequest,
    SubmitTaskStateChangeResponse,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// What the public agent expects to read.
pub(super) const ACCEPTED: &str = "ACCEPT";

/// What the caller needs.
#[must_use]
pub fn authorisation(input: &SubmitTaskStateChangeRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let task = input.task.as_deref().unwrap_or_default();
    let arn = reference::shown_arn(&ctx.scope, &cluster, "task", task);
    vec![Ask::new("ecs:SubmitTaskStateChange", arn)]
}

/// Applies a report.
///
/// # Errors
/// None.
pub fn submit_task_state_change(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &SubmitTaskStateChangeRequest,
) -> Result<SubmitTaskStateChangeResponse, AwsError> {
    let report = TaskReport {
        status: input.status.as_deref().and_then(TaskStatus::parse),
        reason: input.reason.clone(),
        containers: input.containers.iter().flatten().map(container).collect(),
        pull_started: input.pull_started_at,
        pull_stopped: input.pull_stopped_at,
        execution_stopped: input.execution_stopped_at,
        attached: attached(input.attachments.as_deref()),
    };
    let named = (input.cluster.as_deref(), input.task.as_deref());
    apply_to(txn, ctx, named, &report);
    Ok(SubmitTaskStateChangeResponse {
        acknowledgment: Some(ACCEPTED.into()),
    })
}

/// Applies a report to the task named by (cluster, task), if there is one.
pub(super) fn apply_to(
    txn: &mut Txn,
    ctx: &mut Ctx,
    (cluster, task): (Option<&str>, Option<&str>),
    report: &TaskReport,
) {
    let cluster = cluster::name_of(&ctx.scope, cluster).unwrap_or_default();
    let text = task.unwrap_or_default();
    let key = reference::task_arn(&ctx.scope, text)
        .or_else(|| reference::task(&ctx.scope, &cluster, text));
    let Some(record) = key.and_then(|key| txn.get(&TASKS, &key)) else {
        return;
    };
    let mut record = record.as_ref().clone();
    let was = record.last_status;
    if apply(&mut record, report, ctx.now) {
        let has_stopped = was != TaskStatus::Stopped && record.last_status == TaskStatus::Stopped;
        if let Some(reason) = record.stop.clone().filter(|_| has_stopped) {
            let task = record.key.id.clone();
            ctx.decided(Stopped { task, reason });
        }
        images::learn(txn, &record);
        txn.put(&TASKS, record);
    }
}

pub(super) fn binding(given: &NetworkBinding) -> BindingRecord {
    BindingRecord {
        bind_ip: given.bind_ip.clone(),
        container_port: given.container_port,
        host_port: given.host_port,
        protocol: given.protocol.clone(),
        container_port_range: given.container_port_range.clone(),
        host_port_range: given.host_port_range.clone(),
    }
}

/// An empty text says nothing.
pub(super) fn said(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// ARNs of attachments that are said to be there.
pub(super) fn attached(given: Option<&[AttachmentStateChange]>) -> Vec<String> {
    let is_there = |one: &&AttachmentStateChange| one.status.as_deref() == Some("ATTACHED");
    let there = given.unwrap_or_default().iter().filter(is_there);
    there.filter_map(|one| one.attachment_arn.clone()).collect()
}

fn container(given: &ContainerStateChange) -> ContainerReport {
    ContainerReport {
        name: given.container_name.clone().unwrap_or_default(),
        status: ContainerStatus::reported(given.status.as_deref().unwrap_or_default()),
        runtime_id: said(given.runtime_id.as_ref()),
        image_digest: said(given.image_digest.as_ref()),
        exit_code: given.exit_code,
        reason: said(given.reason.as_ref()),
        bindings: given
            .network_bindings
            .iter()
            .flatten()
            .map(binding)
            .collect(),
    }
}
