//! Volumes that an image asks for (`VOLUME`) and nobody has a name for: one of each container's own, as long as it is
//! on the host.
//!
//! Docker's rules: such a volume begins with what the image has in its place, can be written to where the root cannot,
//! and comes with the volumes of another container.

use crate::bundle::container_files;
use crate::task::definition::{ContainerDefinition, TaskDefinition};
use crate::task::relations;
use crate::volumes::volume_directory;
use runtime::image::Image;
use runtime::spec::BindMount;
use std::path::Path;

/// Among a container's files: a directory for each volume, named after its place.
const DIR: &str = "volumes";

/// Those of the container's own. Their directories may be missing.
pub fn own(image: &Image, container_files: &Path) -> Vec<BindMount> {
    let of = |target: &String| BindMount {
        source: container_files.join(DIR).join(volume_directory(target)),
        target: target.clone(),
        filled_from_image: true,
        ..BindMount::default()
    };
    image.config.volumes.iter().map(of).collect()
}

/// Those that it has from others, which have started before.
pub fn of_others(
    task: &TaskDefinition,
    container: &ContainerDefinition,
    task_files: &Path,
) -> Vec<BindMount> {
    let mut found = Vec::new();
    for (other, read_only) in relations::volume_sources(task, container) {
        let dir = container_files(task_files, &other.name).join(DIR);
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let target = entry.file_name().to_str().and_then(place);
            found.extend(target.map(|target| BindMount {
                source: entry.path(),
                target,
                read_only,
                ..BindMount::default()
            }));
        }
    }
    found
}

/// Adds a mount unless something is mounted in its place already.
pub fn add(mounts: &mut Vec<BindMount>, mount: BindMount) {
    if mounts.iter().all(|known| known.target != mount.target) {
        mounts.push(mount);
    }
}

/// The place that a directory is named after: the way back from [`volume_directory`].
fn place(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'_' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_tells_its_place() {
        for target in ["/data", "/var/lib/my_app-1", "/a b/\u{fc}"] {
            assert_eq!(place(&volume_directory(target)).as_deref(), Some(target));
        }
        assert_eq!(place("_2"), None);
        assert_eq!(place("_zz"), None);
    }
}
