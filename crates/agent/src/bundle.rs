//! From a container's definition and its image to what the runtime starts.
//!
//! Docker's rules: an entry point of the definition drops the image's command; the definition's
//! environment wins over the image's; PATH is never absent.

use crate::task::definition::{ContainerDefinition, TaskDefinition};
use crate::task::docker::signal_number;
use netdev::BridgeAttachment;
use runtime::image::Image;
use runtime::spec::{
    BindMount, ContainerSpec, EtcFiles, NetworkNamespace, RootFilesystem, StreamMode, Ulimit,
};
use std::io;
use std::path::{Path, PathBuf};

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Docker shows so many digits of a runtime id as the host name.
const HOSTNAME_DIGITS: usize = 12;

/// Where a container's network is.
#[derive(Clone, Debug)]
pub enum Attachment {
    /// The host's own.
    Host,
    /// Loopback only.
    None,
    /// On the bridge.
    Bridge(Box<BridgeAttachment>),
}

/// What a container is started in and from.
#[derive(Debug)]
pub struct Place<'a> {
    /// The task's record directory.
    pub task_dir: &'a Path,
    /// The container's record directory.
    pub container_dir: PathBuf,
    /// 64 hexadecimal digits.
    pub runtime_id: &'a str,
    /// Directories that no container may be shown.
    pub forbidden: &'a Path,
}

/// The signal that asks the container to end.
pub fn stop_signal(container: &ContainerDefinition, image: &Image) -> i32 {
    let own = container
        .docker()
        .map(|docker| docker.stop_signal)
        .unwrap_or_default();
    signal_number(&own)
        .or_else(|| image.config.stop_signal.as_deref().and_then(signal_number))
        .unwrap_or(crate::task::docker::SIGTERM)
}

/// The spec of a container. Makes its volumes' directories and its files for `/etc`.
///
/// # Errors
/// The text follows `CannotCreateContainerError: `.
pub fn spec(
    task: &TaskDefinition,
    container: &ContainerDefinition,
    image: &Image,
    attachment: &Attachment,
    stream_mode: StreamMode,
    place: &Place<'_>,
) -> Result<ContainerSpec, String> {
    let invalid = |error: crate::task::definition::InvalidTask| error.0;
    let docker = container.docker().map_err(invalid)?;
    let host = container.host_config().map_err(invalid)?;
    let text = |own: &str, of_image: &Option<String>| {
        if own.is_empty() {
            of_image.clone().filter(|text| !text.is_empty())
        } else {
            Some(own.to_owned())
        }
    };
    let args = arguments(container, image).map_err(invalid)?;
    if args.is_empty() {
        return Err("No command specified".into());
    }
    let short_id: String = place.runtime_id.chars().take(HOSTNAME_DIGITS).collect();
    let hostname = match attachment {
        Attachment::Host => None,
        Attachment::None | Attachment::Bridge(_) => {
            Some(text(&docker.hostname, &None).unwrap_or(short_id))
        }
    };
    let etc_files = etc_files(place, attachment, hostname.as_deref(), &host)
        .map_err(|error| error.to_string())?;
    Ok(ContainerSpec {
        id: place.runtime_id.to_owned(),
        task_id: task.id().map_err(invalid)?.to_owned(),
        dir: place.container_dir.clone(),
        rootfs: RootFilesystem::Overlay {
            layers: image.layers.clone(),
            scratch: place.container_dir.join("scratch"),
            read_only: host.readonly_rootfs,
        },
        args,
        env: environment(container, image, hostname.as_deref()),
        cwd: text(&docker.working_dir, &image.config.working_dir).unwrap_or_else(|| "/".into()),
        user: text(&docker.user, &image.config.user),
        hostname,
        network: match attachment {
            Attachment::Host => NetworkNamespace::Host,
            Attachment::None => NetworkNamespace::New,
            Attachment::Bridge(bridge) => NetworkNamespace::Path(bridge.netns.clone()),
        },
        mounts: mounts(task, container, place)?,
        etc_files,
        memory_limit_mib: (container.memory > 0).then_some(container.memory),
        memory_reservation_mib: (host.memory_reservation > 0)
            .then_some(host.memory_reservation >> 20),
        cpu_shares: container.cpu.clamp(2, 262_144),
        pids_limit: u64::try_from(host.pids_limit)
            .ok()
            .filter(|limit| *limit > 0),
        capabilities_add: host.cap_add,
        capabilities_drop: host.cap_drop,
        privileged: host.privileged,
        ulimits: host
            .ulimits
            .into_iter()
            .map(|limit| Ulimit {
                name: limit.name,
                soft: limit.soft,
                hard: limit.hard,
            })
            .collect(),
        stop_signal: Some(stop_signal(container, image)),
        stdout: stream_mode,
        stderr: stream_mode,
    })
}

