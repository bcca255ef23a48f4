//! GPUs through the Container Device Interface: what there is, and what a container gets.
//!
//! The files of `cdi_dirs` are read at each registration and at each start of a container that was
//! given a GPU, so that a file made anew counts from then on.

mod inventory;
mod specification;

use crate::task::definition::{ContainerDefinition, TaskDefinition};
use runtime::spec::{BindMount, ContainerSpec, Device, MountOption};
use specification::{ContainerEdits, DeviceNode, Mount};
use std::path::PathBuf;

/// Tells a program which GPUs it has. The public agent sets it, whatever image and definition say; so
/// it stands here, too, in place of the `void` of NVIDIA's files.
const VISIBLE_DEVICES: &str = "NVIDIA_VISIBLE_DEVICES";

/// Ids of this host's GPUs.
pub fn gpus(dirs: &[PathBuf]) -> Vec<String> {
    inventory::Inventory::read(dirs).gpus()
}

/// Gives a container the GPUs that the task has for it.
///
/// # Errors
/// One of them is not there any more.
pub fn add_gpus(
    spec: &mut ContainerSpec,
    dirs: &[PathBuf],
    task: &TaskDefinition,
    container: &ContainerDefinition,
) -> Result<(), String> {
    let ids = task.gpus_of(&container.name);
    if ids.is_empty() {
        return Ok(());
    }
    let edits = inventory::Inventory::read(dirs).edits(&ids)?;
    apply(spec, &edits);
    set(&mut spec.env, VISIBLE_DEVICES, &ids.join(","));
    Ok(())
}

/// What the container has at a path gives way.
fn apply(spec: &mut ContainerSpec, edits: &ContainerEdits) {
    for pair in &edits.env {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        set(&mut spec.env, name, value);
    }
    for device in edits.device_nodes.iter().map(device) {
        spec.linux.devices.retain(|known| known.path != device.path);
        spec.linux.devices.push(device);
    }
    for mount in edits.mounts.iter().map(bind) {
        spec.mounts.retain(|known| known.target != mount.target);
        spec.mounts.push(mount);
    }
}

fn set(env: &mut Vec<(String, String)>, name: &str, value: &str) {
    match env.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => value.clone_into(known),
        None => env.push((name.to_owned(), value.to_owned())),
    }
}

fn device(node: &DeviceNode) -> Device {
    Device {
        host_path: node.source().clone(),
        path: node.path.clone(),
        permissions: node.permissions.clone(),
        mode: node.file_mode,
        uid: node.uid,
        gid: node.gid,
    }
}

fn bind(mount: &Mount) -> BindMount {
    let option = |option: &String| match option.as_str() {
        "nosuid" => Some(MountOption::NoSuid),
        "nodev" => Some(MountOption::NoDev),
        "noexec" => Some(MountOption::NoExec),
        _ => None,
    };
    BindMount {
        source: mount.host_path.clone(),
        target: mount.container_path.clone(),
        read_only: mount.options.iter().any(|option| option == "ro"),
        options: mount.options.iter().filter_map(option).collect(),
        filled_from_image: false,
    }
}
