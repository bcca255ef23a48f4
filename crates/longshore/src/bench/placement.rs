//! Placement decisions a second: alone, and committed through the store.
//!
//! The first is pure: the index and the choice, on one thread, each decision held at once and given
//! back when the cluster is full. The second is RunTask's own way, ten tasks a call from several
//! callers, into a store on disk that is durable before a caller is answered. Neither needs a
//! running Longshore: no task is started.

use super::report::{Report, Row};
use crate::cli::{PlacementBench, PlacementStrategy};
use anyhow::{Context, ensure};
use aws_api::ecs::{
    Attribute, ContainerDefinition, PlacementStrategy as Asked, RegisterContainerInstanceRequest,
    RegisterTaskDefinitionRequest, Resource, RunTaskRequest,
};
use aws_types::{Ctx, Timestamp};
use ecs::instance::{life, register};
use ecs::ops;
use ecs::place::choose::{Question, choose};
use ecs::place::index::{Cluster, Hold, Seat};
use ecs::place::problem::{Requirement, Standing};
use ecs::place::strategy::Criterion;
use ecs::place::tree::Amounts;
use ecs::place::visited;
use ecs::records::task::Reserved;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;
use store::{RedbStore, Schema, StateHandle};

/// A host of the middle size: 16 vCPUs, 64 GiB.
const HOST: Amounts = Amounts {
    cpu_units: 16_384,
    memory_mib: 65_536,
    gpus: 0,
    interfaces: u32::MAX,
};
/// Tasks come in these sizes, in turn.
const TASKS: [Amounts; 4] = [
    amounts(128, 256),
    amounts(256, 512),
    amounts(256, 1024),
    amounts(512, 1024),
];
/// Tasks are of this many groups, in turn.
const GROUPS: usize = 20;
const ZONE: &str = "ecs.availability-zone";
const ZONES: [&str; 3] = ["a", "b", "c"];
/// API reference, RunTask, `count`.
const TASKS_PER_CALL: usize = 10;
/// Callers at once of the committed ones.
const CALLERS: usize = 64;
/// Attributes that a host of AWS registers, about.
const CAPABILITIES: usize = 25;

const fn amounts(cpu_units: u32, memory_mib: u32) -> Amounts {
    Amounts {
        cpu_units,
        memory_mib,
        gpus: 0,
        interfaces: 0,
    }
}

/// Measures.
pub async fn run(what: &PlacementBench) -> anyhow::Result<Report> {
    ensure!(what.instances > 0 && what.tasks > 0, "nothing to place");
    let mut report = Report::new("placement");
    let pure = pure(what);
    let row = format!(
        "pure: {} instances, {}",
        what.instances,
        what.strategy.name()
    );
    report.push(
        Row::new(row)
            .with("per_second", pure.per_second)
            .with("per_cpu_second", pure.per_cpu_second)
            .with("visits_mean", pure.visits_mean)
            .with("visits_max", pure.visits_max as f64)
            .with("held_most", pure.held_most as f64),
    );
    if what.committed > 0 {
        let per_second = committed(what).await?;
        let row = format!("committed: {} instances", what.instances);
        report.push(
            Row::new(row)
                .with("per_second", per_second)
                .with("tasks", what.committed as f64),
        );
    }
    report.note("pure: one thread; a decision chooses an instance and holds what the task needs");
    report.note("visits: instances and parts of orders that one question looked at");
    report.note("committed: RunTask of ten tasks a call in the writer, durable before its answer");
    Ok(report)
}

fn strategy(what: PlacementStrategy) -> Vec<Criterion> {
    match what {
        PlacementStrategy::Binpack => vec![Criterion::BinpackMemory],
        PlacementStrategy::Spread => vec![
            Criterion::SpreadAttribute(ZONE.into()),
            Criterion::SpreadInstance,
        ],
    }
}

fn capability(at: usize) -> String {
    format!("com.amazonaws.ecs.capability.number-{at}")
}

