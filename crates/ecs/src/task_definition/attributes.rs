//! `requiresAttributes`: what a container instance must be able to do to run a task definition.
//!
//! Names only; an instance matches when it registered an attribute of each name. Rule: recorded
//! answers and the public agent's capability names (semantics 3.6). Shown in order of name.

use aws_api::ecs::{Attribute, ContainerDefinition, Secret, TaskDefinition, Volume};
use std::collections::BTreeSet;

const C: &str = "com.amazonaws.ecs.capability.";
const E: &str = "ecs.capability.";

/// The attributes that the content asks for.
#[must_use]
pub fn of(definition: &TaskDefinition) -> Vec<Attribute> {
    let mut needs = Needs::default();
    task(definition, &mut needs);
    for c in definition.container_definitions.iter().flatten() {
        container(c, &mut needs);
        logging(c, definition.execution_role_arn.is_some(), &mut needs);
        image(c, definition.execution_role_arn.is_some(), &mut needs);
        linux(c, &mut needs);
    }
    for v in definition.volumes.iter().flatten() {
        volume(v, &mut needs);
    }
    needs
        .0
        .into_iter()
        .map(|name| Attribute {
            name: Some(name),
            ..Attribute::default()
        })
        .collect()
}

#[derive(Default)]
struct Needs(BTreeSet<String>);

impl Needs {
    fn when(&mut self, condition: bool, prefix: &str, names: &[&str]) {
        if condition {
            self.0
                .extend(names.iter().map(|name| format!("{prefix}{name}")));
        }
    }
}

fn task(d: &TaskDefinition, needs: &mut Needs) {
    let mode = d.network_mode.as_deref();
    let role = d.task_role_arn.is_some();
    needs.when(role, C, &["task-iam-role"]);
    needs.when(
        role && mode == Some("host"),
        C,
        &["task-iam-role-network-host"],
    );
    needs.when(mode == Some("awsvpc"), E, &["task-eni"]);
    let sized = d.cpu.is_some() || d.memory.is_some();
    needs.when(sized && mode != Some("awsvpc"), E, &["task-cpu-mem-limit"]);
    let cpu = d.cpu.as_deref().and_then(|cpu| cpu.parse::<u32>().ok());
    needs.when(
        cpu.is_some_and(|cpu| cpu > 10 * 1024),
        E,
        &["increased-task-cpu-limit"],
    );
    let shared = d.pid_mode.is_some() || d.ipc_mode.is_some();
    needs.when(shared, E, &["pid-ipc-namespace-sharing"]);
    needs.when(d.proxy_configuration.is_some(), E, &["aws-appmesh"]);
    needs.when(
        d.enable_fault_injection == Some(true),
        E,
        &["fault-injection"],
    );
}

fn container(c: &ContainerDefinition, needs: &mut Needs) {
    let switches = c.privileged.is_some()
        || c.readonly_root_filesystem.is_some()
        || c.interactive.is_some()
        || c.pseudo_terminal.is_some()
        || c.disable_networking.is_some();
    needs.when(switches, C, &["docker-remote-api.1.17"]);
    needs.when(c.privileged == Some(true), C, &["privileged-container"]);
    let labels = c.docker_labels.is_some() || c.ulimits.is_some();
    needs.when(
        labels || c.log_configuration.is_some(),
        C,
        &["docker-remote-api.1.18"],
    );
    needs.when(
        c.memory_reservation.is_some(),
        C,
        &["docker-remote-api.1.21"],
    );
    if let Some(check) = &c.health_check {
        needs.when(true, E, &["container-health-check"]);
        needs.when(true, C, &["docker-remote-api.1.24"]);
        needs.when(check.start_period.is_some(), C, &["docker-remote-api.1.29"]);
    }
    let ordered = c.start_timeout.is_some()
        || c.stop_timeout.is_some()
        || c.depends_on.as_ref().is_some_and(|list| !list.is_empty());
    needs.when(ordered, E, &["container-ordering"]);
    needs.when(
        c.repository_credentials.is_some(),
        E,
        &["private-registry-authentication.secretsmanager"],
    );
    let files = c
        .environment_files
        .as_ref()
        .is_some_and(|list| !list.is_empty());
    needs.when(files, E, &["env-files.s3"]);
    let restarts = c
        .restart_policy
        .as_ref()
        .is_some_and(|p| p.enabled == Some(true));
    needs.when(restarts, E, &["container-restart-policy"]);
    let mut ports = c.port_mappings.iter().flatten();
    let range = ports.any(|port| port.container_port_range.is_some());
    needs.when(range, E, &["network.container-port-range"]);
    for secret in c.secrets.iter().flatten() {
        needs.when(
            true,
            E,
            &[secret_store(secret, "environment-variables").as_str()],
        );
    }
    for spec in c.credential_specs.iter().flatten() {
        let domainless = spec.starts_with("credentialspecdomainless");
        needs.when(
            true,
            E,
            &[if domainless {
                "gmsa-domainless"
            } else {
                "gmsa"
            }],
        );
    }
}

