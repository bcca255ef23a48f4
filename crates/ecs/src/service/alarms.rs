//! CloudWatch alarms that end a deployment: which are watched, and what they say now.
//!
//! They count from the first task of the deployment that is RUNNING until the bake time is over. An
//! alarm that is in ALARM when a deployment begins says nothing of it: none is watched then. A name
//! that no alarm has is taken, since users make alarms after services; it never rings.
//!
//! The bake time is computed from the alarms, so that each has had the time to ring: AWS does not say
//! how; here it is the longest that one of them looks back (period times evaluation periods).
//!
//! Rule: developer guide, "How CloudWatch alarms detect Amazon ECS deployment failures"; semantics 6.5.

use crate::records::deployment_alarms::AlarmWatch;
use crate::records::service::ServiceRecord;
use crate::records::service_deployment::{Monitor, ServiceDeploymentRecord};
use aws_api::ecs::DeploymentConfiguration;
use aws_types::Scope;
use std::time::Duration;
use store::World;
use telemetry::alarms::records::State;
use telemetry::alarms::watched;

/// What the watched alarms say now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Those in ALARM.
    pub ringing: Vec<String>,
    /// How long a deployment that is complete is watched further.
    pub bake: Duration,
}

/// What a deployment that begins now is to watch.
#[must_use]
pub fn begin(world: &World, service: &ServiceRecord) -> AlarmWatch {
    let given = service.configuration.alarms.as_ref();
    let Some(given) = given.filter(|given| given.enable.unwrap_or(false)) else {
        return AlarmWatch::default();
    };
    let names = given.alarm_names.clone().unwrap_or_default();
    let status = match ringing(world, &service.key.scope, &names).is_empty() {
        true => Monitor::Monitoring,
        false => Monitor::Disabled,
    };
    AlarmWatch {
        status,
        names,
        triggered: Vec::new(),
    }
}

/// What the alarms of a service deployment say; `None` where none is watched.
#[must_use]
pub fn watch(world: &World, deployment: &ServiceDeploymentRecord) -> Option<Watch> {
    let AlarmWatch { status, names, .. } = &deployment.alarms;
    if *status != Monitor::Monitoring {
        return None;
    }
    let scope = &deployment.key.service.scope;
    let looks_back = names.iter().filter_map(|name| {
        let seconds = watched::looks_back_seconds(world, scope, name)?;
        Some(Duration::from_secs(seconds))
    });
    Some(Watch {
        ringing: ringing(world, scope, names),
        bake: looks_back.max().unwrap_or_default(),
    })
}

/// Whether a deployment that they ended is rolled back.
#[must_use]
pub fn roll_back(configuration: &DeploymentConfiguration) -> bool {
    let given = configuration.alarms.as_ref();
    given.is_some_and(|given| given.rollback.unwrap_or(false))
}

fn ringing(world: &World, scope: &Scope, names: &[String]) -> Vec<String> {
    let rings = |name: &&String| watched::state(world, scope, name) == Some(State::Alarm);
    names.iter().filter(rings).cloned().collect()
}