fn seat(at: usize) -> Seat {
    let capabilities = (0..CAPABILITIES).map(|at| (capability(at), None));
    let zone = (ZONE.to_owned(), Some(ZONES[at % ZONES.len()].to_owned()));
    Seat {
        standing: Standing::Ready,
        attributes: capabilities.chain([zone]).collect(),
        size: HOST,
        gpus: Vec::new(),
        tcp: vec![22, 2375, 2376, 51678, 51679],
        udp: Vec::new(),
    }
}

/// What was found without a store.
#[derive(Default)]
struct Pure {
    per_second: f64,
    /// For each second of processor time that the thread had: on a busy machine the truer figure.
    per_cpu_second: f64,
    visits_mean: f64,
    visits_max: u64,
    /// Tasks that were held at once.
    held_most: usize,
}

fn cpu_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

fn cluster(instances: usize) -> Cluster {
    let mut cluster = Cluster::default();
    for at in 0..instances {
        cluster.seat(&format!("{at:032x}"), Some(seat(at)));
    }
    cluster
}

fn requirement(size: Amounts) -> Requirement {
    Requirement {
        reserved: Reserved {
            cpu_units: size.cpu_units,
            memory_mib: size.memory_mib,
            ..Reserved::default()
        },
        attributes: (0..3).map(|at| (capability(at), None)).collect(),
        ..Requirement::default()
    }
}

fn pure(what: &PlacementBench) -> Pure {
    let mut cluster = cluster(what.instances);
    let requirements = TASKS.map(requirement);
    let groups: Vec<String> = (0..GROUPS).map(|at| format!("service:s{at}")).collect();
    let strategy = strategy(what.strategy);
    let (mut held, mut found) = (VecDeque::new(), Pure::default());
    let (mut questions, mut visits) = (0_u64, 0);
    let (began, began_cpu) = (Instant::now(), cpu_seconds());
    for at in 0..what.tasks {
        let (kind, group) = (at % TASKS.len(), &groups[at / TASKS.len() % GROUPS]);
        let question = Question {
            requirement: &requirements[kind],
            group,
            constraints: &[],
            strategy: &strategy,
            seed: at as u64,
        };
        let placement = loop {
            let (placement, visited) = visited(|| choose(&cluster, &question, &|_, _| true));
            (questions, visits) = (questions + 1, visits + visited);
            found.visits_max = found.visits_max.max(visited);
            if let Some(placement) = placement {
                break placement;
            }
            // Full: the oldest go, as tasks that have ended.
            let Some((instance, hold)) = held.pop_front() else {
                return found;
            };
            let instance: String = instance;
            cluster.release(&instance, &hold);
        };
        let hold = Hold {
            group: group.as_str().into(),
            is_active: true,
            is_unconfirmed: false,
            size: TASKS[kind],
            gpus: Vec::new(),
            tcp: Vec::new(),
            udp: Vec::new(),
        };
        cluster.take(&placement.instance.0, &hold);
        held.push_back((placement.instance.0, hold));
        found.held_most = found.held_most.max(held.len());
    }
    found.per_second = what.tasks as f64 / began.elapsed().as_secs_f64();
    found.per_cpu_second = what.tasks as f64 / (cpu_seconds() - began_cpu);
    found.visits_mean = visits as f64 / questions as f64;
    found
}

/// Tasks a second that RunTask placed, each durable.
async fn committed(what: &PlacementBench) -> anyhow::Result<f64> {
    let dir = TemporaryDir::make()?;
    let store = RedbStore::open(&dir.0.join("state.redb"))?;
    let (state, writer) = store::start(Box::new(store), Schema::new(&ecs::records::tables()))?;
    prepare(&state, what.instances).await?;
    let asked = match what.strategy {
        PlacementStrategy::Binpack => vec![asked("binpack", "memory")],
        PlacementStrategy::Spread => {
            vec![
                asked("spread", "attribute:ecs.availability-zone"),
                asked("spread", "instanceId"),
            ]
        }
    };
    let calls = what.committed.div_ceil(TASKS_PER_CALL);
    let began = Instant::now();
    let mut callers = Vec::new();
    for caller in 0..CALLERS {
        let (state, asked) = (state.clone(), asked.clone());
        callers.push(tokio::spawn(async move {
            for call in (caller..calls).step_by(CALLERS) {
                place_ten(&state, call, &asked).await?;
            }
            anyhow::Ok(())
        }));
    }
    for caller in callers {
        caller.await??;
    }
    let seconds = began.elapsed().as_secs_f64();
    drop(state);
    drop(writer);
    Ok((calls * TASKS_PER_CALL) as f64 / seconds)
}

