//! What the machine asks for, done on the fake host: each deed takes its time, may fail, and may be
//! done although the agent that began it is gone.

use crate::event::{AgentId, Event, HostIndex, Request};
use crate::host::Process;
use crate::plan::Load;
use crate::simulation::Simulation;
use crate::workload::{MOODY, SICK, UNPULLABLE};
use agent::task::event::Command;
use agent::task::health::Probe;
use agent::task::machine;
use agent::task::state::ContainerIndex;

/// Milliseconds for which a moody program is well or not.
const MOOD: u64 = 75_000;

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;
/// How long an agent waits for an answer, and between tries.
const ANSWER_MAX: u64 = 10_000;
const RETRY: (u64, u64) = (100, 5000);

impl Simulation {
    /// Begins what the machine asked for.
    pub fn carry_out(&mut self, agent: AgentId, arn: &str, commands: Vec<Command>) {
        for command in commands {
            if command == Command::Forget {
                let host = &mut self.hosts[agent.host];
                host.machine.disk.tasks.remove(arn);
                host.agent.live.remove(arn);
                self.check_kept(agent.host);
                return;
            }
            let number = self.number();
            let delay = self.takes(agent.host, arn, &command);
            if matches!(command, Command::AttachInterface | Command::DetachInterface) {
                self.may_kill_amid(agent, delay);
            }
            let Some(live) = self.hosts[agent.host].agent.live.get_mut(arn) else {
                return;
            };
            let arn = arn.to_owned();
            if let Command::Submit(change) = command {
                live.submitting = Some((number, change));
                self.submit_report(agent, &arn, number, 0);
            } else {
                live.asked.insert(number, command);
                self.after(delay, Event::Deed { agent, arn, number });
            }
        }
    }

    /// Milliseconds that a deed takes.
    fn takes(&mut self, host: HostIndex, arn: &str, command: &Command) -> u64 {
        let now = self.host_now(host);
        let until = |at: &aws_types::Timestamp| at.since(now).as_millis() as u64;
        match command {
            Command::EnsureImage(index) => {
                let host = &self.hosts[host];
                let live = host.agent.live.get(arn);
                let image = live.map(|live| &live.state.containers[*index].image_reference);
                let is_here = image.is_some_and(|image| host.machine.images.contains(image));
                if is_here {
                    return self.random.wait(5);
                }
                let is_slow = self.random.chance(self.faults.slow_pull);
                self.random.wait(if is_slow { 60_000 } else { 800 })
            }
            Command::CheckHealth { at, .. } => until(at) + self.random.wait(50),
            Command::SetTimer(_, at) => until(at),
            Command::Start(_) => self.random.wait(100),
            Command::FinishLogs(_) => self.random.wait(500),
            _ => self.random.wait(15),
        }
    }

    /// A deed is done; the machine hears of it.
    pub fn done(&mut self, agent: AgentId, arn: &str, number: u64) {
        if self.interface_waits(agent, arn, number) {
            return;
        }
        let live = self.hosts[agent.host].agent.live.get_mut(arn);
        let Some(command) = live.and_then(|live| live.asked.remove(&number)) else {
            return;
        };
        if let Some(event) = self.effect(agent.host, arn, &command) {
            self.tell(agent, arn, event);
        }
    }

