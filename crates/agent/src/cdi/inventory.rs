//! The GPUs of this host, by what the files of the Container Device Interface say.
//!
//! A device's id is its name in the kind `nvidia.com/gpu` (NVIDIA's tool gives an index or a UUID), and
//! `VENDOR/gpu=NAME` in any other. Rule: CDI specification, "CDI Spec files": a directory wins over those
//! before it, and a device that two files of one directory define is none.

use super::specification::{ContainerEdits, NamedDevice, Specification};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tracing::warn;

/// The kind whose devices are known by their names alone.
const USUAL_KIND: &str = "nvidia.com/gpu";
/// NVIDIA's tool lists one device that stands for all others.
const EVERY_ONE: &str = "all";
/// A GPU and a slice of one, by UUID: names that stay when cards are plugged anew.
const UUIDS: [&str; 2] = ["GPU-", "MIG-"];

/// A file that was found.
#[derive(Debug, Clone)]
pub struct Source {
    /// Position of its directory: the higher, the more it counts.
    pub rank: usize,
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

/// What is there.
#[derive(Debug, Default)]
pub struct Inventory {
    devices: Vec<Device>,
    complaints: Vec<String>,
}

#[derive(Debug)]
struct Device {
    id: String,
    kind: String,
    name: String,
    rank: usize,
    /// Two files of one directory define it.
    is_disputed: bool,
    /// What is its own on the host: two names of one card have the same.
    nodes: BTreeSet<PathBuf>,
    edits: ContainerEdits,
}

impl Inventory {
    /// Reads the directories; one that is not there holds nothing. What is left out is logged.
    pub fn read(dirs: &[PathBuf]) -> Self {
        let mut sources = Vec::new();
        for (rank, dir) in dirs.iter().enumerate() {
            for path in files(dir) {
                match std::fs::read_to_string(&path) {
                    Ok(text) => sources.push(Source { rank, path, text }),
                    Err(error) => warn!(path = %path.display(), %error, "cannot be read"),
                }
            }
        }
        let found = Self::of(&sources);
        for complaint in &found.complaints {
            warn!("{complaint}");
        }
        found
    }

    /// What these files say. Pure.
    pub fn of(sources: &[Source]) -> Self {
        let mut found = Self::default();
        for source in sources {
            let path = source.path.display();
            if source.path.extension().is_some_and(|kind| kind != "json") {
                found.complaints.push(format!(
                    "{path}: YAML is not read; write JSON (nvidia-ctk cdi generate --format=json)"
                ));
                continue;
            }
            match Specification::parse(&source.text) {
                Ok(read) if read.is_of_gpus() => found.add(source, &read),
                Ok(_) => {}
                Err(why) => found.complaints.push(format!("{path}: {why}")),
            }
        }
        found.devices.retain(|device| !device.is_disputed);
        found
    }

    fn add(&mut self, source: &Source, read: &Specification) {
        for device in &read.devices {
            let id = id(&read.kind, &device.name);
            let edits = read.container_edits.and(&device.container_edits);
            let lacking = read.container_edits.lacking();
            if let Some(what) = lacking.or_else(|| device.container_edits.lacking()) {
                let path = source.path.display();
                self.complaints.push(format!(
                    "{path}: {}={} is left out: {what} cannot be had here",
                    read.kind, device.name
                ));
                continue;
            }
            match self.devices.iter_mut().find(|known| known.id == id) {
                Some(known) if known.rank == source.rank => {
                    known.is_disputed = true;
                    self.complaints.push(format!(
                        "{}: {}={} is defined twice and left out",
                        source.path.display(),
                        read.kind,
                        device.name
                    ));
                }
                Some(known) => {
                    *known = Device::new(id, read, device, source.rank, edits);
                }
                None => {
                    let new = Device::new(id, read, device, source.rank, edits);
                    self.devices.push(new);
                }
            }
        }
    }

    /// Ids of the GPUs, each card once, in the files' order.
    pub fn gpus(&self) -> Vec<String> {
        let mut found: Vec<&Device> = Vec::new();
        for device in &self.devices {
            let of_kind = |other: &&Device| other.kind == device.kind;
            let is_alone = self.devices.iter().filter(of_kind).count() == 1;
            if device.name == EVERY_ONE && !is_alone {
                continue;
            }
            match found.iter_mut().find(|other| other.is_same_card(device)) {
                Some(other) if device.has_uuid() && !other.has_uuid() => *other = device,
                Some(_) => {}
                None => found.push(device),
            }
        }
        found.into_iter().map(|device| device.id.clone()).collect()
    }

    /// What a container gets with these.
    ///
    /// # Errors
    /// In Docker's words, those that are not there.
    pub fn edits(&self, ids: &[String]) -> Result<ContainerEdits, String> {
        let known: BTreeMap<&str, &Device> = self
            .devices
            .iter()
            .map(|device| (device.id.as_str(), device))
            .collect();
        let missing = ids.iter().filter(|id| !known.contains_key(id.as_str()));
        let missing: Vec<String> = missing.map(|id| qualified(id)).collect();
        if !missing.is_empty() {
            return Err(format!(
                "CDI device injection failed: unresolvable CDI devices {}",
                missing.join(", ")
            ));
        }
        let each = ids.iter().filter_map(|id| known.get(id.as_str()));
        Ok(each.fold(ContainerEdits::default(), |all, one| all.and(&one.edits)))
    }
}

impl Device {
    fn new(
        id: String,
        read: &Specification,
        device: &NamedDevice,
        rank: usize,
        edits: ContainerEdits,
    ) -> Self {
        let nodes = device.container_edits.device_nodes.iter();
        Self {
            id,
            kind: read.kind.clone(),
            name: device.name.clone(),
            rank,
            is_disputed: false,
            nodes: nodes.map(|node| node.source().clone()).collect(),
            edits,
        }
    }

