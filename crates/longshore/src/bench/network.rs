//! The VPC's data plane on this machine: what passes, beside ways with less rules and with none; what a
//! change costs; how fast interfaces come and go.

use super::report::{Report, Row};
use crate::cli::NetworkBench;
use netdev::vpc::bench::{Attaching, Figures, Way, attaching, figures, ways};
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
    for members in &what.members {
        let part = directory.part(&format!("members{members}"))?;
        report.push(change(&figures(&part, *members)?));
    }
    let counts = BTreeSet::from([what.interfaces.min(100), what.interfaces]);
    for count in counts {
        let part = directory.part(&format!("interfaces{count}"))?;
        report.push(many(count, &attaching(&part, count)?));
    }
    report.note(
        "the best of the rounds, and the least: client, server and kernel share the processors",
    );
    Ok(report)
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

fn change(figures: &Figures) -> Row {
    Row::new(format!("{} members, as many rules", figures.members))
        .with("first_load_ms", millis(figures.first_load))
        .with("member_p50_ms", millis(figures.member.0))
        .with("member_max_ms", millis(figures.member.1))
        .with("rule_p50_ms", millis(figures.rule.0))
        .with("rule_max_ms", millis(figures.rule.1))
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

fn millis(duration: Duration) -> f64 {
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
