//! Host sync in virtual time: what `control/src/sessions/host_sync.rs` and `agent/src/session/host_sync.rs`
//! do with a websocket, over the same functions of `ecs` and `netdev`.

use crate::event::{AgentId, Event};
use crate::plan::Mutation;
use crate::session::SILENCE_MAX;
use crate::simulation::Simulation;
use aws_api::agent::host_sync::{FromHost, RowKey, ToHost};
use ec2::records::RULES;
use ecs::host_rows::{self, Told};
use ecs::records::{CONTAINER_INSTANCES, InstanceKey, InstanceStatus};
use std::mem::discriminant;
use store::Change;

/// As in `control`.
const PING_EVERY: u64 = 15_000;
/// Of a thousand moments at which nothing is on its way, those in which a host's rows are compared with what
/// they should be: it is most of the cost of a run.
const CHECKED: u64 = 250;
/// Mean milliseconds between two tries to connect.
const RETRY: (u64, u64) = (100, 5_000);

/// A session as the server sees it.
#[derive(Debug)]
pub struct Sync {
    pub agent: AgentId,
    pub instance: InstanceKey,
    pub told: Told,
    /// A commit concerned it, and it has not looked yet.
    waits: bool,
    heard: u64,
    /// When the last frame of each direction arrives: frames keep their order.
    last_down: u64,
    last_up: u64,
}

/// The agent's end.
#[derive(Debug)]
pub struct SyncEnd {
    number: u64,
    heard: u64,
}

/// What happens in these sessions.
#[derive(Debug)]
pub enum SyncEvent {
    /// An agent opens one.
    Connect(AgentId),
    /// The upgrade request reaches the server.
    Upgrade(AgentId),
    /// The server looks what is news to the host.
    Tell,
    /// The server pings.
    Ping,
    /// A frame reaches the agent; none is a ping.
    ToAgent(AgentId, Option<Box<ToHost>>),
    /// A frame reaches the server; none is the answer to a ping.
    ToServer(Option<FromHost>),
    /// The server sees that the other end is gone.
    Closed,
    /// The agent looks whether it is silent.
    Watch(AgentId),
    /// The agent sees that the other end is gone.
    Hangup(AgentId),
}

impl SyncEvent {
    /// What distinguishes it in the trace.
    pub fn mark(&self) -> u64 {
        let kinds = [Self::Tell, Self::Ping, Self::Closed];
        let kind = kinds
            .iter()
            .position(|one| discriminant(one) == discriminant(self));
        match self {
            Self::ToAgent(agent, message) => 8 + u64::from(message.is_some()) + agent.life * 16,
            Self::ToServer(message) => 10 + u64::from(message.is_some()),
            _ => kind.map_or(3, |kind| kind as u64),
        }
    }
}

impl Simulation {
    /// An event of the session of this number.
    pub fn happen_in_sync(&mut self, session: u64, event: SyncEvent) {
        match event {
            SyncEvent::Connect(agent) if self.is_alive(agent) => self.connect_sync(agent),
            SyncEvent::Upgrade(agent) => self.upgrade_sync(agent, session),
            SyncEvent::Tell => self.tell_host(session),
            SyncEvent::Ping => self.ping(session),
            SyncEvent::ToServer(message) => {
                let Some(sync) = self.syncs.get_mut(&session) else {
                    return;
                };
                sync.heard = self.now;
                if let Some(FromHost::Applied { revision }) = message {
                    sync.told.applied(revision);
                    self.confirm(session);
                }
            }
            SyncEvent::Closed => self.end_sync(session),
            SyncEvent::ToAgent(agent, message) if self.is_sync(agent, session) => {
                self.agent_is_told(agent, session, message);
            }
            SyncEvent::Watch(agent) if self.is_sync(agent, session) => {
                self.watch_sync(agent, session);
            }
            SyncEvent::Hangup(agent) if self.is_sync(agent, session) => self.lose_sync(agent),
            _ => {}
        }
    }

    fn sync_after(&mut self, delay: u64, session: u64, event: SyncEvent) {
        self.after(delay, Event::Sync { session, event });
    }

    /// Lets an agent open its session.
    pub fn begin_sync(&mut self, agent: AgentId) {
        self.sync_after(1, 0, SyncEvent::Connect(agent));
    }

