//! Taking a message in: the order in which the kernel follows the rows.

use std::collections::BTreeSet;
use std::time::Instant;

use aws_api::agent::host_sync::{RowKey, ToHost};

use super::Outcome;
use super::desired::Delta;
use super::item::{Item, Way};
use super::linux::{Inner, State};
use super::router::Router;
use super::rows;
use super::uplink::HostSide;
use crate::error::NetworkError;

impl Inner {
    pub(crate) fn apply(&self, message: &ToHost) -> Result<Outcome, NetworkError> {
        let mut state = self.state();
        let delta = state.desired.take(message);
        let wanted = state.desired.local_vpcs();
        if wanted.is_empty() && state.routers.is_empty() {
            return Ok(Outcome {
                removed: delta.gone.into_iter().map(|row| row.id).collect(),
                failures: delta.failures,
            });
        }
        state.open_host(self)?;
        let hosts = state.desired.underlays();
        state.host_side()?.know(&hosts)?;
        let mut outcome = Outcome {
            removed: Vec::new(),
            failures: delta.failures.clone(),
        };
        self.cut_off(&mut state, &delta, &mut outcome);
        for vpc in &wanted {
            if let Err(why) = self.bring_up(&mut state, vpc, &delta) {
                let key = RowKey::Vpc(vpc.clone());
                outcome.failures.push((key, why.to_string()));
            }
        }
        self.alter(&mut state, &delta, &mut outcome);
        self.let_go(&mut state, &wanted, &delta, &mut outcome);
        Ok(outcome)
    }

    /// What goes, goes first: interfaces whose rows went, or that a restart found without one.
    fn cut_off(&self, state: &mut State, delta: &Delta, outcome: &mut Outcome) {
        let mut gone: BTreeSet<String> = delta.gone.iter().map(|row| row.id.clone()).collect();
        for router in state.routers.values() {
            let rowless = router.plugged.keys().filter(|interface| {
                let row = state.desired.local_interface(interface);
                row.is_none_or(|row| row.vpc != router.vpc)
            });
            gone.extend(rowless.cloned());
        }
        for interface in gone {
            match self.unplug_now(state, &interface) {
                Ok(()) => outcome.removed.push(interface),
                Err(why) => {
                    let key = RowKey::Interface(interface);
                    outcome.failures.push((key, why.to_string()));
                }
            }
        }
    }

    fn bring_up(&self, state: &mut State, vpc: &str, delta: &Delta) -> Result<(), NetworkError> {
        let row = state.desired.vpc(vpc).cloned();
        let row = row.ok_or_else(|| NetworkError::Config(format!("no row of {vpc} came")))?;
        let host = state
            .host
            .as_mut()
            .ok_or(NetworkError::Thread("the host's side"))?;
        if !state.routers.contains_key(vpc) {
            let path = self.names.router(vpc);
            let router = Router::make(&row, path, self.config.underlay, host)?;
            state.routers.insert(vpc.to_owned(), router);
        }
        let Some(router) = state.routers.get_mut(vpc) else {
            return Ok(());
        };
        if let (false, Some(change)) = (router.is_doubtful, delta.routers.get(vpc))
            && router.change(change, host).is_ok()
        {
            return Ok(());
        }
        if router.is_doubtful {
            router.ensure_overlay(&row, self.config.underlay, host)?;
            router.hold(&state.desired.held(vpc), host)?;
            let ids: Vec<String> = router.plugged.keys().cloned().collect();
            ids.iter().try_for_each(|id| state.realign(id))?;
        }
        Ok(())
    }

