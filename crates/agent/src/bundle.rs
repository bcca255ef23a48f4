//! From a container's definition and its image to what the runtime starts.
//!
//! Docker's rules: an entry point of the definition drops the image's command; the definition's
//! environment wins over the image's; PATH is never absent.

use crate::links::Linked;
use crate::task::definition::{ContainerDefinition, TaskDefinition};
use crate::task::docker::{DockerUlimit, signal_number};
use crate::{etc, options, volumes};
use netdev::BridgeAttachment;
use netdev::vpc::VpcAttachment;
use runtime::image::Image;
use runtime::spec::{ContainerSpec, NetworkNamespace, RootFilesystem, StreamMode, Ulimit};
use std::net::Ipv4Addr;
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
    /// The task's interface of a VPC.
    Vpc(Box<VpcAttachment>),
}

/// What a container is started in and from.
#[derive(Debug)]
pub struct Place<'a> {
    /// Where what the task's containers write is kept.
    pub task_files: &'a Path,
    /// The container's part of it, which is there.
    pub container_files: PathBuf,
    /// The container's record directory.
    pub container_dir: PathBuf,
    /// 64 hexadecimal digits.
    pub runtime_id: &'a str,
    /// Directories that no container may be shown.
    pub forbidden: &'a Path,
    /// The process that holds the namespaces of its task.
    pub holder: Option<u32>,
    /// Containers that it knows by name.
    pub links: Vec<Linked>,
    /// Endpoints that it knows by name, with their addresses.
    pub names: Vec<(Ipv4Addr, String)>,
}

/// Where what a container writes is kept, of a task's files.
pub fn container_files(task_files: &Path, container: &str) -> PathBuf {
    task_files.join("containers").join(container)
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
    let hostname = match attachment {
        Attachment::Host => text(&docker.hostname, &None),
        Attachment::None | Attachment::Bridge(_) => {
            Some(hostname(&docker.hostname, place.runtime_id))
        }
        Attachment::Vpc(_) => task.interface_name(),
    };
    let etc_files = etc::files(place, attachment, hostname.as_deref(), &host)
        .map_err(|error| error.to_string())?;
    Ok(ContainerSpec {
        id: place.runtime_id.to_owned(),
        task_id: task.id().map_err(invalid)?.to_owned(),
        dir: place.container_dir.clone(),
        rootfs: RootFilesystem::Overlay {
            layers: image.layers.clone(),
            scratch: place.container_files.join("scratch"),
            read_only: host.readonly_rootfs,
        },
        args,
        env: environment(
            container,
            image,
            hostname.as_deref(),
            docker.tty,
            &place.links,
        ),
        cwd: text(&docker.working_dir, &image.config.working_dir).unwrap_or_else(|| "/".into()),
        user: text(&docker.user, &image.config.user),
        hostname,
        network: match attachment {
            Attachment::Host => NetworkNamespace::Host,
            Attachment::None => NetworkNamespace::New,
            Attachment::Bridge(bridge) => NetworkNamespace::Path(bridge.netns.clone()),
            Attachment::Vpc(interface) => NetworkNamespace::Path(interface.netns.clone()),
        },
        mounts: volumes::mounts(task, container, image, place)?,
        etc_files,
        memory_limit_mib: (container.memory > 0).then_some(container.memory),
        memory_reservation_mib: (host.memory_reservation > 0)
            .then_some(host.memory_reservation >> 20),
        cpu_shares: container.cpu.clamp(2, 262_144),
        pids_limit: u64::try_from(host.pids_limit)
            .ok()
            .filter(|limit| *limit > 0),
        linux: options::linux(task, &docker, &host, place.holder)?,
        capabilities_add: host.cap_add,
        capabilities_drop: host.cap_drop,
        privileged: host.privileged,
        ulimits: host.ulimits.into_iter().map(ulimit).collect(),
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

fn ulimit(limit: DockerUlimit) -> Ulimit {
    Ulimit {
        name: limit.name,
        soft: limit.soft,
        hard: limit.hard,
    }
}

/// The host name of a container that has one of its own.
pub fn hostname(asked_for: &str, runtime_id: &str) -> String {
    if asked_for.is_empty() {
        runtime_id.chars().take(HOSTNAME_DIGITS).collect()
    } else {
        asked_for.to_owned()
    }
}

fn environment(
    container: &ContainerDefinition,
    image: &Image,
    hostname: Option<&str>,
    has_terminal: bool,
    links: &[Linked],
) -> Vec<(String, String)> {
    let mut merged: Vec<(String, String)> = vec![("PATH".into(), DEFAULT_PATH.into())];
    merged.extend(hostname.map(|name| ("HOSTNAME".into(), name.to_owned())));
    merged.extend(has_terminal.then(|| ("TERM".into(), "xterm".into())));
    merged.extend(
        links
            .iter()
            .flat_map(|linked| linked.variables(&container.name)),
    );
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
