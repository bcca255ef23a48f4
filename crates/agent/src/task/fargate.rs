//! What a task of launch type FARGATE may not have: anything of its host.
//!
//! The control plane refuses the same in definitions (`ecs::rules::fargate`), with AWS's words. Here it stands again,
//! since the isolation of tasks from the host is this agent's word and nobody else's.

use super::definition::{ContainerDefinition, InvalidTask, NetworkMode, TaskDefinition};

/// Its launch type's name.
const LAUNCH_TYPE: &str = "FARGATE";
/// The only capability that may be added. Rule: API reference, KernelCapabilities.
const ADDABLE: &str = "SYS_PTRACE";

impl TaskDefinition {
    /// Whether it is of launch type FARGATE.
    pub fn is_fargate(&self) -> bool {
        self.launch_type == LAUNCH_TYPE
    }

    /// Its cluster as its containers are told: by ARN in a task of launch type FARGATE, else by name.
    /// Rule: developer guide, examples of task metadata version 4 on Fargate and on Amazon EC2.
    pub fn told_cluster(&self) -> String {
        let name = self.cluster();
        match self.arn.split_once(":task/") {
            Some((before, _)) if self.is_fargate() => format!("{before}:cluster/{name}"),
            _ => name.to_owned(),
        }
    }
}

/// Refuses a task of launch type FARGATE that reaches beyond itself, or has no limits.
///
/// # Errors
/// The first thing that it may not have.
pub fn check(task: &TaskDefinition) -> Result<(), InvalidTask> {
    if !task.is_fargate() {
        return Ok(());
    }
    refuse(task.mode()? != NetworkMode::Awsvpc, "a network of the host")?;
    refuse(task.pid_mode == "host", "processes of the host")?;
    refuse(!task.ipc_mode.is_empty(), "an IPC mode")?;
    refuse(task.cpu <= 0.0 || task.memory == 0, "no limits")?;
    refuse(!task.associations.is_empty(), "devices")?;
    let of_host = task.volumes.iter().any(|volume| {
        let host = volume.host.as_ref();
        volume.docker.is_some() || host.is_some_and(|host| !host.source_path.is_empty())
    });
    refuse(of_host, "volumes of the host")?;
    task.containers.iter().try_for_each(check_container)
}

fn check_container(container: &ContainerDefinition) -> Result<(), InvalidTask> {
    let host = container.host_config()?;
    refuse(host.privileged, "a privileged container")?;
    refuse(!host.devices.is_empty(), "devices")?;
    refuse(!host.security_opt.is_empty(), "security options")?;
    let bare = |name: &String| name.trim_start_matches("CAP_").to_ascii_uppercase();
    let mut added = host.cap_add.iter().map(bare);
    refuse(added.any(|name| name != ADDABLE), "a capability")
}

fn refuse(has: bool, what: &str) -> Result<(), InvalidTask> {
    match has {
        true => Err(InvalidTask(format!(
            "a task of launch type FARGATE cannot have {what}"
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn task(change: impl Fn(&mut Value)) -> Result<TaskDefinition, InvalidTask> {
        let mut task = json!({
            "arn": "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef",
            "desiredStatus": "RUNNING", "launchType": "FARGATE", "networkMode": "awsvpc",
            "cpu": 0.25, "memory": 512, "volumes": [{"name": "data"}],
            "elasticNetworkInterfaces": [{
                "attachmentArn": "arn:aws:ecs:us-east-1:000000000000:attachment/a", "ec2Id": "eni-1",
                "macAddress": "02:00:00:00:00:01", "ipv4Addresses": [{"primary": true, "privateAddress": "10.0.0.5"}],
                "subnetGatewayIpv4Address": "10.0.0.1/24", "name": "eni-1", "privateDnsName": "ip-10-0-0-5",
            }],
            "containers": [{"name": "app", "image": "i"}],
        });
        change(&mut task);
        TaskDefinition::parse(&task)
    }

    fn with_host(host: Value) -> Result<TaskDefinition, InvalidTask> {
        task(|task| {
            task["containers"][0]["dockerConfig"] = json!({"hostConfig": host.to_string()});
        })
    }

    #[test]
    fn nothing_of_the_host_is_had() {
        assert!(task(|_| {}).expect("it is fine").is_fargate());
        assert!(with_host(json!({"CapAdd": ["CAP_SYS_PTRACE"], "CapDrop": ["ALL"]})).is_ok());
        let refused = [
            (
                task(|t| t["pidMode"] = "host".into()),
                "processes of the host",
            ),
            (task(|t| t["ipcMode"] = "host".into()), "an IPC mode"),
            (task(|t| t["memory"] = 0.into()), "no limits"),
            (task(|t| t["cpu"] = 0.into()), "no limits"),
            (
                task(|t| t["volumes"][0]["host"] = json!({"sourcePath": "/etc"})),
                "volumes of the host",
            ),
            (
                with_host(json!({"Privileged": true})),
                "a privileged container",
            ),
            (with_host(json!({"CapAdd": ["SYS_ADMIN"]})), "a capability"),
            (
                with_host(json!({"Devices": [{"PathOnHost": "/dev/sda"}]})),
                "devices",
            ),
            (
                with_host(json!({"SecurityOpt": ["seccomp=unconfined"]})),
                "security options",
            ),
        ];
        for (answer, what) in refused {
            let error = answer.expect_err(what);
            let text = format!("a task of launch type FARGATE cannot have {what}");
            assert_eq!(error.0, text);
        }
        let on_host = task(|t| {
            t["networkMode"] = "host".into();
            t["elasticNetworkInterfaces"] = json!([]);
        });
        assert!(on_host.is_err());
        let on_instance = task(|t| {
            t["launchType"] = "EC2".into();
            t["pidMode"] = "host".into();
        });
        assert!(on_instance.is_ok(), "an instance's task may");
    }

    #[test]
    fn the_cluster_is_told_by_arn_on_fargate_alone() {
        let told = |launch_type: &str| {
            let arn =
                "arn:aws:ecs:us-east-1:000000000000:task/web/0123456789abcdef0123456789abcdef";
            let task = task(|t| {
                t["arn"] = arn.into();
                t["launchType"] = launch_type.into();
            });
            task.expect("it is fine").told_cluster()
        };
        assert_eq!(
            told("FARGATE"),
            "arn:aws:ecs:us-east-1:000000000000:cluster/web"
        );
        assert_eq!(told("EC2"), "web");
    }
}
