//! The TCS session: samples of all running containers once a second, published every 20 s, at start
//! at once. What is sampled while there is no session goes with the next publication. Health goes at
//! once when it changes, and the whole of it with every publication; what Service Connect counted of a task that
//! ends goes then, as nobody is asked for it later.

use super::{Reconnect, Socket, connect};
use crate::api::now;
use crate::connect::Told;
use crate::engine::Host;
use crate::health;
use crate::metrics::{self, Publisher, Samples};
use crate::part::Part;
use aws_api::agent::{PublishMetricsRequest, TaskHealth, TaskMetric, TcsMessage};
use aws_wire::head::percent_encoded;
use futures_util::{SinkExt, StreamExt};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::{self, Message};
use tracing::debug;

/// How often telemetry is published.
const PUBLISH_EVERY: Duration = Duration::from_secs(20);
/// With which of the publications goes what Service Connect counted.
const CONNECT_EVERY: u32 = 3;
/// How often containers are looked at.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Publications go unacknowledged for this long: the server is taken for gone.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// `std` mutex: held over arithmetic only.
type Shared = Mutex<Samples>;

/// Keeps the TCS session; never returns.
pub async fn tcs(host: &Arc<Host>, instance: &str, part: Part) {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let samples = Mutex::new(Samples::new(processors));
    tokio::join!(
        sample(host, part, &samples),
        publish(host, (instance, part), &samples)
    );
}

async fn sample(host: &Arc<Host>, part: Part, samples: &Shared) {
    let mut tick = interval(SAMPLE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for task in host.tasks_of(part) {
            for (index, container) in task.definition.containers.iter().enumerate() {
                // One that does not run has no group to read.
                if let Ok(stats) = host.runtime.stats(&task.container_dir(index)).await {
                    lock(samples).note(&task.definition, &container.name, &stats, now());
                }
            }
        }
    }
}

async fn publish(host: &Arc<Host>, (instance, part): (&str, Part), samples: &Shared) {
    let mut reconnect = Reconnect::new();
    // Outlives a session and this agent, so that the next does not tell the same again.
    let mut told = Told::open(host.config.agent_dir().join(part.told_file()));
    let query = format!(
        "agentHash=longshore&agentVersion={}&cluster={}&containerInstance={}",
        env!("CARGO_PKG_VERSION"),
        percent_encoded(part.cluster(&host.config)),
        percent_encoded(instance)
    );
    loop {
        let began = Instant::now();
        match connect(host, &query).await {
            Ok(socket) => {
                live(host, (instance, part), (samples, &mut told), socket).await;
                reconnect.after(began.elapsed()).await;
            }
            Err(error) => {
                debug!(%error, "tcs not connected");
                reconnect.after(Duration::ZERO).await;
            }
        }
    }
}

/// Until the session ends.
async fn live(
    host: &Arc<Host>,
    (instance, part): (&str, Part),
    (samples, told): (&Shared, &mut Told),
    mut socket: Socket,
) {
    let board = host.health.of(part);
    let publisher = Publisher {
        cluster: part.cluster(&host.config).to_owned(),
        container_instance: instance.to_owned(),
    };
    let mut tick = interval(PUBLISH_EVERY);
    let mut heard = Instant::now();
    let mut tick_number = 0_u32;
    loop {
        tokio::select! {
            _ = tick.tick() => {
                if heard.elapsed() > SILENCE_MAX {
                    return;
                }
                let mut frames = lock(samples).take(&publisher, now(), uuid);
                if tick_number.is_multiple_of(CONNECT_EVERY) {
                    told.add(&mut frames, &host.connect.counted().await);
                    told.keep().await;
                }
                tick_number += 1;
                let metrics = frames.into_iter().map(TcsMessage::PublishMetrics);
                let health = health(&board.take_all(), &publisher);
                if send(&mut socket, metrics.chain(health)).await.is_err() {
                    return;
                }
            }
            () = host.connect.has_ended(part) => {
                let frames = ended(host, part, &publisher, told).await;
                if send(&mut socket, frames.into_iter().map(TcsMessage::PublishMetrics)).await.is_err() {
                    return;
                }
            }
            () = board.changed() => {
                let health = health(&board.take_changed(), &publisher);
                if send(&mut socket, health).await.is_err() {
                    return;
                }
            }
            frame = socket.next() => match frame {
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return,
                Some(Ok(_)) => heard = Instant::now(),
            },
        }
    }
}

/// What Service Connect counted of tasks that have ended and that was not told before.
async fn ended(
    host: &Arc<Host>,
    part: Part,
    publisher: &Publisher,
    told: &mut Told,
) -> Vec<PublishMetricsRequest> {
    let ended = host.connect.ended(part).await;
    let tasks: Vec<TaskMetric> = ended
        .iter()
        .map(|arn| TaskMetric {
            task_arn: Some(arn.clone()),
            ..TaskMetric::default()
        })
        .collect();
    if tasks.is_empty() {
        return Vec::new();
    }
    let mut frames = metrics::frames(publisher, &tasks, now(), uuid);
    told.add(&mut frames, &host.connect.counted().await);
    told.keep().await;
    host.connect.forget_ended(part, ended).await;
    frames
}

fn health(tasks: &[TaskHealth], publisher: &Publisher) -> impl Iterator<Item = TcsMessage> + use<> {
    let frames = health::frames(tasks, publisher, now(), uuid);
    frames.into_iter().map(TcsMessage::PublishHealth)
}

async fn send(
    socket: &mut Socket,
    frames: impl Iterator<Item = TcsMessage>,
) -> Result<(), tungstenite::Error> {
    for text in frames.filter_map(|frame| frame.to_text().ok()) {
        socket.send(Message::text(text)).await?;
    }
    Ok(())
}

fn lock(samples: &Shared) -> std::sync::MutexGuard<'_, Samples> {
    samples.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Version 4 of RFC 9562.
fn uuid() -> String {
    let mut bytes = [0; 16];
    // Without the random source a message has no name of its own, which nobody needs.
    let _ = getrandom::fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}
