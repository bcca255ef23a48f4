//! The server's end of agents' sessions, in virtual time: what `control/src/sessions/acs.rs` does
//! with sockets and timers, over the same functions of `ecs`.

use crate::event::{AgentId, Down, Effect, Event, Up};
use crate::simulation::Simulation;
use ecs::instance::life::{self, SessionVersions};
use ecs::records::{CONTAINER_INSTANCES, InstanceKey, InstanceStatus, TaskKey};
use ecs::task::{delivery, health};
use std::collections::BTreeMap;
use std::ops::Range;

/// As in `control`.
const HEARTBEAT_EVERY: u64 = 15_000;
const RESEND_AFTER: u64 = 15_000;
/// As in `control` and `agent`.
pub const SILENCE_MAX: u64 = 40_000;

/// A session as the server sees it.
#[derive(Debug)]
pub struct Session {
    pub agent: AgentId,
    pub instance: InstanceKey,
    /// Since when it is connected; `None` while that waits for its commit.
    pub open_since: Option<u64>,
    in_flight: BTreeMap<u64, (Vec<(TaskKey, u32)>, u64)>,
    manifest: u64,
    numbers: Range<i64>,
    heard: u64,
    /// When the last frame of each direction arrives: frames keep their order.
    last_down: u64,
    last_up: u64,
}

impl Simulation {
    /// The upgrade request of an agent arrives.
    pub fn upgrade(&mut self, agent: AgentId, session: u64) {
        let instance = self.hosts[agent.host].agent.registered.clone();
        let record = instance
            .as_ref()
            .and_then(|key| self.server.published.get(&CONTAINER_INSTANCES, key));
        let is_usable = record.is_some_and(|record| record.status != InstanceStatus::Inactive);
        let (Some(instance), true, true) = (instance, is_usable, self.server.up) else {
            return self.hang_up(agent, session);
        };
        let of_instance = self.sessions.iter().filter(|(_, s)| s.instance == instance);
        let earlier: Vec<u64> = of_instance.map(|(number, _)| *number).collect();
        for number in earlier {
            if let Some(replaced) = self.sessions.remove(&number) {
                self.hang_up(replaced.agent, number);
            }
        }
        let key = instance.clone();
        let opened = self.server.submit(self.now, None, |txn, ctx| {
            let is_open = life::connected(txn, &key, &SessionVersions::default());
            let numbers = is_open.then(|| life::reserve_timeline(txn, ctx, &key));
            Ok(numbers.flatten())
        });
        self.sessions.insert(
            session,
            Session {
                agent,
                instance,
                open_since: None,
                in_flight: BTreeMap::new(),
                manifest: 0,
                numbers: 0..0,
                heard: self.now,
                last_down: 0,
                last_up: 0,
            },
        );
        let numbers = opened.ok().flatten();
        self.wait_for_commit(Some(Effect::Opened { session, numbers }));
    }

    /// The session's begin is committed.
    pub fn opened(&mut self, session: u64, numbers: Option<Range<i64>>) {
        let now = self.now;
        let Some(found) = self.sessions.get_mut(&session) else {
            return;
        };
        let Some(numbers) = numbers else {
            return self.end_session(session);
        };
        found.open_since = Some(now);
        found.numbers = numbers;
        let (host, instance) = (found.agent.host, found.instance.clone());
        self.check.session_opened(host, &instance);
        self.deliver(session);
        self.send_manifest(session);
        self.after(HEARTBEAT_EVERY, Event::SessionTurn { session });
    }

    /// Every session looks again, as after every commit.
    pub fn deliver_all(&mut self) {
        let numbers: Vec<u64> = self.sessions.keys().copied().collect();
        for session in numbers {
            self.deliver(session);
        }
    }

    fn deliver(&mut self, session: u64) {
        loop {
            let Some(found) = self.sessions.get_mut(&session) else {
                return;
            };
            if found.open_since.is_none() {
                return;
            }
            let sent: Vec<_> = found
                .in_flight
                .values()
                .flat_map(|(t, _)| t.clone())
                .collect();
            let world = &self.server.published;
            let parcels = delivery::undelivered(world, &found.instance, &sent);
            if parcels.is_empty() {
                return;
            }
            let Some(number) = found.numbers.next() else {
                // The next session has numbers of its own.
                return self.end_session(session);
            };
            let (keys, tasks): (Vec<_>, Vec<_>) = parcels
                .into_iter()
                .map(|parcel| ((parcel.key, parcel.count), parcel.task))
                .unzip();
            let now = self.now;
            let message = self.number();
            if let Some(found) = self.sessions.get_mut(&session) {
                found.in_flight.insert(message, (keys, now));
            }
            let frame = Down::Payload {
                message,
                number,
                tasks,
            };
            self.send_down(session, frame);
        }
    }

