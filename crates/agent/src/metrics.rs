//! What running containers use, gathered between two publications.
//!
//! Pure. CPU is per cent of the whole host, memory is MiB without inactive page cache, disk traffic
//! is bytes from sample to sample: the public agent's units (agent-protocol 3). Traffic of the
//! network is not sampled yet.

use crate::task::definition::TaskDefinition;
use aws_api::agent::{
    ContainerMetric, CwStatsSet, PublicationMetadata, PublishMetricsRequest, StorageStatsSet,
    TaskMetric, ULongStatsSet,
};
use aws_types::Timestamp;
use runtime::spec::Stats;
use std::collections::BTreeMap;

/// Tasks in one frame (the public agent's limit).
const TASKS_PER_FRAME: usize = 10;

/// Who publishes.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// The cluster.
    pub cluster: String,
    /// The container instance's ARN.
    pub container_instance: String,
}

/// Samples since the last publication, by task and container.
#[derive(Debug)]
pub struct Samples {
    processors: usize,
    tasks: BTreeMap<String, TaskSamples>,
}

#[derive(Debug)]
struct TaskSamples {
    family: String,
    version: String,
    containers: BTreeMap<String, ContainerSamples>,
}

/// The last sample outlives a publication: the next one is measured from it.
#[derive(Debug, Default)]
struct ContainerSamples {
    last: Option<(Timestamp, Stats)>,
    cpu: Range,
    memory: Range,
    read: Range,
    written: Range,
}

#[derive(Clone, Copy, Debug, Default)]
struct Range {
    min: f64,
    max: f64,
    sum: f64,
    count: i64,
}

impl Samples {
    /// None yet, of a host with so many processors.
    pub fn new(processors: usize) -> Self {
        Self {
            processors: processors.max(1),
            tasks: BTreeMap::new(),
        }
    }

    /// Takes one sample of a container.
    pub fn note(&mut self, task: &TaskDefinition, container: &str, stats: &Stats, now: Timestamp) {
        let samples = self
            .tasks
            .entry(task.arn.clone())
            .or_insert_with(|| TaskSamples {
                family: task.family.clone(),
                version: task.version.clone(),
                containers: BTreeMap::new(),
            });
        let samples = samples.containers.entry(container.to_owned()).or_default();
        samples.note(stats, now, self.processors);
    }

    /// What is to be published: frames of at most ten tasks, the last of them marked. Containers that
    /// gave nothing since the last publication are forgotten.
    pub fn take(
        &mut self,
        publisher: &Publisher,
        now: Timestamp,
        message_id: impl FnMut() -> String,
    ) -> Vec<PublishMetricsRequest> {
        for task in self.tasks.values_mut() {
            task.containers
                .retain(|_, container| container.memory.count > 0);
        }
        self.tasks.retain(|_, task| !task.containers.is_empty());
        let tasks: Vec<TaskMetric> = self
            .tasks
            .iter_mut()
            .map(|(arn, task)| task.take(arn))
            .collect();
        frames(publisher, &tasks, now, message_id)
    }
}

/// A publication of these tasks: frames of at most ten, the last of them marked; of none, one that says so.
pub fn frames(
    publisher: &Publisher,
    tasks: &[TaskMetric],
    now: Timestamp,
    mut message_id: impl FnMut() -> String,
) -> Vec<PublishMetricsRequest> {
    let mut frame = |tasks: &[TaskMetric], last| PublishMetricsRequest {
        metadata: Some(PublicationMetadata {
            cluster: Some(publisher.cluster.clone()),
            container_instance: Some(publisher.container_instance.clone()),
            message_id: Some(message_id()),
            idle: Some(tasks.is_empty()),
            fin: Some(last),
            ..PublicationMetadata::default()
        }),
        task_metrics: (!tasks.is_empty()).then(|| tasks.to_vec()),
        timestamp: Some(now),
    };
    if tasks.is_empty() {
        return vec![frame(&[], true)];
    }
    let frames = tasks.len().div_ceil(TASKS_PER_FRAME);
    tasks
        .chunks(TASKS_PER_FRAME)
        .enumerate()
        .map(|(at, some)| frame(some, at + 1 == frames))
        .collect()
}

