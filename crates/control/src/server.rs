//! Starts the control plane: opens the stores, makes first keys, starts the loops, listens; in this
//! order, so that nothing is served that cannot be kept.

use crate::clock;
use crate::controllers::{self, Controllers};
use crate::decision_log::DecisionLog;
use crate::gateway::{self, Anchor, Gateway, Stores};
use crate::history::{self, History};
use crate::key_files::{read_or_make, write_private};
use crate::operations;
use crate::sessions::{Registry, Sessions};
use crate::timing::Timing;
use crate::tls::{self, Tls, TlsMode};
use crate::usage::Usage;
use anyhow::Context;
use aws_types::{AwsError, Scope};
use ecs::instance::{endpoints, life};
use ecs::records::container_instance::CONTAINER_INSTANCES;
use ecs::records::target::{TargetKind, TargetRecord};
use iam::records::{ACCESS_KEYS, AccessKey};
use iam::session::SessionKey;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::RedbStore;
use store::backend::{FjallLogStore, FjallMetricStore};
use store::{LogStore, MetricStore, StateHandle, Txn};
use tracing::{info, warn};

/// The first host's name; its agent is the one that `up` starts on this machine.
const LOCAL_HOST: &str = "local";

/// How a server runs.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where records and log events lie; made if missing.
    pub state_dir: PathBuf,
    /// Where the key files lie.
    pub keys_dir: PathBuf,
    /// Address of the API.
    pub listen: SocketAddr,
    /// Whether and how it speaks TLS.
    pub tls: TlsMode,
    /// Twelve digits.
    pub account: String,
    /// Regions served; the first is the default.
    pub regions: Vec<String>,
    /// The waits in force.
    pub timing: Timing,
    /// An agent that is away this long is lost.
    pub host_lost_after: Duration,
    /// What the operator declared that may be called.
    pub targets: Vec<TargetRecord>,
    /// Where this machine knows a way to: public addresses are of a range that is not among them.
    pub routes: Vec<Ipv4Net>,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Base URL of the API.
    pub url: String,
    /// PEM file with what clients must trust; absent for plain HTTP.
    pub anchor_file: Option<PathBuf>,
}

/// Runs a server until `stop` resolves. `ready` is called once it listens.
///
/// # Errors
/// A store cannot be opened, the address cannot be bound, or the store's writer has failed.
pub async fn run(
    config: ServerConfig,
    ready: impl FnOnce(&Endpoint) -> anyhow::Result<()>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let region = config.regions.first().context("no region is served")?;
    let scope = Scope::new(&config.account, region);
    let listener = gateway::listener::bind(config.listen)
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let tls = tls::prepare(&config.tls, config.listen, &config.keys_dir)?;
    let endpoint = endpoint(listener.local_addr()?, tls.as_ref());
    let (state, mut writer, logs, metrics) = open(&config)?;
    prepare(&state, &scope, &config, &endpoint.url).await?;
    let decisions = Arc::new(DecisionLog::new(clock::now()));
    let history = Arc::new(History::default());
    tokio::spawn(history::keep(state.clone(), history.clone()));
    let registry = Arc::new(Registry::default());
    tokio::spawn(wake_sessions(state.clone(), registry.clone()));
    let usage = Arc::new(Usage::default());
    let shared = Controllers {
        state: state.clone(),
        logs: logs.clone(),
        metrics: metrics.clone(),
        timing: config.timing,
        host_lost_after: config.host_lost_after,
        scope: scope.clone(),
        decisions: decisions.clone(),
    };
    controllers::start(&shared, &usage);
    let sessions = Sessions {
        state: state.clone(),
        registry,
        session_key: session_key(&config.keys_dir)?,
        manifest_every: config.timing.manifest_every,
        usage,
    };
    let anchor = tls.as_ref().map(anchor);
    let gateway = Gateway::new(
        Stores {
            state,
            logs,
            metrics,
            decisions,
            history,
            waits: config.timing.services,
        },
        sessions,
        scope,
        config.regions,
        anchor,
    );
    ready(&endpoint)?;
    info!(url = endpoint.url, "listening");
    let acceptor = tls.map(|tls| tls.acceptor);
    let serving = gateway::listener::serve(listener, acceptor, Arc::new(gateway));
    until(serving, stop, &mut writer).await
}