    fn send_manifest(&mut self, session: u64) {
        let message = self.number();
        let Some(found) = self.sessions.get_mut(&session) else {
            return;
        };
        let Some(number) = found.numbers.next() else {
            return;
        };
        found.manifest = message;
        let tasks = delivery::manifest(&self.server.published, &found.instance);
        let frame = Down::Manifest {
            message,
            number,
            tasks,
        };
        self.send_down(session, frame);
    }

    /// Heartbeat; what was not acknowledged in time is sent again.
    pub fn session_turn(&mut self, session: u64) {
        let now = self.now;
        let Some(found) = self.sessions.get_mut(&session) else {
            return;
        };
        if now - found.heard > SILENCE_MAX {
            return self.end_session(session);
        }
        found
            .in_flight
            .retain(|_, (_, at)| now - *at < RESEND_AFTER);
        self.check_session(session);
        self.send_down(session, Down::Heartbeat);
        self.deliver(session);
        self.after(HEARTBEAT_EVERY, Event::SessionTurn { session });
    }

    /// A frame of the agent arrives.
    pub fn server_hears(&mut self, session: u64, frame: Up) {
        let now = self.now;
        let Some(found) = self.sessions.get_mut(&session) else {
            return;
        };
        found.heard = now;
        let instance = found.instance.clone();
        match frame {
            Up::HeartbeatAck => {}
            Up::Health { tasks } => {
                let news = health::news(&self.server.published, &instance, &tasks);
                if !news.is_empty() {
                    let submitted = self.server.submit(now, None, |txn, _| {
                        health::apply(txn, &instance, &news);
                        Ok(())
                    });
                    if submitted.is_ok() {
                        self.wait_for_commit(None);
                    }
                }
            }
            Up::Ack { message } => {
                let Some((tasks, _)) = found.in_flight.get(&message).cloned() else {
                    return;
                };
                let submitted = self.server.submit(now, None, |txn, ctx| {
                    delivery::acknowledged(txn, ctx, &instance, &tasks);
                    Ok(())
                });
                if submitted.is_ok() {
                    self.wait_for_commit(Some(Effect::Acknowledged { session, message }));
                }
            }
            Up::Verify {
                message,
                candidates,
            } => {
                if message != found.manifest {
                    return;
                }
                let world = self.server.published.clone();
                let ctx = self.server.ctx(now);
                let stop = delivery::stop_verification(&world, ctx, &instance, &candidates);
                self.send_down(session, Down::Verified { message, stop });
            }
        }
    }

    /// An acknowledgement is durable.
    pub fn recorded(&mut self, session: u64, message: u64) {
        if let Some(found) = self.sessions.get_mut(&session) {
            found.in_flight.remove(&message);
        }
    }

    /// The server ends a session or sees its end; the instance is away from now on.
    pub fn end_session(&mut self, session: u64) {
        let Some(ended) = self.sessions.remove(&session) else {
            return;
        };
        let submitted = self.server.submit(self.now, None, |txn, ctx| {
            life::disconnected(txn, ctx, &ended.instance);
            Ok(())
        });
        if submitted.is_ok() {
            self.wait_for_commit(None);
        }
        self.hang_up(ended.agent, session);
    }

    /// The agent's end learns that the session is over, unless its link is cut: then it waits for
    /// silence.
    pub fn hang_up(&mut self, agent: AgentId, session: u64) {
        if self.hosts[agent.host].cut_until <= self.now {
            let delay = self.random.wait(5) + 1;
            self.after(delay, Event::Hangup { agent, session });
        }
    }

    fn send_down(&mut self, session: u64, frame: Down) {
        self.check_stops(&frame);
        let Some(at) = self.arrival(session, |session| &mut session.last_down) else {
            return;
        };
        if let Some(found) = self.sessions.get(&session) {
            let agent = found.agent;
            let event = Event::ToAgent {
                agent,
                session,
                frame,
            };
            self.after(at - self.now, event);
        }
    }

    /// A frame of the agent's leaves its host.
    pub fn send_up(&mut self, session: u64, frame: Up) {
        if let Some(at) = self.arrival(session, |session| &mut session.last_up) {
            self.after(at - self.now, Event::ToServer { session, frame });
        }
    }

    /// When the next frame arrives: after those before it, and not before the link is mended. `None`:
    /// it is lost, and with it the session.
    fn arrival(&mut self, session: u64, last: impl Fn(&mut Session) -> &mut u64) -> Option<u64> {
        let agent = self.sessions.get(&session)?.agent;
        if self.random.chance(self.faults.lost / 10) {
            self.statistics.lost += 1;
            self.hang_up(agent, session);
            let delay = self.random.wait(5) + 1;
            self.after(delay, Event::SessionClosed { session });
            return None;
        }
        let delay = self.random.wait(3) + 1;
        let cut_until = self.hosts[agent.host].cut_until;
        let last = last(self.sessions.get_mut(&session)?);
        *last = (self.now.max(cut_until) + delay).max(*last);
        Some(*last)
    }
}