    /// What a deed does to the host.
    pub fn effect(
        &mut self,
        host: HostIndex,
        arn: &str,
        command: &Command,
    ) -> Option<machine::Event> {
        let fails = self.random.chance(self.faults.failing) || self.is_sick(host, arn, command);
        let now = self.host_now(host);
        let key = |index: ContainerIndex| (arn.to_owned(), index);
        let machine = &mut self.hosts[host].machine;
        Some(match command {
            Command::MakeCgroup => {
                machine.cgroups.insert(arn.to_owned());
                match fails {
                    true => machine::Event::CgroupFailed("ResourceError: refused".into()),
                    false => machine::Event::CgroupMade,
                }
            }
            Command::EnsureImage(index) => return self.pull(host, arn, *index, fails),
            Command::AttachNetwork(index) => return self.attach(host, arn, *index, fails),
            Command::Start(index) => return self.start(host, arn, *index, fails),
            Command::Clear(index) => {
                machine.processes.remove(&key(*index));
                machine::Event::Cleared(*index)
            }
            Command::CheckHealth { container, run, .. } => {
                let process = machine.processes.get(&key(*container));
                let passes = process.is_some_and(|p| p.end.is_none()) && !fails;
                machine::Event::HealthChecked {
                    container: *container,
                    run: *run,
                    began: now,
                    probe: probe(passes),
                }
            }
            Command::Signal(index, signal) => {
                self.signal(host, arn, *index, *signal);
                return None;
            }
            Command::SetTimer(timer, _) => machine::Event::TimerFired(*timer),
            Command::FinishLogs(index) => machine::Event::LogsFinished(*index),
            Command::DetachNetwork(index) => {
                machine.attached.remove(&key(*index));
                machine::Event::NetworkGone(*index)
            }
            Command::RemoveContainer(index) => {
                machine.processes.remove(&key(*index));
                machine::Event::ContainerGone(*index)
            }
            Command::RemoveCgroup => {
                machine.cgroups.remove(arn);
                machine::Event::CgroupGone
            }
            Command::AttachInterface => self.attach_interface(host, arn, fails),
            Command::DetachInterface => self.detach_interface(host, arn),
            // A start here takes 100 ms at most: it is over.
            Command::Submit(_) | Command::Forget | Command::GiveUpStart(_) => return None,
        })
    }

    /// Whether this is the check of a program that never passes it, or not at present.
    fn is_sick(&self, host: HostIndex, arn: &str, command: &Command) -> bool {
        let Command::CheckHealth { container, .. } = command else {
            return false;
        };
        match self.name_of(host, arn, *container).as_deref() {
            Some(SICK) => true,
            Some(MOODY) => !self.is_calm && (self.now / MOOD + host as u64).is_multiple_of(3),
            _ => false,
        }
    }

    fn name_of(&self, host: HostIndex, arn: &str, index: ContainerIndex) -> Option<String> {
        let live = self.hosts[host].agent.live.get(arn)?;
        Some(live.state.containers.get(index)?.name.clone())
    }

    fn pull(
        &mut self,
        host: HostIndex,
        arn: &str,
        container: ContainerIndex,
        fails: bool,
    ) -> Option<machine::Event> {
        if fails || self.name_of(host, arn, container).as_deref() == Some(UNPULLABLE) {
            let reason = "CannotPullContainerError: no route to host".into();
            return Some(machine::Event::ImageFailed(container, reason));
        }
        let now = self.host_now(host);
        let found = &mut self.hosts[host];
        let live = found.agent.live.get(arn)?;
        let image = live.state.containers[container].image_reference.clone();
        let is_new = found.machine.images.insert(image);
        Some(machine::Event::ImageReady {
            container,
            digest: None,
            stop_signal: SIGTERM,
            pulled: is_new.then_some((now, now)),
        })
    }

    fn attach(
        &mut self,
        host: HostIndex,
        arn: &str,
        index: ContainerIndex,
        fails: bool,
    ) -> Option<machine::Event> {
        let failed = || {
            let reason = "CannotStartContainerError: no network".into();
            Some(machine::Event::NetworkFailed(index, reason))
        };
        if fails {
            return failed();
        }
        let found = &mut self.hosts[host];
        let live = found.agent.live.get(arn)?;
        match found.machine.attach(&live.definition, index) {
            Ok(bindings) => Some(machine::Event::NetworkMade(index, bindings)),
            Err(other) => {
                self.check_port_clash(arn, &other);
                failed()
            }
        }
    }

