//! [`LinuxVpcs`]: the order of steps.
//!
//! Each call runs on a thread of its own, in the host's namespace. One lock is held over what concerns
//! routers: rows, memory and kernel change together. What concerns a task's namespace alone is done
//! outside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_api::agent::host_sync::ToHost;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;

use super::desired::Desired;
use super::encryption::{Between, Key};
use super::leaving::Leaving;
use super::plug;
use super::router::Router;
use super::rows;
use super::uplink::HostSide;
use super::{KeptVpcAttachment, Outcome, VpcAdoption, VpcAttachment, VpcNetwork, registers};
use crate::config::NetworkConfig;
use crate::error::NetworkError;
use crate::names::{Names, check_id};
use crate::namespace;

/// Calls that are in the kernel at once; the others wait.
const THREADS_MAX: usize = 8;
/// The session that brings rows and the one that brings tasks are two: either may be first.
const ROW_PATIENCE: Duration = Duration::from_secs(60);
const HOST_NAMESPACE: &str = "/proc/thread-self/ns/net";

/// The VPCs of this kernel, for one data directory.
#[derive(Debug)]
pub struct LinuxVpcs {
    inner: Arc<Inner>,
    threads: Arc<Semaphore>,
    /// Counts messages.
    news: watch::Sender<u64>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: NetworkConfig,
    pub(crate) names: Names,
    /// The host's namespace, wherever the calling thread is.
    host: File,
    /// `std` mutex: held over exchanges with the kernel, by threads of ours only.
    state: Mutex<State>,
    /// Of what leaves and what is idle.
    pub(crate) news: Condvar,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) desired: Desired,
    /// `None` until it is needed.
    pub(crate) host: Option<HostSide>,
    pub(crate) routers: BTreeMap<String, Router>,
    pub(crate) attachments: BTreeMap<String, Attachment>,
    pub(crate) leaving: Vec<Leaving>,
    /// VPCs whose routers have no interface, and since when.
    pub(crate) idle: BTreeMap<String, Instant>,
    /// A thread removes what leaves and what is idle.
    pub(crate) is_seen_to: bool,
    pub(crate) is_closed: bool,
}

/// A task's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub(crate) vpc: String,
    pub(crate) interface: String,
}

impl LinuxVpcs {
    /// Checks the configuration and makes the run directories. The host's namespace is that of the
    /// calling thread. The kernel is not touched.
    pub fn new(config: NetworkConfig) -> Result<Self, NetworkError> {
        let names = Names::new(&config.tag, &config.run_dir)?;
        names.make_vpc_directories()?;
        let host = File::open(HOST_NAMESPACE)
            .map_err(|e| NetworkError::path("open", HOST_NAMESPACE, e))?;
        let state = State {
            desired: Desired::new(
                config.endpoints.clone(),
                matches!(config.between, Between::Encrypted(_)),
            ),
            host: None,
            routers: BTreeMap::new(),
            attachments: BTreeMap::new(),
            leaving: Vec::new(),
            idle: BTreeMap::new(),
            is_seen_to: false,
            is_closed: false,
        };
        let inner = Inner {
            config,
            names,
            host,
            state: Mutex::new(state),
            news: Condvar::new(),
        };
        Ok(Self {
            inner: Arc::new(inner),
            threads: Arc::new(Semaphore::new(THREADS_MAX)),
            news: watch::Sender::new(0),
        })
    }

    /// Makes this host's end of the encrypted way between hosts, where the configuration asks for it, and
    /// answers with its public key, which the other hosts have to learn.
    ///
    /// # Errors
    /// `NoWireGuard`: this kernel cannot.
    pub async fn encrypt(&self) -> Result<Option<Key>, NetworkError> {
        if !matches!(self.inner.config.between, Between::Encrypted(_)) {
            return Ok(None);
        }
        self.on_thread("encrypt", |inner| {
            let mut state = inner.state();
            state.open_host(inner)?;
            Ok(state.host_side()?.public_key())
        })
        .await
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Inner) -> Result<T, NetworkError> + Send + 'static,
    ) -> Result<T, NetworkError> {
        let permit = Arc::clone(&self.threads)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let inner = Arc::clone(&self.inner);
        let (answer, answered) = oneshot::channel();
        thread::Builder::new()
            .name(format!("vpc-{what}"))
            .spawn(move || {
                let network = Some(LinkNameSpaceType::Network);
                let done = move_into_link_name_space(inner.host.as_fd(), network)
                    .map_err(|e| NetworkError::kernel("enter the host's namespace", e))
                    .and_then(|()| work(&inner));
                // A caller that went away leaves its attachment on the books.
                let _ = answer.send(done);
                inner.see_to_the_rest();
                drop(permit);
            })
            .map_err(|e| NetworkError::kernel(format!("thread for {what}"), e))?;
        answered.await.map_err(|_| NetworkError::Thread(what))?
    }

    async fn wait_for_row(&self, interface: &str) -> Result<(), NetworkError> {
        let mut news = self.news.subscribe();
        let known = news.wait_for(|_| {
            let state = self.inner.state();
            state.desired.local_interface(interface).is_some()
        });
        match timeout(ROW_PATIENCE, known).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(no_interface(interface)),
        }
    }
}

impl Drop for LinuxVpcs {
    fn drop(&mut self) {
        self.inner.state().is_closed = true;
        self.inner.news.notify_all();
    }
}

#[async_trait]
impl VpcNetwork for LinuxVpcs {
    async fn apply(&self, message: &ToHost) -> Result<Outcome, NetworkError> {
        let message = message.clone();
        let outcome = self.on_thread("apply", move |inner| inner.apply(&message));
        let outcome = outcome.await;
        self.news.send_modify(|count| *count += 1);
        outcome
    }

