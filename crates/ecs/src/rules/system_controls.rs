//! `systemControls`: kernel parameters that belong to a container's namespaces.
//!
//! Rule: API reference, SystemControl: `net.*` and the parameters of IPC namespaces, and neither
//! where the namespace is the host's.

use super::client;
use aws_api::ecs::{SystemControl, TaskDefinition};
use aws_types::AwsError;

/// Parameters of an IPC namespace.
const OF_IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    for container in definition.container_definitions.iter().flatten() {
        for control in container.system_controls.iter().flatten() {
            check_control(definition, control)?;
        }
    }
    Ok(())
}

fn check_control(definition: &TaskDefinition, control: &SystemControl) -> Result<(), AwsError> {
    let name = control.namespace.as_deref().unwrap_or_default();
    if name.is_empty() || control.value.as_deref().unwrap_or_default().is_empty() {
        return Err(client(
            "SystemControl namespace and value should not be null or empty.",
        ));
    }
    let of_network = name.starts_with("net.");
    let of_ipc = OF_IPC.contains(&name) || name.starts_with("fs.mqueue.");
    if !of_network && !of_ipc {
        return Err(client(format!(
            "SystemControl namespace '{name}' is not supported."
        )));
    }
    if of_network && definition.network_mode.as_deref() == Some("host") {
        return Err(client(format!(
            "SystemControl namespace '{name}' is not supported when networkMode=host."
        )));
    }
    if of_ipc && definition.ipc_mode.as_deref() == Some("host") {
        return Err(client(format!(
            "SystemControl namespace '{name}' is not supported when ipcMode=host."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, one, task};
    use serde_json::{Value, json};

    #[test]
    fn controls() {
        let of = |patch: Value, name: &str, value: &str| {
            let controls = json!([{"namespace": name, "value": value}]);
            let mut definition = task(patch);
            definition["containerDefinitions"] = json!([one(json!({"systemControls": controls}))]);
            definition
        };
        let (none, host) = (json!({}), json!({"networkMode": "host"}));
        let ipc_host = json!({"ipcMode": "host"});
        answers(&[
            (of(none.clone(), "net.core.somaxconn", "1024"), FINE),
            (of(none.clone(), "kernel.sem", "250 32000 32 128"), FINE),
            (of(none.clone(), "fs.mqueue.msg_max", "20"), FINE),
            (of(host.clone(), "kernel.shmmax", "1"), FINE),
            (of(ipc_host.clone(), "net.core.somaxconn", "1"), FINE),
            (
                of(none.clone(), "vm.overcommit_memory", "1"),
                "SystemControl namespace 'vm.overcommit_memory' is not supported.",
            ),
            (
                of(none, "net.core.somaxconn", ""),
                "SystemControl namespace and value should not be null or empty.",
            ),
            (
                of(host, "net.core.somaxconn", "1"),
                "SystemControl namespace 'net.core.somaxconn' is not supported when \
                 networkMode=host.",
            ),
            (
                of(ipc_host, "kernel.shmmax", "1"),
                "SystemControl namespace 'kernel.shmmax' is not supported when ipcMode=host.",
            ),
        ]);
    }
}
