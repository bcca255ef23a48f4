//! Kernel parameters of the container's own namespaces.
//!
//! Rule: Docker and runc: parameters of the network need a network namespace of the container's own, those of System V
//! and POSIX queues an IPC namespace; any other belongs to the whole host and is refused.

use crate::failure::{At, Failure, Stage};
use crate::spec::{ContainerSpec, NetworkNamespace, Sharing};

const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Whether each of a container's parameters is its own to set.
///
/// # Errors
/// The first that is not, in Docker's words.
pub fn check(spec: &ContainerSpec) -> Result<(), Failure> {
    for (name, _) in &spec.linux.sysctls {
        let shares_network = spec.network == NetworkNamespace::Host;
        let shares_ipc = spec.linux.ipc == Sharing::Host;
        refusal(name, shares_network, shares_ipc)
            .map_or(Ok(()), |text| Err(Failure::text(Stage::Request, text)))?;
    }
    Ok(())
}

fn refusal(name: &str, shares_network: bool, shares_ipc: bool) -> Option<String> {
    let is_network = is_network(name);
    let is_ipc = IPC.contains(&name) || name.starts_with("fs.mqueue.");
    let is_path = name
        .split('.')
        .any(|part| part.is_empty() || part.contains(".."));
    if is_path || name.contains('/') && !is_network || !(is_network || is_ipc) {
        return Some(format!(
            "sysctl {name:?} is not in a separate kernel namespace"
        ));
    }
    let shared = if is_network && shares_network {
        "network"
    } else if is_ipc && shares_ipc {
        "ipc"
    } else {
        return None;
    };
    Some(format!(
        "sysctl {name:?} not allowed in host {shared} namespace"
    ))
}

/// Whether a parameter is of the network namespace.
pub fn is_network(name: &str) -> bool {
    name.starts_with("net.")
}

/// Writes those that `are_meant`; `/proc/sys` is still writable. A slash in a name stands for a dot in an interface's.
pub fn apply(
    sysctls: &[(String, String)],
    are_meant: impl Fn(&str) -> bool,
) -> Result<(), Failure> {
    for (name, value) in sysctls.iter().filter(|(name, _)| are_meant(name)) {
        let swapped: String = name
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect();
        std::fs::write(format!("/proc/sys/{swapped}"), value).at(Stage::SystemMount, || {
            format!("setting the sysctl {name} to {value:?}")
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parameters_of_a_namespace_of_its_own_are_taken() {
        for (name, network, ipc, expected) in [
            ("net.core.somaxconn", false, false, None),
            ("net.ipv4.conf.eth0/1.rp_filter", false, true, None),
            ("kernel.shmmax", true, false, None),
            ("fs.mqueue.msg_max", true, false, None),
            ("net.core.somaxconn", true, false, Some("host network")),
            ("kernel.sem", false, true, Some("host ipc")),
            ("kernel.panic", false, false, Some("separate kernel")),
            ("vm.swappiness", false, false, Some("separate kernel")),
            ("net...kernel.panic", false, false, Some("separate kernel")),
            (
                "fs.mqueue./../../kernel/panic",
                false,
                false,
                Some("separate kernel"),
            ),
        ] {
            let refused = refusal(name, network, ipc);
            match expected {
                None => assert_eq!(refused, None, "{name}"),
                Some(words) => assert!(
                    refused.as_ref().is_some_and(|text| text.contains(words)),
                    "{name}: {refused:?}"
                ),
            }
        }
    }
}
