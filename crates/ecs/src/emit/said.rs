//! An event as it is kept until somebody wants to see it.

use super::detail;
use crate::instance::load::Load;
use crate::instance::shape;
use crate::records::container_instance::ContainerInstanceRecord;
use crate::records::service::{Deployment, ServiceKey};
use crate::records::task::TaskRecord;
use crate::service::action::Action;
use aws_types::{Scope, Timestamp};
use events::event::Event;
use events::history::Tell;
use serde_json::Value;
use std::sync::Arc;
use store::World;

/// A fact that ECS tells of.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    Task(Arc<TaskRecord>),
    Instance {
        record: Arc<ContainerInstanceRecord>,
        load: Box<Load>,
        version: u64,
    },
    Deployment {
        service: ServiceKey,
        deployment: Box<Deployment>,
    },
    Action {
        service: ServiceKey,
        action: Action,
    },
}

/// A fact with the event's id and moment.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub id: String,
    pub at: Timestamp,
    pub fact: Fact,
}

impl Tell for Said {
    fn event(&self, world: &World) -> Event {
        let (detail_type, scope, resource, detail): (_, &Scope, _, Value) = match &self.fact {
            Fact::Task(task) => (
                "ECS Task State Change",
                &task.key.scope,
                task.key.arn(),
                detail::task(world, task, self.at),
            ),
            Fact::Instance {
                record,
                load,
                version,
            } => (
                "ECS Container Instance State Change",
                &record.key.scope,
                record.key.arn(),
                detail::instance(
                    &record.key,
                    shape::with_load(record, load, *version, false),
                    self.at,
                ),
            ),
            Fact::Deployment {
                service,
                deployment,
            } => (
                "ECS Deployment State Change",
                &service.scope,
                service.arn(),
                detail::deployment(service, deployment),
            ),
            Fact::Action { service, action } => (
                "ECS Service Action",
                &service.scope,
                service.arn(),
                detail::action(service, action, self.at),
            ),
        };
        Event {
            id: self.id.clone(),
            scope: scope.clone(),
            source: "aws.ecs".into(),
            detail_type: detail_type.into(),
            time: self.at,
            resources: vec![resource],
            detail,
        }
    }
}
