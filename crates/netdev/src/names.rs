//! Names of kernel objects, all made from the tag. At most 15 bytes for a device.
//!
//! A veth is named after its address, which one container has at a time: no second table of names.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::cidr::Ipv4Cidr;
use crate::error::NetworkError;

const TAG_LEN: usize = 8;
const ID_LEN_MAX: usize = 128;
/// What every bridge of any Longshore begins with.
pub const BRIDGE_PREFIX: &str = "ls";

#[derive(Debug, Clone)]
pub struct Names {
    tag: String,
    run_dir: PathBuf,
}

impl Names {
    pub fn new(tag: &str, run_dir: &Path) -> Result<Self, NetworkError> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if tag.len() != TAG_LEN || !tag.chars().all(hex) {
            let text = format!("tag {tag:?}: must be 8 hexadecimal digits in lower case");
            return Err(NetworkError::Config(text));
        }
        Ok(Self {
            tag: tag.to_owned(),
            run_dir: run_dir.to_owned(),
        })
    }

    /// Eight hexadecimal digits.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    pub fn bridge(&self) -> String {
        format!("{BRIDGE_PREFIX}{}", self.tag)
    }

    pub fn table(&self) -> String {
        format!("longshore_{}", self.tag)
    }

    pub fn veth_prefix(&self) -> String {
        format!("v{}", self.tag)
    }

    /// The host's end of a container's pair. The range is /16 at most, so four digits suffice.
    pub fn veth(&self, range: Ipv4Cidr, address: Ipv4Addr) -> String {
        let offset = range.offset_of(address).unwrap_or_default();
        format!("{}{offset:04x}", self.veth_prefix())
    }

    pub fn namespaces(&self) -> PathBuf {
        self.run_dir.join("ns")
    }

    pub fn namespace(&self, id: &str) -> PathBuf {
        self.namespaces().join(id)
    }

    /// The host's ends of the routers' uplinks.
    pub fn uplink_prefix(&self) -> String {
        format!("u{}", self.tag)
    }

    /// One of them. Its number says which link addresses it has.
    pub fn uplink(&self, number: u16) -> String {
        format!("{}{number:04x}", self.uplink_prefix())
    }

    /// The host's WireGuard device.
    pub fn tunnel(&self) -> String {
        format!("wg{}", self.tag)
    }

    /// The host's table for the VPCs.
    pub fn vpc_table(&self) -> String {
        format!("longshore_{}_vpc", self.tag)
    }

    /// The bridge's own table.
    pub fn bridge_table(&self) -> String {
        format!("longshore_{}_bridge", self.tag)
    }

    /// The host's table for its own instance metadata.
    pub fn instance_metadata_table(&self) -> String {
        format!("longshore_{}_imds", self.tag)
    }

    /// Everything of the VPCs' on disk.
    pub fn vpc(&self) -> PathBuf {
        self.run_dir.join("vpc")
    }

    pub fn make_vpc_directories(&self) -> Result<(), NetworkError> {
        [self.vpc_namespaces(), self.routers()]
            .into_iter()
            .try_for_each(|directory| {
                std::fs::create_dir_all(&directory)
                    .map_err(|e| NetworkError::path("create", directory, e))
            })
    }

    /// Namespaces of tasks that are in a VPC.
    pub fn vpc_namespaces(&self) -> PathBuf {
        self.run_dir.join("vpc/ns")
    }

    pub fn vpc_namespace(&self, id: &str) -> PathBuf {
        self.vpc_namespaces().join(id)
    }

    /// Namespaces of the VPCs' routers.
    pub fn routers(&self) -> PathBuf {
        self.run_dir.join("vpc/routers")
    }

    pub fn router(&self, vpc: &str) -> PathBuf {
        self.routers().join(vpc)
    }

    pub fn remembered_range(&self) -> PathBuf {
        self.run_dir.join("bridge-cidr")
    }
}

/// A container id becomes a file name: nothing that leaves the directory.
pub fn check_id(id: &str) -> Result<(), NetworkError> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let fits = (1..=ID_LEN_MAX).contains(&id.len());
    if fits && !id.starts_with('.') && id.chars().all(good) {
        Ok(())
    } else {
        Err(NetworkError::BadId { id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_fit_in_fifteen_bytes() {
        let names = Names::new("0123abcd", Path::new("/run")).unwrap();
        let range: Ipv4Cidr = "172.17.0.0/16".parse().unwrap();
        let veth = names.veth(range, "172.17.255.254".parse().unwrap());
        assert_eq!(veth, "v0123abcdfffe");
        assert!(veth.len() <= 15 && names.bridge().len() <= 15);
    }

    #[test]
    fn an_id_that_leaves_the_directory_is_refused() {
        for (id, good) in [
            ("a-1_b.c", true),
            ("", false),
            ("..", false),
            ("a/b", false),
        ] {
            assert_eq!(check_id(id).is_ok(), good, "{id}");
        }
    }
}
