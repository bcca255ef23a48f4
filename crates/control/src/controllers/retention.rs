//! What is kept for a while only: stopped tasks, inactive instances, services and clusters, remembered
//! client tokens, expired join tokens, task definitions in deletion, log events past their group's
//! retention or without a stream.

use super::{Controller, Controllers};
use crate::clock;
use crate::timing::Timing;
use aws_types::{AwsError, Timestamp, codes};
use ecs::cluster_retention;
use ecs::instance::life;
use ecs::service::retention as services;
use ecs::task::{retention, tokens};
use ecs::task_definition::deletion;
use iam::join;
use store::{LogStoreError, LogStreamId, Txn, World};
use telemetry::retention::Removal;

/// Log entries removed in one step.
const ENTRIES_PER_STEP: usize = 1_000;

pub struct Retention(pub Controllers);

#[async_trait::async_trait]
impl Controller for Retention {
    fn name(&self) -> &'static str {
        "retention"
    }

    fn wakes_on(&self) -> &'static [&'static str] {
        // Nothing here is urgent: the slow tick does.
        &[]
    }

    async fn activate(&self) -> Result<Option<Timestamp>, AwsError> {
        let Timing {
            stopped_task_visible,
            inactive_visible,
            ..
        } = self.0.timing;
        self.sweep(
            |world, now| retention::expired(world, now, stopped_task_visible),
            retention::remove,
        )
        .await?;
        self.sweep(tokens::expired, tokens::remove).await?;
        self.sweep(join::expired, join::remove).await?;
        self.sweep(
            |world, now| life::expired(world, now, inactive_visible),
            life::remove,
        )
        .await?;
        self.sweep(
            |world, now| services::expired(world, now, inactive_visible),
            services::remove,
        )
        .await?;
        // After tasks, instances and services, which keep them.
        self.sweep(|world, _| deletion::due(world), deletion::remove)
            .await?;
        self.sweep(
            |world, now| cluster_retention::expired(world, now, inactive_visible),
            cluster_retention::remove,
        )
        .await?;
        self.logs().await?;
        Ok(None)
    }
}

impl Retention {
    /// Removes what `due` names, step by step, until it names nothing.
    async fn sweep<K: Send + 'static>(
        &self,
        due: impl Fn(&World, Timestamp) -> Vec<K>,
        remove: fn(&mut Txn, &[K]),
    ) -> Result<(), AwsError> {
        loop {
            let keys = due(&self.0.state.snapshot(), clock::now());
            if keys.is_empty() {
                return Ok(());
            }
            let removal = self.0.state.submit(self.0.ctx(), move |txn, _| {
                remove(txn, &keys);
                Ok(())
            });
            removal.await?;
        }
    }

    /// On a thread that may wait for a disk.
    async fn logs(&self) -> Result<(), AwsError> {
        let (logs, state) = (self.0.logs.clone(), self.0.state.clone());
        let done = tokio::task::spawn_blocking(move || {
            // The streams first: one that is made meanwhile is then in the World, and stays.
            let stored = logs.streams()?;
            for removal in telemetry::retention::plan(&state.snapshot(), &stored, clock::now()) {
                match removal {
                    Removal::Before(stream, moment) => {
                        while logs.delete_before(stream, moment, ENTRIES_PER_STEP)?
                            == ENTRIES_PER_STEP
                        {}
                    }
                    Removal::Stream(stream) => delete(&*logs, stream)?,
                }
            }
            Ok::<(), LogStoreError>(())
        });
        let failed = |why: String| codes::INTERNAL_FAILURE.with("log retention").detail(why);
        done.await
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))
    }
}

