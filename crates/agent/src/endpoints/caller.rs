//! Whose a request is: the id in its path and the address that it comes from must belong together.

use super::{Origin, Place};
use crate::actor::TaskContext;
use crate::engine::Host;
use crate::task::definition::NetworkMode;
use crate::task::state::ContainerIndex;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Where a container's calls come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// The host's own network.
    Host,
    /// An address on the bridge.
    Bridge(Ipv4Addr),
    /// Its task's interface.
    Vpc {
        /// `vpc-…`.
        vpc: String,
        /// The interface's.
        addresses: Vec<Ipv4Addr>,
    },
    /// It has no network, or not yet.
    Nowhere,
}

impl Home {
    /// Whether a call from `origin` can be its.
    #[must_use]
    pub fn is(&self, origin: &Origin) -> bool {
        let is_from = |own: &Ipv4Addr| origin.address == IpAddr::V4(*own);
        match (self, &origin.place) {
            (Self::Host, Place::Loopback) => origin.address.is_loopback(),
            (Self::Bridge(own), Place::Bridge) => is_from(own),
            (Self::Vpc { vpc, addresses }, Place::Vpc(at)) => {
                vpc == at && addresses.iter().any(is_from)
            }
            (Self::Host | Self::Bridge(_) | Self::Vpc { .. } | Self::Nowhere, _) => false,
        }
    }
}

/// The container that an id names, if the request can be its.
pub fn by_id(host: &Host, origin: &Origin, id: &str) -> Option<(Arc<TaskContext>, ContainerIndex)> {
    let of = |task: Arc<TaskContext>| {
        let index = task.endpoint_ids.iter().position(|known| known == id)?;
        Some((task, index))
    };
    let found = host.tasks().into_iter().find_map(of);
    found.filter(|(task, index)| task.home(*index).is(origin))
}

/// The task whose credentials have this id, if the request can be one of its containers'.
pub fn by_credentials_id(host: &Host, origin: &Origin, id: &str) -> Option<Arc<TaskContext>> {
    let has_it = |task: &Arc<TaskContext>| {
        let known = task.definition.role_credentials.as_ref();
        known.is_some_and(|known| known.credentials_id == id)
    };
    let found = host.tasks().into_iter().find(has_it)?;
    let mut containers = 0..found.definition.containers.len();
    let is_its = containers.any(|index| found.home(index).is(origin));
    is_its.then_some(found)
}

/// The task that has the sender's address: interfaces of VPCs alone are a task's whole.
pub fn by_address(host: &Host, origin: &Origin) -> Option<Arc<TaskContext>> {
    if !matches!(origin.place, Place::Vpc(_)) {
        return None;
    }
    // What the others' homes are, only their files could tell.
    let is_its = |task: &Arc<TaskContext>| {
        task.definition.mode() == Ok(NetworkMode::Awsvpc) && task.home(0).is(origin)
    };
    host.tasks().into_iter().find(is_its)
}

/// Whether it is a task of launch type FARGATE that asks after the instance: it has none.
pub fn is_of_fargate(host: &Host, origin: &Origin) -> bool {
    let Place::Instance(vpc) = &origin.place else {
        return false;
    };
    let at_home = Origin {
        place: Place::Vpc(vpc.clone()),
        address: origin.address,
    };
    by_address(host, &at_home).is_some_and(|task| task.definition.is_fargate())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(place: Place, address: [u8; 4]) -> Origin {
        Origin {
            place,
            address: IpAddr::from(address),
        }
    }

    #[test]
    fn only_the_own_address_at_the_own_place_is_home() {
        let own = [172, 31, 0, 5];
        let vpc = |id: &str| Home::Vpc {
            vpc: id.into(),
            addresses: vec![own.into()],
        };
        let at = |id: &str| Place::Vpc(id.into());
        assert!(vpc("vpc-1").is(&origin(at("vpc-1"), own)));
        // VPCs may have the same addresses.
        assert!(!vpc("vpc-2").is(&origin(at("vpc-1"), own)));
        assert!(!vpc("vpc-1").is(&origin(at("vpc-1"), [172, 31, 0, 6])));
        assert!(!vpc("vpc-1").is(&origin(Place::Bridge, own)));
        let bridge = Home::Bridge(own.into());
        assert!(bridge.is(&origin(Place::Bridge, own)));
        assert!(!bridge.is(&origin(Place::Bridge, [172, 31, 0, 6])));
        assert!(!bridge.is(&origin(Place::Loopback, own)));
        assert!(Home::Host.is(&origin(Place::Loopback, [127, 0, 0, 1])));
        assert!(!Home::Host.is(&origin(Place::Bridge, own)));
        assert!(!Home::Nowhere.is(&origin(Place::Loopback, [127, 0, 0, 1])));
    }
}
