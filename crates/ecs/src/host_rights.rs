//! What a host's agent may do: act for its own container instances and its own tasks, and write
//! the logs that its own tasks' definitions name. Nothing else. And what it may by a task's execution role: write
//! that task's logs.
//!
//! A task or instance that does not exist belongs to nobody: reports about it are accepted and
//! change nothing, since an agent repeats a refused report for ever.
//! Rule: design, "Every request is authenticated and authorised".

use crate::connect;
use crate::fargate;
use crate::instance::load;
use crate::records::container_instance::{
    BY_HOST, CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceKey, host_parts,
};
use crate::records::task::{TASKS, TaskKey, TaskRecord};
use crate::records::task_definition::{TASK_DEFINITIONS, TaskDefinitionKey};
use crate::records::task_table::{BY_INSTANCE, FARGATE_BY_ID, fargate_parts};
use crate::task::log_streams::{self, LogTarget};
use crate::task::reference;
use aws_types::{Arn, Scope};
use iam::{Ask, Holder};
use std::sync::Arc;
use store::{TableKey, World};

/// Hexadecimal digits of a container's runtime id, which names its stream where no prefix is given.
const RUNTIME_ID_LEN: usize = 64;

/// Whether the agent of a host, or who has a task's execution role, may do this.
#[must_use]
pub fn host_rights(world: &World, holder: Holder<'_>, ask: &Ask) -> bool {
    match holder {
        Holder::Host(host) => of_host(world, host, ask),
        Holder::Task(arn) => of_execution_role(world, arn, ask),
    }
}

fn of_execution_role(world: &World, task_arn: &str, ask: &Ask) -> bool {
    let Some(task) = task_of(world, task_arn) else {
        return false;
    };
    let place = ask.resource.parse::<Arn>().ok();
    let place = place.and_then(|arn| Some(arn.resource.strip_prefix("log-group:")?.to_owned()));
    let Some((group, stream)) = place.as_deref().map(place_of) else {
        return false;
    };
    targets(world, task).iter().any(|target| {
        let is_stream = match &target.stream {
            Some(named) => stream == named,
            None => is_runtime_id(stream),
        };
        target.group == group && (stream.is_empty() || is_stream)
    })
}

fn task_of<'w>(world: &'w World, task_arn: &str) -> Option<&'w Arc<TaskRecord>> {
    let arn: Arn = task_arn.parse().ok()?;
    let scope = Scope {
        partition: arn.partition,
        account: arn.account,
        region: arn.region,
    };
    world.get(&TASKS, &reference::task_arn(&scope, task_arn)?)
}

/// Group and stream of what follows `log-group:`; no stream where all or none are meant.
fn place_of(place: &str) -> (&str, &str) {
    match place.split_once(":log-stream:") {
        Some((group, "*")) => (group, ""),
        Some((group, stream)) => (group, stream),
        None => (place.trim_end_matches(":*"), ""),
    }
}

fn of_host(world: &World, host: &str, ask: &Ask) -> bool {
    let action = ask.action.as_str();
    // Which instance it may register again is told by the host's name, in the operation.
    if matches!(
        action,
        "ecs:RegisterContainerInstance" | "ecs:SubmitAttachmentStateChanges"
    ) {
        return true;
    }
    let Ok(arn) = ask.resource.parse::<Arn>() else {
        return false;
    };
    let scope = Scope {
        partition: arn.partition.clone(),
        account: arn.account.clone(),
        region: arn.region.clone(),
    };
    let of_host = Host {
        world,
        scope: &scope,
        name: host,
    };
    match action {
        "ecs:DiscoverPollEndpoint" | "ecs:Poll" | "ecs:StartTelemetrySession" => {
            of_host.owns_instance(&ask.resource)
        }
        "ecs:ListTagsForResource" => {
            of_host.owns_instance(&ask.resource) || of_host.owns_task(&ask.resource)
        }
        "ecs:SubmitTaskStateChange" | "ecs:SubmitContainerStateChange" => {
            of_host.owns_task_or_nobody_does(&ask.resource)
        }
        "logs:CreateLogGroup" | "logs:CreateLogStream" | "logs:PutLogEvents" => {
            let place = arn.resource.strip_prefix("log-group:");
            place.is_some_and(|place| of_host.logs_to(place))
        }
        _ => false,
    }
}

struct Host<'a> {
    world: &'a World,
    scope: &'a Scope,
    name: &'a str,
}