    fn start(
        &mut self,
        host: HostIndex,
        arn: &str,
        index: ContainerIndex,
        fails: bool,
    ) -> Option<machine::Event> {
        if fails {
            let reason = "CannotStartContainerError: no such file".into();
            return Some(machine::Event::StartFailed(index, reason));
        }
        let (process, started) = (self.number(), self.host_now(host));
        let found = &mut self.hosts[host];
        let name = found.agent.live.get(arn)?.state.containers[index]
            .name
            .clone();
        let begun = found.machine.start(
            (arn.to_owned(), index),
            Process {
                number: process,
                started,
                end: None,
            },
        );
        if let Err(what) = begun {
            self.violate(4, what);
        }
        self.statistics.containers += 1;
        self.check_start(host, arn);
        let runs_for = self.runs_for(arn, &name);
        if self.plan.load == Load::TwoServices {
            // Its programs run for ever.
            return Some(machine::Event::Started(index, started));
        }
        let delay = self.random.wait(runs_for) + 1;
        let codes = [0, 0, 0, 1, 137];
        let exit_code = self.random.pick(&codes).copied().unwrap_or(0);
        self.after(
            delay,
            Event::Exit {
                host,
                process,
                exit_code,
            },
        );
        Some(machine::Event::Started(index, started))
    }

    /// SIGTERM ends most programs in a moment and some not at all; SIGKILL each, some of them only
    /// when the kernel lets go.
    fn signal(&mut self, host: HostIndex, arn: &str, index: ContainerIndex, signal: i32) {
        let key = (arn.to_owned(), index);
        let Some(process) = self.hosts[host].machine.processes.get(&key) else {
            return;
        };
        let process = process.number;
        let (delay, exit_code) = match signal {
            SIGKILL if self.random.chance(20) => (15_000, 137),
            SIGKILL => (self.random.wait(50), 137),
            _ if self.random.chance(200) => return,
            _ => (self.random.wait(2000), 143),
        };
        self.after(
            delay,
            Event::Exit {
                host,
                process,
                exit_code,
            },
        );
    }

    /// A program ends; an agent that runs hears of it.
    pub fn exit(&mut self, host: HostIndex, process: u64, exit_code: i32) {
        let at = self.host_now(host);
        let found = &mut self.hosts[host];
        let Some((arn, container)) = found.machine.exit(process, exit_code, at) else {
            return;
        };
        let (up, life) = (found.agent.up, found.agent.life);
        if up {
            let exited = machine::Event::Exited {
                container,
                exit_code: Some(exit_code),
                out_of_memory: exit_code == 137,
                at,
                reason: None,
            };
            self.tell(AgentId { host, life }, &arn, exited);
        }
    }

    /// Sends a task's report, again and again until it is taken.
    pub fn submit_report(&mut self, agent: AgentId, arn: &str, number: u64, tries: u32) {
        let live = self.hosts[agent.host].agent.live.get(arn);
        let report = live.and_then(|live| live.submitting.clone());
        let Some((current, change)) = report else {
            return;
        };
        if current != number {
            return;
        }
        let arn = arn.to_owned();
        let request = Request::Submit {
            agent,
            arn: arn.clone(),
            number,
            change,
        };
        self.send_request(Some(agent.host), request);
        let wait = (RETRY.0 << tries.min(6)).min(RETRY.1);
        let delay = ANSWER_MAX + self.random.wait(wait);
        let tries = tries + 1;
        self.after(
            delay,
            Event::Resubmit {
                agent,
                arn,
                number,
                tries,
            },
        );
    }

    /// The server took a report.
    pub fn report_taken(&mut self, agent: AgentId, arn: &str, number: u64) {
        if !self.is_alive(agent) {
            return;
        }
        let Some(live) = self.hosts[agent.host].agent.live.get_mut(arn) else {
            return;
        };
        if live.submitting.as_ref().map(|(current, _)| *current) == Some(number) {
            live.submitting = None;
            self.tell(agent, arn, machine::Event::ReportAcknowledged);
        }
    }
}

fn probe(passes: bool) -> Probe {
    match passes {
        true => Probe::Passed(String::new()),
        false => Probe::failed(1, ""),
    }
}