impl TaskSamples {
    fn take(&mut self, arn: &str) -> TaskMetric {
        let containers = self.containers.iter_mut();
        TaskMetric {
            task_arn: Some(arn.to_owned()),
            task_definition_family: Some(self.family.clone()),
            task_definition_version: Some(self.version.clone()),
            container_metrics: Some(containers.map(|(name, one)| one.take(name)).collect()),
            ..TaskMetric::default()
        }
    }
}

impl ContainerSamples {
    fn note(&mut self, stats: &Stats, now: Timestamp, processors: usize) {
        let used = stats
            .memory_usage_bytes
            .saturating_sub(stats.memory_inactive_file_bytes);
        self.memory.add(used as f64 / f64::from(1 << 20));
        if let Some((then, earlier)) = &self.last {
            let elapsed_ns = now.since(*then).as_nanos() as f64;
            // A container that was started again begins from zero.
            let cpu_ns = stats.cpu_usage_ns.checked_sub(earlier.cpu_usage_ns);
            if let (Some(cpu_ns), true) = (cpu_ns, elapsed_ns > 0.0) {
                self.cpu
                    .add(cpu_ns as f64 / elapsed_ns / processors as f64 * 100.0);
            }
            let moved = |now: u64, then: u64| now.saturating_sub(then) as f64;
            self.read
                .add(moved(stats.block_read_bytes, earlier.block_read_bytes));
            self.written
                .add(moved(stats.block_write_bytes, earlier.block_write_bytes));
        }
        self.last = Some((now, *stats));
    }

    fn take(&mut self, name: &str) -> ContainerMetric {
        let storage = StorageStatsSet {
            read_size_bytes: self.read.take_whole(),
            write_size_bytes: self.written.take_whole(),
        };
        ContainerMetric {
            container_name: Some(name.to_owned()),
            cpu_stats_set: self.cpu.take(),
            memory_stats_set: self.memory.take(),
            storage_stats_set: storage.read_size_bytes.is_some().then_some(storage),
            ..ContainerMetric::default()
        }
    }
}

impl Range {
    fn add(&mut self, value: f64) {
        (self.min, self.max) = match self.count {
            0 => (value, value),
            _ => (self.min.min(value), self.max.max(value)),
        };
        self.sum += value;
        self.count += 1;
    }

    /// `None` without a sample.
    fn take(&mut self) -> Option<CwStatsSet> {
        let taken = std::mem::take(self);
        (taken.count > 0).then_some(CwStatsSet {
            min: Some(taken.min),
            max: Some(taken.max),
            sample_count: Some(taken.count),
            sum: Some(taken.sum),
        })
    }

