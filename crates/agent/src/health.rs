//! The health of this host's containers, as it is published.
//!
//! Every change at once, and everything at the begin of a session and every 20 s: the control plane
//! hears of container health nowhere else (agent-protocol 3).

use crate::metrics::Publisher;
use crate::part::Part;
use crate::task::definition::TaskDefinition;
use crate::task::state::{ContainerState, TaskState};
use aws_api::agent::{ContainerHealth, PublicationMetadata, PublishHealthRequest, TaskHealth};
use aws_types::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Tasks in one frame (the public agent's limit).
const TASKS_PER_FRAME: usize = 10;

/// A board for each part: each has a session of its own.
#[derive(Debug, Default)]
pub struct Boards {
    instance: HealthBoard,
    fargate: HealthBoard,
}

impl Boards {
    /// That of a part.
    pub fn of(&self, part: Part) -> &HealthBoard {
        match part {
            Part::Instance => &self.instance,
            Part::Fargate => &self.fargate,
        }
    }

    /// Notes how a task stands.
    pub fn note(&self, task: &TaskDefinition, state: &TaskState) {
        self.of(Part::of(task)).note(task, state);
    }

    /// A task is over.
    pub fn forget(&self, task_arn: &str) {
        self.instance.forget(task_arn);
        self.fargate.forget(task_arn);
    }
}

/// What is known of every task with a container whose health is checked.
#[derive(Debug, Default)]
pub struct HealthBoard {
    /// `std` mutex: held for map operations only.
    known: Mutex<Known>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Known {
    tasks: BTreeMap<String, TaskHealth>,
    /// Not published yet.
    changed: BTreeSet<String>,
}

impl HealthBoard {
    /// Notes how a task stands; one without a check leaves no trace.
    pub fn note(&self, task: &TaskDefinition, state: &TaskState) {
        let containers: Vec<_> = state.containers.iter().filter_map(container).collect();
        if containers.is_empty() {
            return;
        }
        let health = TaskHealth {
            task_arn: Some(task.arn.clone()),
            cluster_arn: None,
            task_definition_family: Some(task.family.clone()),
            task_definition_version: Some(task.version.clone()),
            containers: Some(containers),
        };
        let mut known = self.lock();
        if known.tasks.get(&task.arn) != Some(&health) {
            known.tasks.insert(task.arn.clone(), health);
            known.changed.insert(task.arn.clone());
            self.changed.notify_one();
        }
    }

    /// A task is over.
    pub fn forget(&self, task_arn: &str) {
        let mut known = self.lock();
        known.tasks.remove(task_arn);
        known.changed.remove(task_arn);
    }

    /// Resolves when something changed since it last did.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What changed since it was last taken.
    pub fn take_changed(&self) -> Vec<TaskHealth> {
        let mut known = self.lock();
        let changed = std::mem::take(&mut known.changed);
        let of = |arn: String| known.tasks.get(&arn).cloned();
        changed.into_iter().filter_map(of).collect()
    }

    /// Everything.
    pub fn take_all(&self) -> Vec<TaskHealth> {
        let mut known = self.lock();
        known.changed.clear();
        known.tasks.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn container(container: &ContainerState) -> Option<ContainerHealth> {
    let health = container.health.as_ref()?;
    Some(ContainerHealth {
        container_name: Some(container.name.clone()),
        health_status: Some(health.status.as_str().into()),
        status_message: (!health.output.is_empty()).then(|| health.output.clone()),
        status_since: Some(health.since),
    })
}

/// Frames of at most ten tasks, the last of them marked; none without a task.
pub fn frames(
    tasks: &[TaskHealth],
    publisher: &Publisher,
    now: Timestamp,
    mut message_id: impl FnMut() -> String,
) -> Vec<PublishHealthRequest> {
    let count = tasks.len().div_ceil(TASKS_PER_FRAME);
    let chunks = tasks.chunks(TASKS_PER_FRAME).enumerate();
    let frame = |(at, some): (usize, &[TaskHealth])| PublishHealthRequest {
        metadata: Some(PublicationMetadata {
            cluster: Some(publisher.cluster.clone()),
            container_instance: Some(publisher.container_instance.clone()),
            message_id: Some(message_id()),
            fin: Some(at + 1 == count),
            ..PublicationMetadata::default()
        }),
        tasks: Some(some.to_vec()),
        timestamp: Some(now),
    };
    chunks.map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::health::HealthStatus;
    use proptest::prelude::*;
    use serde_json::json;

    fn task(number: usize, is_checked: bool) -> (TaskDefinition, TaskState) {
        let config = r#"{"Healthcheck":{"Test":["CMD","x"]}}"#;
        let kind = if is_checked { "docker" } else { "" };
        let json = json!({
            "arn": format!("arn:aws:ecs:r:0:task/c/{number:032x}"), "family": "web", "version": "3",
            "desiredStatus": "RUNNING",
            "containers": [{"name": "app", "image": "i", "healthCheckType": kind,
                            "dockerConfig": {"config": config}}, {"name": "side", "image": "i"}]});
        let definition = TaskDefinition::parse(&json).unwrap();
        let ids = vec!["0".into(), "1".into()];
        let state = TaskState::new(&definition, ids, 0, Timestamp::EPOCH);
        (definition, state)
    }

    #[tokio::test]
    async fn a_change_is_published_once_and_everything_when_asked_for() {
        let board = HealthBoard::default();
        let (definition, mut state) = task(1, true);
        board.note(&definition, &state);
        board.changed().await;
        let published = board.take_changed();
        let containers = published[0].containers.as_ref().unwrap();
        assert_eq!(
            containers.len(),
            1,
            "the one without a check is not told of"
        );
        assert_eq!(containers[0].health_status.as_deref(), Some("UNKNOWN"));
        board.note(&definition, &state);
        assert_eq!(board.take_changed(), [], "nothing new");
        assert_eq!(board.take_all().len(), 1);
        state.containers[0].health.as_mut().unwrap().status = HealthStatus::Unhealthy;
        board.note(&definition, &state);
        board.changed().await;
        let containers = board.take_changed().remove(0).containers.unwrap();
        assert_eq!(containers[0].health_status.as_deref(), Some("UNHEALTHY"));
        board.forget(&definition.arn);
        assert_eq!(board.take_all(), []);
    }

    #[test]
    fn a_task_without_a_check_is_not_published() {
        let board = HealthBoard::default();
        let (definition, state) = task(1, false);
        board.note(&definition, &state);
        assert_eq!(board.take_all(), []);
    }

    proptest! {
        #[test]
        fn frames_hold_ten_tasks_and_the_last_alone_is_final(count in 0_usize..45) {
            let tasks = vec![TaskHealth::default(); count];
            let publisher = Publisher {
                cluster: "default".into(),
                container_instance: "arn".into(),
            };
            let frames = frames(&tasks, &publisher, Timestamp::EPOCH, || "m".into());
            let sizes: Vec<_> = frames.iter().map(|f| f.tasks.as_ref().unwrap().len()).collect();
            prop_assert!(sizes.iter().all(|size| (1..=10).contains(size)));
            prop_assert_eq!(sizes.iter().sum::<usize>(), count);
            let fins: Vec<_> = frames.iter().map(|f| f.metadata.as_ref().unwrap().fin.unwrap()).collect();
            prop_assert_eq!(fins.iter().filter(|fin| **fin).count(), usize::from(count > 0));
            prop_assert_eq!(fins.last().copied().unwrap_or(true), true);
        }
    }
}
