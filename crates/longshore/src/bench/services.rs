//! The service scheduler: a tick with nothing to do, one change among ever more services on the same
//! hosts, and how soon many services are whole again when one host in ten fails at once.
//!
//! Pure: the World in memory, the real operations and the real plan and steps, one thread. No host
//! does anything: a task that was placed is RUNNING a second later.

use super::placement::{TASK_DEFINITION, definition, registration};
use super::report::{Report, Row};
use super::sample::Sample;
use crate::cli::ServicesBench;
use anyhow::{Context, ensure};
use aws_api::ecs::{CreateServiceRequest, SubmitTaskStateChangeRequest};
use aws_types::{AwsError, Ctx, Timestamp};
use ecs::instance::{life, load, register};
use ecs::ops;
use ecs::records::service::{SERVICES, ServiceKey};
use ecs::records::task_table::{BY_SERVICE, LIVE, service_parts};
use ecs::records::{InstanceKey, TASKS, TaskKey, TaskRecord};
use ecs::service::apply;
use ecs::service::concerned::concerned;
use ecs::service::waits::Waits;
use ecs::task::status::{DesiredStatus, TaskStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Change, Schema, Txn, World, visited};

/// Tasks of one host, about.
const TASKS_PER_HOST: usize = 100;
/// One host in so many fails.
const FAILING: usize = 10;
/// How long a host takes to start a task, in virtual time.
const STARTS_IN: Duration = Duration::from_secs(1);
/// Tasks of a lost host that one transaction stops, as in the controller.
const LOST_PER_STEP: usize = 32;
/// A convergence that takes more rounds of the loop does not converge.
const ROUNDS_MAX: usize = 100;

/// Measures.
pub fn run(what: &ServicesBench) -> anyhow::Result<Report> {
    ensure!(what.services > 0 && what.tasks > 0, "no service");
    let mut report = Report::new("services");
    let mut sizes: Vec<usize> = [10, 100]
        .into_iter()
        .filter(|n| *n < what.services)
        .collect();
    sizes.push(what.services);
    let hosts = hosts_for(what.services, what.tasks);
    for services in sizes {
        let mut fleet = Fleet::steady(services, what.tasks, hosts)?;
        if services == what.services {
            report.push(fleet.quiet_tick(what.samples));
        }
        report.push(fleet.one_change(what.samples, ANOTHER)?);
        if services == what.services {
            report.push(fleet.one_change(what.samples, SAME)?);
        }
    }
    if what.converge > 0 {
        let hosts = hosts_for(what.converge, what.tasks);
        let mut fleet = Fleet::steady(what.converge, what.tasks, hosts)?;
        report.push(fleet.lose_hosts()?);
    }
    report.note("quiet tick: every service observed and planned, nothing found to be done");
    report.note("one change of the same: what it costs where the caches remember the service");
    report.note("rows_max: rows of the store that one change looked at, at most");
    report.note(
        "one change: a task's end recorded, whom it concerns, and that service's plan and step",
    );
    report.note(
        "hosts lost: real and virtual seconds from the loss until every service is steady again",
    );
    Ok(report)
}

/// As many hosts as so many services need.
fn hosts_for(services: usize, tasks: usize) -> usize {
    (services * tasks).div_ceil(TASKS_PER_HOST).max(FAILING)
}

/// Changes go from one service to another that the processor's caches have forgotten.
const ANOTHER: usize = 7;
/// All changes are of one service.
const SAME: usize = 0;

/// Services, hosts and the moment.
struct Fleet {
    world: World,
    /// Rows that the last transaction wrote.
    changes: Vec<Change>,
    ctx: Ctx,
    hosts: Vec<InstanceKey>,
    services: Vec<ServiceKey>,
}

