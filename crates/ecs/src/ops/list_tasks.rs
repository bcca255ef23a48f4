//! ListTasks: the ARNs of a cluster's tasks, filtered, by page.
//!
//! Rule: API reference, ListTasks.

use crate::cluster;
use crate::page::Request;
use crate::records::container_instance::{InstanceId, InstanceKey};
use crate::records::service::SERVICES;
use crate::records::task::{TaskKey, TaskRecord};
use crate::records::task_table::{
    BY_DESIRED, BY_FAMILY, BY_INSTANCE, BY_SERVICE, BY_STARTED_BY, TASKS, freed_of, held_by,
    listed_parts, named_parts,
};
use crate::rules::invalid_parameter;
use crate::service;
use crate::task::reference;
use crate::task::status::DesiredStatus;
use aws_api::ecs::errors::SERVICE_NOT_FOUND_EXCEPTION;
use aws_api::ecs::{ListTasksRequest, ListTasksResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::sync::Arc;
use store::{Key, TableKey, World};

/// API reference, ListTasks, `maxResults`: the default and the most.
const PAGE_LEN: usize = 100;

/// What the caller needs.
#[must_use]
pub fn authorisation(input: &ListTasksRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let arn = crate::records::cluster::cluster_arn(&ctx.scope, &cluster);
    vec![Ask::new("ecs:ListTasks", arn)]
}

/// Lists tasks.
///
/// # Errors
/// `ClusterNotFoundException`, `ServiceNotFoundException`, `InvalidParameterException`.
pub fn list_tasks(
    world: &World,
    ctx: &mut Ctx,
    input: &ListTasksRequest,
) -> Result<ListTasksResponse, AwsError> {
    let cluster = cluster::require(world, &ctx.scope, input.cluster.as_deref())?;
    let filter = Filter::read(world, ctx, &cluster.name, input)?;
    let request = Request::read(
        &filter
            .listing(ctx, &cluster.name)
            .each_ref()
            .map(String::as_str),
        input.next_token.as_deref(),
        input.max_results,
        PAGE_LEN,
        PAGE_LEN,
    )?;
    let found = filter.find(world, ctx, &cluster.name, request.after.as_ref());
    let page = request.page(found.map(|task| (task.key.encode(), task.key.arn())));
    Ok(ListTasksResponse {
        task_arns: Some(page.items),
        next_token: page.next_token,
    })
}

/// What a listing shows.
struct Filter<'a> {
    desired: DesiredStatus,
    family: Option<&'a str>,
    started_by: Option<&'a str>,
    /// The group of the service's tasks.
    service: Option<String>,
    instance: Option<InstanceId>,
    launch_type: Option<&'a str>,
    /// Whether the filters contradict what exists: no task has another launch type.
    nothing: bool,
}

impl<'a> Filter<'a> {
    fn read(
        world: &World,
        ctx: &Ctx,
        cluster: &str,
        input: &'a ListTasksRequest,
    ) -> Result<Self, AwsError> {
        let others = [
            &input.family,
            &input.service_name,
            &input.container_instance,
            &input.daemon_name,
            &input.launch_type,
        ];
        if input.started_by.is_some() && others.iter().any(|other| other.is_some()) {
            return Err(invalid_parameter(
                "cannot specify startedBy with any other filter than desiredStatus.",
            ));
        }
        if input.daemon_name.is_some() {
            return Err(SERVICE_NOT_FOUND_EXCEPTION.with("Service not found."));
        }
        let service = match input.service_name.as_deref() {
            None => None,
            Some(name) => Some(group(world, ctx, cluster, name)?),
        };
        let desired = match input.desired_status.as_deref() {
            None | Some("RUNNING") => DesiredStatus::Running,
            Some("STOPPED") => DesiredStatus::Stopped,
            // Accepted by AWS, and no task ever has it.
            Some("PENDING") => DesiredStatus::Running,
            Some(_) => {
                return Err(invalid_parameter(
                    "desiredStatus should be one of [RUNNING,PENDING,STOPPED]",
                ));
            }
        };
        let launch_type = input.launch_type.as_deref();
        if launch_type
            .is_some_and(|t| !matches!(t, "EC2" | "FARGATE" | "EXTERNAL" | "MANAGED_INSTANCES"))
        {
            return Err(invalid_parameter(
                "launchType should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]",
            ));
        }
        let instance = input.container_instance.as_deref();
        let named = instance.map(|text| reference::instance(&ctx.scope, cluster, text));
        Ok(Self {
            desired,
            family: input.family.as_deref(),
            started_by: input.started_by.as_deref(),
            service,
            nothing: input.desired_status.as_deref() == Some("PENDING")
                || launch_type.is_some_and(|t| !matches!(t, "EC2" | "FARGATE"))
                || named == Some(None),
            instance: named.flatten().map(|key| key.id),
            launch_type,
        })
    }

