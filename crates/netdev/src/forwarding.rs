//! The host's `ip_forward`, which several Longshores and others share.
//!
//! Who turns it on writes so into the alias of its bridge, or of its first VPC's uplink: the mark lives and dies with the kernel's
//! state, as the setting does. The last marked one to go turns it off again, unless another bridge
//! stands on the host whose owner may have come to rely on it.

use crate::error::NetworkError;
use crate::netlink::Socket;
use crate::netlink::message::Batch;
use crate::netlink::route::Link;
use crate::sysctl;

const IP_FORWARD: &str = "ipv4/ip_forward";
const MARK: &str = "longshore: ip_forward turned on";

/// Turns forwarding on for the sake of a device. The caller holds the machine-wide lock.
pub fn turn_on(device: &str, host: &mut Socket) -> Result<(), NetworkError> {
    let failed = |e| NetworkError::kernel("ip_forward", e);
    let links = host.links().map_err(failed)?;
    let is_on = sysctl::read(IP_FORWARD).as_deref() == Some("1");
    if !is_on || links.iter().any(is_marked) {
        let own = links.iter().find(|link| link.name == device);
        if let Some(own) = own.filter(|own| !is_marked(own)) {
            let mut batch = Batch::new();
            batch.set_alias(own.index, &[own.alias.as_str(), MARK].concat());
            host.transact(batch).map_err(|(_, e)| failed(e.into()))?;
        }
    }
    if is_on {
        Ok(())
    } else {
        sysctl::write(IP_FORWARD, "1")
    }
}

/// To be called with `links` as they were before our `devices` were deleted.
pub fn turn_off_if_ours(
    is_ours: impl Fn(&str) -> bool,
    links: &[Link],
) -> Result<(), NetworkError> {
    let (ours, others): (Vec<&Link>, Vec<&Link>) = links
        .iter()
        .filter(|link| link.kind == "bridge" || is_marked(link))
        .partition(|link| is_ours(&link.name));
    if ours.iter().any(|link| is_marked(link)) && others.is_empty() {
        sysctl::write(IP_FORWARD, "0")?;
    }
    Ok(())
}

fn is_marked(link: &Link) -> bool {
    link.alias.ends_with(MARK)
}