    fn is_sync(&self, agent: AgentId, session: u64) -> bool {
        let end = self.hosts[agent.host].agent.sync.as_ref();
        self.is_alive(agent) && end.is_some_and(|end| end.number == session)
    }

    fn connect_sync(&mut self, agent: AgentId) {
        let (session, now) = (self.number(), self.now);
        let host = &mut self.hosts[agent.host];
        if host.agent.sync.is_some() {
            return;
        }
        host.agent.sync = Some(SyncEnd {
            number: session,
            heard: now,
        });
        if host.cut_until <= now {
            let delay = self.random.wait(5) + 1;
            self.sync_after(delay, session, SyncEvent::Upgrade(agent));
        }
        self.sync_after(SILENCE_MAX, session, SyncEvent::Watch(agent));
    }

    fn watch_sync(&mut self, agent: AgentId, session: u64) {
        let host = &self.hosts[agent.host];
        let heard = host.agent.sync.as_ref().map_or(0, |end| end.heard);
        let silent_for = self.now - heard;
        if silent_for < SILENCE_MAX {
            return self.sync_after(SILENCE_MAX - silent_for, session, SyncEvent::Watch(agent));
        }
        if host.cut_until <= self.now {
            self.sync_after(1, session, SyncEvent::Closed);
        }
        self.lose_sync(agent);
    }

    fn lose_sync(&mut self, agent: AgentId) {
        self.hosts[agent.host].agent.sync = None;
        let delay = self.random.between(RETRY.0, RETRY.1);
        self.sync_after(delay, 0, SyncEvent::Connect(agent));
    }

    /// The first message is everything.
    fn upgrade_sync(&mut self, agent: AgentId, session: u64) {
        let instance = self.hosts[agent.host].agent.registered.clone();
        let world = &self.server.published;
        let is_usable = |key: &InstanceKey| {
            let record = world.get(&CONTAINER_INSTANCES, key);
            record.is_some_and(|record| record.status != InstanceStatus::Inactive)
        };
        let Some(instance) = instance.filter(|key| self.server.up && is_usable(key)) else {
            return self.hang_up_sync(agent, session);
        };
        let mut told = Told::default();
        let state = told.state(host_rows::wanted(world, &instance.arn()));
        let sync = Sync {
            agent,
            instance,
            told,
            waits: false,
            heard: self.now,
            last_down: 0,
            last_up: 0,
        };
        self.syncs.insert(session, sync);
        self.statistics.syncs += 1;
        self.check_told(session);
        self.send_sync(session, Some(state));
        self.sync_after(PING_EVERY, session, SyncEvent::Ping);
    }

    /// These changes are committed: whom they concern is told.
    pub fn concern_hosts(&mut self, changes: &[Change]) {
        let deaf = self.has(Mutation::UntoldRules);
        let heard = changes.iter().map(|change| (change.table, &change.key));
        let heard = heard.filter(|(table, _)| !deaf || *table != RULES.name());
        if !host_rows::concern(&self.server.published, heard) {
            return;
        }
        let idle = self.syncs.iter_mut().filter(|(_, sync)| !sync.waits);
        let mut woken = Vec::new();
        for (session, sync) in idle {
            sync.waits = true;
            woken.push(*session);
        }
        for session in woken {
            let is_slow = self.random.chance(self.faults.slow_disk);
            let delay = self.random.wait(if is_slow { 1000 } else { 3 }) + 1;
            self.sync_after(delay, session, SyncEvent::Tell);
        }
    }

    fn tell_host(&mut self, session: u64) {
        let Some(sync) = self.syncs.get_mut(&session) else {
            return;
        };
        sync.waits = false;
        if !host_rows::is_known(&self.server.published, &sync.instance) {
            return self.end_sync(session);
        }
        let wanted = host_rows::wanted(&self.server.published, &sync.instance.arn());
        let Some(mut change) = sync.told.change(wanted) else {
            return self.confirm(session);
        };
        if let (true, ToHost::Change { remove, .. }) = (self.has(Mutation::KeptRows), &mut change) {
            remove.retain(|key| !matches!(key, RowKey::Interface(_)));
        }
        self.check_told(session);
        self.send_sync(session, Some(change));
    }

