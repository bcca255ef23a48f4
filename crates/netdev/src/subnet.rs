//! Which addresses the bridge takes.
//!
//! A range that no route of the host overlaps, remembered so that it stays the same after a restart.
//! Candidates run downward: Docker's own networks fill the same space upward.

use std::fs;
use std::net::Ipv4Addr;

use tracing::{info, warn};

use crate::cidr::Ipv4Cidr;
use crate::config::NetworkConfig;
use crate::error::NetworkError;
use crate::names::Names;
use crate::netlink::Socket;

const PREFIX_LEN: u8 = 20;
/// 172.31.0.0/16 is left out: it is the default VPC's.
const CANDIDATES: [(Ipv4Addr, Ipv4Addr); 2] = [
    (Ipv4Addr::new(172, 17, 0, 0), Ipv4Addr::new(172, 30, 240, 0)),
    (
        Ipv4Addr::new(192, 168, 0, 0),
        Ipv4Addr::new(192, 168, 240, 0),
    ),
];
const PREFIX_LENS: std::ops::RangeInclusive<u8> = 16..=28;

/// The caller holds the machine-wide lock, and makes the bridge before it lets go.
pub fn choose(
    config: &NetworkConfig,
    names: &Names,
    host: &mut Socket,
) -> Result<Ipv4Cidr, NetworkError> {
    if let Some(range) = config.bridge_cidr {
        return check(range);
    }
    let in_use = routes_of_others(names, host)?;
    let is_free = |range: Ipv4Cidr| !in_use.iter().any(|other| other.overlaps(range));
    if let Some(range) = remembered(names) {
        let stands = host
            .link(&names.bridge())
            .map_err(|e| NetworkError::kernel("list links", e))?
            .is_some();
        if stands || is_free(range) {
            return Ok(range);
        }
        warn!(%range, "a route of this host now overlaps the bridge's range; choosing another");
    }
    let range = candidates()
        .find(|range| is_free(*range))
        .ok_or(NetworkError::NoFreeRange)?;
    let path = names.remembered_range();
    fs::write(&path, format!("{range}\n")).map_err(|e| NetworkError::path("write", path, e))?;
    info!(%range, bridge = names.bridge(), "bridge range chosen");
    Ok(range)
}

/// The range of an earlier run; `None` when there is none or the file makes no sense.
pub fn remembered(names: &Names) -> Option<Ipv4Cidr> {
    let text = fs::read_to_string(names.remembered_range()).ok()?;
    check(text.trim().parse().ok()?).ok()
}

/// Destinations this host knows by other devices than our bridge.
pub fn routes_of_others(names: &Names, host: &mut Socket) -> Result<Vec<Ipv4Cidr>, NetworkError> {
    let failed = |e| NetworkError::kernel("list routes", e);
    let ours = host
        .link(&names.bridge())
        .map_err(failed)?
        .map(|link| link.index);
    let routes = host.routes().map_err(failed)?;
    Ok(routes
        .into_iter()
        .filter(|route| Some(route.device) != ours)
        .map(|route| route.to)
        .collect())
}

fn check(range: Ipv4Cidr) -> Result<Ipv4Cidr, NetworkError> {
    if PREFIX_LENS.contains(&range.prefix_len()) {
        Ok(range)
    } else {
        Err(NetworkError::Config(format!(
            "bridge range {range}: a prefix length of 16 to 28 is needed"
        )))
    }
}

fn candidates() -> impl Iterator<Item = Ipv4Cidr> {
    CANDIDATES.into_iter().flat_map(|(first, last)| {
        let step = 1u32 << (32 - PREFIX_LEN);
        let count = (u32::from(last) - u32::from(first)) / step;
        (0..=count)
            .rev()
            .map(move |number| u32::from(first) + number * step)
            .filter_map(|network| Ipv4Cidr::containing(Ipv4Addr::from(network), PREFIX_LEN))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_whole_ranges_without_the_default_vpc() {
        let all: Vec<_> = candidates().collect();
        assert_eq!(all.len(), 14 * 16 + 16);
        assert_eq!(all[0].to_string(), "172.30.240.0/20");
        let vpc: Ipv4Cidr = "172.31.0.0/16".parse().unwrap();
        assert!(all.iter().all(|range| !range.overlaps(vpc)));
    }

    #[test]
    fn a_bridge_range_too_wide_or_too_narrow_is_refused() {
        for (range, good) in [
            ("10.0.0.0/16", true),
            ("10.0.0.0/15", false),
            ("10.0.0.0/28", true),
            ("10.0.0.0/29", false),
        ] {
            assert_eq!(check(range.parse().unwrap()).is_ok(), good, "{range}");
        }
    }
}