    fn is_same_card(&self, other: &Self) -> bool {
        self.kind == other.kind && !self.nodes.is_empty() && self.nodes == other.nodes
    }

    fn has_uuid(&self) -> bool {
        UUIDS.iter().any(|prefix| self.name.starts_with(prefix))
    }
}

fn id(kind: &str, name: &str) -> String {
    if kind == USUAL_KIND {
        name.to_owned()
    } else {
        format!("{kind}={name}")
    }
}

fn qualified(id: &str) -> String {
    if id.contains('=') {
        id.to_owned()
    } else {
        format!("{USUAL_KIND}={id}")
    }
}

/// Files of a directory by name, with the two endings that specifications have.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("json" | "yaml" | "yml"))
    });
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn source(rank: usize, name: &str, text: &Value) -> Source {
        Source {
            rank,
            path: name.into(),
            text: text.to_string(),
        }
    }

    fn device(name: &str, nodes: &[&str]) -> Value {
        let nodes: Vec<Value> = nodes.iter().map(|path| json!({"path": path})).collect();
        json!({"name": name, "containerEdits": {"deviceNodes": nodes, "env": [format!("SEEN={name}")]}})
    }

    fn kind(kind: &str, devices: &[Value]) -> Value {
        json!({"cdiVersion": "0.6.0", "kind": kind, "devices": devices,
               "containerEdits": {"env": ["COMMON=1"], "deviceNodes": [{"path": "/dev/ctl"}]}})
    }

    fn of(sources: &[Source]) -> (Vec<String>, Vec<String>) {
        let inventory = Inventory::of(sources);
        (inventory.gpus(), inventory.complaints)
    }

    #[test]
    fn each_card_counts_once_by_its_most_lasting_name() {
        let nvidia = kind(
            "nvidia.com/gpu",
            &[
                device("0", &["/dev/nvidia0"]),
                device("GPU-aa", &["/dev/nvidia0"]),
                device("1", &["/dev/nvidia1"]),
                device("all", &["/dev/nvidia0", "/dev/nvidia1"]),
            ],
        );
        let amd = kind("amd.com/gpu", &[device("all", &["/dev/dri/card0"])]);
        let other = kind("vendor.com/nic", &[device("0", &["/dev/nic"])]);
        let sources = [
            source(0, "amd.json", &amd),
            source(0, "nic.json", &other),
            source(0, "nvidia.json", &nvidia),
        ];
        let expected = ["amd.com/gpu=all", "GPU-aa", "1"].map(str::to_owned);
        assert_eq!(of(&sources), (expected.to_vec(), Vec::new()));
    }

    #[test]
    fn a_later_directory_wins_and_a_device_defined_twice_is_none() {
        let one = |node| kind("nvidia.com/gpu", &[device("0", &[node])]);
        let won = Inventory::of(&[
            source(0, "a.json", &one("/dev/a")),
            source(1, "a.json", &one("/dev/b")),
        ]);
        let edits = won.edits(&["0".into()]).unwrap();
        assert_eq!(edits.device_nodes[1].path, PathBuf::from("/dev/b"));
        let (gpus, complaints) = of(&[
            source(0, "a.json", &one("/dev/a")),
            source(0, "b.json", &one("/dev/b")),
        ]);
        assert!(gpus.is_empty());
        assert_eq!(
            complaints,
            ["b.json: nvidia.com/gpu=0 is defined twice and left out"]
        );
    }

    #[test]
    fn what_cannot_be_had_or_read_is_left_out_and_said() {
        let mut hooked = kind("nvidia.com/gpu", &[device("0", &["/dev/a"])]);
        hooked["containerEdits"]["hooks"] = json!([{"hookName": "createContainer", "path": "/x"}]);
        let broken = Value::String("no".into());
        let sources = [
            source(0, "h.json", &hooked),
            source(0, "n.yaml", &broken),
            source(0, "x.json", &broken),
        ];
        let (gpus, complaints) = of(&sources);
        assert!(gpus.is_empty());
        assert_eq!(
            complaints[0],
            "h.json: nvidia.com/gpu=0 is left out: hooks cannot be had here"
        );
        assert!(complaints[1].contains("--format=json"));
        assert!(complaints[2].starts_with("x.json: "));
    }

    #[test]
    fn edits_are_those_of_the_file_and_of_each_device() {
        let file = kind(
            "nvidia.com/gpu",
            &[device("0", &["/dev/a"]), device("1", &["/dev/b"])],
        );
        let inventory = Inventory::of(&[source(0, "n.json", &file)]);
        let both = inventory.edits(&["1".into(), "0".into()]).unwrap();
        assert_eq!(both.env, ["COMMON=1", "SEEN=1", "COMMON=1", "SEEN=0"]);
        let error = inventory.edits(&["0".into(), "7".into(), "amd.com/gpu=1".into()]);
        assert_eq!(
            error.unwrap_err(),
            "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=7, amd.com/gpu=1"
        );
    }
}
