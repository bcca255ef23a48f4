//! Taking back what was made: attachments at once, what is left of them and routers of nobody later.
//!
//! To delete a device costs a grace period of the kernel's of 30 ms, and the end of a namespace takes as
//! long. Neither is waited for: a leaving device is set down and renamed, so that nothing passes it and
//! its name and addresses are free; the kernel removes it with the task's namespace.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use aws_api::agent::host_sync::{InterfaceRow, Ports};
use rustix::io::Errno;
use tracing::warn;

use super::linux::{Inner, State};
use super::router::Router;
use super::rows;
use super::untracked::Cut;
use crate::error::NetworkError;
use crate::namespace;
use crate::netlink::flows::Flows;
use crate::netlink::message::Batch;
use crate::veth;

/// By then the kernel has removed a device whose namespace has no user. Something holds this one, a
/// process that left its container, say: the device is deleted.
const PATIENCE: Duration = Duration::from_secs(1);
/// Of the names of devices that leave.
pub const LEAVING_PREFIX: &str = "x";

/// A device that was taken out of use.
#[derive(Debug)]
pub struct Leaving {
    vpc: String,
    device: String,
    since: Instant,
}

impl Inner {
    /// Idempotent.
    pub(crate) fn detach(&self, id: &str) -> Result<(), NetworkError> {
        let known = self.state().attachments.get(id).cloned();
        namespace::remove(&self.names.vpc_namespace(id))?;
        let Some(attachment) = known else {
            return Ok(());
        };
        let mut state = self.state();
        self.unplug_now(&mut state, &attachment.interface)?;
        state.attachments.remove(id);
        Ok(())
    }

    /// Takes an interface's device out of use if it is there, and forgets its flows. Idempotent.
    pub(crate) fn unplug_now(
        &self,
        state: &mut State,
        interface: &str,
    ) -> Result<(), NetworkError> {
        let holding = state
            .routers
            .iter()
            .find(|(_, router)| router.plugged.contains_key(interface));
        let Some(vpc) = holding.map(|(vpc, _)| vpc.clone()) else {
            return Ok(());
        };
        if let Some(router) = state.routers.get_mut(&vpc) {
            let leaving = router.unplug(interface)?;
            state.leaving.extend(leaving);
        }
        state.reroute(&vpc, interface)
    }

    /// Sees to it that what is due later is done, on a thread that ends when nothing is. The calling
    /// thread is in the host's namespace, and so is the new one.
    pub(crate) fn see_to_the_rest(self: &Arc<Self>) {
        let mut state = self.state();
        self.news.notify_all();
        if state.is_seen_to || (state.leaving.is_empty() && state.idle.is_empty()) {
            return;
        }
        let inner = Arc::clone(self);
        let thread = thread::Builder::new().name("vpc-rest".into());
        match thread.spawn(move || inner.rest()) {
            Ok(_) => state.is_seen_to = true,
            // The next call tries again, and a restart removes it too.
            Err(error) => warn!(%error, "no thread to remove what left"),
        }
    }

    fn rest(&self) {
        let mut state = self.state();
        loop {
            let due = self.do_what_is_due(&mut state, Instant::now());
            let Some(due) = due.filter(|_| !state.is_closed) else {
                break;
            };
            let wait = due.saturating_duration_since(Instant::now());
            let waited = self.news.wait_timeout(state, wait);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.is_seen_to = false;
    }

    /// When there is something to do again.
    fn do_what_is_due(&self, state: &mut State, now: Instant) -> Option<Instant> {
        let stays = |one: &mut Leaving| one.since + PATIENCE > now;
        let gone: Vec<Leaving> = state.leaving.extract_if(.., |one| !stays(one)).collect();
        for one in gone {
            if let Some(router) = state.routers.get_mut(&one.vpc)
                && let Err(error) = veth::unplug(&mut router.route, &one.device)
            {
                warn!(%error, "a device could not be removed; the next start removes it");
            }
        }
        let linger = self.config.router_linger;
        let idle = state
            .idle
            .iter()
            .filter(|(_, since)| **since + linger <= now);
        let idle: Vec<String> = idle.map(|(vpc, _)| vpc.clone()).collect();
        for vpc in idle {
            if let Err(error) = state.drop_router(&vpc) {
                warn!(%error, "a router could not be removed; the next start removes it");
            }
        }
        let devices = state.leaving.iter().map(|one| one.since + PATIENCE);
        devices
            .chain(state.idle.values().map(|since| *since + linger))
            .min()
    }
}

impl State {
    /// Takes a router away, with all that is in it.
    pub(crate) fn drop_router(&mut self, vpc: &str) -> Result<(), NetworkError> {
        self.idle.remove(vpc);
        self.leaving.retain(|one| one.vpc != vpc);
        let (Some(router), Some(host)) = (self.routers.remove(vpc), self.host.as_mut()) else {
            return Ok(());
        };
        let publics: Vec<IpAddr> = host.publics(&router.uplink)?.into_iter().collect();
        let unpublished = host.publish(&router.uplink, &[], &publics);
        unpublished.and(router.remove(host))
    }
}

impl Router {
    /// Takes an interface's device out of use if it is there, and forgets its flows.
    pub fn unplug(&mut self, interface: &str) -> Result<Option<Leaving>, NetworkError> {
        let Some(plugged) = self.plugged.get(interface).cloned() else {
            return Ok(None);
        };
        let device = format!("{LEAVING_PREFIX}{:x}", plugged.index);
        let mut batch = Batch::new();
        batch.retire(plugged.index, &device);
        let leaving = match self.route.transact(batch) {
            Ok(()) => Some(self.leaves(device)),
            Err((_, Errno::NODEV)) => None,
            Err((_, errno)) => return Err(self.failed(&format!("device of {interface}"), errno)),
        };
        self.forget(&plugged.addresses)?;
        self.plugged.remove(interface);
        Ok(leaving)
    }

    /// A device of this router that was taken out of use.
    pub fn leaves(&self, device: String) -> Leaving {
        Leaving {
            vpc: self.vpc.clone(),
            device,
            since: Instant::now(),
        }
    }

    /// Ends flows of an interface that live by a rule that went.
    pub fn cut(&mut self, row: &InterfaceRow, cut: &Cut) -> Result<(), NetworkError> {
        let Ports(first, last) = cut.ports;
        let own: Vec<IpAddr> = rows::addresses(row)
            .filter(|address| address.is_ipv6() == cut.is_ipv6)
            .collect();
        for address in own {
            let flows = Flows {
                address,
                is_inbound: cut.is_inbound,
                protocol: cut.protocol,
                ports: first..=last,
            };
            self.nft
                .forget_flows(&flows)
                .map_err(|errno| self.failed("flows", errno))?;
        }
        Ok(())
    }
}