    /// Attached interfaces whose rows changed, and flows that end.
    fn alter(&self, state: &mut State, delta: &Delta, outcome: &mut Outcome) {
        for (old, now) in &delta.altered {
            if let Err(why) = state.realign(&now.id) {
                let key = RowKey::Interface(now.id.clone());
                outcome.failures.push((key, why.to_string()));
            }
            let lost: Vec<_> = rows::addresses(old)
                .filter(|address| !rows::addresses(now).any(|kept| kept == *address))
                .collect();
            if let Some(router) = state.routers.get_mut(&old.vpc)
                && let Err(why) = router.forget(&lost)
            {
                let key = RowKey::Interface(now.id.clone());
                outcome.failures.push((key, why.to_string()));
            }
        }
        for (row, cut) in &delta.cuts {
            let Some(router) = state.routers.get_mut(&row.vpc) else {
                continue;
            };
            if let Err(why) = router.cut(row, cut) {
                let key = RowKey::Interface(row.id.clone());
                outcome.failures.push((key, why.to_string()));
            }
        }
    }

    /// Routers without an interface are emptied and stay for a while, for the VPC's next one.
    fn let_go(
        &self,
        state: &mut State,
        wanted: &BTreeSet<String>,
        delta: &Delta,
        outcome: &mut Outcome,
    ) {
        let idle = |(vpc, router): &(&String, &Router)| {
            !wanted.contains(*vpc) && router.plugged.is_empty()
        };
        let idle = state
            .routers
            .iter()
            .filter(idle)
            .map(|(vpc, _)| vpc.clone());
        let idle: Vec<String> = idle.collect();
        state.idle.retain(|vpc, _| !wanted.contains(vpc));
        for vpc in idle {
            if state.empty(&vpc, delta) && !self.config.router_linger.is_zero() {
                state.idle.entry(vpc).or_insert_with(Instant::now);
            } else if let Err(why) = state.drop_router(&vpc) {
                outcome.failures.push((RowKey::Vpc(vpc), why.to_string()));
            }
        }
    }
}

impl State {
    /// Whether the router is known to hold what its rows say, which is little or nothing now.
    fn empty(&mut self, vpc: &str, delta: &Delta) -> bool {
        let (Some(router), Some(host)) = (self.routers.get_mut(vpc), self.host.as_mut()) else {
            return false;
        };
        let change = delta.routers.get(vpc);
        change.is_none_or(|change| router.change(change, host).is_ok()) && !router.is_doubtful
    }

    pub(crate) fn open_host(&mut self, inner: &Inner) -> Result<(), NetworkError> {
        if self.host.is_none() {
            let mut host = HostSide::open(&inner.config, &inner.names)?;
            host.read_known()?;
            self.host = Some(host);
        }
        Ok(())
    }

    pub(crate) fn host_side(&mut self) -> Result<&mut HostSide, NetworkError> {
        self.host
            .as_mut()
            .ok_or(NetworkError::Thread("the host's side"))
    }

    /// Brings an attached interface into step with its row.
    fn realign(&mut self, interface: &str) -> Result<(), NetworkError> {
        let Some(row) = self.desired.local_interface(interface).cloned() else {
            return Ok(());
        };
        let Ok(subnet) = self.desired.view().subnet(&row.subnet).map(|row| row.cidr) else {
            return Ok(());
        };
        if let Some(router) = self.routers.get_mut(&row.vpc) {
            router.route_interface(&row, subnet)?;
        }
        self.reroute(&row.vpc, interface)
    }

    /// Brings routes that lead to the interface into step with whether it is there.
    pub(crate) fn reroute(&mut self, vpc: &str, interface: &str) -> Result<(), NetworkError> {
        let Some(row) = self.desired.local_interface(interface) else {
            return Ok(());
        };
        if row.source_dest_check {
            return Ok(());
        }
        let own: Vec<_> = rows::addresses(row).collect();
        let held = self.desired.held(vpc);
        let leading = held.iter().filter(
            |item| matches!(item, Item::Route { way: Way::Interface(to), .. } if own.contains(to)),
        );
        match self.routers.get_mut(vpc) {
            Some(router) => router.reroute(leading),
            None => Ok(()),
        }
    }
}
