//! Which directories of the host a container sees, and where.
//!
//! Docker's rules: volumes of other containers come with all that those have, their own foreign ones included; a mount
//! of the container's own at the same place wins. A volume that is no directory which the host names is filled from the
//! image when it is empty, by the container that states it, not by those that have it from others. What the image itself
//! calls a volume is one of the container's own, where nothing else is asked for in its place.

use crate::anonymous;
use crate::bundle::Place;
use crate::task::definition::{
    ContainerDefinition, DockerVolume, TaskDefinition, VolumeDefinition,
};
use crate::task::relations;
use crate::volume_labels::{self, Labels};
use runtime::image::Image;
use runtime::spec::BindMount;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Of the data directory or of a task's files: the volumes.
const DIR: &str = "volumes";

/// The container's own mounts and those of others. Makes the directories that are missing.
///
/// # Errors
/// The text follows `CannotCreateContainerError: `.
pub fn mounts(
    task: &TaskDefinition,
    container: &ContainerDefinition,
    image: &Image,
    place: &Place<'_>,
) -> Result<Vec<BindMount>, String> {
    let mut mounts = Vec::new();
    for wanted in wanted(task, container) {
        let source = source(task, &wanted.volume, place)?;
        keep_labels(task, &wanted.volume, place)?;
        ensure(&source)?;
        mounts.push(BindMount {
            source,
            target: wanted.target,
            read_only: wanted.read_only,
            filled_from_image: wanted.is_own && is_dockers(task, &wanted.volume),
            ..BindMount::default()
        });
    }
    for mount in anonymous::of_others(task, container, place.task_files) {
        anonymous::add(&mut mounts, mount);
    }
    for mount in anonymous::own(image, &place.container_files) {
        ensure(&mount.source)?;
        anonymous::add(&mut mounts, mount);
    }
    Ok(mounts)
}

/// The labels of each volume of Docker's that the container sees and that has some, by the volume's
/// name in the task.
pub fn labels(
    task: &TaskDefinition,
    container: &ContainerDefinition,
    place: &Place<'_>,
) -> BTreeMap<String, Labels> {
    let seen = wanted(task, container).into_iter();
    let each = seen.filter_map(|wanted| {
        let docker = docker(task, &wanted.volume)?;
        let parent = directory_of(docker, place);
        let labels = volume_labels::read(&parent, &volume_directory(&wanted.volume));
        Some((wanted.volume, labels))
    });
    each.filter(|(_, labels)| !labels.is_empty()).collect()
}

fn keep_labels(task: &TaskDefinition, name: &str, place: &Place<'_>) -> Result<(), String> {
    let Some(docker) = docker(task, name) else {
        return Ok(());
    };
    let parent = directory_of(docker, place);
    let is_elsewhere = bound(docker).is_some();
    let directory = volume_directory(name);
    let none = Labels::new();
    let labels = match docker.is_made_as_stated() {
        true => &docker.labels,
        false => &none,
    };
    volume_labels::keep(&parent, &directory, labels, is_elsewhere)
        .map_err(|error| format!("cannot keep the labels of {name}: {error}"))
}

fn docker<'t>(task: &'t TaskDefinition, name: &str) -> Option<&'t DockerVolume> {
    let volume = task.volumes.iter().find(|volume| volume.name == name);
    volume?.docker.as_ref()
}

/// Where volumes of its scope lie. Named ones lie in Longshore's own directory, as Docker's lie in
/// Docker's, and stay there.
fn directory_of(docker: &DockerVolume, place: &Place<'_>) -> PathBuf {
    let of_scope = match docker.scope.as_str() {
        "shared" => place.forbidden,
        _ => place.task_files,
    };
    of_scope.join(DIR)
}

fn ensure(source: &Path) -> Result<(), String> {
    if source.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(source)
        .map_err(|error| format!("cannot make {}: {error}", source.display()))
}

/// A volume at its place in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    volume: String,
    target: String,
    read_only: bool,
    /// Of the container's own mount points.
    is_own: bool,
}

fn wanted(task: &TaskDefinition, container: &ContainerDefinition) -> Vec<Wanted> {
    let mut found: Vec<Wanted> = Vec::new();
    let own = std::iter::once((container, false));
    let all = own.chain(relations::volume_sources(task, container));
    for (of, read_only) in all {
        for mount in &of.mount_points {
            let target = &mount.container_path;
            if found.iter().all(|known| known.target != *target) {
                found.push(Wanted {
                    volume: mount.source_volume.clone(),
                    target: target.clone(),
                    read_only: read_only || mount.read_only,
                    is_own: of.name == container.name,
                });
            }
        }
    }
    found
}

/// Where a volume of the task is on this host.
fn source(task: &TaskDefinition, name: &str, place: &Place<'_>) -> Result<PathBuf, String> {
    let volume = task.volumes.iter().find(|volume| volume.name == name);
    match volume.and_then(path_of) {
        Some(path) => host_source(Path::new(path), place.forbidden),
        None => {
            let parent = match docker(task, name) {
                Some(docker) => directory_of(docker, place),
                None => place.task_files.join(DIR),
            };
            Ok(parent.join(volume_directory(name)))
        }
    }
}

/// Whether it is one of what the public agent makes volumes of Docker's of: all but directories of
/// the host.
fn is_dockers(task: &TaskDefinition, name: &str) -> bool {
    let volume = task.volumes.iter().find(|volume| volume.name == name);
    volume.is_none_or(|volume| volume.docker.is_some() || path_of(volume).is_none())
}

/// The directory of the host that a volume of Docker's is.
fn bound(docker: &DockerVolume) -> Option<&str> {
    let source = docker.bind_source();
    source.filter(|_| docker.is_made_as_stated())
}

/// The path of the host that a volume states.
fn path_of(volume: &VolumeDefinition) -> Option<&str> {
    let bound = volume.docker.as_ref().and_then(bound);
    let host = volume.host.as_ref().map(|host| host.source_path.as_str());
    bound.or(host).filter(|path| !path.is_empty())
}

/// A volume's name as one safe path component.
pub(crate) fn volume_directory(name: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn volumes_of_others_come_with_theirs_and_own_mounts_win() {
        let mount =
            |volume: &str, path: &str| json!({"sourceVolume": volume, "containerPath": path});
        let container = |name: &str, mounts: Vec<serde_json::Value>, from: serde_json::Value| json!({"name": name, "image": "i", "mountPoints": mounts, "volumesFrom": from});
        let task = TaskDefinition::parse(&json!({
            "arn": "arn:aws:ecs:r:1:task/c/0", "desiredStatus": "RUNNING",
            "volumes": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
            "containers": [
                container("first", vec![mount("a", "/a")], json!([{"sourceContainer": "third"}])),
                container("second", vec![mount("b", "/b")], json!([{"sourceContainer": "first", "readOnly": true}])),
                container("third", vec![mount("c", "/b"), mount("c", "/c")], json!([{"sourceContainer": "second"}])),
            ],
        }))
        .unwrap();
        let seen: Vec<(String, String, bool)> = wanted(&task, &task.containers[1])
            .into_iter()
            .map(|wanted| (wanted.volume, wanted.target, wanted.read_only))
            .collect();
        let expected = [("b", "/b", false), ("a", "/a", true), ("c", "/c", true)];
        let expected = expected.map(|(volume, path, ro)| (volume.to_owned(), path.to_owned(), ro));
        assert_eq!(seen, expected);
    }
}
