//! Faults: when they come, what they do, and how long they last.

use crate::event::{AgentId, Event, HostIndex, Trouble};
use crate::plan::{Faults, Load};
use crate::simulation::Simulation;
use ecs::records::{CONTAINER_INSTANCES, InstanceStatus};
use store::StoreError;

/// How far a clock is set, in milliseconds, to either side.
const CLOCK_STEP_MAX: u64 = 120_000;
/// Of a thousand deeds of interfaces, those in which the agent is killed.
const KILLED_AMID: u64 = 20;

impl Simulation {
    /// The first of each kind.
    pub fn plan_troubles(&mut self) {
        let all = [
            Trouble::KillServer,
            Trouble::KillAgent,
            Trouble::Power,
            Trouble::Cut,
            Trouble::Clock,
        ];
        for trouble in all {
            self.plan_trouble(trouble);
        }
    }

    fn plan_trouble(&mut self, trouble: Trouble) {
        let mean = match trouble {
            Trouble::KillServer => self.faults.kill_server,
            Trouble::KillAgent => self.faults.kill_agent,
            Trouble::Power => self.faults.power,
            Trouble::Cut => self.faults.cut,
            Trouble::Clock => self.faults.clock,
        };
        if mean > 0 {
            let delay = self.random.wait(mean);
            self.after(delay, Event::Trouble(trouble));
        }
    }

    /// Makes it, and plans the next.
    pub fn make_trouble(&mut self, trouble: Trouble) -> Result<(), StoreError> {
        if self.is_calm {
            return Ok(());
        }
        let host = self.random.below(self.hosts.len() as u64) as HostIndex;
        match trouble {
            Trouble::KillServer => self.kill_server()?,
            Trouble::KillAgent => {
                let delay = self.random.wait(5000) + 200;
                self.kill_agent(host, delay);
            }
            Trouble::Power => {
                self.kill_agent(host, 60_000);
                for one in self.all_of(host) {
                    let random = &mut self.random;
                    self.hosts[one].machine.lose_power(|| random.chance(500));
                    self.check_kept(one);
                }
            }
            Trouble::Cut => {
                let is_long = self.random.chance(400);
                let lasts = self.random.wait(if is_long { 120_000 } else { 5000 });
                for one in self.all_of(host) {
                    self.hosts[one].cut_until = self.now + lasts;
                }
            }
            Trouble::Clock => {
                let by = self.random.below(2 * CLOCK_STEP_MAX) as i64 - CLOCK_STEP_MAX as i64;
                match self.random.chance(300) {
                    true => {
                        self.server.clock_ms = by;
                        self.service_clock_set();
                    }
                    false => {
                        for one in self.all_of(host) {
                            self.hosts[one].clock_ms = by;
                        }
                    }
                }
            }
        }
        self.plan_trouble(trouble);
        Ok(())
    }

    fn kill_server(&mut self) -> Result<(), StoreError> {
        if !self.server.up {
            return Ok(());
        }
        self.statistics.server_kills += 1;
        // What the kill let through is seen by nobody before the next start, but by the check.
        let landed = self.server.kill(&mut self.random)?;
        self.check_commit(&landed);
        for (number, session) in std::mem::take(&mut self.sessions) {
            self.hang_up(session.agent, number);
        }
        self.end_all_syncs();
        let is_long = self.random.chance(100);
        let delay = self.random.wait(if is_long { 180_000 } else { 2000 }) + 100;
        self.after(delay, Event::ServerStarts);
        Ok(())
    }

    /// Where agents are killed at all, some are in the middle of making or removing an interface.
    pub fn may_kill_amid(&mut self, agent: AgentId, delay: u64) {
        if self.faults.kill_agent > 0 && self.random.chance(KILLED_AMID) {
            let delay = self.random.below(delay + 1);
            self.after(delay, Event::KillAgent(agent));
        }
    }

    /// Unless it is gone meanwhile.
    pub fn kill_amid(&mut self, agent: AgentId) {
        if self.is_alive(agent) && !self.is_calm {
            let delay = self.random.wait(5000) + 200;
            self.kill_agent(agent.host, delay);
        }
    }

    /// `kill -9`; the next process comes after `delay`. Deeds under way are done or not.
    fn kill_agent(&mut self, host: HostIndex, delay: u64) {
        for one in self.all_of(host) {
            self.kill_part(one, delay);
        }
    }

    fn kill_part(&mut self, host: HostIndex, delay: u64) {
        if !self.hosts[host].agent.up {
            return;
        }
        self.statistics.agent_kills += 1;
        let live = &self.hosts[host].agent.live;
        let asked: Vec<_> = live
            .iter()
            .flat_map(|(arn, live)| live.asked.values().map(|c| (arn.clone(), c.clone())))
            .collect();
        for (arn, command) in asked {
            if self.random.chance(500) {
                self.effect(host, &arn, &command);
            }
        }
        self.hosts[host].agent.up = false;
        let life = self.hosts[host].agent.life;
        self.close_syncs_of(AgentId { host, life });
        let of_host = self
            .sessions
            .iter()
            .filter(|(_, session)| session.agent.host == host && session.agent.life == life);
        let numbers: Vec<u64> = of_host.map(|(number, _)| *number).collect();
        if self.hosts[host].cut_until <= self.now {
            for session in numbers {
                let delay = self.random.wait(5) + 1;
                self.after(delay, Event::SessionClosed { session });
            }
        }
        self.after(delay, Event::AgentStarts(host));
    }

    /// Everything is mended and every task asked to stop: now all has to come to rest.
    pub fn calm_down(&mut self) {
        self.is_calm = true;
        self.faults = Faults::NONE;
        for host in 0..self.hosts.len() {
            self.hosts[host].cut_until = self.now;
            // Whoever was deregistered learns it at its next start.
            let instance = self.hosts[host].agent.registered.clone();
            let record = instance.and_then(|key| {
                let world = &self.server.published;
                world.get(&CONTAINER_INSTANCES, &key).cloned()
            });
            if record.is_none_or(|record| record.status == InstanceStatus::Inactive) {
                self.kill_agent(host, 1000);
            }
        }
        self.services.calm_at = self.now;
        self.after(1, Event::ServerStarts);
        self.after(1, Event::StopAll { tries: 8 });
        if self.plan.load != Load::TwoServices {
            self.after(2000, Event::MendServices { tries: 6 });
        }
    }

    /// A few times, since hosts may be on their way.
    pub fn keep_mending(&mut self, tries: u32) {
        self.mend_services();
        if tries > 1 {
            let tries = tries - 1;
            self.after(30_000, Event::MendServices { tries });
        }
    }

    /// Every service has come to what it wants, and is deleted.
    pub fn end_services(&mut self, tries: u32) {
        if !self.services.is_ending && self.plan.load != Load::TwoServices {
            self.check_services_settled();
        }
        self.services.is_ending = true;
        self.delete_services();
        if tries > 1 {
            let tries = tries - 1;
            self.after(30_000, Event::EndServices { tries });
        }
    }

    /// A few times, since the server may be on its way up.
    pub fn stop_all(&mut self, tries: u32) {
        self.stop_everything();
        self.delete_interfaces();
        if tries > 1 {
            let tries = tries - 1;
            self.after(60_000, Event::StopAll { tries });
        }
    }
}
