//! Processor time of Longshore's own processes, and of what ran inside the containers for them.

use super::memory;
use crate::role;
use crate::settings::Settings;
use anyhow::Context;
use std::ops::Sub;
use std::time::Duration;

/// Processor time used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Processor {
    /// The control plane.
    pub server: Duration,
    /// The agent and its zygote.
    pub agent: Duration,
    /// All shims themselves.
    pub shims: Duration,
    /// Everything in the containers' control groups: their programs, the processes that entered them
    /// for a check, and the commands that those became.
    pub inside: Duration,
}

impl Sub for Processor {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            server: self.server.saturating_sub(earlier.server),
            agent: self.agent.saturating_sub(earlier.agent),
            shims: self.shims.saturating_sub(earlier.shims),
            inside: self.inside.saturating_sub(earlier.inside),
        }
    }
}

/// Reads it of the processes of a data directory.
///
/// # Errors
/// No server or no agent runs.
pub fn read(settings: &Settings) -> anyhow::Result<Processor> {
    let pid = |name: &str| {
        let holder = role::holder(&settings.data.run(), name)?;
        Ok::<_, anyhow::Error>(holder.with_context(|| format!("no {name} runs"))?.pid)
    };
    let (server, agent) = (pid("server")?, pid("agent")?);
    let of_agent = std::iter::once(agent).chain(memory::children(agent));
    let tasks = settings.data.path().join("agent/tasks");
    let (shims, containers) = (memory::shims(&tasks), memory::containers(&tasks));
    let ticks = rustix::param::clock_ticks_per_second();
    let own = |pid: i32| own(pid, ticks).unwrap_or_default();
    Ok(Processor {
        server: own(server),
        agent: of_agent.map(own).sum(),
        shims: of(&shims, precise),
        inside: of(&containers, in_group),
    })
}

/// Processor time of these processes so far, to a tick.
pub fn named(pids: &[i32]) -> Duration {
    let ticks = rustix::param::clock_ticks_per_second();
    of(pids, |pid| own(pid, ticks))
}

fn of(pids: &[i32], read: impl Fn(i32) -> Option<Duration>) -> Duration {
    pids.iter().filter_map(|pid| read(*pid)).sum()
}

/// A process's own time, with that of threads that ended; to a tick, which is too coarse for one of
/// many shims.
fn own(pid: i32, ticks_per_second: u64) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse(&text, ticks_per_second)
}

/// Fields 14 and 15 of `stat`, user and system time. The name before may have blanks and parentheses
/// in it.
fn parse(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let used = ticks()? + ticks()?;
    let nanos = used * 1_000_000_000 / ticks_per_second.max(1);
    Some(Duration::from_nanos(nanos))
}

/// Of the control group that a process is in, by either version.
fn in_group(pid: i32) -> Option<Duration> {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        if controllers.split(',').any(|name| name == "cpuacct") {
            let file = format!("/sys/fs/cgroup/{controllers}{path}/cpuacct.usage");
            let nanos = std::fs::read_to_string(file).ok()?.trim().parse().ok()?;
            return Some(Duration::from_nanos(nanos));
        }
        if !controllers.is_empty() {
            return None;
        }
        let stat = std::fs::read_to_string(format!("/sys/fs/cgroup{path}/cpu.stat")).ok()?;
        let line = stat
            .lines()
            .find_map(|line| line.strip_prefix("usage_usec "))?;
        Some(Duration::from_micros(line.parse().ok()?))
    })
}

/// To the nanosecond, of a process of one thread.
fn precise(pid: i32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    let on_processor = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(on_processor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_after_the_name_whatever_it_is() {
        let stat = "12 (ls:ab) c) S 1 12 12 0 -1 64 9 9 0 0 150 50 7 3 20 0 1 0 5 6";
        assert_eq!(parse(stat, 100), Some(Duration::from_secs(2)));
        assert_eq!(parse("12 (sh) S 1 12", 100), None);
    }
}