impl Host<'_> {
    fn owns_instance(&self, arn: &str) -> bool {
        let key = reference::instance_arn(self.scope, arn);
        let record = key.and_then(|key| self.world.get(&CONTAINER_INSTANCES, &key));
        record.is_some_and(|record| record.host == self.name)
    }

    fn owns_task(&self, arn: &str) -> bool {
        let record = reference::task_arn(self.scope, arn);
        let record = record.and_then(|key| self.world.get(&TASKS, &key));
        record.is_some_and(|record| self.runs(record))
    }

    fn owns_task_or_nobody_does(&self, arn: &str) -> bool {
        let record = reference::task_arn(self.scope, arn);
        let record = record.and_then(|key| self.world.get(&TASKS, &key));
        record.is_none_or(|record| self.runs(record))
    }

    fn runs(&self, task: &TaskRecord) -> bool {
        let instance = self.world.get(&CONTAINER_INSTANCES, &task.instance_key());
        instance.is_some_and(|instance| instance.host == self.name)
    }

    fn instances(&self) -> Vec<&Arc<ContainerInstanceRecord>> {
        let key = host_parts(self.scope, self.name);
        self.world
            .find(&CONTAINER_INSTANCES, &BY_HOST, &key)
            .collect()
    }

    /// `place`: what follows `log-group:`, a group with or without a stream.
    fn logs_to(&self, place: &str) -> bool {
        match place_of(place) {
            (group, "") => self.some_task_logs_to(group),
            (group, stream) => self.some_task_logs_to_stream(group, stream),
        }
    }

    /// Only tasks that the host holds count: it makes groups and streams before anything runs.
    fn some_task_logs_to(&self, group: &str) -> bool {
        let instances = self.instances().into_iter();
        let mut held = instances.flat_map(|instance| load::held(self.world, &instance.key));
        held.any(|task| {
            self.targets(task)
                .iter()
                .any(|target| target.group == group)
        })
    }

    fn some_task_logs_to_stream(&self, group: &str, stream: &str) -> bool {
        let task_id = stream.rsplit('/').next().unwrap_or_default();
        let by_name = self.instances().into_iter().any(|instance| {
            self.named(instance, task_id).is_some_and(|task| {
                let targets = self.targets(task);
                let named = |t: &LogTarget| t.group == group && t.stream.as_deref() == Some(stream);
                task.instance == instance.key.id && targets.iter().any(named)
            })
        });
        by_name || (is_runtime_id(stream) && self.some_container_logs_as(group, stream))
    }

    /// The task of this id that the instance may have; of launch type FARGATE it is of any cluster.
    fn named(&self, instance: &ContainerInstanceRecord, task_id: &str) -> Option<&Arc<TaskRecord>> {
        if instance.key.cluster == fargate::CLUSTER {
            let parts = fargate_parts(self.scope, task_id);
            return self.world.find(&TASKS, &FARGATE_BY_ID, &parts).next();
        }
        let key = TaskKey::new(self.scope, &instance.key.cluster, task_id);
        self.world.get(&TASKS, &key)
    }

    /// A stream named after a container: before its task's first report no container is known by
    /// that id, so any held task that logs to the group without a prefix will do.
    fn some_container_logs_as(&self, group: &str, stream: &str) -> bool {
        let unnamed = |task: &TaskRecord| {
            let targets = self.targets(task);
            targets
                .iter()
                .any(|t| t.group == group && t.stream.is_none())
        };
        let known = |task: &TaskRecord| {
            task.containers
                .iter()
                .any(|c| c.runtime_id.as_deref() == Some(stream))
        };
        self.instances().into_iter().any(|instance| {
            let key: &InstanceKey = &instance.key;
            let index_key = key.encode();
            let mut all = self.world.find(&TASKS, &BY_INSTANCE, &index_key);
            load::held(self.world, key).any(|task| unnamed(task))
                || all.any(|task| known(task) && unnamed(task))
        })
    }

    fn targets(&self, task: &TaskRecord) -> Vec<LogTarget> {
        targets(self.world, task)
    }
}

/// Where a task logs to.
fn targets(world: &World, task: &TaskRecord) -> Vec<LogTarget> {
    let key = TaskDefinitionKey::new(&task.key.scope, &task.family, task.revision);
    let Some(record) = world.get(&TASK_DEFINITIONS, &key) else {
        return Vec::new();
    };
    let containers = record.definition.container_definitions.iter().flatten();
    containers
        .filter_map(|container| log_streams::target(container, &task.key.id.0))
        .chain(connect::task::log_target(world, task))
        .collect()
}

fn is_runtime_id(text: &str) -> bool {
    text.len() == RUNTIME_ID_LEN && text.bytes().all(|b| b.is_ascii_hexdigit())
}