/// A directory that goes when it is dropped.
struct TemporaryDir(PathBuf);

impl TemporaryDir {
    fn make() -> anyhow::Result<Self> {
        let name = format!("longshore-bench-{}-placement", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}

fn asked(kind: &str, field: &str) -> Asked {
    Asked {
        r#type: Some(kind.into()),
        field: Some(field.into()),
    }
}

async fn place_ten(state: &StateHandle, call: usize, asked: &[Asked]) -> anyhow::Result<()> {
    let input = RunTaskRequest {
        task_definition: Some(TASK_DEFINITION.into()),
        count: i32::try_from(TASKS_PER_CALL).ok(),
        group: Some(format!("g{}", call % GROUPS)),
        placement_strategy: Some(asked.to_vec()),
        ..RunTaskRequest::default()
    };
    let answer = state
        .submit(ctx(1 + call as u64), move |txn, ctx| {
            ops::run_task::run_task(txn, ctx, &input)
        })
        .await?;
    let placed = answer.tasks.map_or(0, |tasks| tasks.len());
    ensure!(
        placed == TASKS_PER_CALL,
        "{placed} of {TASKS_PER_CALL} tasks found room"
    );
    Ok(())
}

fn ctx(seed: u64) -> Ctx {
    Ctx::for_tests(seed, Timestamp::from_millis(1_700_000_000_000))
}

/// A definition, and as many connected hosts.
async fn prepare(state: &StateHandle, instances: usize) -> anyhow::Result<()> {
    let definition = definition();
    let mut known = Vec::new();
    let required = state
        .submit(ctx(0), move |txn, ctx| {
            ops::register_task_definition::register_task_definition(txn, ctx, &definition)
        })
        .await?;
    let required = required.task_definition.and_then(|d| d.requires_attributes);
    known.extend(required.unwrap_or_default());
    const HOSTS_PER_COMMIT: usize = 50;
    for first in (0..instances).step_by(HOSTS_PER_COMMIT) {
        let registrations: Vec<_> = (first..instances.min(first + HOSTS_PER_COMMIT))
            .map(|at| registration(at, &known))
            .collect();
        state
            .submit(ctx(u64::MAX - first as u64), move |txn, ctx| {
                ecs::cluster::require_or_default(txn, ctx, None)?;
                for input in &registrations {
                    let key = register::register(txn, ctx, "default", input)?;
                    life::connected(txn, &key, &life::SessionVersions::default());
                }
                Ok(())
            })
            .await?;
    }
    Ok(())
}

/// Family of the tasks.
pub(super) const TASK_DEFINITION: &str = "small";

/// A definition of small tasks.
pub(super) fn definition() -> RegisterTaskDefinitionRequest {
    RegisterTaskDefinitionRequest {
        family: Some(TASK_DEFINITION.into()),
        container_definitions: Some(vec![ContainerDefinition {
            name: Some("app".into()),
            image: Some("longshore/hello".into()),
            cpu: Some(16),
            memory: Some(32),
            ..ContainerDefinition::default()
        }]),
        ..RegisterTaskDefinitionRequest::default()
    }
}

/// A host of the middle size in some zone.
pub(super) fn registration(at: usize, known: &[Attribute]) -> RegisterContainerInstanceRequest {
    let number = |name: &str, value: u32| Resource {
        name: Some(name.into()),
        integer_value: i32::try_from(value).ok(),
        r#type: Some("INTEGER".into()),
        ..Resource::default()
    };
    let zone = Attribute {
        name: Some(ZONE.into()),
        value: Some(ZONES[at % ZONES.len()].into()),
        ..Attribute::default()
    };
    RegisterContainerInstanceRequest {
        total_resources: Some(vec![
            number("CPU", HOST.cpu_units),
            number("MEMORY", HOST.memory_mib),
        ]),
        attributes: Some(known.iter().cloned().chain([zone]).collect()),
        ..RegisterContainerInstanceRequest::default()
    }
}
