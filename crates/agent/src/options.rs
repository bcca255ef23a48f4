//! From Docker's words to what the runtime asks of the kernel. Pure.

use crate::task::definition::TaskDefinition;
use crate::task::docker::{DockerConfig, HostConfig};
use runtime::spec::{Device, FirstProcess, LinuxOptions, Sharing, SwapLimit, Tmpfs};

/// The options of a container. `holder` is the process that holds the namespaces of its task.
///
/// # Errors
/// A security option that is none, or that cannot be had here.
pub fn linux(
    task: &TaskDefinition,
    docker: &DockerConfig,
    host: &HostConfig,
    holder: Option<u32>,
) -> Result<LinuxOptions, String> {
    let device = |given: &crate::task::docker::DockerDevice| Device {
        host_path: given.path_on_host.clone().into(),
        path: given.path_in_container.clone().into(),
        permissions: given.cgroup_permissions.clone(),
        ..Device::default()
    };
    let tmpfs = |(target, options): (&String, &String)| Tmpfs {
        target: target.clone(),
        options: options.clone(),
    };
    let mut options = LinuxOptions {
        sysctls: host.sysctls.clone().into_iter().collect(),
        shm_bytes: (host.shm_size > 0).then_some(host.shm_size),
        tmpfs: host.tmpfs.iter().map(tmpfs).collect(),
        first: if host.init {
            FirstProcess::Init
        } else {
            FirstProcess::Program
        },
        devices: host.devices.iter().map(device).collect(),
        memory_and_swap: match host.memory_swap {
            0 => None,
            bytes => Some(u64::try_from(bytes).map_or(SwapLimit::Unlimited, SwapLimit::Bytes)),
        },
        swappiness: host.memory_swappiness,
        pid: sharing(&task.pid_mode, holder),
        ipc: sharing(&task.ipc_mode, holder),
        without_shm: task.ipc_mode == "none",
        open_stdin: docker.open_stdin,
        terminal: docker.tty,
        ..LinuxOptions::default()
    };
    for option in &host.security_opt {
        secure(&mut options, option)?;
    }
    Ok(options)
}

fn sharing(mode: &str, holder: Option<u32>) -> Sharing {
    match (mode, holder) {
        ("host", _) => Sharing::Host,
        ("task", Some(holder)) => Sharing::Of(holder),
        _ => Sharing::Own,
    }
}

/// One of Docker's `--security-opt`: `name`, `name=value`, or `name:value` of old.
fn secure(options: &mut LinuxOptions, option: &str) -> Result<(), String> {
    let (name, value) = option
        .split_once('=')
        .or_else(|| option.split_once(':'))
        .unwrap_or((option, ""));
    match (name, value) {
        ("no-new-privileges", "" | "true") => options.no_new_privileges = true,
        ("no-new-privileges", "false") => options.no_new_privileges = false,
        ("seccomp", "unconfined") => options.unfiltered = true,
        ("seccomp", _) => {
            return Err("a seccomp profile other than unconfined cannot be had".into());
        }
        ("apparmor", profile) if !profile.is_empty() => {
            options.apparmor_profile = Some(profile.to_owned());
        }
        // Without labels nothing is to be switched off.
        ("label", "disable") => {}
        ("label", _) => return Err(format!("{option:?}: labels of SELinux cannot be had")),
        _ => return Err(format!("invalid --security-opt 2: {option:?}")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn translate(
        modes: [&str; 2],
        config: serde_json::Value,
        host: serde_json::Value,
    ) -> Result<LinuxOptions, String> {
        let task = TaskDefinition::parse(&json!({"arn": "arn:aws:ecs:r:1:task/c/0",
            "desiredStatus": "RUNNING", "pidMode": modes[0], "ipcMode": modes[1]}));
        let docker = serde_json::from_value(config).unwrap();
        linux(
            &task.unwrap(),
            &docker,
            &serde_json::from_value(host).unwrap(),
            Some(7),
        )
    }

    #[test]
    fn dockers_words_become_options() {
        let none = translate(["", ""], json!({}), json!({"Devices": null})).unwrap();
        assert_eq!(none, LinuxOptions::default());
        let host = json!({"Sysctls": {"net.core.somaxconn": "9"}, "ShmSize": 1024, "Init": true,
            "Tmpfs": {"/t": "size=1m,exec"}, "MemorySwap": -1, "MemorySwappiness": 0,
            "Devices": [{"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}],
            "SecurityOpt": ["no-new-privileges:true", "seccomp=unconfined", "apparmor:web", "label:disable"]});
        let all = translate(
            ["task", "host"],
            json!({"Tty": true, "OpenStdin": true}),
            host,
        );
        let expected = LinuxOptions {
            no_new_privileges: true,
            unfiltered: true,
            apparmor_profile: Some("web".into()),
            sysctls: vec![("net.core.somaxconn".into(), "9".into())],
            shm_bytes: Some(1024),
            tmpfs: vec![Tmpfs {
                target: "/t".into(),
                options: "size=1m,exec".into(),
            }],
            first: FirstProcess::Init,
            devices: vec![Device {
                host_path: "/dev/a".into(),
                path: "/dev/b".into(),
                permissions: "r".into(),
                ..Device::default()
            }],
            memory_and_swap: Some(SwapLimit::Unlimited),
            swappiness: Some(0),
            pid: Sharing::Of(7),
            ipc: Sharing::Host,
            without_shm: false,
            open_stdin: true,
            terminal: true,
            ids: None,
        };
        assert_eq!(all, Ok(expected));
        let bounded = translate(["host", "none"], json!({}), json!({"MemorySwap": 5})).unwrap();
        assert_eq!(bounded.memory_and_swap, Some(SwapLimit::Bytes(5)));
        assert_eq!((bounded.pid, bounded.ipc), (Sharing::Host, Sharing::Own));
        assert!(bounded.without_shm);
    }

    #[test]
    fn a_security_option_that_cannot_be_had_is_refused() {
        for option in [
            "seccomp=/etc/x.json",
            "label:type:web_t",
            "apparmor",
            "what=ever",
        ] {
            let host = json!({ "SecurityOpt": [option] });
            assert!(translate(["", ""], json!({}), host).is_err(), "{option}");
        }
    }
}