impl Fleet {
    /// So many services of so many tasks each, all of them steady.
    fn steady(services: usize, tasks: usize, hosts: usize) -> anyhow::Result<Self> {
        let mut fleet = Self {
            world: World::empty(&Schema::new(&ecs::records::tables())),
            changes: Vec::new(),
            ctx: Ctx::for_tests(1, Timestamp::from_millis(1_700_000_000_000)),
            hosts: Vec::new(),
            services: Vec::new(),
        };
        let definition = definition();
        let known = fleet.write(|txn, ctx| {
            ecs::cluster::require_or_default(txn, ctx, None)?;
            ops::register_task_definition::register_task_definition(txn, ctx, &definition)
        })?;
        let known = known.task_definition.and_then(|d| d.requires_attributes);
        let known = known.unwrap_or_default();
        for at in 0..hosts {
            let input = registration(at, &known);
            let key = fleet.write(|txn, ctx| {
                let key = register::register(txn, ctx, "default", &input)?;
                life::connected(txn, &key, &life::SessionVersions::default());
                Ok(key)
            })?;
            fleet.hosts.push(key);
        }
        for at in 0..services {
            let name = format!("service-{at}");
            let input = CreateServiceRequest {
                service_name: Some(name.clone()),
                task_definition: Some(TASK_DEFINITION.into()),
                desired_count: i32::try_from(tasks).ok(),
                ..CreateServiceRequest::default()
            };
            fleet.write(|txn, ctx| ops::create_service::create_service(txn, ctx, &input))?;
            let key = ServiceKey::new(&fleet.ctx.scope, "default", &name);
            fleet.services.push(key);
        }
        fleet.converge()?;
        Ok(fleet)
    }

    fn write<T>(
        &mut self,
        run: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError>,
    ) -> anyhow::Result<T> {
        let mut txn = Txn::new(self.world.clone());
        let answer = run(&mut txn, &mut self.ctx).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let (world, changes) = txn.finish();
        self.world = world;
        self.changes = changes;
        Ok(answer)
    }

    /// Lets the scheduler and the hosts work until every service is steady.
    fn converge(&mut self) -> anyhow::Result<()> {
        for _ in 0..ROUNDS_MAX {
            let unsteady = self.turn()?;
            if unsteady == 0 {
                return Ok(());
            }
            let started = self.start_placed()?;
            let wait = match started {
                0 => Waits::AWS.healthy_after,
                _ => STARTS_IN,
            };
            self.ctx.now = self.ctx.now.plus(wait);
        }
        anyhow::bail!("the services do not become steady")
    }

    /// One look at every service; how many are not steady after it.
    fn turn(&mut self) -> anyhow::Result<usize> {
        let mut unsteady = 0;
        for key in self.services.clone() {
            self.settle(&key)?;
            let record = self.world.get(&SERVICES, &key);
            unsteady += usize::from(record.is_some_and(|record| record.steady.is_none()));
        }
        Ok(unsteady)
    }

    fn settle(&mut self, key: &ServiceKey) -> anyhow::Result<()> {
        if !apply::is_due(&self.world, key, self.ctx.now, Waits::AWS).0 {
            return Ok(());
        }
        while self
            .write(|txn, ctx| Ok(apply::step(txn, ctx, key, Waits::AWS)))?
            .has_more
        {}
        Ok(())
    }

    /// What was placed runs; how many tasks.
    fn start_placed(&mut self) -> anyhow::Result<usize> {
        let world = self.world.clone();
        self.start_pending(world.scan(&TASKS))
    }