    async fn attach_in(
        &self,
        id: &str,
        interface: &str,
        namespace: Option<OwnedFd>,
    ) -> Result<VpcAttachment, NetworkError> {
        check_id(id)?;
        self.wait_for_row(interface).await?;
        let (id, interface) = (id.to_owned(), interface.to_owned());
        let attach = move |inner: &Inner| {
            let namespace = namespace.as_ref().map(AsFd::as_fd);
            inner.attach(&id, &interface, namespace)
        };
        self.on_thread("attach", attach).await
    }

    fn attached(&self, id: &str) -> Option<VpcAttachment> {
        let mut state = self.inner.state();
        let interface = state.attachments.get(id)?.interface.clone();
        state.describe(&self.inner, id, &interface).ok()
    }

    async fn detach(&self, id: &str) -> Result<(), NetworkError> {
        check_id(id)?;
        let id = id.to_owned();
        self.on_thread("detach", move |inner| inner.detach(&id))
            .await
    }

    async fn adopt(&self, kept: &[KeptVpcAttachment]) -> Result<VpcAdoption, NetworkError> {
        kept.iter().try_for_each(|kept| check_id(&kept.id))?;
        let kept = kept.to_vec();
        self.on_thread("adopt", move |inner| inner.adopt(&kept))
            .await
    }

    async fn destroy(&self) -> Result<(), NetworkError> {
        self.on_thread("destroy", Inner::destroy).await
    }

    fn router(&self, vpc: &str) -> Option<PathBuf> {
        let state = self.inner.state();
        state.routers.get(vpc).map(|router| router.path.clone())
    }

    fn routed(&self) -> Vec<String> {
        self.inner.state().routers.keys().cloned().collect()
    }
}

impl Inner {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// An attachment in the words of its caller.
    pub(crate) fn describe(
        &mut self,
        inner: &Inner,
        id: &str,
        interface: &str,
    ) -> Result<VpcAttachment, NetworkError> {
        let none = || no_interface(interface);
        let row = self.desired.local_interface(interface).ok_or_else(none)?;
        let subnet = self
            .desired
            .view()
            .subnet(&row.subnet)
            .map_err(|_| none())?;
        let vpc = self.desired.vpc(&row.vpc).ok_or_else(none)?;
        let mut attachment = VpcAttachment {
            netns: inner.names.vpc_namespace(id),
            interface: row.id.clone(),
            vpc: row.vpc.clone(),
            mac: registers::mac(&row.mac).ok_or_else(none)?,
            addresses: row.addresses.clone(),
            ipv6_addresses: row.ipv6_addresses.clone(),
            prefix_len: subnet.cidr.prefix_len(),
            gateway: rows::gateway(subnet.cidr),
            name_servers: vpc.name_servers.clone(),
            search: vpc.search.clone(),
            mtu: 0,
        };
        attachment.mtu = self.host_side()?.mtu()?;
        Ok(attachment)
    }
}

impl Inner {
    fn attach(
        &self,
        id: &str,
        interface: &str,
        namespace: Option<BorrowedFd<'_>>,
    ) -> Result<VpcAttachment, NetworkError> {
        self.claim(id, interface)?;
        let made = thread::scope(|scope| {
            let made = scope.spawn(|| self.make(id, interface, namespace)).join();
            made.unwrap_or(Err(NetworkError::Thread("a new namespace")))
        });
        if made.is_err() {
            self.detach(id)?;
        }
        made
    }

    /// On the books before the kernel is touched, so that whatever happens is taken back.
    fn claim(&self, id: &str, interface: &str) -> Result<(), NetworkError> {
        let mut state = self.state();
        let row = state.desired.local_interface(interface);
        let vpc = row.ok_or_else(|| no_interface(interface))?.vpc.clone();
        let claimed = Attachment {
            vpc,
            interface: interface.to_owned(),
        };
        let mut books = state.attachments.iter();
        if books.any(|(other, has)| other == id || has.interface == interface) {
            return Err(NetworkError::AlreadyAttached { id: id.to_owned() });
        }
        state.attachments.insert(id.to_owned(), claimed);
        Ok(())
    }

    /// The calling thread ends inside the task's namespace, and with it.
    fn make(
        &self,
        id: &str,
        interface: &str,
        made: Option<BorrowedFd<'_>>,
    ) -> Result<VpcAttachment, NetworkError> {
        let path = self.names.vpc_namespace(id);
        let namespace = namespace::take_here(&path, made)?;
        let (attachment, row, subnet) = {
            let mut state = self.state();
            let attachment = state.describe(self, id, interface)?;
            let none = || no_interface(interface);
            let row = state.desired.local_interface(interface).cloned();
            let row = row.ok_or_else(none)?;
            let subnet = state.desired.view().subnet(&row.subnet).map(|row| row.cidr);
            let subnet = subnet.map_err(|_| none())?;
            let router = state.routers.get_mut(&row.vpc).ok_or_else(none)?;
            router.plug(&row, subnet, attachment.mtu, &namespace)?;
            state.reroute(&row.vpc, interface)?;
            (attachment, row, subnet)
        };
        plug::configure(&row, subnet)?;
        plug::wait_open(interface, || {
            let mut state = self.state();
            let router = state.routers.get_mut(&row.vpc);
            router.map_or(Ok(true), |router| router.is_open(interface))
        })?;
        Ok(attachment)
    }
}

pub(crate) fn no_interface(interface: &str) -> NetworkError {
    NetworkError::NoInterface {
        interface: interface.to_owned(),
    }
}
