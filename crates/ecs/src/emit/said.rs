//! An event as it is kept until somebody wants to see it.

use super::detail;
use crate::records::container_instance::InstanceKey;
use crate::records::service::{Deployment, ServiceKey};
use crate::records::task::TaskRecord;
use crate::service::action::Action;
use aws_api::ecs::ContainerInstance;
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
        key: InstanceKey,
        shown: Box<ContainerInstance>,
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
            Fact::Instance { key, shown } => (
                "ECS Container Instance State Change",
                &key.scope,
                key.arn(),
                detail::instance(key, shown, self.at),
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
