//! What a container uses, in the words of Docker's `stats`.
//!
//! Pure. Rule: agent-protocol 6: Docker's JSON, in version 4 with the rates of its network. A member that
//! cannot be known here is left out.

use aws_types::Timestamp;
use runtime::spec::Stats;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What Docker writes where there was no sample before.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What a container used up to a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// Of its control group.
    pub stats: Stats,
    /// CPU time of the whole host, idle time too, in nanoseconds.
    pub host_cpu_ns: u64,
    /// Of its devices but loopback; none where the network is the host's.
    pub traffic: BTreeMap<String, Traffic>,
}

/// What passed a device since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes, packets, errors, drops received.
    pub received: [u64; 4],
    /// Bytes, packets, errors, drops sent.
    pub sent: [u64; 4],
}

/// What the host has.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Processors.
    pub cpus: usize,
    /// What a container without a limit may use.
    pub memory_bytes: u64,
}

/// A container's sample as Docker writes it; `before` is an earlier one.
#[must_use]
pub fn docker(
    (name, id): (&str, &str),
    now: &Sample,
    before: Option<&Sample>,
    machine: Machine,
    version: u8,
) -> Value {
    let cpu = |sample: &Sample| {
        json!({
            "cpu_usage": {"total_usage": sample.stats.cpu_usage_ns},
            "system_cpu_usage": sample.host_cpu_ns,
            "online_cpus": machine.cpus,
        })
    };
    // One entry of each kind for all devices together, which is all that is counted.
    let blocks = |op: &str, bytes: u64| json!({"major": 0, "minor": 0, "op": op, "value": bytes});
    let stats = &now.stats;
    let mut shown = json!({
        "read": now.at.iso8601(),
        "preread": before.map_or_else(|| NEVER.to_owned(), |before| before.at.iso8601()),
        "pids_stats": {"current": stats.pids},
        "blkio_stats": {"io_service_bytes_recursive": [
            blocks("read", stats.block_read_bytes),
            blocks("write", stats.block_write_bytes),
        ]},
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": cpu(now),
        "precpu_stats": before.map_or_else(|| json!({"cpu_usage": {"total_usage": 0}}), cpu),
        "memory_stats": {
            "usage": stats.memory_usage_bytes,
            "stats": {"inactive_file": stats.memory_inactive_file_bytes},
            "limit": stats.memory_limit_bytes.unwrap_or(machine.memory_bytes),
        },
        "name": format!("/{name}"),
        "id": id,
    });
    if !now.traffic.is_empty() {
        shown["networks"] = networks(&now.traffic);
        if let (4, Some(rates)) = (version, before.and_then(|before| rates(now, before))) {
            shown["network_rate_stats"] = rates;
        }
    }
    shown
}

fn networks(traffic: &BTreeMap<String, Traffic>) -> Value {
    let names = ["bytes", "packets", "errors", "dropped"];
    let of = |one: &Traffic| {
        let counters = [("rx", one.received), ("tx", one.sent)].into_iter();
        let each = counters.flat_map(|(way, counts)| {
            let named = names.into_iter().zip(counts);
            named.map(move |(name, count)| (format!("{way}_{name}"), Value::from(count)))
        });
        Value::Object(each.collect::<Map<_, _>>())
    };
    let all = traffic
        .iter()
        .map(|(device, one)| (device.clone(), of(one)));
    Value::Object(all.collect())
}

fn rates(now: &Sample, before: &Sample) -> Option<Value> {
    let seconds = now.at.since(before.at).as_secs_f64();
    if seconds <= 0.0 {
        return None;
    }
    let total =
        |sample: &Sample, of: fn(&Traffic) -> u64| sample.traffic.values().map(of).sum::<u64>();
    let rate =
        |of: fn(&Traffic) -> u64| total(now, of).saturating_sub(total(before, of)) as f64 / seconds;
    Some(json!({
        "rx_bytes_per_sec": rate(|one| one.received[0]),
        "tx_bytes_per_sec": rate(|one| one.sent[0]),
    }))
}