    /// What makes this listing another than others, for its tokens.
    fn listing(&self, ctx: &Ctx, cluster: &str) -> [String; 10] {
        [
            "ListTasks".into(),
            ctx.scope.account.clone(),
            ctx.scope.region.clone(),
            cluster.into(),
            self.desired.name().into(),
            format!("{:?}", self.family),
            format!("{:?}", self.started_by),
            format!("{:?}", self.instance),
            format!("{:?}", self.service),
            format!("{:?}", self.launch_type),
        ]
    }

    /// The tasks it shows after a key, in order of id, from the index that holds the fewest others.
    /// Lazily: a page visits little more than it shows.
    fn find<'w>(
        &'w self,
        world: &'w World,
        ctx: &Ctx,
        cluster: &str,
        after: Option<&Key>,
    ) -> Box<dyn Iterator<Item = &'w Arc<TaskRecord>> + 'w> {
        if self.nothing {
            return Box::new(std::iter::empty());
        }
        let of_cluster = TaskKey::new(&ctx.scope, cluster, "");
        let listed = |name: &str| listed_parts(&of_cluster, name, self.desired);
        let service = self.service.as_deref();
        let (index, key) = match (&self.instance, self.started_by, service, self.family) {
            (Some(id), _, _, _) => {
                let key = InstanceKey::new(&ctx.scope, cluster, &id.0);
                let held = world.find_after(&TASKS, &BY_INSTANCE, &held_by(&key), after);
                let freed = world.find_after(&TASKS, &BY_INSTANCE, &freed_of(&key), after);
                return Box::new(by_id(held, freed).filter(|task| self.shows(task)));
            }
            (None, Some(by), _, _) => (&BY_STARTED_BY, listed(by)),
            (None, None, Some(group), _) => (&BY_SERVICE, listed(group)),
            (None, None, None, Some(family)) => (&BY_FAMILY, listed(family)),
            (None, None, None, None) => {
                let desired = named_parts(&ctx.scope, cluster, self.desired.name());
                (&BY_DESIRED, desired)
            }
        };
        let found = world.find_after(&TASKS, index, &key, after);
        Box::new(found.filter(|task| self.shows(task)))
    }

    fn shows(&self, task: &TaskRecord) -> bool {
        task.desired == self.desired
            && self.launch_type.is_none_or(|of| task.launch_type() == of)
            && self.family.is_none_or(|family| task.family == family)
            && self
                .started_by
                .is_none_or(|by| task.started_by.as_deref() == Some(by))
            && self
                .service
                .as_ref()
                .is_none_or(|group| task.service.is_some() && task.group == *group)
            && self
                .instance
                .as_ref()
                .is_none_or(|instance| task.instance == *instance)
    }
}

/// The group of the tasks of a service that exists, INACTIVE or not.
fn group(world: &World, ctx: &Ctx, cluster: &str, name: &str) -> Result<String, AwsError> {
    service::reference::service(&ctx.scope, cluster, name)
        .filter(|key| world.get(&SERVICES, key).is_some())
        .map(|key| key.group())
        .ok_or_else(|| SERVICE_NOT_FOUND_EXCEPTION.with("Service not found."))
}

/// Two listings, each in order of id, as one.
fn by_id<'w>(
    a: impl Iterator<Item = &'w Arc<TaskRecord>>,
    b: impl Iterator<Item = &'w Arc<TaskRecord>>,
) -> impl Iterator<Item = &'w Arc<TaskRecord>> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(first), Some(second)) if first.key.id > second.key.id => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    })
}
