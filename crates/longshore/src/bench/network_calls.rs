//! From a call of EC2's API to the kernel of a host, while a group gets ever more members: a rule that is allowed and
//! revoked, and an interface of another host that joins and leaves.
//!
//! The operation's transaction in a store on disk, the rows that the host shall then hold, the frame that tells it what
//! is other, and what the host does about it: all of it the server's and the agent's own, in one process, and so
//! without the two sockets between a caller, the server and the agent.

use super::network::millis;
use super::placement::registration;
use super::report::Row;
use anyhow::{Context, ensure};
use aws_api::agent::host_sync::ToHost;
use aws_api::ec2::{
    AuthorizeSecurityGroupIngressRequest, CreateSecurityGroupRequest, CreateSubnetRequest,
    CreateVpcRequest, IpPermission, IpRange, RevokeSecurityGroupIngressRequest, UserIdGroupPair,
};
use aws_api::ecs::Attribute;
use aws_types::{AwsError, Ctx, Timestamp};
use ec2::interface::{self, Wanted};
use ec2::ops::{group_rules, groups, subnets, vpcs};
use ecs::host_rows::{self, Told};
use ecs::instance::register;
use netdev::vpc::bench::on_a_host;
use netdev::vpc::{LinuxVpcs, VpcNetwork};
use std::path::Path;
use std::time::{Duration, Instant};
use store::{RedbStore, Schema, StateHandle, Txn};

/// How often each change is made and taken back.
const CHANGES: u8 = 21;
/// Interfaces that one transaction makes.
const PER_COMMIT: u32 = 50;
const PORT: i32 = 80;

/// Measures with so many members.
pub fn row(directory: &Path, members: u32) -> anyhow::Result<Row> {
    let run_dir = directory.join("net");
    std::fs::create_dir(&run_dir)?;
    let state = directory.join("state.redb");
    on_a_host(&run_dir, |net, runtime| {
        runtime.block_on(measure(net, &state, members))
    })?
}

async fn measure(net: &LinuxVpcs, path: &Path, members: u32) -> anyhow::Result<Row> {
    let schema = Schema::new(&control::tables()).with_finish(ecs::finish::finish);
    let (state, writer) = store::start(Box::new(RedbStore::open(path)?), schema)?;
    let mut site = Site::make(&state, net).await?;
    let first_load = site.fill(members).await?;
    let mut spent: [Vec<Spent>; 4] = Default::default();
    for change in 0..CHANGES {
        let rule = vec![permission(None, Some(format!("192.0.2.{change}/32")))];
        let group = Some(site.called.clone());
        let (allow, revoke) = (
            AuthorizeSecurityGroupIngressRequest {
                group_id: group.clone(),
                ip_permissions: Some(rule.clone()),
                ..Default::default()
            },
            RevokeSecurityGroupIngressRequest {
                group_id: group,
                ip_permissions: Some(rule),
                ..Default::default()
            },
        );
        let allowed = site
            .change(move |txn, ctx| group_rules::authorize_ingress(txn, ctx, &allow))
            .await?;
        let revoked = site
            .change(move |txn, ctx| group_rules::revoke_ingress(txn, ctx, &revoke))
            .await?;
        let wanted = site.elsewhere();
        let joined = site
            .change(move |txn, ctx| interface::create_for_task(txn, ctx, &wanted))
            .await?;
        let id = joined.0.key.id.clone();
        let left = site
            .change(move |txn, ctx| {
                let scope = ctx.scope.clone();
                interface::remove(txn, &scope, &id);
                Ok(())
            })
            .await?;
        for (all, one) in spent
            .iter_mut()
            .zip([allowed.1, revoked.1, joined.1, left.1])
        {
            all.push(one);
        }
    }
    drop(site);
    drop(state);
    drop(writer);
    Ok(told(members, first_load, spent))
}

fn told(members: u32, first_load: Duration, spent: [Vec<Spent>; 4]) -> Row {
    let middle = |all: &[Spent], of: fn(&Spent) -> Duration| {
        let mut all: Vec<Duration> = all.iter().map(of).collect();
        all.sort_unstable();
        millis(all[all.len() / 2])
    };
    let most = |all: &[Spent]| millis(all.iter().map(Spent::whole).max().unwrap_or_default());
    let [allowed, revoked, joined, left] = &spent;
    Row::new(format!("calls, {members} members"))
        .with("first_load_ms", millis(first_load))
        .with("rule_p50_ms", middle(allowed, Spent::whole))
        .with("rule_max_ms", most(allowed))
        .with("rows_ms", middle(allowed, |one| one.rows))
        .with("host_ms", middle(allowed, |one| one.host))
        .with("revoke_p50_ms", middle(revoked, Spent::whole))
        .with("revoke_max_ms", most(revoked))
        .with("join_p50_ms", middle(joined, Spent::whole))
        .with("join_max_ms", most(joined))
        .with("leave_p50_ms", middle(left, Spent::whole))
        .with("leave_max_ms", most(left))
}

/// Where a change's time went.
#[derive(Clone, Copy, Debug)]
struct Spent {
    /// The transaction, until it is durable.
    commit: Duration,
    /// What the host shall hold, and the frame with what of it is news.
    rows: Duration,
    /// Reading the frame, and the kernel.
    host: Duration,
}

impl Spent {
    fn whole(&self) -> Duration {
        self.commit + self.rows + self.host
    }
}

/// A VPC with one interface on the host that is measured and all others on another.
struct Site<'a> {
    state: &'a StateHandle,
    net: &'a LinuxVpcs,
    told: Told,
    /// Ids come from it; none twice.
    seed: u64,
    host: String,
    other: String,
    subnet: String,
    /// The group that is called, and that of the callers.
    called: String,
    callers: String,
}