/// Reads `/proc/PID/net/dev`; loopback is left out.
#[must_use]
pub fn traffic(text: &str) -> BTreeMap<String, Traffic> {
    let line = |line: &str| {
        let (device, counts) = line.split_once(':')?;
        let counts: Vec<u64> = counts
            .split_whitespace()
            .map_while(|count| count.parse().ok())
            .collect();
        let four = |from: usize| counts.get(from..from + 4)?.try_into().ok();
        let one = Traffic {
            received: four(0)?,
            sent: four(8)?,
        };
        Some((device.trim().to_owned(), one))
    };
    let all = text.lines().filter_map(line);
    all.filter(|(device, _)| device != "lo").collect()
}

/// Reads the first line of `/proc/stat`: all CPU time in nanoseconds, of ticks of 10 ms.
#[must_use]
pub fn host_cpu_ns(text: &str) -> u64 {
    const NS_PER_TICK: u64 = 10_000_000;
    let line = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cpu "));
    let counts = line.unwrap_or_default().split_whitespace();
    // Guest time is counted within user time already.
    let ticks: u64 = counts
        .take(8)
        .filter_map(|count| count.parse::<u64>().ok())
        .sum();
    ticks.saturating_mul(NS_PER_TICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICES: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:    3000      30    1    2    0     0          0         0     5000      50    3    4    0     0       0          0
";

    fn sample(seconds: i64, cpu_ns: u64, received: u64) -> Sample {
        let traffic = Traffic {
            received: [received, 0, 0, 0],
            sent: [0; 4],
        };
        Sample {
            at: Timestamp::from_millis(1_700_000_000_000 + seconds * 1000),
            stats: Stats {
                memory_usage_bytes: 3000,
                memory_inactive_file_bytes: 1000,
                memory_limit_bytes: None,
                cpu_usage_ns: cpu_ns,
                pids: 2,
                block_read_bytes: 7,
                block_write_bytes: 8,
            },
            host_cpu_ns: 10 * cpu_ns,
            traffic: [("eth0".to_owned(), traffic)].into(),
        }
    }

    const MACHINE: Machine = Machine {
        cpus: 2,
        memory_bytes: 1 << 30,
    };

    #[test]
    fn a_sample_is_shown_in_dockers_words() {
        let (now, before) = (sample(2, 500, 900), sample(0, 100, 100));
        let shown = docker(("n", "i"), &now, Some(&before), MACHINE, 4);
        let expected = json!({
            "read": "2023-11-14T22:13:22.000Z", "preread": "2023-11-14T22:13:20.000Z",
            "pids_stats": {"current": 2}, "num_procs": 0, "storage_stats": {},
            "blkio_stats": {"io_service_bytes_recursive": [
                {"major": 0, "minor": 0, "op": "read", "value": 7},
                {"major": 0, "minor": 0, "op": "write", "value": 8}]},
            "cpu_stats": {"cpu_usage": {"total_usage": 500}, "system_cpu_usage": 5000, "online_cpus": 2},
            "precpu_stats": {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 1000, "online_cpus": 2},
            "memory_stats": {"usage": 3000, "stats": {"inactive_file": 1000}, "limit": 1 << 30},
            "name": "/n", "id": "i",
            "networks": {"eth0": {"rx_bytes": 900, "rx_packets": 0, "rx_errors": 0, "rx_dropped": 0,
                "tx_bytes": 0, "tx_packets": 0, "tx_errors": 0, "tx_dropped": 0}},
            "network_rate_stats": {"rx_bytes_per_sec": 400.0, "tx_bytes_per_sec": 0.0},
        });
        assert_eq!(shown, expected);
        let older = docker(("n", "i"), &now, Some(&before), MACHINE, 3);
        assert_eq!(older.get("network_rate_stats"), None);
        let first = docker(("n", "i"), &now, None, MACHINE, 4);
        assert_eq!(first["preread"], NEVER);
        assert_eq!(first.get("network_rate_stats"), None);
    }

    #[test]
    fn the_kernels_counters_are_read() {
        let read = traffic(DEVICES);
        let eth0 = Traffic {
            received: [3000, 30, 1, 2],
            sent: [5000, 50, 3, 4],
        };
        assert_eq!(read, [("eth0".to_owned(), eth0)].into());
        assert_eq!(traffic("eth0: 1 2\nnonsense"), BTreeMap::new());
        assert_eq!(
            host_cpu_ns("cpu  1 2 3 4 5 6 7 8 100 100\ncpu0 1"),
            360_000_000
        );
        assert_eq!(host_cpu_ns(""), 0);
    }
}