fn secret_store(secret: &Secret, purpose: &str) -> String {
    let from = secret.value_from.as_deref().unwrap_or_default();
    let store = if from.contains(":secretsmanager:") {
        "asm"
    } else {
        "ssm"
    };
    format!("secrets.{store}.{purpose}")
}

fn logging(c: &ContainerDefinition, execution_role: bool, needs: &mut Needs) {
    if let Some(firelens) = &c.firelens_configuration {
        let router = format!(
            "firelens.{}",
            firelens.r#type.as_deref().unwrap_or_default()
        );
        needs.when(true, E, &[router.as_str()]);
        let options = firelens.options.as_ref();
        if let Some(kind) = options.and_then(|options| options.get("config-file-type")) {
            needs.when(
                true,
                E,
                &[format!("firelens.options.config.{kind}").as_str()],
            );
        }
    }
    let Some(log) = &c.log_configuration else {
        return;
    };
    let driver = log.log_driver.as_deref().unwrap_or_default();
    needs.when(true, C, &[format!("logging-driver.{driver}").as_str()]);
    if driver == "awslogs" {
        needs.when(true, C, &["docker-remote-api.1.19"]);
        needs.when(execution_role, E, &["execution-role-awslogs"]);
        let options = log.options.as_ref();
        let create = options.and_then(|options| options.get("awslogs-create-group"));
        needs.when(
            create.is_some_and(|value| value == "true"),
            C,
            &["docker-remote-api.1.29"],
        );
    }
    for secret in log.secret_options.iter().flatten() {
        needs.when(
            true,
            E,
            &[secret_store(secret, "bootstrap.log-driver").as_str()],
        );
    }
}

fn image(c: &ContainerDefinition, execution_role: bool, needs: &mut Needs) {
    let from_ecr = c
        .image
        .as_deref()
        .is_some_and(|image| image.contains(".dkr.ecr."));
    needs.when(from_ecr, C, &["ecr-auth", "docker-remote-api.1.19"]);
    needs.when(from_ecr && execution_role, E, &["execution-role-ecr-pull"]);
}

fn linux(c: &ContainerDefinition, needs: &mut Needs) {
    let parameters = c.linux_parameters.as_ref();
    let init = parameters.is_some_and(|linux| linux.init_process_enabled == Some(true));
    needs.when(init, C, &["docker-remote-api.1.25"]);
    for option in c.docker_security_options.iter().flatten() {
        needs.when(option.starts_with("label:"), C, &["selinux"]);
        needs.when(option.starts_with("apparmor:"), C, &["apparmor"]);
    }
}