impl<'a> Site<'a> {
    async fn make(state: &'a StateHandle, net: &'a LinuxVpcs) -> anyhow::Result<Self> {
        let mut site = Self {
            state,
            net,
            told: Told::default(),
            seed: 0,
            host: String::new(),
            other: String::new(),
            subnet: String::new(),
            called: String::new(),
            callers: String::new(),
        };
        site.write(|txn, ctx| ecs::cluster::require_or_default(txn, ctx, None).map(drop))
            .await?;
        site.host = site.machine(0).await?;
        site.other = site.machine(1).await?;
        let range = Some("10.0.0.0/16".to_owned());
        let input = CreateVpcRequest {
            cidr_block: range.clone(),
            ..Default::default()
        };
        let made = site.write(move |txn, ctx| vpcs::create(txn, ctx, &input));
        let vpc = made.await?.vpc.and_then(|vpc| vpc.vpc_id);
        let input = CreateSubnetRequest {
            vpc_id: vpc.clone(),
            cidr_block: range,
            ..Default::default()
        };
        let made = site.write(move |txn, ctx| subnets::create(txn, ctx, &input));
        let subnet = made.await?.subnet.and_then(|subnet| subnet.subnet_id);
        site.subnet = subnet.context("no subnet")?;
        site.called = site.group(vpc.clone(), "called").await?;
        site.callers = site.group(vpc, "callers").await?;
        Ok(site)
    }

    /// A machine with an address in the network between the hosts; its ARN.
    async fn machine(&mut self, number: u8) -> anyhow::Result<String> {
        let address = Attribute {
            name: Some("longshore.address".into()),
            value: Some(format!("198.51.100.{number}")),
            ..Default::default()
        };
        let input = registration(0, &[address]);
        let key = self.write(move |txn, ctx| register::register(txn, ctx, "default", &input));
        Ok(key.await?.arn())
    }

    async fn group(&mut self, vpc_id: Option<String>, name: &str) -> anyhow::Result<String> {
        let input = CreateSecurityGroupRequest {
            vpc_id,
            group_name: Some(name.into()),
            description: Some(name.into()),
            ..Default::default()
        };
        let made = self.write(move |txn, ctx| groups::create(txn, ctx, &input));
        made.await?.group_id.context("no group")
    }

    /// An interface of a caller on the other host.
    fn elsewhere(&self) -> Wanted {
        Wanted {
            subnet: self.subnet.clone(),
            groups: vec![self.callers.clone()],
            host: Some(self.other.clone()),
            ..Wanted::default()
        }
    }

    /// The interface that is called, a rule that lets the callers in, and so many of them; how long the host takes to
    /// load it all.
    async fn fill(&mut self, members: u32) -> anyhow::Result<Duration> {
        let rule = permission(Some(self.callers.clone()), None);
        let input = AuthorizeSecurityGroupIngressRequest {
            group_id: Some(self.called.clone()),
            ip_permissions: Some(vec![rule]),
            ..Default::default()
        };
        self.write(move |txn, ctx| group_rules::authorize_ingress(txn, ctx, &input))
            .await?;
        let own = Wanted {
            groups: vec![self.called.clone()],
            host: Some(self.host.clone()),
            ..self.elsewhere()
        };
        self.write(move |txn, ctx| interface::create_for_task(txn, ctx, &own))
            .await?;
        for first in (0..members).step_by(PER_COMMIT as usize) {
            let (wanted, count) = (self.elsewhere(), PER_COMMIT.min(members - first));
            self.write(move |txn, ctx| {
                (0..count).try_for_each(|_| interface::create_for_task(txn, ctx, &wanted).map(drop))
            })
            .await?;
        }
        let world = self.state.snapshot();
        let all = self.told.state(host_rows::wanted(&world, &self.host));
        let began = Instant::now();
        self.apply(&serde_json::to_string(&all)?).await?;
        Ok(began.elapsed())
    }

    /// Writes, tells the host, and has it do it, as the server and the agent do.
    async fn change<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError> + Send + 'static,
    ) -> anyhow::Result<(T, Spent)> {
        let began = Instant::now();
        let made = self.write(call).await?;
        let commit = began.elapsed();
        let world = self.state.snapshot();
        let change = self.told.change(host_rows::wanted(&world, &self.host));
        let frame = serde_json::to_string(&change.context("no news for the host")?)?;
        let rows = began.elapsed() - commit;
        self.apply(&frame).await?;
        let host = began.elapsed() - commit - rows;
        let spent = Spent { commit, rows, host };
        Ok((made, spent))
    }

    async fn apply(&self, frame: &str) -> anyhow::Result<()> {
        let message: ToHost = serde_json::from_str(frame)?;
        let outcome = self.net.apply(&message).await?;
        let failed = outcome.failures.first();
        ensure!(failed.is_none(), "a row was not applied: {failed:?}");
        Ok(())
    }

    async fn write<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError> + Send + 'static,
    ) -> anyhow::Result<T> {
        self.seed += 1;
        let ctx = Ctx::for_tests(self.seed, Timestamp::from_millis(1_700_000_000_000));
        Ok(self.state.submit(ctx, call).await?)
    }
}

fn permission(group: Option<String>, cidr: Option<String>) -> IpPermission {
    IpPermission {
        ip_protocol: Some("tcp".into()),
        from_port: Some(PORT),
        to_port: Some(PORT),
        user_id_group_pairs: group.map(|id| {
            vec![UserIdGroupPair {
                group_id: Some(id),
                ..Default::default()
            }]
        }),
        ip_ranges: cidr.map(|cidr| {
            vec![IpRange {
                cidr_ip: Some(cidr),
                ..Default::default()
            }]
        }),
        ..Default::default()
    }
}
