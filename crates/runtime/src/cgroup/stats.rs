//! Reads what a container uses. A file that a kernel lacks counts as zero; a removed group is an error.

use super::{CgroupTree, read_key, read_number, v1, value_of};
use crate::spec::Stats;
use std::fs;
use std::io::Result;
use std::path::Path;

/// v1 states "no limit" as the largest multiple of a page.
const UNLIMITED_MIN: u64 = 1 << 60;

pub fn read_v1(tree: &CgroupTree, group: &Path) -> Result<Stats> {
    let mut stats = Stats::default();
    if let Some(dir) = v1::directory(tree, "memory", group) {
        stats.memory_usage_bytes = read_number(&dir.join("memory.usage_in_bytes"))?;
        stats.memory_limit_bytes = Some(read_number(&dir.join("memory.limit_in_bytes"))?)
            .filter(|&limit| limit < UNLIMITED_MIN);
        stats.memory_inactive_file_bytes =
            read_key(&dir.join("memory.stat"), "total_inactive_file")?;
    }
    if let Some(dir) = v1::directory(tree, "cpuacct", group) {
        stats.cpu_usage_ns = read_number(&dir.join("cpuacct.usage"))?;
    }
    if let Some(dir) = v1::directory(tree, "pids", group) {
        stats.pids = read_number(&dir.join("pids.current"))?;
    }
    if let Some(dir) = v1::directory(tree, "blkio", group) {
        let text =
            fs::read_to_string(dir.join("blkio.throttle.io_service_bytes")).unwrap_or_default();
        for line in text.lines() {
            let mut words = line.split_whitespace().skip(1);
            match (
                words.next(),
                words.next().and_then(|n| n.parse::<u64>().ok()),
            ) {
                (Some("Read"), Some(n)) => stats.block_read_bytes += n,
                (Some("Write"), Some(n)) => stats.block_write_bytes += n,
                _ => {}
            }
        }
    }
    Ok(stats)
}

pub fn read_v2(dir: &Path) -> Result<Stats> {
    let mut stats = Stats {
        memory_usage_bytes: read_number(&dir.join("memory.current"))?,
        memory_inactive_file_bytes: read_key(&dir.join("memory.stat"), "inactive_file")?,
        // "max" is no number, and no limit.
        memory_limit_bytes: read_number(&dir.join("memory.max")).ok(),
        pids: read_number(&dir.join("pids.current")).unwrap_or(0),
        ..Stats::default()
    };
    let cpu = fs::read_to_string(dir.join("cpu.stat"))?;
    stats.cpu_usage_ns = value_of(&cpu, "usage_usec").unwrap_or(0) * 1_000;
    let io = fs::read_to_string(dir.join("io.stat")).unwrap_or_default();
    for word in io.split_whitespace() {
        match word.split_once('=') {
            Some(("rbytes", n)) => stats.block_read_bytes += n.parse().unwrap_or(0),
            Some(("wbytes", n)) => stats.block_write_bytes += n.parse().unwrap_or(0),
            _ => {}
        }
    }
    Ok(stats)
}
