//! Tells the control plane of a task's changes, until it takes them.

use crate::api::Api;
use crate::task::report::TaskChange;
use crate::task::state::Binding;
use aws_api::ecs::{
    AttachmentStateChange, ContainerStateChange, NetworkBinding, SubmitTaskStateChangeRequest,
    operations::SubmitTaskStateChange,
};
use std::time::Duration;
use tracing::{debug, warn};

/// Waits between tries: from the first, doubled, to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Resolves when the change was taken, or was refused for good.
pub(crate) async fn submit(api: &Api, cluster: &str, task_arn: &str, change: &TaskChange) {
    let input = request(cluster, task_arn, change);
    let mut wait = RETRY.0;
    loop {
        match api.call::<SubmitTaskStateChange>(&input).await {
            Ok(_) => return,
            Err(error) if error.code == "InvalidParameterException" => {
                warn!(task = task_arn, %error, "a report was refused and is dropped");
                return;
            }
            Err(error) => {
                debug!(task = task_arn, %error, "a report did not go through");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY.1);
            }
        }
    }
}

/// The call that tells of a change; the simulator makes the same.
#[must_use]
pub fn request(cluster: &str, task_arn: &str, change: &TaskChange) -> SubmitTaskStateChangeRequest {
    let containers = change
        .containers
        .iter()
        .map(|container| ContainerStateChange {
            container_name: Some(container.name.clone()),
            runtime_id: container.runtime_id.clone(),
            image_digest: container.image_digest.clone(),
            status: Some(container.status.as_str().into()),
            exit_code: container.exit_code,
            reason: container.reason.clone(),
            network_bindings: Some(container.bindings.iter().map(network_binding).collect()),
        });
    SubmitTaskStateChangeRequest {
        cluster: Some(cluster.into()),
        task: Some(task_arn.into()),
        status: Some(change.status.as_str().into()),
        reason: Some(change.reason.clone()),
        containers: Some(containers.collect()),
        pull_started_at: change.pull_started_at,
        pull_stopped_at: change.pull_stopped_at,
        execution_stopped_at: change.execution_stopped_at,
        attachments: change.attached.as_ref().map(|arn| vec![attachment(arn)]),
        ..SubmitTaskStateChangeRequest::default()
    }
}

fn attachment(arn: &str) -> AttachmentStateChange {
    AttachmentStateChange {
        attachment_arn: Some(arn.into()),
        status: Some("ATTACHED".into()),
    }
}

/// A range is told as such, without a single port. Rule: API reference, NetworkBinding.
fn network_binding(binding: &Binding) -> NetworkBinding {
    let common = NetworkBinding {
        bind_ip: Some(binding.bind_ip.clone()),
        protocol: Some(binding.protocol.clone()),
        ..NetworkBinding::default()
    };
    let Some(count) = binding.range_len else {
        return NetworkBinding {
            container_port: Some(i32::from(binding.container_port)),
            host_port: Some(i32::from(binding.host_port)),
            ..common
        };
    };
    let range = |first: u16| format!("{first}-{}", first.saturating_add(count - 1));
    NetworkBinding {
        container_port_range: Some(range(binding.container_port)),
        host_port_range: Some(range(binding.host_port)),
        ..common
    }
}
