//! What an earlier agent left of a task's networks, as its records say.

use crate::records::StoredTask;
use crate::task::definition::TaskDefinition;
use crate::task::state::Made;
use netdev::vpc::KeptVpcAttachment;
use netdev::{KeptAttachment, PortBinding, Protocol};
use std::net::Ipv4Addr;

/// What the bridge gave a container, kept beside its record.
pub const NETWORK_FILE: &str = "network.json";

/// A task's interface that an earlier agent made. One that it only began to make may lack anything: it is
/// removed, and made anew.
pub fn interface(task: &StoredTask) -> Option<KeptVpcAttachment> {
    let made = task.state.as_ref()?.interface.as_ref()?.made;
    let definition = TaskDefinition::parse(&task.payload).ok()?;
    let interface = definition.elastic_network_interfaces.first()?;
    (made == Made::Yes).then(|| KeptVpcAttachment {
        id: definition.id().unwrap_or_default().to_owned(),
        interface: interface.ec2_id.clone(),
    })
}

/// What its containers have on the bridge.
pub fn attachments(task: &StoredTask) -> Vec<KeptAttachment> {
    let Some(state) = &task.state else {
        return Vec::new();
    };
    let kept = state
        .containers
        .iter()
        .filter(|container| container.network == Made::Yes);
    kept.map(|container| {
        let file = task
            .dir
            .join("containers")
            .join(&container.name)
            .join(NETWORK_FILE);
        let address: Option<Ipv4Addr> = std::fs::read_to_string(file)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let bindings = container.bindings.iter().flat_map(|binding| {
            let protocol = if binding.protocol == "udp" {
                Protocol::Udp
            } else {
                Protocol::Tcp
            };
            let ports = binding.ports();
            ports.map(move |(container_port, host_port)| PortBinding {
                container_port,
                host_port,
                protocol,
            })
        });
        KeptAttachment {
            id: container.runtime_id.clone(),
            address,
            bindings: bindings.collect(),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::state::TaskState;
    use aws_types::Timestamp;
    use serde_json::json;

    #[test]
    fn an_interface_that_was_only_begun_is_not_kept() {
        let payload = json!({
            "arn": "arn:aws:ecs:r:0:task/c/abc", "desiredStatus": "RUNNING", "networkMode": "awsvpc",
            "elasticNetworkInterfaces": [{"ec2Id": "eni-1", "attachmentArn": "a"}],
            "containers": [{"name": "app", "image": "i"}],
        });
        let definition = TaskDefinition::parse(&payload).expect("it is valid");
        let ids = vec!["0".repeat(64)];
        let mut state = TaskState::new(&definition, ids, 1000, Timestamp::EPOCH);
        for (made, is_kept) in [
            (Made::No, false),
            (Made::Making, false),
            (Made::Yes, true),
            (Made::Gone, false),
        ] {
            if let Some(interface) = &mut state.interface {
                interface.made = made;
            }
            let task = StoredTask {
                dir: "/nowhere".into(),
                payload: payload.clone(),
                state: Some(state.clone()),
            };
            let kept = interface(&task).map(|kept| (kept.id, kept.interface));
            let whole = ("abc".to_owned(), "eni-1".to_owned());
            assert_eq!(kept, is_kept.then_some(whole), "{made:?}");
        }
    }
}
