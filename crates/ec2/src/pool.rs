//! Which range public addresses come from: chosen at the first start, and kept.
//!
//! Whoever reaches a public address does so by a route of its host; where another route leads there already,
//! one of the two would not be reached. Rule: docs/decisions/0008.

use crate::records::address::{ADDRESSES, POOL};
use crate::records::pool::{POOLS, PoolRecord};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use store::{Key, Txn, World};

/// Those that are tried, in order: all of the range that RFC 6598 shares out to networks such as this one.
const CANDIDATES: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);
/// So many addresses has one.
const PREFIX_LEN: u8 = 16;
/// The first of them.
const FIRST: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), PREFIX_LEN);

/// What came of choosing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The range, without its first and last address.
    pub range: Ipv4Net,
    /// Whether it was chosen now.
    pub is_new: bool,
    /// A route that leads there, or into it, and is not one of ours.
    pub overlaps: Option<Ipv4Net>,
}

/// The range of a Longshore.
#[must_use]
pub fn range(world: &World) -> Ipv4Net {
    let kept = world.get(&POOLS, &Key::of(&[POOL]));
    kept.map_or(FIRST, |pool| pool.range)
}

/// Chooses the range, where that was not done before: the first candidate that no route of the machine overlaps; the
/// very first where there is none.
pub fn choose(txn: &mut Txn, routes: &[Ipv4Net]) -> Chosen {
    let is_new = txn.get(&POOLS, &Key::of(&[POOL])).is_none();
    if is_new {
        let of_pool = Key::of(&[POOL]);
        // Addresses that were given out before ranges were chosen stay good.
        let is_used = txn.scan_prefix(&ADDRESSES, &of_pool, None).next().is_some();
        let mut candidates = CANDIDATES.subnets(PREFIX_LEN).into_iter().flatten();
        let free =
            candidates.find(|range| is_used || !routes.iter().any(|to| overlap(*to, *range)));
        let record = PoolRecord {
            name: POOL.into(),
            range: free.unwrap_or(FIRST),
        };
        txn.put(&POOLS, record);
    }
    let range = range(txn);
    // Routes to single addresses of it are those that hosts make, once addresses are given out.
    let is_others = |to: &&Ipv4Net| is_new || to.prefix_len() < 32;
    let mut others = routes.iter().filter(is_others);
    Chosen {
        range,
        is_new,
        overlaps: others.find(|to| overlap(**to, range)).copied(),
    }
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::take_public;
    use crate::records::tables;
    use store::Schema;

    fn world() -> Txn {
        Txn::new(World::empty(&Schema::new(&tables())))
    }

    fn nets(all: &[&str]) -> Vec<Ipv4Net> {
        all.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_first_range_that_no_route_overlaps_is_chosen_once() {
        for (routes, range) in [
            (&[][..], "100.64.0.0/16"),
            (&["10.0.0.0/8", "100.128.0.0/9"], "100.64.0.0/16"),
            (&["100.64.3.4/32"], "100.65.0.0/16"),
            (&["100.64.0.0/15", "100.66.7.0/24"], "100.67.0.0/16"),
        ] {
            let mut txn = world();
            let chosen = choose(&mut txn, &nets(routes));
            let range: Ipv4Net = range.parse().unwrap();
            assert_eq!(
                (chosen.range, chosen.is_new, chosen.overlaps),
                (range, true, None)
            );
            assert!(range.contains(&take_public(&mut txn, "eni-1").unwrap()));
            let again = choose(&mut txn, &nets(&["100.64.0.0/10"]));
            assert_eq!((again.range, again.is_new), (range, false));
            assert_eq!(again.overlaps, Some(nets(&["100.64.0.0/10"])[0]));
            // Its own routes, once there are some.
            let own = Ipv4Net::new(range.network(), 32).unwrap();
            assert_eq!(choose(&mut txn, &[own]).overlaps, None);
        }
    }

    #[test]
    fn where_all_are_taken_the_first_is_chosen_and_the_route_told() {
        let chosen = choose(&mut world(), &nets(&["100.64.0.0/10"]));
        assert_eq!((chosen.range, chosen.overlaps), (FIRST, Some(CANDIDATES)));
    }

    #[test]
    fn addresses_that_were_given_out_before_keep_their_range() {
        let mut txn = world();
        take_public(&mut txn, "eni-1").unwrap();
        let chosen = choose(&mut txn, &nets(&["100.64.0.0/16"]));
        assert_eq!((chosen.range, chosen.is_new), (FIRST, true));
    }
}
