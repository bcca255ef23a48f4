//! Limits in cgroup v1. Rule: kernel documentation, admin-guide/cgroup-v1; values as Docker sets them.

use super::{CgroupTree, Version, bytes, read_key, swap_bytes, write_value};
use crate::cgroup::device_filter::{DEFAULT_DEVICES, DeviceRule};
use crate::spec::{ContainerSpec, TaskCgroupSpec};
use std::fs::OpenOptions;
use std::io::{Result, Write};
use std::path::{Path, PathBuf};

/// Length of a scheduling period in microseconds, in which a task may use its quota.
pub const CPU_PERIOD_US: u64 = 100_000;
/// The kernel refuses a quota below 1 ms.
const CPU_QUOTA_US_MIN: u64 = 1_000;
/// The kernel's lowest share.
const CPU_SHARES_MIN: u32 = 2;

/// Microseconds of CPU per period for ECS units; 1,024 are one CPU.
pub fn cpu_quota_us(units: u32) -> u64 {
    (u64::from(units) * CPU_PERIOD_US / 1024).max(CPU_QUOTA_US_MIN)
}

pub fn limit_task(tree: &CgroupTree, group: &Path, spec: &TaskCgroupSpec) -> Result<()> {
    if let Some(mib) = spec.memory_mib {
        limit_memory(tree, group, mib, Some(0))?;
    }
    if let (Some(units), Some(dir)) = (spec.cpu_units, directory(tree, "cpu", group)) {
        write_value(&dir.join("cpu.cfs_period_us"), &CPU_PERIOD_US.to_string())?;
        write_value(
            &dir.join("cpu.cfs_quota_us"),
            &cpu_quota_us(units).to_string(),
        )?;
        write_value(
            &dir.join("cpu.shares"),
            &units.max(CPU_SHARES_MIN).to_string(),
        )?;
    }
    limit_pids(tree, group, spec.pids)
}

pub fn limit_container(
    tree: &CgroupTree,
    group: &Path,
    spec: &ContainerSpec,
    devices: &[DeviceRule],
) -> Result<()> {
    if let (Some(mib), Some(dir)) = (
        spec.memory_reservation_mib,
        directory(tree, "memory", group),
    ) {
        write_value(
            &dir.join("memory.soft_limit_in_bytes"),
            &bytes(mib).to_string(),
        )?;
    }
    if let Some(mib) = spec.memory_limit_mib {
        limit_memory(
            tree,
            group,
            mib,
            swap_bytes(mib, spec.linux.memory_and_swap),
        )?;
    }
    if let (Some(swappiness), Some(dir)) = (spec.linux.swappiness, directory(tree, "memory", group))
    {
        write_value(&dir.join("memory.swappiness"), &swappiness.to_string())?;
    }
    if let Some(dir) = directory(tree, "cpu", group) {
        write_value(
            &dir.join("cpu.shares"),
            &spec.cpu_shares.max(CPU_SHARES_MIN).to_string(),
        )?;
    }
    limit_pids(tree, group, spec.pids_limit)?;
    match directory(tree, "devices", group) {
        Some(dir) if !spec.privileged => limit_devices(&dir, DEFAULT_DEVICES.iter().chain(devices)),
        _ => Ok(()),
    }
}

pub fn oom_kills(tree: &CgroupTree, group: &Path) -> Result<u64> {
    match directory(tree, "memory", group) {
        Some(dir) => read_key(&dir.join("memory.oom_control"), "oom_kill"),
        None => Ok(0),
    }
}

/// The group's directory in the hierarchy of a controller, where that is mounted.
pub fn directory(tree: &CgroupTree, controller: &str, group: &Path) -> Option<PathBuf> {
    let Version::V1(hierarchies) = &tree.version else {
        return None;
    };
    let hierarchy = hierarchies
        .iter()
        .find(|h| h.controllers.iter().any(|name| name == controller))?;
    Some(hierarchy.mount.join(group))
}

/// The limit first, then the limit of memory and swap together: it may not be lower. Equal means no swap; without
/// `swap_bytes` there is no bound on it.
fn limit_memory(tree: &CgroupTree, group: &Path, mib: u64, swap_bytes: Option<u64>) -> Result<()> {
    let Some(dir) = directory(tree, "memory", group) else {
        return Ok(());
    };
    let swap = dir.join("memory.memsw.limit_in_bytes");
    let value = bytes(mib).to_string();
    let sum = swap_bytes.map_or_else(
        || "-1".to_owned(),
        |swap| bytes(mib).saturating_add(swap).to_string(),
    );
    let limit = dir.join("memory.limit_in_bytes");
    // A limit being raised above an earlier one is refused until the sum has been raised, so both orders are tried.
    if write_value(&limit, &value).is_err() && swap.exists() {
        write_value(&swap, &sum)?;
        write_value(&limit, &value)?;
    }
    // Kernels without swap accounting lack the file: then nothing can be swapped per group either.
    if swap.exists() {
        write_value(&swap, &sum)
    } else {
        Ok(())
    }
}

fn limit_pids(tree: &CgroupTree, group: &Path, pids: Option<u64>) -> Result<()> {
    match (pids, directory(tree, "pids", group)) {
        (Some(pids), Some(dir)) => write_value(&dir.join("pids.max"), &pids.to_string()),
        _ => Ok(()),
    }
}

/// Everything denied, then the list allowed; one open file for all lines.
fn limit_devices<'a>(dir: &Path, rules: impl Iterator<Item = &'a DeviceRule>) -> Result<()> {
    write_value(&dir.join("devices.deny"), "a")?;
    let mut allow = OpenOptions::new()
        .write(true)
        .open(dir.join("devices.allow"))?;
    for rule in rules {
        allow.write_all(rule.line().as_bytes())?;
    }
    Ok(())
}
