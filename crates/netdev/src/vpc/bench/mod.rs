//! Figures of the data plane, measured in a namespace of their own that goes with them.

mod paths;
mod traffic;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use aws_api::agent::host_sync::{
    Compiled, FromGroups, FromRange, GroupSetRow, InterfaceRow, Ports, Protocols, Row, RowKey,
    SubnetRow, ToHost, VpcRow, What,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};

pub use paths::{Way, ways};
pub use traffic::Traffic;
use traffic::{PORT, serve};

use super::{LinuxVpcs, VpcNetwork};
use crate::config::NetworkConfig;
use crate::error::NetworkError;
use crate::namespace::run_in;
use crate::rules::run_nft;

const VPC: &str = "vpc-bench";
const SUBNET: &str = "subnet-bench";
const CHANGES: u16 = 21;
/// The first of the two gates' rules asks nothing of a flow that stands; here every flow stands or begins.
const TRACKING_ALONE: &str = "flush chain inet vpc antispoof\nflush chain inet vpc gate_out\nflush chain inet vpc gate_in\nflush chain inet vpc acl\nadd rule inet vpc gate_in ct state established accept\nadd rule inet vpc gate_in accept\n";

/// How much a host holds of a VPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// Members of the group that may call; all but the caller are elsewhere.
    pub members: u32,
    /// Rules of the group that is called, each of one address and port.
    pub rules: u32,
}

/// What a VPC of some size costs. Of changes the median and the longest.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The message with all of it.
    pub first_load: Duration,
    /// One interface elsewhere joins the group.
    pub member_joins: (Duration, Duration),
    /// And leaves it.
    pub member_leaves: (Duration, Duration),
    /// One rule more.
    pub rule_comes: (Duration, Duration),
    /// The same rule less.
    pub rule_goes: (Duration, Duration),
    /// What passes from one interface to another.
    pub traffic: Traffic,
    /// The same with tracking alone: `ct state established accept; accept`.
    pub tracking_alone: Traffic,
}

/// Attaching and detaching.
#[derive(Debug, Clone, PartialEq)]
pub struct Attaching {
    /// One after another: median and longest.
    pub attach: (Duration, Duration),
    /// So many at once, each second.
    pub attached_per_second: f64,
    /// One after another: median and longest.
    pub detach: (Duration, Duration),
    /// So many at once, each second.
    pub detached_per_second: f64,
}

/// Measures a VPC of this size. `run_dir` is empty and stays so.
///
/// # Errors
/// Whatever the data plane lacks; root, for one.
pub fn figures(run_dir: &Path, size: Size) -> Result<Figures, NetworkError> {
    apart(run_dir, |net, runtime| {
        runtime.block_on(measure(&net, size))
    })
}

/// Gives the VPCs of a host in a namespace of its own, and a runtime, to what is to be measured with them.
///
/// # Errors
/// As [`figures`].
pub fn on_a_host<T: Send>(
    run_dir: &Path,
    work: impl FnOnce(&LinuxVpcs, &tokio::runtime::Runtime) -> T + Send,
) -> Result<T, NetworkError> {
    apart(run_dir, |net, runtime| Ok(work(&net, runtime)))
}

/// Measures attaching and detaching of `count` interfaces, by turns and at once.
///
/// # Errors
/// As [`figures`].
pub fn attaching(run_dir: &Path, count: u32) -> Result<Attaching, NetworkError> {
    apart(run_dir, |net, runtime| {
        runtime.block_on(measure_attaching(net, count))
    })
}

/// On a thread of its own, in a namespace of its own.
fn apart<T: Send>(
    run_dir: &Path,
    work: impl FnOnce(Arc<LinuxVpcs>, &tokio::runtime::Runtime) -> Result<T, NetworkError> + Send,
) -> Result<T, NetworkError> {
    let failed = |e: std::io::Error| NetworkError::kernel("a namespace to measure in", e);
    let measured = move || {
        #[allow(unsafe_code)]
        // SAFETY: NEWNET unshares no file descriptor table; memory safety does not depend on it.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.map_err(|e| failed(e.into()))?;
        let net = LinuxVpcs::new(NetworkConfig::new("be0c4000", run_dir))?;
        let net = Arc::new(net);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let done = work(net.clone(), &runtime);
        let gone = runtime.block_on(net.destroy());
        let done = done?;
        gone.map(|()| done)
    };
    thread::scope(|scope| {
        let done = scope.spawn(measured).join();
        done.unwrap_or(Err(NetworkError::Thread("measuring")))
    })
}