fn arguments(
    container: &ContainerDefinition,
    image: &Image,
) -> Result<Vec<String>, crate::task::definition::InvalidTask> {
    let command = container.command()?;
    let own_entry = !container.entry_point.is_empty();
    let entry = if own_entry {
        container.entry_point.clone()
    } else {
        image.config.entrypoint.clone().unwrap_or_default()
    };
    let command = if command.is_empty() && !own_entry {
        image.config.cmd.clone().unwrap_or_default()
    } else {
        command
    };
    Ok(entry.into_iter().chain(command).collect())
}

fn environment(
    container: &ContainerDefinition,
    image: &Image,
    hostname: Option<&str>,
) -> Vec<(String, String)> {
    let mut merged: Vec<(String, String)> = vec![("PATH".into(), DEFAULT_PATH.into())];
    merged.extend(hostname.map(|name| ("HOSTNAME".into(), name.to_owned())));
    let of_image = image
        .config
        .env
        .iter()
        .filter_map(|pair| pair.split_once('='));
    let of_image = of_image.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let own = container
        .environment
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    for (name, value) in of_image.chain(own) {
        match merged.iter_mut().find(|(found, _)| *found == name) {
            Some(entry) => entry.1 = value,
            None => merged.push((name, value)),
        }
    }
    merged
}

fn mounts(
    task: &TaskDefinition,
    container: &ContainerDefinition,
    place: &Place<'_>,
) -> Result<Vec<BindMount>, String> {
    let mut mounts = Vec::new();
    for mount in &container.mount_points {
        let volume = task
            .volumes
            .iter()
            .find(|volume| volume.name == mount.source_volume);
        let source = volume
            .and_then(|volume| volume.host.as_ref())
            .map(|host| host.source_path.clone())
            .filter(|path| !path.is_empty());
        let source = match source {
            Some(path) => host_source(Path::new(&path), place.forbidden)?,
            None => place
                .task_dir
                .join("volumes")
                .join(volume_directory(&mount.source_volume)),
        };
        if !source.exists() {
            std::fs::create_dir_all(&source)
                .map_err(|error| format!("cannot make {}: {error}", source.display()))?;
        }
        mounts.push(BindMount {
            source,
            target: mount.container_path.clone(),
            read_only: mount.read_only,
        });
    }
    Ok(mounts)
}

/// A volume's name as one safe path component.
fn volume_directory(name: &str) -> String {
    name.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || byte == b'-' {
                char::from(byte).to_string()
            } else {
                format!("_{byte:02x}")
            }
        })
        .collect()
}

/// A directory or file of the host; never Longshore's own, nor one that holds it.
fn host_source(path: &Path, forbidden: &Path) -> Result<PathBuf, String> {
    if !path.is_absolute() {
        return Err(format!(
            "invalid mount config for type \"bind\": invalid mount path: '{}' mount path must be absolute",
            path.display()
        ));
    }
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let own = std::fs::canonicalize(forbidden).unwrap_or_else(|_| forbidden.to_owned());
    if real.starts_with(&own) {
        return Err(format!(
            "invalid mount config: {} belongs to Longshore itself",
            path.display()
        ));
    }
    Ok(real)
}

fn etc_files(
    place: &Place<'_>,
    attachment: &Attachment,
    hostname: Option<&str>,
    host: &crate::task::docker::HostConfig,
) -> io::Result<EtcFiles> {
    let file = |name: &str, content: String| -> io::Result<Option<PathBuf>> {
        let path = place.container_dir.join(name);
        std::fs::write(&path, content)?;
        Ok(Some(path))
    };
    let mut hosts =
        String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    let own_hosts = match attachment {
        Attachment::Host => std::fs::read_to_string("/etc/hosts").unwrap_or(hosts),
        Attachment::None => hosts,
        Attachment::Bridge(bridge) => {
            hosts.push_str(&format!(
                "{}\t{}\n",
                bridge.address,
                hostname.unwrap_or_default()
            ));
            hosts
        }
    };
    let name = match hostname {
        Some(name) => format!("{name}\n"),
        None => std::fs::read_to_string("/etc/hostname").unwrap_or_default(),
    };
    let mut resolvers = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    if matches!(attachment, Attachment::Bridge(_)) {
        resolvers = without_loopback(&resolvers);
    }
    if !host.dns.is_empty() {
        resolvers = host
            .dns
            .iter()
            .map(|server| format!("nameserver {server}\n"))
            .collect();
    }
    Ok(EtcFiles {
        hosts: file("hosts", own_hosts)?,
        hostname: file("hostname", name)?,
        resolv_conf: file("resolv.conf", resolvers)?,
    })
}

/// A resolver on the host's loopback cannot be reached from a namespace.
fn without_loopback(text: &str) -> String {
    let is_loopback = |line: &&str| {
        line.strip_prefix("nameserver").is_some_and(|rest| {
            let address = rest.trim();
            address.starts_with("127.") || address == "::1"
        })
    };
    text.lines()
        .filter(|line| !is_loopback(line))
        .flat_map(|line| [line, "\n"])
        .collect()
}
