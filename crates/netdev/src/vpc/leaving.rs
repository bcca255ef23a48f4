//! Taking an attachment back: the namespace, then the device, then what the kernel remembers of it.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use aws_api::agent::host_sync::{InterfaceRow, Ports};

use super::linux::{Inner, State};
use super::router::Router;
use super::rows;
use super::untracked::Cut;
use crate::error::NetworkError;
use crate::namespace;
use crate::netlink::flows::Flows;
use crate::veth;

/// How often a leaving device is looked at. The kernel removes many at a time, some time after their
/// namespace has no user; to delete one by request costs a grace period of 30 ms.
const LOOK_EVERY: Duration = Duration::from_millis(3);
/// Something holds the namespace, a process that left its container, say: the device is deleted.
const PATIENCE: Duration = Duration::from_secs(1);

impl Inner {
    /// Idempotent.
    pub(crate) fn detach(&self, id: &str) -> Result<(), NetworkError> {
        let known = self.state().attachments.get(id).cloned();
        namespace::remove(&self.names.vpc_namespace(id))?;
        let Some(attachment) = known else {
            return Ok(());
        };
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            let mut state = self.state();
            let Some(router) = state.routers.get_mut(&attachment.vpc) else {
                break;
            };
            let device = router.plugged.get(&attachment.interface);
            let Some(device) = device.map(|plugged| plugged.device.clone()) else {
                break;
            };
            if router.index(&device)?.is_none() {
                break;
            }
            drop(state);
            thread::sleep(LOOK_EVERY);
        }
        let mut state = self.state();
        self.unplug_now(&mut state, &attachment.interface)?;
        state.attachments.remove(id);
        Ok(())
    }

    /// Deletes an interface's device if it is there, and forgets its flows. Idempotent.
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
            router.unplug(interface)?;
        }
        state.reroute(&vpc, interface)
    }
}

impl Router {
    /// Deletes an interface's device if it is there, and forgets its flows.
    pub fn unplug(&mut self, interface: &str) -> Result<(), NetworkError> {
        let Some(plugged) = self.plugged.get(interface).cloned() else {
            return Ok(());
        };
        veth::unplug(&mut self.route, &plugged.device)?;
        self.forget(&plugged.addresses)?;
        self.plugged.remove(interface);
        Ok(())
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