    fn take_whole(&mut self) -> Option<ULongStatsSet> {
        let taken = std::mem::take(self);
        (taken.count > 0).then_some(ULongStatsSet {
            min: Some(taken.min as i64),
            overflow_min: Some(0),
            max: Some(taken.max as i64),
            overflow_max: Some(0),
            sample_count: Some(taken.count),
            sum: Some(taken.sum as i64),
            overflow_sum: Some(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn task(number: usize) -> TaskDefinition {
        let arn = format!("arn:aws:ecs:us-east-1:000000000000:task/default/{number:032x}");
        let payload = serde_json::json!({
            "arn": arn, "family": "web", "version": "3", "desiredStatus": "RUNNING",
            "containers": [{"name": "app", "image": "x", "essential": true}],
        });
        TaskDefinition::parse(&payload).unwrap()
    }

    fn stats(cpu_ms: u64, memory_mib: u64) -> Stats {
        Stats {
            memory_usage_bytes: (memory_mib + 1) << 20,
            memory_inactive_file_bytes: 1 << 20,
            memory_limit_bytes: None,
            cpu_usage_ns: cpu_ms * 1_000_000,
            pids: 1,
            block_read_bytes: cpu_ms * 10,
            block_write_bytes: 0,
        }
    }

    fn publisher() -> Publisher {
        Publisher {
            cluster: "default".into(),
            container_instance: "arn".into(),
        }
    }

    fn second(number: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + number * 1000)
    }

    #[test]
    fn an_idle_host_says_so() {
        let frames = Samples::new(2).take(&publisher(), second(0), || "m".into());
        assert_eq!(frames.len(), 1);
        let metadata = frames[0].metadata.clone().unwrap();
        assert_eq!((metadata.idle, metadata.fin), (Some(true), Some(true)));
        assert_eq!(frames[0].task_metrics, None);
    }

    #[test]
    fn cpu_is_per_cent_of_the_host_and_memory_is_without_page_cache() {
        let mut samples = Samples::new(2);
        for (at, cpu_ms, mib) in [(0, 0, 10), (1, 1000, 30), (2, 1500, 20)] {
            samples.note(&task(1), "app", &stats(cpu_ms, mib), second(at));
        }
        let frames = samples.take(&publisher(), second(2), || "m".into());
        let metric = &frames[0].task_metrics.as_ref().unwrap()[0];
        assert_eq!(metric.task_definition_version.as_deref(), Some("3"));
        let container = &metric.container_metrics.as_ref().unwrap()[0];
        let cpu = container.cpu_stats_set.clone().unwrap();
        assert_eq!((cpu.min, cpu.max), (Some(25.0), Some(50.0)));
        assert_eq!((cpu.sample_count, cpu.sum), (Some(2), Some(75.0)));
        let memory = container.memory_stats_set.clone().unwrap();
        assert_eq!(
            (memory.min, memory.max, memory.sum),
            (Some(10.0), Some(30.0), Some(60.0))
        );
        let read = container
            .storage_stats_set
            .clone()
            .unwrap()
            .read_size_bytes
            .unwrap();
        assert_eq!((read.sum, read.sample_count), (Some(15_000), Some(2)));
    }

    #[test]
    fn a_publication_starts_from_the_last_sample_of_the_one_before() {
        let mut samples = Samples::new(1);
        samples.note(&task(1), "app", &stats(0, 1), second(0));
        samples.take(&publisher(), second(0), || "m".into());
        samples.note(&task(1), "app", &stats(500, 1), second(1));
        let frames = samples.take(&publisher(), second(1), || "m".into());
        let metrics = frames[0].task_metrics.clone().unwrap();
        let container = metrics[0].container_metrics.clone().unwrap().remove(0);
        assert_eq!(container.cpu_stats_set.unwrap().sum, Some(50.0));
        let frames = samples.take(&publisher(), second(2), || "m".into());
        assert_eq!(frames[0].task_metrics, None, "it has gone");
    }

    #[test]
    fn a_container_that_was_started_again_has_no_negative_use() {
        let mut samples = Samples::new(1);
        samples.note(&task(1), "app", &stats(5000, 1), second(0));
        samples.note(&task(1), "app", &stats(10, 1), second(1));
        let frames = samples.take(&publisher(), second(1), || "m".into());
        let metrics = frames[0].task_metrics.clone().unwrap();
        let container = &metrics[0].container_metrics.as_ref().unwrap()[0];
        assert_eq!(container.cpu_stats_set, None);
    }

    proptest! {
        #[test]
        fn frames_hold_ten_tasks_and_the_last_alone_is_final(tasks in 1_usize..45) {
            let mut samples = Samples::new(1);
            for number in 0..tasks {
                samples.note(&task(number), "app", &stats(1, 1), second(0));
            }
            let frames = samples.take(&publisher(), second(0), || "m".into());
            let sizes: Vec<_> = frames.iter().map(|frame| frame.task_metrics.as_ref().unwrap().len()).collect();
            prop_assert!(sizes.iter().all(|size| (1..=10).contains(size)));
            prop_assert_eq!(sizes.iter().sum::<usize>(), tasks);
            let last: Vec<_> = frames.iter().map(|frame| frame.metadata.as_ref().unwrap().fin.unwrap()).collect();
            prop_assert_eq!(last.iter().filter(|fin| **fin).count(), 1);
            prop_assert_eq!(last.last(), Some(&true));
        }
    }
}
