//! Keeps every service's desired count: wakes the services that a committed batch concerns, and has
//! each do what its plan says.

use super::Controllers;
use super::turns::Turns;
use crate::clock;
use aws_types::{AwsError, Timestamp};
use ecs::records::service::ServiceKey;
use ecs::service::apply;
use ecs::service::concerned::{all, concerned, goes_first};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use store::World;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

/// Services that are worked on at once: their steps share commits.
const ACTIVE_LEN_MAX: usize = 64;
/// A failed activation is planned again after this time.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// When to look at a service again.
type Ended = Result<Option<Timestamp>, AwsError>;

/// The services that are being worked on.
#[derive(Default)]
struct Active {
    tasks: JoinSet<Ended>,
    keys: HashMap<tokio::task::Id, ServiceKey>,
}

impl Active {
    fn is_full(&self) -> bool {
        self.tasks.len() >= ACTIVE_LEN_MAX
    }

    fn start(&mut self, shared: &Controllers, key: ServiceKey) {
        let activation = activate(shared.clone(), key.clone());
        let id = self.tasks.spawn(activation).id();
        self.keys.insert(id, key);
    }

    /// Waits for the next one to end; for ever where there is none.
    async fn next(&mut self) -> (ServiceKey, Option<Timestamp>) {
        loop {
            let Some(ended) = self.tasks.join_next_with_id().await else {
                std::future::pending::<()>().await;
                continue;
            };
            let (id, ended) = match ended {
                Ok((id, ended)) => (id, ended.map_err(|error| format!("{error:?}"))),
                Err(error) => (error.id(), Err(error.to_string())),
            };
            if let Some(key) = self.keys.remove(&id) {
                return (key.clone(), wake_at(&key, ended));
            }
        }
    }
}

fn wake_at(key: &ServiceKey, ended: Result<Option<Timestamp>, String>) -> Option<Timestamp> {
    ended.unwrap_or_else(|error| {
        warn!(service = key.arn(), error, "a service was not looked after");
        Some(clock::now().plus(AFTER_FAILURE))
    })
}

/// Runs until the store's writer ends.
pub async fn run(shared: Controllers) {
    let mut changes = shared.state.subscribe();
    let mut turns = Turns::default();
    let mut active = Active::default();
    let mut tick = Instant::now();
    loop {
        while !active.is_full()
            && let Some(key) = turns.take(clock::now())
        {
            active.start(&shared, key);
        }
        let alarm = alarm(&turns, active.is_full());
        tokio::select! {
            batch = changes.next() => match batch {
                None => return,
                Some(Ok(batch)) => {
                    let changes = batch.changes.iter().map(|(table, key)| (*table, key));
                    let world = shared.state.snapshot();
                    add(&mut turns, &world, concerned(&world, changes));
                }
                // Fell behind: look at everything.
                Some(Err(_)) => add_all(&mut turns, &shared.state.snapshot()),
            },
            (key, wake_at) = active.next() => turns.done(key, wake_at),
            () = sleep_until(alarm) => {}
            () = sleep_until(tick) => {
                tick = Instant::now() + shared.timing.slow_tick;
                add_all(&mut turns, &shared.state.snapshot());
            }
        }
    }
}

fn add_all(turns: &mut Turns, world: &World) {
    add(turns, world, all(world));
}

fn add(turns: &mut Turns, world: &World, keys: BTreeSet<ServiceKey>) {
    let now = clock::now();
    for key in keys {
        let is_first = goes_first(world, &key);
        turns.add(key, is_first, now);
    }
}

/// When the next key is due; with no room for it, only something else can happen first.
fn alarm(turns: &Turns, is_full: bool) -> Instant {
    let idle = Duration::from_secs(3600);
    let due = turns.next_due().filter(|_| !is_full);
    Instant::now() + due.map_or(idle, |due| due.since(clock::now()))
}

/// Does what is to be done for one service; when to look again.
async fn activate(shared: Controllers, key: ServiceKey) -> Ended {
    let waits = shared.timing.services;
    let (is_due, wake_at) = apply::is_due(&shared.state.snapshot(), &key, clock::now(), waits);
    if !is_due {
        return Ok(wake_at);
    }
    let own = Controllers {
        scope: key.scope.clone(),
        ..shared
    };
    loop {
        let of = key.clone();
        let step = own.step("services", move |txn, ctx| {
            Ok(apply::step(txn, ctx, &of, waits))
        });
        let outcome = step.await?;
        if !outcome.has_more {
            return Ok(outcome.wake_at);
        }
    }
}