fn volume(v: &Volume, needs: &mut Needs) {
    if let Some(docker) = &v.docker_volume_configuration {
        let driver = docker.driver.as_deref().unwrap_or("local");
        needs.when(true, E, &[format!("docker-plugin.{driver}").as_str()]);
        needs.when(true, C, &["docker-remote-api.1.25"]);
    }
    if let Some(efs) = &v.efs_volume_configuration {
        needs.when(true, E, &["efs"]);
        needs.when(efs.authorization_config.is_some(), E, &["efsAuth"]);
    }
    let windows = v.fsx_windows_file_server_volume_configuration.is_some();
    needs.when(windows, E, &["fsxWindowsFileServer"]);
    needs.when(
        v.configured_at_launch == Some(true),
        E,
        &["storage.ebs-task-volume-attach"],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::Stored;
    use serde_json::{Value, json};

    /// The attributes' names without their common prefixes.
    fn needs(definition: Value) -> Vec<String> {
        let read: Stored<TaskDefinition> = serde_json::from_value(definition).unwrap();
        let names = of(&read.0)
            .into_iter()
            .filter_map(|attribute| attribute.name);
        names
            .map(|name| name.replace(C, "C.").replace(E, "E."))
            .collect()
    }

    #[test]
    fn of_tasks() {
        let volume = |volume: Value| json!({"volumes": [volume]});
        let efs = json!({"authorizationConfig": {"iam": "ENABLED"}});
        for (definition, expected) in [
            (json!({}), &[][..]),
            (json!({"taskRoleArn": "r"}), &["C.task-iam-role"]),
            (
                json!({"taskRoleArn": "r", "networkMode": "host"}),
                &["C.task-iam-role", "C.task-iam-role-network-host"],
            ),
            (
                json!({"networkMode": "awsvpc", "cpu": "256"}),
                &["E.task-eni"],
            ),
            (json!({"cpu": "256"}), &["E.task-cpu-mem-limit"]),
            (json!({"memory": "256"}), &["E.task-cpu-mem-limit"]),
            (
                json!({"cpu": "10241"}),
                &["E.increased-task-cpu-limit", "E.task-cpu-mem-limit"],
            ),
            (json!({"pidMode": "task"}), &["E.pid-ipc-namespace-sharing"]),
            (json!({"ipcMode": "host"}), &["E.pid-ipc-namespace-sharing"]),
            (
                json!({"proxyConfiguration": {"containerName": "x"}}),
                &["E.aws-appmesh"],
            ),
            (
                json!({"enableFaultInjection": true}),
                &["E.fault-injection"],
            ),
            (volume(json!({"host": {}})), &[]),
            (
                volume(json!({"dockerVolumeConfiguration": {}})),
                &["C.docker-remote-api.1.25", "E.docker-plugin.local"],
            ),
            (volume(json!({"efsVolumeConfiguration": {}})), &["E.efs"]),
            (
                volume(json!({"efsVolumeConfiguration": efs})),
                &["E.efs", "E.efsAuth"],
            ),
            (
                volume(json!({"fsxWindowsFileServerVolumeConfiguration": {}})),
                &["E.fsxWindowsFileServer"],
            ),
            (
                volume(json!({"configuredAtLaunch": true})),
                &["E.storage.ebs-task-volume-attach"],
            ),
        ] {
            assert_eq!(needs(definition.clone()), expected, "{definition}");
        }
    }

    #[test]
    fn of_containers() {
        const API: &str = "C.docker-remote-api.";
        let api = |version: &str| format!("{API}{version}");
        let asm = "arn:aws:secretsmanager:us-east-1:000000000000:secret:a-AbCdEf";
        let log = |driver: &str, options: Value| json!({"logConfiguration": {"logDriver": driver, "options": options}});
        for (container, expected) in [
            (json!({}), vec![]),
            (json!({"readonlyRootFilesystem": false}), vec![api("1.17")]),
            (
                json!({"privileged": true}),
                vec![api("1.17"), "C.privileged-container".into()],
            ),
            (json!({"dockerLabels": {}}), vec![api("1.18")]),
            (json!({"ulimits": []}), vec![api("1.18")]),
            (json!({"memoryReservation": 6}), vec![api("1.21")]),
            (
                json!({"healthCheck": {"command": ["CMD", "a"], "startPeriod": 1}}),
                vec![api("1.24"), api("1.29"), "E.container-health-check".into()],
            ),
            (
                json!({"stopTimeout": 1}),
                vec!["E.container-ordering".into()],
            ),
            (json!({"dependsOn": []}), vec![]),
            (
                json!({"dependsOn": [{"containerName": "b", "condition": "START"}]}),
                vec!["E.container-ordering".into()],
            ),
            (
                json!({"repositoryCredentials": {"credentialsParameter": asm}}),
                vec!["E.private-registry-authentication.secretsmanager".into()],
            ),
            (
                json!({"environmentFiles": [{"type": "s3", "value": "a"}]}),
                vec!["E.env-files.s3".into()],
            ),
            (json!({"restartPolicy": {"enabled": false}}), vec![]),
            (
                json!({"restartPolicy": {"enabled": true}}),
                vec!["E.container-restart-policy".into()],
            ),
            (
                json!({"portMappings": [{"containerPortRange": "1-2"}]}),
                vec!["E.network.container-port-range".into()],
            ),
            (
                json!({"secrets": [{"name": "A", "valueFrom": asm}, {"name": "B", "valueFrom": "b"}]}),
                vec![
                    "E.secrets.asm.environment-variables".into(),
                    "E.secrets.ssm.environment-variables".into(),
                ],
            ),
            (
                json!({"linuxParameters": {"initProcessEnabled": true}}),
                vec![api("1.25")],
            ),
            (
                json!({"dockerSecurityOptions": ["label:a", "apparmor:b"]}),
                vec!["C.apparmor".into(), "C.selinux".into()],
            ),
            (
                log("awslogs", json!({"awslogs-create-group": "true"})),
                vec![
                    api("1.18"),
                    api("1.19"),
                    api("1.29"),
                    "C.logging-driver.awslogs".into(),
                ],
            ),
            (
                json!({"firelensConfiguration": {"type": "fluentbit", "options": {"config-file-type": "s3"}}}),
                vec![
                    "E.firelens.fluentbit".into(),
                    "E.firelens.options.config.s3".into(),
                ],
            ),
            (
                json!({"image": "1.dkr.ecr.us-east-1.amazonaws.com/a"}),
                vec![api("1.19"), "C.ecr-auth".into()],
            ),
            (
                json!({"credentialSpecs": ["credentialspecdomainless:a"]}),
                vec!["E.gmsa-domainless".into()],
            ),
            (
                json!({"credentialSpecs": ["credentialspec:a"]}),
                vec!["E.gmsa".into()],
            ),
            (
                log("awsfirelens", json!({})),
                vec![api("1.18"), "C.logging-driver.awsfirelens".into()],
            ),
            (
                json!({"logConfiguration": {"logDriver": "splunk", "secretOptions": [
                    {"name": "a", "valueFrom": asm}, {"name": "b", "valueFrom": "b"}]}}),
                vec![
                    api("1.18"),
                    "C.logging-driver.splunk".into(),
                    "E.secrets.asm.bootstrap.log-driver".into(),
                    "E.secrets.ssm.bootstrap.log-driver".into(),
                ],
            ),
        ] {
            let definition = json!({"containerDefinitions": [container]});
            assert_eq!(needs(definition), expected, "{container}");
        }
    }

    #[test]
    fn of_what_the_execution_role_does() {
        let log = json!({"logConfiguration": {"logDriver": "awslogs"}});
        let image = json!({"image": "1.dkr.ecr.us-east-1.amazonaws.com/a"});
        for (container, expected) in [
            (json!({}), &[][..]),
            (
                log,
                &[
                    "C.docker-remote-api.1.18",
                    "C.docker-remote-api.1.19",
                    "C.logging-driver.awslogs",
                    "E.execution-role-awslogs",
                ],
            ),
            (
                image,
                &[
                    "C.docker-remote-api.1.19",
                    "C.ecr-auth",
                    "E.execution-role-ecr-pull",
                ],
            ),
        ] {
            let definition = json!({"executionRoleArn": "r", "containerDefinitions": [container]});
            assert_eq!(needs(definition), expected, "{container}");
        }
    }
}
