//! What an agent does to a task's interface: attached when its row is there, detached before STOPPED is said.
//!
//! The order is that of `agent/src/actor/interface.rs`.

use crate::event::{AgentId, Event, HostIndex};
use crate::plan::Mutation;
use crate::simulation::Simulation;
use agent::task::event::Command;
use agent::task::machine;
use agent::task::state::Made;
use std::collections::BTreeSet;

/// As in `netdev`: rows and tasks come by two sessions, so one waits so long for the other.
const ROW_PATIENCE: u64 = 5_000;
const LOOK_AGAIN: u64 = 250;
/// As in the agent: between two tries of taking an interface away.
const DETACH_AGAIN: u64 = 1_000;

impl Simulation {
    /// The registration that asks for the networks of a machine.
    pub fn first_of(&self, host: HostIndex) -> HostIndex {
        self.hosts[host].beside.unwrap_or(host)
    }

    /// All registrations of a machine, the first one first.
    pub fn all_of(&self, host: HostIndex) -> Vec<HostIndex> {
        let first = self.first_of(host);
        let others = (0..self.hosts.len()).filter(|at| self.hosts[*at].beside == Some(first));
        std::iter::once(first).chain(others).collect()
    }

    /// Whether a deed of an interface has to wait; it then comes again.
    pub fn interface_waits(&mut self, agent: AgentId, arn: &str, number: u64) -> bool {
        let Some(live) = self.hosts[agent.host].agent.live.get(arn) else {
            return false;
        };
        let delay = match live.asked.get(&number) {
            Some(Command::AttachInterface) => {
                let eni = self.interface_of(agent.host, arn);
                let networks = &self.hosts[self.first_of(agent.host)].agent.networks;
                if networks.local_interface(&eni).is_some() || self.is_out_of_patience(agent, arn) {
                    return false;
                }
                LOOK_AGAIN
            }
            Some(Command::DetachInterface) if self.random.chance(self.faults.failing) => {
                DETACH_AGAIN
            }
            _ => return false,
        };
        let arn = arn.to_owned();
        self.after(delay, Event::Deed { agent, arn, number });
        true
    }

    fn is_out_of_patience(&mut self, agent: AgentId, arn: &str) -> bool {
        let now = self.now;
        let live = self.hosts[agent.host].agent.live.get_mut(arn);
        live.is_none_or(|live| now >= *live.row_by.get_or_insert(now + ROW_PATIENCE))
    }

    fn interface_of(&self, host: HostIndex, arn: &str) -> String {
        let live = self.hosts[host].agent.live.get(arn);
        let mut all = live
            .into_iter()
            .flat_map(|live| &live.definition.elastic_network_interfaces);
        all.next()
            .map_or_else(String::new, |one| one.ec2_id.clone())
    }

    /// What comes of the deed.
    pub fn attach_interface(&mut self, host: HostIndex, arn: &str, fails: bool) -> machine::Event {
        let (eni, first) = (self.interface_of(host, arn), self.first_of(host));
        let found = &mut self.hosts[first];
        let row = found.agent.networks.local_interface(&eni).cloned();
        let Some(row) = row.filter(|_| !fails) else {
            // Nothing is left of what failed, nor of what an earlier agent made.
            found.machine.kernel.unplug(&eni);
            let reason = "ResourceInitializationError: no interface".into();
            return machine::Event::InterfaceFailed(reason);
        };
        if !found.machine.kernel.plug(&row, arn) {
            self.violate(5, format!("{eni} is plugged in twice, or into nothing"));
        }
        self.statistics.interfaces += 1;
        self.check_plugged(host, &eni);
        machine::Event::InterfaceMade
    }

    /// What comes of the deed.
    pub fn detach_interface(&mut self, host: HostIndex, arn: &str) -> machine::Event {
        let eni = self.interface_of(host, arn);
        if !self.has(Mutation::SaidGoneTooEarly) {
            let first = self.first_of(host);
            self.hosts[first].machine.kernel.unplug(&eni);
        }
        machine::Event::InterfaceGone
    }

    /// Keeps the interfaces that the tasks' states name, as `VpcNetwork::adopt` does.
    pub fn adopt_interfaces(&mut self, host: HostIndex) {
        let keeps_all = self.has(Mutation::AdoptedAll);
        let mut made = BTreeSet::new();
        for one in self.all_of(host) {
            for (arn, kept) in &self.hosts[one].machine.disk.tasks {
                let state = kept
                    .state
                    .as_ref()
                    .and_then(|state| state.interface.as_ref());
                if state.is_some_and(|interface| interface.made == Made::Yes) {
                    made.insert(arn.clone());
                }
            }
        }
        let kernel = &mut self.hosts[host].machine.kernel;
        kernel.adopt(|arn| keeps_all || made.contains(arn));
    }
}