fn delete(logs: &dyn store::LogStore, stream: LogStreamId) -> Result<(), LogStoreError> {
    while logs.delete(stream, ENTRIES_PER_STEP)? {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision_log::DecisionLog;
    use crate::operations;
    use aws_api::ecs::{RegisterContainerInstanceRequest, Resource, RunTaskRequest};
    use aws_types::{Ctx, Scope};
    use ecs::ops;
    use ecs::records::{
        CLUSTERS, CONTAINER_INSTANCES, ClusterRecord, ClusterStatus, TASK_DEFINITIONS, TASKS,
    };
    use ecs::task::status::{DesiredStatus, TaskStatus};
    use std::sync::Arc;
    use std::time::Duration;
    use store::backend::{MemoryLogStore, MemoryMetricStore, MemoryStore};
    use store::{Schema, StateHandle};

    fn retention(state: &StateHandle, scope: &Scope, timing: Timing) -> Retention {
        Retention(Controllers {
            state: state.clone(),
            logs: Arc::new(MemoryLogStore::default()),
            metrics: Arc::new(MemoryMetricStore::default()),
            timing,
            host_lost_after: Duration::from_secs(60),
            scope: scope.clone(),
            decisions: Arc::new(DecisionLog::new(clock::now())),
        })
    }

    /// Tasks that stopped so many minutes ago, each under that number.
    async fn stopped(state: &StateHandle, ctx: Ctx, minutes: &'static [u64]) {
        let written = state.submit(ctx, move |txn, ctx| {
            let number = |name: &str| Resource {
                name: Some(name.into()),
                r#type: Some("INTEGER".into()),
                integer_value: Some(4096),
                ..Resource::default()
            };
            let host = RegisterContainerInstanceRequest {
                total_resources: Some(vec![number("CPU"), number("MEMORY")]),
                ..Default::default()
            };
            ops::register_container_instance::register_container_instance(txn, ctx, &host)?;
            let instance = txn.scan(&CONTAINER_INSTANCES).next().unwrap().key.clone();
            life::connected(txn, &instance, &life::SessionVersions::default());
            for ago in minutes {
                let input = RunTaskRequest {
                    task_definition: Some("f".into()),
                    started_by: Some(ago.to_string()),
                    ..RunTaskRequest::default()
                };
                ops::run_task::run_task(txn, ctx, &input)?;
            }
            let tasks: Vec<_> = txn.scan(&TASKS).map(|task| task.key.clone()).collect();
            for key in tasks {
                txn.update(&TASKS, &key, |task| {
                    let ago = task.started_by.as_deref().unwrap().parse().unwrap();
                    task.times.stopped = Some(clock::now().minus(Duration::from_mins(ago)));
                    task.last_status = TaskStatus::Stopped;
                    task.desired = DesiredStatus::Stopped;
                    task.holds = false;
                });
            }
            Ok(())
        });
        written.await.unwrap();
    }

    #[tokio::test]
    async fn a_stopped_task_stays_as_long_as_was_configured() {
        let scope = Scope::new("000000000000", "us-east-1");
        let schema = Schema::new(&operations::tables());
        for (hours, expected) in [
            (1, &["30"][..]),
            (24, &["120", "30"]),
            (48, &["120", "1500", "30"]),
        ] {
            let store = Box::new(MemoryStore::default());
            let (state, _writer) = store::start(store, schema.clone()).unwrap();
            put(&state, clock::own_ctx(&scope)).await;
            stopped(&state, clock::own_ctx(&scope), &[30, 120, 1500]).await;
            let timing = Timing {
                stopped_task_visible: Duration::from_hours(hours),
                ..Timing::AWS
            };
            retention(&state, &scope, timing).activate().await.unwrap();
            let world = state.snapshot();
            let left = world
                .scan(&TASKS)
                .map(|task| task.started_by.clone().unwrap());
            let mut left: Vec<_> = left.collect();
            left.sort();
            assert_eq!(left, expected, "kept for {hours} h");
        }
    }

    async fn put(state: &StateHandle, ctx: Ctx) {
        let written = state.submit(ctx, |txn, ctx| {
            for (name, status, deleted_at) in [
                ("alive", ClusterStatus::Active, None),
                ("long-gone", ClusterStatus::Inactive, Some(Timestamp::EPOCH)),
                ("just-gone", ClusterStatus::Inactive, Some(clock::now())),
            ] {
                let cluster = ecs::cluster::new(ctx, name);
                txn.put(
                    &CLUSTERS,
                    ClusterRecord {
                        status,
                        deleted_at,
                        ..cluster
                    },
                );
            }
            let input = aws_api::ecs::RegisterTaskDefinitionRequest {
                family: Some("f".into()),
                container_definitions: Some(vec![aws_api::ecs::ContainerDefinition {
                    name: Some("c".into()),
                    image: Some("i".into()),
                    memory: Some(8),
                    ..Default::default()
                }]),
                ..Default::default()
            };
            for _ in 0..2 {
                ecs::ops::register_task_definition::register_task_definition(txn, ctx, &input)?;
            }
            let of = |name: &str| aws_api::ecs::DeregisterTaskDefinitionRequest {
                task_definition: Some(name.into()),
            };
            ecs::ops::deregister_task_definition::deregister_task_definition(txn, ctx, &of("f:1"))?;
            ecs::ops::delete_task_definitions::delete_task_definitions(
                txn,
                ctx,
                &aws_api::ecs::DeleteTaskDefinitionsRequest {
                    task_definitions: Some(vec!["f:1".into()]),
                },
            )?;
            Ok(())
        });
        written.await.unwrap();
    }

    #[tokio::test]
    async fn an_activation_removes_what_is_due_and_a_second_one_nothing() {
        let scope = Scope::new("000000000000", "us-east-1");
        let schema = Schema::new(&operations::tables());
        let (state, _writer) = store::start(Box::new(MemoryStore::default()), schema).unwrap();
        put(&state, clock::own_ctx(&scope)).await;
        let retention = retention(&state, &scope, Timing::AWS);
        for _ in 0..2 {
            retention.activate().await.unwrap();
            let world = state.snapshot();
            let clusters: Vec<_> = world.scan(&CLUSTERS).map(|c| c.name.clone()).collect();
            assert_eq!(clusters, ["alive", "just-gone"]);
            let revisions: Vec<_> = world.scan(&TASK_DEFINITIONS).map(|d| d.revision).collect();
            assert_eq!(revisions, [2]);
        }
    }
}
