//! Limits in cgroup v2. Rule: kernel documentation, admin-guide/cgroup-v2; conversion of shares as in the OCI runtimes.

use super::device_filter::{self, DEFAULT_DEVICES, DeviceRule};
use super::v1::{CPU_PERIOD_US, cpu_quota_us};
use super::{bytes, delegated, make_directory, read_key, swap_bytes, write_value};
use crate::spec::{ContainerSpec, TaskCgroupSpec};
use std::fs::{self, File};
use std::io::Result;
use std::os::fd::AsFd;
use std::path::Path;

/// Makes a group that will have children, and gives the children its controllers at every level down to it.
pub fn make_parent(mount: &Path, group: &Path) -> Result<()> {
    let mut dir = mount.to_path_buf();
    if let Some(change) = lacking_controllers(&dir)? {
        delegated::enable(&dir, &change)?;
    }
    for part in group {
        dir.push(part);
        make_directory(&dir)?;
        if let Some(change) = lacking_controllers(&dir)? {
            write_value(&dir.join("cgroup.subtree_control"), &change)?;
        }
    }
    Ok(())
}

/// Only what the group has itself can be given on; what is on already is not written again, since it costs a lock.
fn lacking_controllers(dir: &Path) -> Result<Option<String>> {
    const WANTED: [&str; 4] = ["cpu", "memory", "pids", "io"];
    let available = fs::read_to_string(dir.join("cgroup.controllers"))?;
    let enabled = fs::read_to_string(dir.join("cgroup.subtree_control"))?;
    let has = |list: &str, name: &str| list.split_whitespace().any(|word| word == name);
    let missing: Vec<String> = WANTED
        .iter()
        .filter(|name| has(&available, name) && !has(&enabled, name))
        .map(|name| format!("+{name}"))
        .collect();
    Ok((!missing.is_empty()).then(|| missing.join(" ")))
}

pub fn limit_task(dir: &Path, spec: &TaskCgroupSpec) -> Result<()> {
    if let Some(mib) = spec.memory_mib {
        limit_memory(dir, mib, Some(0))?;
    }
    if let Some(units) = spec.cpu_units {
        write_value(
            &dir.join("cpu.max"),
            &format!("{} {CPU_PERIOD_US}", cpu_quota_us(units)),
        )?;
        write_value(&dir.join("cpu.weight"), &cpu_weight(units).to_string())?;
    }
    limit_pids(dir, spec.pids)
}

/// `swappiness` has no counterpart here: the kernel keeps one for the whole host.
pub fn limit_container(dir: &Path, spec: &ContainerSpec, devices: &[DeviceRule]) -> Result<()> {
    if let Some(mib) = spec.memory_limit_mib {
        limit_memory(dir, mib, swap_bytes(mib, spec.linux.memory_and_swap))?;
    }
    if let Some(mib) = spec.memory_reservation_mib {
        write_value(&dir.join("memory.low"), &bytes(mib).to_string())?;
    }
    write_value(
        &dir.join("cpu.weight"),
        &cpu_weight(spec.cpu_shares).to_string(),
    )?;
    limit_pids(dir, spec.pids_limit)?;
    if spec.privileged {
        return Ok(());
    }
    let rules = [DEFAULT_DEVICES, devices].concat();
    device_filter::attach(File::open(dir)?.as_fd(), &rules)
}

/// Counts of this group alone: `memory.events` would add its children's.
pub fn oom_kills(dir: &Path) -> Result<u64> {
    read_key(&dir.join("memory.events.local"), "oom_kill")
}

/// 2…262,144 shares onto 1…10,000.
pub fn cpu_weight(shares: u32) -> u64 {
    let shares = u64::from(shares.clamp(2, 262_144));
    1 + (shares - 2) * 9_999 / 262_142
}

fn limit_memory(dir: &Path, mib: u64, swap_bytes: Option<u64>) -> Result<()> {
    write_value(&dir.join("memory.max"), &bytes(mib).to_string())?;
    // The swap file is absent on kernels without swap.
    let swap = dir.join("memory.swap.max");
    if swap.exists() {
        write_value(
            &swap,
            &swap_bytes.map_or_else(|| "max".into(), |swap| swap.to_string()),
        )
    } else {
        Ok(())
    }
}

fn limit_pids(dir: &Path, pids: Option<u64>) -> Result<()> {
    pids.map_or(Ok(()), |pids| {
        write_value(&dir.join("pids.max"), &pids.to_string())
    })
}
