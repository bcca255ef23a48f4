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

#[tokio::test(start_paused = true)]
async fn a_door_at_which_nobody_can_be_taken_does_not_end_what_is_served() {
    // One that does not listen: as where no descriptor is left each attempt fails.
    let kind = rustix::net::SocketType::SEQPACKET;
    let socket = rustix::net::socket(rustix::net::AddressFamily::UNIX, kind, None).unwrap();
    rustix::io::ioctl_fionbio(&socket, true).unwrap();
    let door = Door::new(socket).unwrap();
    assert!(door.accept().await.is_err());
    let served = tokio::time::timeout(Duration::from_secs(60), serve(door));
    assert!(served.await.is_err(), "it goes on");
}

#[test]
fn clients_leave_descriptors_to_the_agent() {
    assert_eq!(room(1024, 160), 400);
    assert_eq!(room(64, 1), 0);
    assert_eq!((is_spare(959, 1024), is_spare(960, 1024)), (true, false));
    assert_eq!(room(usize::MAX, 0), (usize::MAX - RESERVE) / 2);
}

#[tokio::test]
async fn what_an_agent_began_to_open_and_did_not_end_is_let_go_when_the_next_one_comes() {
    let mut proxy = Proxy {
        targets: Arc::default(),
        gate: Gate::default(),
        open: BTreeMap::new(),
        began: String::new(),
    };
    let namespace = protocol::Namespace {
        netns: "n".into(),
        inode: 1,
        task: "t".into(),
        gateway: None,
        wanted: crate::task::connect::ServiceConnect {
            listeners: vec![listener()],
            ingress: Vec::new(),
            access_log: None,
        },
    };
    let netns = File::open("/proc/self/ns/net").unwrap();
    let (answer, _) = proxy.obey(Order::Open(namespace), vec![netns.into()]).await;
    assert!(matches!(answer, Answer::Done));
    let (answer, _) = proxy.obey(Order::Hello, Vec::new()).await;
    assert!(matches!(answer, Answer::Hello(hello) if hello.open.is_empty()));
    assert!(proxy.open.is_empty(), "the namespace is not held");
}
