//! Brings deliveries to the targets of rules: each target by itself, so that none waits for another.
//!
//! At least once: what a target took is removed after it took it, and a server that is killed between
//! the two brings it again. Tasks are run in the transaction that removes the delivery: exactly once.

mod endpoint;
mod log_group;
mod tasks;

use super::Controllers;
use super::http_client::HttpClient;
use super::queue::Queue;
use crate::clock;
use aws_types::{AwsError, Timestamp};
use events::destination::Destination;
use events::outbox::{self, Failure, Fate};
use events::records::{DELIVERIES, DeliveryKey, DeliveryRecord, TARGETS, TargetKey, TargetRecord};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use store::{CommittedBatch, World};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

/// Targets that are served at once.
const ACTIVE_LEN_MAX: usize = 32;
/// Deliveries of one target that are tried in one turn.
const PER_TURN: usize = 64;
/// A failed turn is taken again after this time.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A try that failed: which delivery, for how long, and why.
struct Failed {
    key: DeliveryKey,
    failure: Failure,
    why: String,
}

/// What one turn did for a target: deliveries in order, up to the first that failed.
#[derive(Default)]
struct Turn {
    taken: Vec<DeliveryKey>,
    failed: Option<Failed>,
}

/// Runs until the store's writer ends.
pub async fn run(shared: Controllers) {
    let http = HttpClient::default();
    let mut changes = shared.state.subscribe();
    let mut queue: Queue<TargetKey> = Queue::default();
    let mut active: JoinSet<Option<Timestamp>> = JoinSet::new();
    let mut keys: HashMap<Id, TargetKey> = HashMap::new();
    let mut tick = Instant::now();
    loop {
        while active.len() < ACTIVE_LEN_MAX
            && let Some(key) = queue.take(clock::now())
        {
            let turn = turn(shared.clone(), http.clone(), key.clone());
            keys.insert(active.spawn(turn).id(), key);
        }
        let due = queue.next_due().filter(|_| active.len() < ACTIVE_LEN_MAX);
        let idle = due.map_or(Duration::from_secs(3600), |due| due.since(clock::now()));
        tokio::select! {
            batch = changes.next() => match batch {
                None => return,
                Some(Ok(batch)) => add(&mut queue, concerned(&shared.state.snapshot(), &batch)),
                Some(Err(_)) => add(&mut queue, outbox::targets(&shared.state.snapshot())),
            },
            Some(ended) = active.join_next_with_id() => {
                let (id, wake_at) = match ended {
                    Ok((id, wake_at)) => (id, wake_at),
                    Err(error) => (error.id(), Some(clock::now().plus(AFTER_FAILURE))),
                };
                if let Some(key) = keys.remove(&id) {
                    queue.done(key, wake_at);
                }
            }
            () = sleep_until(Instant::now() + idle) => {}
            () = sleep_until(tick) => {
                tick = Instant::now() + shared.timing.slow_tick;
                add(&mut queue, outbox::targets(&shared.state.snapshot()));
            }
        }
    }
}

fn add(queue: &mut Queue<TargetKey>, keys: BTreeSet<TargetKey>) {
    let now = clock::now();
    for key in keys {
        queue.add(key, now);
    }
}

fn concerned(world: &World, batch: &CommittedBatch) -> BTreeSet<TargetKey> {
    let table = DELIVERIES.name();
    let changed = batch.changes.iter().filter(|(name, _)| *name == table);
    let found = changed.filter_map(|(_, key)| world.scan_prefix(&DELIVERIES, key, None).next());
    found
        .map(|(_, delivery)| delivery.key.target.clone())
        .collect()
}

/// Brings a target what is due; when to look again.
async fn turn(shared: Controllers, http: HttpClient, key: TargetKey) -> Option<Timestamp> {
    let own = Controllers {
        scope: key.rule.scope.clone(),
        ..shared
    };
    match bring(&own, &http, &key).await {
        Ok(wake_at) => wake_at,
        Err(error) => {
            warn!(
                rule = key.rule.name,
                target = key.id,
                ?error,
                "a target was not served"
            );
            Some(clock::now().plus(AFTER_FAILURE))
        }
    }
}

async fn bring(
    own: &Controllers,
    http: &HttpClient,
    key: &TargetKey,
) -> Result<Option<Timestamp>, AwsError> {
    let world = own.state.snapshot();
    let waiting = outbox::waiting(&world, key, clock::now(), PER_TURN);
    if waiting.due.is_empty() {
        return Ok(waiting.next);
    }
    let target = world.get(&TARGETS, key).cloned();
    let turn = match &target {
        Some(target) => attempt(own, http, target, &waiting.due).await?,
        None => gone(&waiting.due, "the target is gone"),
    };
    let random = clock::ids().number();
    let settled = own.step("event-targets", move |txn, ctx| {
        outbox::taken(txn, &turn.taken);
        let fate = turn.failed.map(|failed| {
            let fate = outbox::failed(txn, ctx.now, &failed.key, failed.failure, random);
            (fate, failed)
        });
        Ok(fate)
    });
    match settled.await? {
        None => Ok(Some(clock::now())),
        Some((fate, failed)) => Ok(told(key, fate, &failed)),
    }
}

fn told(key: &TargetKey, fate: Fate, failed: &Failed) -> Option<Timestamp> {
    let (rule, target) = (&key.rule.name, &key.id);
    match fate {
        Fate::GivenUp => {
            let (event, why) = (&failed.key.event, &failed.why);
            warn!(rule, target, event, why, "an event was not delivered");
            Some(clock::now())
        }
        Fate::Again(at) => {
            debug!(
                rule,
                target,
                why = failed.why,
                "an event is delivered later"
            );
            Some(at)
        }
    }
}

async fn attempt(
    own: &Controllers,
    http: &HttpClient,
    target: &TargetRecord,
    due: &[Arc<DeliveryRecord>],
) -> Result<Turn, AwsError> {
    let arn = target.target.arn.as_deref().unwrap_or_default();
    match Destination::parse(&own.scope, arn) {
        Ok(Destination::LogGroup(group)) => {
            log_group::write(own, &group, &target.stream, due).await
        }
        Ok(Destination::Cluster(cluster)) => tasks::run(own, &cluster, target, due).await,
        Ok(Destination::Endpoint(name)) => Ok(endpoint::post(own, http, &name, target, due).await),
        Err(_) => Ok(gone(due, "the target's ARN names no destination")),
    }
}

/// The first delivery fails for good; the turns that follow do the same with the rest.
fn gone(due: &[Arc<DeliveryRecord>], why: &str) -> Turn {
    fails(due.first(), Failure::ForGood, why)
}

fn fails(delivery: Option<&Arc<DeliveryRecord>>, failure: Failure, why: &str) -> Turn {
    Turn {
        taken: Vec::new(),
        failed: delivery.map(|delivery| Failed {
            key: delivery.key.clone(),
            failure,
            why: why.into(),
        }),
    }
}
