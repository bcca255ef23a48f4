//! Lost hosts and deregistered instances: what follows for their tasks, step by step.
//!
//! Rule: design, "A lost host"; API reference, DeregisterContainerInstance.

use super::{Controller, Controllers};
use crate::clock;
use aws_types::{AwsError, Timestamp};
use ecs::instance::life::{self, Step, TASKS_PER_STEP_MAX};
use ecs::instance::load;
use ecs::records::container_instance::{
    CONTAINER_INSTANCES, Connection, InstanceKey, InstanceStatus,
};

pub struct Hosts(pub Controllers);

#[async_trait::async_trait]
impl Controller for Hosts {
    fn name(&self) -> &'static str {
        "hosts"
    }

    fn wakes_on(&self) -> &'static [&'static str] {
        &["ecs.container_instances"]
    }

    async fn activate(&self) -> Result<Option<Timestamp>, AwsError> {
        let world = self.0.state.snapshot();
        let now = clock::now();
        let mut wake_at: Option<Timestamp> = None;
        for instance in world.scan(&CONTAINER_INSTANCES) {
            if instance.status == InstanceStatus::Inactive {
                if load::held(&world, &instance.key).next().is_some() {
                    self.orphan(&instance.key).await?;
                }
                continue;
            }
            match instance.connection {
                Connection::Connected => {}
                Connection::Away(since) => {
                    let due = since.plus(self.0.host_lost_after);
                    if due <= now {
                        self.lose(&instance.key).await?;
                    } else {
                        wake_at = Some(wake_at.map_or(due, |earlier| earlier.min(due)));
                    }
                }
                // A server that was killed between two steps did not finish with its tasks.
                Connection::Lost(_) if load::is_busy(&world, &instance.key) => {
                    self.lose(&instance.key).await?;
                }
                Connection::Lost(_) => {}
            }
        }
        Ok(wake_at)
    }
}

impl Hosts {
    async fn lose(&self, key: &InstanceKey) -> Result<(), AwsError> {
        loop {
            let key = key.clone();
            let step = self.0.step(self.name(), move |txn, ctx| {
                Ok(life::lost(txn, ctx, &key, TASKS_PER_STEP_MAX))
            });
            if step.await? == Step::Done {
                return Ok(());
            }
        }
    }

    async fn orphan(&self, key: &InstanceKey) -> Result<(), AwsError> {
        loop {
            let key = key.clone();
            let step = self.0.step(self.name(), move |txn, ctx| {
                Ok(life::orphan(txn, ctx, &key, TASKS_PER_STEP_MAX))
            });
            if step.await? == Step::Done {
                return Ok(());
            }
        }
    }
}
