use super::counters::Counters;
use super::route::{Place, Route};
use super::scope::Scope;
use super::*;
use crate::connect::protocol;
use crate::task::connect::{AppProtocol, Listener};
use aws_api::agent::host_sync::{EndpointRow, EndpointTarget};
use std::fs::File;
use std::net::Ipv4Addr;
use std::time::Duration;

fn known(targets: &[&str], address: Ipv4Addr) -> protocol::Targets {
    let target = |id: &&str| EndpointTarget {
        id: (*id).to_owned(),
        address,
        port: 80,
    };
    let row = EndpointRow {
        id: "api".into(),
        discovery_name: "api".into(),
        targets: targets.iter().map(target).collect(),
    };
    protocol::Targets {
        put: vec![row],
        ..protocol::Targets::default()
    }
}

fn listener() -> Listener {
    Listener {
        name: "api".into(),
        address: Ipv4Addr::new(127, 255, 0, 1),
        port: 80,
        discovery_name: "api".into(),
        endpoint: "api".into(),
        protocol: AppProtocol::Http,
        idle_seconds: 0,
        request_seconds: 0,
    }
}

fn place(gateway: Option<Ipv4Addr>) -> Place {
    Place {
        netns: Arc::new(File::open("/proc/self/ns/net").unwrap().into()),
        gateway,
    }
}

fn counted(counters: &Counters, route: &Route) -> Vec<String> {
    let (counts, targets) = counters.now();
    counters.keep_only(|id| route.has("api", id));
    assert_eq!(counts.requests, 2, "the endpoint's own count stays");
    targets.into_keys().collect()
}

#[test]
fn what_targets_counted_that_are_gone_is_told_once_more() {
    let (targets, counters) = (Arc::new(Targets::default()), Arc::new(Counters::default()));
    let address = Ipv4Addr::new(172, 31, 0, 4);
    targets.change(known(&["a", "b"], address));
    for target in ["a", "b"] {
        counters.answered(Some(target), 200, Duration::ZERO);
    }
    let parts = (targets.clone(), counters.clone(), Scope::new());
    let route = Route::new(listener(), place(None), parts, None);
    assert_eq!(counted(&counters, &route), ["a", "b"]);
    targets.change(known(&["b", "c"], address));
    assert_eq!(counted(&counters, &route), ["a", "b"]);
    assert_eq!(counted(&counters, &route), ["b"]);
}

#[test]
fn a_target_on_the_hosts_loopback_is_one_where_that_is_reached() {
    let targets = Arc::new(Targets::default());
    targets.change(known(&["a"], Ipv4Addr::LOCALHOST));
    for (gateway, expected) in [
        (Some(Ipv4Addr::new(172, 17, 0, 1)), Some("a")),
        (None, None),
    ] {
        let parts = (targets.clone(), Arc::default(), Scope::new());
        let route = Route::new(listener(), place(gateway), parts, None);
        let picked = route.pick(&[]);
        assert_eq!(picked.as_ref().map(|target| target.id.as_str()), expected);
    }
}

#[test]
fn a_change_says_what_is_other_or_all() {
    let targets = Targets::default();
    targets.change(known(&["a"], Ipv4Addr::LOCALHOST));
    targets.change(protocol::Targets {
        remove: vec!["none".into()],
        ..protocol::Targets::default()
    });
    assert_eq!(targets.of("api").len(), 1);
    targets.change(protocol::Targets {
        is_all: true,
        ..protocol::Targets::default()
    });
    assert_eq!(targets.of("api").len(), 0);
}
