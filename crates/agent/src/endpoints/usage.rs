//! Measures what containers use, and keeps of each an earlier sample to compare with.

use super::stats::{self, Machine, Sample};
use crate::actor::TaskContext;
use crate::api::now;
use crate::task::definition::NetworkMode;
use crate::task::state::ContainerIndex;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Docker compares with what was a second before.
const APART: Duration = Duration::from_secs(1);

/// Earlier samples by container.
#[derive(Debug, Default)]
pub struct Earlier {
    /// `std` mutex: held for map operations only.
    samples: Mutex<HashMap<String, Sample>>,
}

impl Earlier {
    /// What was measured before; `now` comes in its place where that was long enough ago.
    pub fn exchange(&self, runtime_id: &str, now: &Sample) -> Option<Sample> {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let before = samples.get(runtime_id).cloned();
        let is_old = |before: &Sample| now.at.since(before.at) >= APART;
        if before.as_ref().is_none_or(is_old) {
            samples.insert(runtime_id.to_owned(), now.clone());
        }
        before
    }

    /// A container is over.
    pub fn forget(&self, runtime_id: &str) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.remove(runtime_id);
    }
}

/// What a container uses; `None` unless it runs.
pub async fn measure(task: &TaskContext, index: ContainerIndex) -> Option<Sample> {
    let dir = task.container_dir(index);
    let stats = task.host.runtime.stats(&dir).await.ok()?;
    let pid = runtime::record::read_state(&dir).ok()??.pid;
    let of_file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let traffic = match task.definition.mode() {
        Ok(NetworkMode::Bridge | NetworkMode::Awsvpc) => {
            stats::traffic(&of_file(&format!("/proc/{pid}/net/dev")))
        }
        Ok(NetworkMode::Host | NetworkMode::None) | Err(_) => BTreeMap::new(),
    };
    Some(Sample {
        at: now(),
        stats,
        host_cpu_ns: stats::host_cpu_ns(&of_file("/proc/stat")),
        traffic,
    })
}

/// This machine.
pub fn machine() -> Machine {
    Machine {
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: crate::registration::memory_mib() << 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::Timestamp;
    use runtime::spec::Stats;

    #[test]
    fn samples_that_are_compared_are_a_second_apart_where_they_can_be() {
        let earlier = Earlier::default();
        let at = |millis: i64| Sample {
            at: Timestamp::from_millis(millis),
            stats: Stats {
                memory_usage_bytes: 0,
                memory_inactive_file_bytes: 0,
                memory_limit_bytes: None,
                cpu_usage_ns: 0,
                pids: 0,
                block_read_bytes: 0,
                block_write_bytes: 0,
            },
            host_cpu_ns: 0,
            traffic: BTreeMap::new(),
        };
        let before = |millis: i64| earlier.exchange("a", &at(millis)).map(|sample| sample.at);
        assert_eq!(before(0), None);
        assert_eq!(before(10), Some(at(0).at));
        assert_eq!(before(1500), Some(at(0).at));
        assert_eq!(before(1600), Some(at(1500).at));
        earlier.forget("a");
        assert_eq!(before(1700), None);
    }
}
