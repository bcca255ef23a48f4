use super::*;
use aws_api::agent::host_sync::{EndpointRow, EndpointTarget, Row};

fn of_targets(ids: &[&str]) -> ToHost {
    targets_at(ids, Ipv4Addr::new(172, 31, 0, 4))
}

fn targets_at(ids: &[&str], address: Ipv4Addr) -> ToHost {
    let target = |id: &&str| EndpointTarget {
        id: (*id).to_owned(),
        address,
        port: 80,
    };
    ToHost::State {
        revision: 1,
        rows: vec![Row::Endpoint(EndpointRow {
            id: "api".into(),
            discovery_name: "api".into(),
            targets: ids.iter().map(target).collect(),
        })],
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

async fn counted(connect: &Connect) -> Vec<String> {
    let all = connect.counted().await;
    let (_, counts, targets) = &all["t"][0];
    assert_eq!(counts.requests, 2, "the endpoint's own count stays");
    targets.keys().cloned().collect()
}

#[tokio::test]
async fn what_targets_counted_that_are_gone_is_told_once_more() {
    let dir = tempfile::tempdir().unwrap();
    let connect = Connect::new(dir.path());
    connect.learn(&of_targets(&["a", "b"]));
    let counters = Arc::new(Counters::default());
    for target in ["a", "b"] {
        counters.answered(Some(target), 200, Duration::ZERO);
    }
    let scope = Scope::new();
    let parts = (connect.targets.clone(), counters.clone(), scope.clone());
    let place = Place::from(PathBuf::from("netns"));
    let open = Open {
        inode: 1,
        task: "t".into(),
        scope,
        counters: BTreeMap::from([("api".into(), counters)]),
        routes: vec![Route::new(listener(), place, parts)],
    };
    let mut all = connect.open.lock().await;
    all.insert("netns".into(), open);
    drop(all);
    assert_eq!(counted(&connect).await, ["a", "b"]);
    connect.learn(&of_targets(&["b", "c"]));
    assert_eq!(counted(&connect).await, ["a", "b"]);
    assert_eq!(counted(&connect).await, ["b"]);
}

#[test]
fn a_target_on_the_hosts_loopback_is_one_where_that_is_reached() {
    let dir = tempfile::tempdir().unwrap();
    let targets = Arc::new(Targets::open(dir.path()));
    targets.learn(&targets_at(&["a"], Ipv4Addr::LOCALHOST));
    for (gateway, expected) in [
        (Some(Ipv4Addr::new(172, 17, 0, 1)), Some("a")),
        (None, None),
    ] {
        let place = Place {
            netns: PathBuf::from("netns"),
            gateway,
        };
        let parts = (targets.clone(), Arc::default(), Scope::new());
        let route = Route::new(listener(), place, parts);
        let picked = route.pick(&[]);
        assert_eq!(picked.as_ref().map(|target| target.id.as_str()), expected);
    }
}