async fn measure(net: &LinuxVpcs, size: Size) -> Result<Figures, NetworkError> {
    let Size { members, rules } = size;
    let mut rows = base();
    let mut ranges: Vec<FromRange> = (0..rules).map(rule).collect();
    rows.push(Row::GroupSet(server(ranges.clone())));
    rows.extend((2..members.max(2)).map(|n| Row::Interface(interface(n, "sg-client", true))));
    let since = Instant::now();
    net.apply(&ToHost::State { revision: 1, rows }).await?;
    let first_load = since.elapsed();
    let client = net.attach("client", &interface(0, "", false).id).await?;
    let server_at = net.attach("server", &interface(1, "", false).id).await?;
    let mut changes: [Vec<Duration>; 4] = Default::default();
    for change in 0..CHANGES {
        let member = interface(members + 10 + u32::from(change), "sg-client", true);
        let key = RowKey::Interface(member.id.clone());
        changes[0].push(timed(net, vec![Row::Interface(member)], vec![]).await?);
        changes[1].push(timed(net, vec![], vec![key]).await?);
        // In the middle of the others, as one whose address is between theirs.
        let at = usize::from(change) * ranges.len() / usize::from(CHANGES);
        ranges.insert(at, rule(rules + u32::from(change)));
        let row = Row::GroupSet(server(ranges.clone()));
        changes[2].push(timed(net, vec![row], vec![]).await?);
        ranges.remove(at);
        let row = Row::GroupSet(server(ranges.clone()));
        changes[3].push(timed(net, vec![row], vec![]).await?);
    }
    let to = server_at.addresses[0];
    serve(&server_at.netns)?;
    let traffic = traffic::measure(&client.netns, to)?;
    if let Some(router) = net.router(VPC) {
        run_in(&router, || run_nft("vpc", TRACKING_ALONE))??;
    }
    let tracking_alone = traffic::measure(&client.netns, to)?;
    let [member_joins, member_leaves, rule_comes, rule_goes] = changes.map(spread);
    Ok(Figures {
        first_load,
        member_joins,
        member_leaves,
        rule_comes,
        rule_goes,
        traffic,
        tracking_alone,
    })
}

async fn measure_attaching(net: Arc<LinuxVpcs>, count: u32) -> Result<Attaching, NetworkError> {
    let mut rows = base();
    rows.push(Row::GroupSet(server(vec![])));
    rows.extend((2..2 * count + 2).map(|n| Row::Interface(interface(n, "sg-server", false))));
    net.apply(&ToHost::State { revision: 1, rows }).await?;
    let (mut attach, mut detach) = (Vec::new(), Vec::new());
    for number in 2..count + 2 {
        let id = interface(number, "", false).id;
        let since = Instant::now();
        net.attach(&id, &id).await?;
        attach.push(since.elapsed());
    }
    let attached_per_second = at_once(&net, count, |net, id| async move {
        net.attach(&id, &id).await.map(drop)
    });
    let attached_per_second = attached_per_second.await?;
    for number in 2..count + 2 {
        let id = interface(number, "", false).id;
        let since = Instant::now();
        net.detach(&id).await?;
        detach.push(since.elapsed());
    }
    let leave = |net: Arc<LinuxVpcs>, id: String| async move { net.detach(&id).await };
    let detached_per_second = at_once(&net, count, leave).await?;
    Ok(Attaching {
        attach: spread(attach),
        attached_per_second,
        detach: spread(detach),
        detached_per_second,
    })
}

/// Does it for the second `count` interfaces side by side; how many each second.
async fn at_once<F: Future<Output = Result<(), NetworkError>> + Send + 'static>(
    net: &Arc<LinuxVpcs>,
    count: u32,
    work: impl Fn(Arc<LinuxVpcs>, String) -> F,
) -> Result<f64, NetworkError> {
    let since = Instant::now();
    let begun = (count + 2..2 * count + 2)
        .map(|number| tokio::spawn(work(net.clone(), interface(number, "", false).id)));
    for one in begun.collect::<Vec<_>>() {
        one.await
            .map_err(|_| NetworkError::Thread("many at once"))??;
    }
    Ok(f64::from(count) / since.elapsed().as_secs_f64())
}