    /// What was held for the host is no longer.
    fn confirm(&mut self, session: u64) {
        let Some(sync) = self.syncs.get_mut(&session).filter(|_| self.server.up) else {
            return;
        };
        let (confirmed, host) = (sync.told.confirmed(), sync.instance.arn());
        if confirmed.is_empty() {
            return;
        }
        let submitted = self.server.submit(self.now, None, |txn, _| {
            let names = host_rows::registrations(txn, &host);
            ec2::held::confirm(txn, &names, &confirmed);
            Ok(())
        });
        if submitted.is_ok() {
            self.wait_for_commit(None);
        }
    }

    fn ping(&mut self, session: u64) {
        let Some(sync) = self.syncs.get(&session) else {
            return;
        };
        if self.now - sync.heard > SILENCE_MAX {
            return self.end_sync(session);
        }
        let (agent, is_idle) = (sync.agent, !sync.waits && sync.last_down < self.now);
        if is_idle && self.is_sync(agent, session) && self.random.chance(CHECKED) {
            self.check_knows(session);
        }
        self.send_sync(session, None);
        self.sync_after(PING_EVERY, session, SyncEvent::Ping);
    }

    fn agent_is_told(&mut self, agent: AgentId, session: u64, message: Option<Box<ToHost>>) {
        let host = &mut self.hosts[agent.host];
        if let Some(end) = &mut host.agent.sync {
            end.heard = self.now;
        }
        let Some(message) = message else {
            return self.answer_sync(session, None);
        };
        let removed = host
            .machine
            .kernel
            .apply(&mut host.agent.networks, &message);
        self.check_routers(agent.host);
        for interface in removed {
            self.answer_sync(session, Some(FromHost::Removed { interface }));
        }
        let (ToHost::State { revision, .. } | ToHost::Change { revision, .. }) = *message;
        self.answer_sync(session, Some(FromHost::Applied { revision }));
    }

    fn send_sync(&mut self, session: u64, message: Option<ToHost>) {
        if let Some(at) = self.sync_arrival(session, |sync| &mut sync.last_down)
            && let Some(sync) = self.syncs.get(&session)
        {
            let frame = SyncEvent::ToAgent(sync.agent, message.map(Box::new));
            self.sync_after(at - self.now, session, frame);
        }
    }

    fn answer_sync(&mut self, session: u64, message: Option<FromHost>) {
        if let Some(at) = self.sync_arrival(session, |sync| &mut sync.last_up) {
            self.sync_after(at - self.now, session, SyncEvent::ToServer(message));
        }
    }

    /// As for the other session: in order, not before the link is mended; or lost, and the session with it.
    fn sync_arrival(&mut self, session: u64, last: impl Fn(&mut Sync) -> &mut u64) -> Option<u64> {
        let agent = self.syncs.get(&session)?.agent;
        if self.random.chance(self.faults.lost / 10) {
            self.statistics.lost += 1;
            self.hang_up_sync(agent, session);
            let delay = self.random.wait(5) + 1;
            self.sync_after(delay, session, SyncEvent::Closed);
            return None;
        }
        let delay = self.random.wait(3) + 1;
        let cut_until = self.hosts[agent.host].cut_until;
        let last = last(self.syncs.get_mut(&session)?);
        *last = (self.now.max(cut_until) + delay).max(*last);
        Some(*last)
    }

    fn end_sync(&mut self, session: u64) {
        if let Some(ended) = self.syncs.remove(&session) {
            self.hang_up_sync(ended.agent, session);
        }
    }

    fn hang_up_sync(&mut self, agent: AgentId, session: u64) {
        if self.hosts[agent.host].cut_until <= self.now {
            let delay = self.random.wait(5) + 1;
            self.sync_after(delay, session, SyncEvent::Hangup(agent));
        }
    }

    /// The server is gone: every other end learns it.
    pub fn end_all_syncs(&mut self) {
        for session in self.syncs.keys().copied().collect::<Vec<_>>() {
            self.end_sync(session);
        }
    }

    /// The agent is gone: the server learns it, unless the link is cut.
    pub fn close_syncs_of(&mut self, agent: AgentId) {
        if self.hosts[agent.host].cut_until > self.now {
            return;
        }
        let of_agent = self.syncs.iter().filter(|(_, sync)| sync.agent == agent);
        for session in of_agent.map(|(number, _)| *number).collect::<Vec<_>>() {
            let delay = self.random.wait(5) + 1;
            self.sync_after(delay, session, SyncEvent::Closed);
        }
    }
}