    fn start_pending<'t>(
        &mut self,
        tasks: impl Iterator<Item = &'t Arc<TaskRecord>>,
    ) -> anyhow::Result<usize> {
        let pending = tasks.filter(|task| {
            task.last_status == TaskStatus::Pending && task.desired == DesiredStatus::Running
        });
        let mut started = 0;
        for task in pending {
            self.report(&task.key, "RUNNING")?;
            started += 1;
        }
        Ok(started)
    }

    fn report(&mut self, task: &TaskKey, status: &str) -> anyhow::Result<()> {
        let input = SubmitTaskStateChangeRequest {
            task: Some(task.arn()),
            status: Some(status.into()),
            ..SubmitTaskStateChangeRequest::default()
        };
        self.write(|txn, ctx| {
            ops::submit_task_state_change::submit_task_state_change(txn, ctx, &input)
        })?;
        Ok(())
    }

    fn quiet_tick(&mut self, samples: usize) -> Row {
        let mut sample = Sample::default();
        for _ in 0..samples {
            let began = Instant::now();
            let now = self.ctx.now;
            let due = |key: &&ServiceKey| apply::is_due(&self.world, key, now, Waits::AWS).0;
            let due = self.services.iter().filter(due).count();
            sample.push(began.elapsed());
            debug_assert_eq!(due, 0);
        }
        sample.row(format!("quiet tick, {} services", self.services.len()))
    }

    /// Changes of one service after the other, `stride` services apart.
    fn one_change(&mut self, samples: usize, stride: usize) -> anyhow::Result<Row> {
        let mut sample = Sample::default();
        let mut rows = 0;
        for at in 0..samples {
            let key = self.services[at * stride % self.services.len()].clone();
            let world = self.world.clone();
            let mut all = live(&world, &key);
            let running = all.find(|task| task.last_status == TaskStatus::Running);
            let task = running.context("a service without a task")?.key.clone();
            let before = self.world.count(&TASKS);
            let began = Instant::now();
            let (replaced, visits) = visited(|| self.replace(&task));
            sample.push(began.elapsed());
            replaced?;
            rows = rows.max(visits);
            ensure!(
                self.world.count(&TASKS) == before + 1,
                "nothing replaced it"
            );
            let world = self.world.clone();
            self.start_pending(live(&world, &key))?;
            // Old enough not to count as a crash the next time.
            self.ctx.now = self.ctx.now.plus(Waits::AWS.healthy_after * 2);
            self.settle(&key)?;
        }
        let of = match stride {
            SAME => "one change of the same",
            _ => "one change",
        };
        let row = format!("{of}, {} services", self.services.len());
        Ok(sample.row(row).with("rows_max", rows as f64))
    }

    /// A task's end, and what the scheduler does about it.
    fn replace(&mut self, task: &TaskKey) -> anyhow::Result<()> {
        self.report(task, "STOPPED")?;
        let changes = self.changes.iter().map(|one| (one.table, &one.key));
        for key in concerned(&self.world, changes) {
            self.settle(&key)?;
        }
        Ok(())
    }

    fn lose_hosts(&mut self) -> anyhow::Result<Row> {
        let failing: Vec<_> = self.hosts.iter().step_by(FAILING).cloned().collect();
        let held = failing
            .iter()
            .map(|key| load::held(&self.world, key).count());
        let tasks: usize = held.sum();
        for key in &failing {
            self.write(|txn, ctx| {
                life::disconnected(txn, ctx, key);
                Ok(())
            })?;
        }
        let (began, since) = (Instant::now(), self.ctx.now);
        for key in &failing {
            let more = |step| matches!(step, life::Step::More);
            while more(self.write(|txn, ctx| Ok(life::lost(txn, ctx, key, LOST_PER_STEP)))?) {}
        }
        self.turn()?;
        let replaced = began.elapsed();
        self.converge()?;
        let total = self.services.len() * (tasks / self.services.len()).max(1);
        ensure!(tasks > 0 && total > 0, "the hosts that failed ran nothing");
        let virtual_time = self.ctx.now.since(since);
        let row = format!("{} of {} hosts lost", failing.len(), self.hosts.len());
        Ok(Row::new(row)
            .with("tasks_lost", tasks as f64)
            .with("replaced_s", replaced.as_secs_f64())
            .with("real_s", began.elapsed().as_secs_f64())
            .with("virtual_s", virtual_time.as_secs_f64()))
    }
}

/// A service's tasks that are not STOPPED.
fn live<'w>(
    world: &'w World,
    key: &ServiceKey,
) -> impl Iterator<Item = &'w Arc<TaskRecord>> + use<'w> {
    let within = TaskKey::new(&key.scope, &key.cluster, "");
    let parts = service_parts(&within, &key.group(), LIVE);
    world.find_after(&TASKS, &BY_SERVICE, &parts, None)
}