async fn timed(
    net: &LinuxVpcs,
    put: Vec<Row>,
    remove: Vec<RowKey>,
) -> Result<Duration, NetworkError> {
    let message = ToHost::Change {
        revision: 2,
        put,
        remove,
    };
    let since = Instant::now();
    let outcome = net.apply(&message).await?;
    let took = since.elapsed();
    match outcome.failures.first() {
        Some((_, why)) => Err(NetworkError::Config(why.clone())),
        None => Ok(took),
    }
}

/// The median and the longest.
fn spread(mut all: Vec<Duration>) -> (Duration, Duration) {
    all.sort_unstable();
    let middle = all.get(all.len() / 2).copied().unwrap_or_default();
    (middle, all.last().copied().unwrap_or_default())
}

fn base() -> Vec<Row> {
    let vpc = VpcRow {
        id: VPC.into(),
        vni: 1,
        cidrs: vec![net_of(8)],
        ipv6_cidrs: vec![],
        resolver: false,
        domain: None,
        name_servers: vec![],
        search: vec![],
    };
    let subnet = SubnetRow {
        id: SUBNET.into(),
        vpc: VPC.into(),
        cidr: net_of(8),
        ipv6_cidr: None,
        routes: vec![],
        acl: vec![],
    };
    let client = GroupSetRow {
        vpc: VPC.into(),
        groups: "sg-client".into(),
        ingress: Compiled::default(),
        egress: Compiled {
            ranges: vec![FromRange {
                first: Ipv4Addr::UNSPECIFIED.into(),
                last: Ipv4Addr::BROADCAST.into(),
                what: What::Ports {
                    protocols: Protocols(0, u8::MAX),
                    ports: Ports(0, u16::MAX),
                },
            }],
            groups: vec![],
        },
    };
    vec![
        Row::Vpc(vpc),
        Row::Subnet(subnet),
        Row::GroupSet(client),
        Row::Host(aws_api::agent::host_sync::HostRow {
            id: "elsewhere".into(),
            underlay: Ipv4Addr::new(192, 0, 2, 1),
            encryption: None,
        }),
        Row::Interface(interface(0, "sg-client", false)),
        Row::Interface(interface(1, "sg-server", false)),
    ]
}

fn net_of(prefix_len: u8) -> ipnet::Ipv4Net {
    ipnet::Ipv4Net::new(Ipv4Addr::new(10, 0, 0, 0), prefix_len).expect("a prefix length")
}

fn server(ranges: Vec<FromRange>) -> GroupSetRow {
    GroupSetRow {
        vpc: VPC.into(),
        groups: "sg-server".into(),
        ingress: Compiled {
            ranges,
            groups: vec![FromGroups {
                groups: "sg-client".into(),
                what: What::Ports {
                    protocols: Protocols(6, 6),
                    ports: Ports(PORT, PORT),
                },
            }],
        },
        egress: Compiled::default(),
    }
}

fn rule(number: u32) -> FromRange {
    let address = Ipv4Addr::from(0xc0a8_0000 + number);
    FromRange {
        first: address.into(),
        last: address.into(),
        what: What::Ports {
            protocols: Protocols(6, 6),
            ports: Ports(443, 443),
        },
    }
}

fn interface(number: u32, groups: &str, is_elsewhere: bool) -> InterfaceRow {
    let address = Ipv4Addr::from(0x0a00_0100 + number);
    let [a, b, c, d] = address.octets();
    InterfaceRow {
        id: format!("eni-{number:08x}"),
        vpc: VPC.into(),
        subnet: SUBNET.into(),
        mac: format!("02:{a:02x}:{b:02x}:{c:02x}:{d:02x}:01"),
        addresses: vec![address],
        ipv6_addresses: vec![],
        public: None,
        groups: groups.into(),
        source_dest_check: true,
        host: is_elsewhere.then(|| "elsewhere".to_owned()),
    }
}