/// Serves until `stop` resolves.
///
/// # Errors
/// The store's writer has failed: nothing would ever be written again, so that whoever watches this
/// process should see its end and start it anew.
async fn until(
    serving: impl Future<Output = ()>,
    stop: impl Future<Output = ()>,
    writer: &mut store::WriterGuard,
) -> anyhow::Result<()> {
    tokio::select! {
        () = serving => {}
        () = stop => info!("stopping"),
        why = writer.failed() => anyhow::bail!("the store's writer has failed: {why}"),
    }
    Ok(())
}

fn anchor(tls: &Tls) -> Anchor {
    Anchor {
        pem: tls.anchor_pem.clone(),
        fingerprint: tls.fingerprint.clone(),
    }
}

fn endpoint(listening: SocketAddr, tls: Option<&Tls>) -> Endpoint {
    Endpoint {
        url: match tls {
            Some(tls) => tls::url(&tls.host, listening.port()),
            None => format!("http://{listening}"),
        },
        anchor_file: tls.map(|tls| tls.anchor_file.clone()),
    }
}

/// The stores, and what keeps the writer running.
type Opened = (
    StateHandle,
    store::WriterGuard,
    Arc<dyn LogStore>,
    Arc<dyn MetricStore>,
);

fn open(config: &ServerConfig) -> anyhow::Result<Opened> {
    std::fs::create_dir_all(&config.state_dir)
        .with_context(|| format!("cannot make {}", config.state_dir.display()))?;
    let path = config.state_dir.join("longshore.redb");
    let backend =
        RedbStore::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let (state, writer) = store::start(Box::new(backend), operations::schema())?;
    let path = config.state_dir.join("logs");
    let logs =
        FjallLogStore::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let path = config.state_dir.join("metrics");
    let metrics = FjallMetricStore::open(&path);
    let metrics = metrics.with_context(|| format!("cannot open {}", path.display()))?;
    Ok((state, writer, Arc::new(logs), Arc::new(metrics)))
}

/// What must be in the state before the first request: keys, the endpoint, what the operator declared,
/// and that no host is connected yet. Time that the server was away never counts against a host.
async fn prepare(
    state: &StateHandle,
    scope: &Scope,
    config: &ServerConfig,
    url: &str,
) -> anyhow::Result<()> {
    let (url, targets) = (url.to_owned(), config.targets.clone());
    let declared = urls(&targets);
    let regions = config.regions.clone();
    let routes = config.routes.clone();
    let submitted = state.submit(clock::own_ctx(scope), move |txn, ctx| {
        for region in regions {
            let scope = Scope::new(&ctx.scope.account, &region);
            let before = std::mem::replace(&mut ctx.scope, scope);
            ec2::defaults::ensure(txn, ctx);
            ctx.scope = before;
        }
        let pool = ec2::pool::choose(txn, &routes);
        endpoints::set(txn, &url);
        events::declared::set(txn, &declared);
        ecs::targets::set(txn, targets);
        let instances: Vec<_> = txn
            .scan(&CONTAINER_INSTANCES)
            .map(|instance| instance.key.clone())
            .collect();
        for key in instances {
            life::server_started(txn, ctx, &key);
        }
        let root = key_of(txn, |principal| *principal == aws_types::Principal::Root);
        let root = root.unwrap_or_else(|| iam::keys::create_root(txn, ctx));
        let local = aws_types::Principal::Host {
            host: LOCAL_HOST.into(),
        };
        let host = key_of(txn, |principal| *principal == local);
        let host = host.unwrap_or_else(|| iam::keys::create_host(txn, ctx, LOCAL_HOST));
        Ok::<_, AwsError>((root, host, pool))
    });
    let (root, host, pool) = submitted.await.context("cannot write the state")?;
    tell_pool(&pool);
    write_key(&config.keys_dir, "root", &root)?;
    write_key(&config.keys_dir, "host", &host)
}

