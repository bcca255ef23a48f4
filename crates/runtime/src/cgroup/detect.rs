//! Which cgroup hierarchies this host has, from the text of `/proc/self/mountinfo`.

use super::{Hierarchy, Version};
use std::path::{Path, PathBuf};

/// A v1 memory hierarchy means v1 (also beside an empty v2 tree, "hybrid"); else the first v2 mount.
pub fn version(mountinfo: &str) -> Option<Version> {
    let mut v1 = Vec::new();
    let mut v2 = None;
    for line in mountinfo.lines() {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let mount = PathBuf::from(left.split(' ').nth(4)?);
        let mut right = right.split(' ');
        match right.next() {
            Some("cgroup") => {
                let options = right.nth(1).unwrap_or_default();
                let controllers = controllers(options);
                // The same hierarchy may be mounted twice; one is enough.
                if v1
                    .iter()
                    .all(|known: &Hierarchy| known.controllers != controllers)
                {
                    v1.push(Hierarchy { mount, controllers });
                }
            }
            Some("cgroup2") => v2 = v2.or(Some(mount)),
            _ => {}
        }
    }
    if v1
        .iter()
        .any(|hierarchy| hierarchy.controllers.iter().any(|name| name == "memory"))
    {
        return Some(Version::V1(v1));
    }
    v2.map(Version::V2)
}

/// The super block's options without those that are not controllers.
fn controllers(options: &str) -> Vec<String> {
    const NOT_CONTROLLERS: [&str; 6] = [
        "rw",
        "ro",
        "xattr",
        "noprefix",
        "clone_children",
        "cpuset_v2_mode",
    ];
    options
        .split(',')
        .filter(|option| !NOT_CONTROLLERS.contains(option) && !option.starts_with("release_agent="))
        .map(str::to_owned)
        .collect()
}

impl Hierarchy {
    /// The last part of the mount's path: the directory of the same hierarchy in a container.
    pub fn directory_name(&self) -> &Path {
        self.mount
            .file_name()
            .map_or(Path::new("cgroup"), Path::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 29 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
31 29 0:27 / /sys/fs/cgroup/memory rw,relatime shared:3 - cgroup cgroup rw,memory
32 29 0:28 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
33 29 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";

    #[test]
    fn a_hybrid_host_counts_as_v1() {
        let Some(Version::V1(hierarchies)) = version(HYBRID) else {
            panic!("not v1")
        };
        assert_eq!(hierarchies[0].controllers, ["cpu", "cpuacct"]);
        assert_eq!(hierarchies[0].directory_name(), Path::new("cpu,cpuacct"));
        assert_eq!(hierarchies[2].controllers, ["name=systemd"]);
        assert!(hierarchies[1].is_used() && !hierarchies[2].is_used());
    }

    #[test]
    fn a_host_with_one_tree_is_v2() {
        let text = "24 1 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(
            version(text),
            Some(Version::V2(PathBuf::from("/sys/fs/cgroup")))
        );
        assert_eq!(version("24 1 0:22 / /proc rw - proc proc rw"), None);
    }
}
