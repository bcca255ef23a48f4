//! The VPC's data plane on this machine: what passes, beside ways with less rules and with none; what a
//! change costs; how fast interfaces come and go.

use super::network_calls;
use super::report::{Report, Row};
use crate::cli::NetworkBench;
use netdev::vpc::bench::{Attaching, Figures, Size, Way, attaching, figures, ways};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Measures.
pub fn run(what: &NetworkBench) -> anyhow::Result<Report> {
    let directory = Directory::make()?;
    let mut report = Report::new("network");
    for way in ways(&directory.part("ways")?, what.rounds.max(1))? {
        report.push(traffic(&way));
    }
    for size in sizes(&what.members) {
        let part = directory.part(&format!("size{}-{}", size.members, size.rules))?;
        report.push(change(size, &figures(&part, size)?));
    }
    for members in &what.members {
        let part = directory.part(&format!("calls{members}"))?;
        report.push(network_calls::row(&part, *members)?);
    }
    let counts = BTreeSet::from([what.interfaces.min(100), what.interfaces]);
    for count in counts {
        let part = directory.part(&format!("interfaces{count}"))?;
        report.push(many(count, &attaching(&part, count)?));
    }
    report.note(
        "the best of the rounds, and the least: client, server and kernel share the processors",
    );
    report.note(
        "calls: from an operation's transaction, durable, over the rows of host sync to the kernel of a host, in one \
         process; rows_ms and host_ms are parts of rule_p50_ms",
    );
    Ok(report)
}

/// Members and rules beside which the others grow.
const FEW: u32 = 10;

/// Ever more members beside a few rules, and ever more rules beside a few members.
fn sizes(counts: &[u32]) -> BTreeSet<Size> {
    let of = |members, rules| Size { members, rules };
    let both = |count: &u32| [of(*count, FEW), of(FEW, *count)];
    counts.iter().flat_map(both).collect()
}

fn traffic(way: &Way) -> Row {
    let best = |figures: &[f64]| figures.iter().copied().fold(0.0, f64::max);
    let least = |figures: &[f64]| figures.iter().copied().fold(f64::INFINITY, f64::min);
    let connections: Vec<f64> = way
        .rounds
        .iter()
        .map(|r| r.connections_per_second)
        .collect();
    let gbit: Vec<f64> = way.rounds.iter().map(|r| r.bits_per_second / 1e9).collect();
    Row::new(way.name)
        .with("conn_per_s", best(&connections))
        .with("conn_least", least(&connections))
        .with("gbit_per_s", best(&gbit))
        .with("gbit_least", least(&gbit))
        .with("n", way.rounds.len() as f64)
}

fn change(size: Size, figures: &Figures) -> Row {
    Row::new(format!("{} members, {} rules", size.members, size.rules))
        .with("first_load_ms", millis(figures.first_load))
        .with("join_p50_ms", millis(figures.member_joins.0))
        .with("join_max_ms", millis(figures.member_joins.1))
        .with("leave_p50_ms", millis(figures.member_leaves.0))
        .with("leave_max_ms", millis(figures.member_leaves.1))
        .with("allow_p50_ms", millis(figures.rule_comes.0))
        .with("allow_max_ms", millis(figures.rule_comes.1))
        .with("revoke_p50_ms", millis(figures.rule_goes.0))
        .with("revoke_max_ms", millis(figures.rule_goes.1))
        .with("conn_per_s", figures.traffic.connections_per_second)
        .with(
            "tracked_conn_s",
            figures.tracking_alone.connections_per_second,
        )
}

fn many(count: u32, attaching: &Attaching) -> Row {
    Row::new(format!("{count} interfaces, then {count} at once"))
        .with("attach_p50_ms", millis(attaching.attach.0))
        .with("attach_max_ms", millis(attaching.attach.1))
        .with("attach_per_s", attaching.attached_per_second)
        .with("detach_p50_ms", millis(attaching.detach.0))
        .with("detach_max_ms", millis(attaching.detach.1))
        .with("detach_per_s", attaching.detached_per_second)
}

/// As figures are told.
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Of the bench's own; it goes with it.
struct Directory(PathBuf);

impl Directory {
    fn make() -> anyhow::Result<Self> {
        let name = format!("longshore-bench-network-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn part(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = Path::new(&self.0).join(name);
        std::fs::create_dir(&path)?;
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