fn tell_pool(pool: &ec2::pool::Chosen) {
    let range = pool.range.to_string();
    match &pool.overlaps {
        Some(route) => warn!(
            range,
            %route,
            "a route of this machine leads to the range of public addresses: one of the two cannot be reached"
        ),
        None if pool.is_new => info!(range, "public addresses are of this range"),
        None => {}
    }
}

/// The declared targets that rules may name: URLs by name.
fn urls(targets: &[TargetRecord]) -> BTreeMap<String, String> {
    let url = |target: &TargetRecord| match &target.does {
        TargetKind::Url(url) => Some((target.name.clone(), url.clone())),
        TargetKind::Task { .. } => None,
    };
    targets.iter().filter_map(url).collect()
}

fn key_of(txn: &Txn, wanted: impl Fn(&aws_types::Principal) -> bool) -> Option<AccessKey> {
    txn.scan(&ACCESS_KEYS)
        .find(|key| wanted(&key.principal))
        .map(|key| key.as_ref().clone())
}

/// The key from which the credentials of tasks' roles are derived, made at the first start. Whoever removes the
/// file ends all of them.
fn session_key(keys_dir: &Path) -> anyhow::Result<SessionKey> {
    let path = keys_dir.join("sessions.key");
    let made = || {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).context("the kernel's random source does not work")?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    };
    let text = read_or_make(&path, made)?;
    let digits = text.trim();
    let byte = |at: usize| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
    let bytes = bytes.filter(|_| digits.len() == 64);
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let bytes =
        bytes.with_context(|| format!("{}: 64 hexadecimal digits are expected", path.display()))?;
    Ok(SessionKey::new(bytes))
}

/// Writes a key file, mode 0600.
fn write_key(keys_dir: &Path, name: &str, key: &AccessKey) -> anyhow::Result<()> {
    let text = serde_json::json!({
        "access_key_id": key.access_key_id,
        "secret_access_key": key.secret,
    });
    let path = keys_dir.join(format!("{name}.json"));
    write_private(&path, &text.to_string(), 0o600)
}

/// Wakes sessions when tasks changed; each then looks for what is undelivered.
async fn wake_sessions(state: StateHandle, registry: Arc<Registry>) {
    let mut changes = state.subscribe();
    while let Some(batch) = changes.next().await {
        let concerns = match &batch {
            Ok(batch) => batch.changes.iter().any(|(table, _)| *table == "ecs.tasks"),
            Err(_) => true,
        };
        if concerns {
            registry.wake_all();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::future::{pending, ready};
    use store::{Change, Limits, Schema, Store, StoreError, World};

    /// A store with a mistake in it.
    struct Faulty(store::MemoryStore);

    impl Store for Faulty {
        fn load(&mut self, schema: &Schema) -> Result<World, StoreError> {
            self.0.load(schema)
        }
        fn commit(&mut self, _: &[Change], _: u64, _: u64) -> Result<(), StoreError> {
            panic!("ordered by the test")
        }
        fn lead(&mut self, name: &str, ttl: Duration) -> Result<u64, StoreError> {
            self.0.lead(name, ttl)
        }
        fn limits(&self) -> Limits {
            self.0.limits()
        }
        fn reopen(&mut self) -> Result<(), StoreError> {
            self.0.reopen()
        }
    }

    #[tokio::test]
    async fn a_server_whose_writer_has_failed_ends_and_says_so() {
        let store = Box::new(Faulty(store::MemoryStore::default()));
        let (state, mut writer) = store::start(store, operations::schema()).unwrap();
        until(pending(), ready(()), &mut writer).await.unwrap();
        let ctx = clock::own_ctx(&Scope::new("000000000000", "eu-west-1"));
        let submitted = state.submit(ctx, |txn, _| {
            endpoints::set(txn, "http://127.0.0.1:1");
            Ok(())
        });
        submitted.await.unwrap_err();
        let ended = until(pending(), pending(), &mut writer).await;
        assert_eq!(
            ended.unwrap_err().to_string(),
            "the store's writer has failed: ordered by the test"
        );
    }
}
