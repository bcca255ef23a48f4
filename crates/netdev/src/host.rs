//! [`LinuxNetwork`]: the order of steps of attaching and detaching.
//!
//! Each call runs on a thread of its own, in the namespace that its caller's thread is in (the
//! host's). The books are written before the kernel is touched, so that a failed or abandoned call
//! is always known and can be taken back. A step that fails takes back the steps before it.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use async_trait::async_trait;
use tokio::sync::{Semaphore, oneshot};
use tracing::warn;

use crate::antispoof;
use crate::attachment::{
    BridgeAttachment, HostNetwork, KeptAttachment, PortBinding, PortRequest, ReconcileReport,
};
use crate::bridge::{self, Bridge};
use crate::cidr::Ipv4Cidr;
use crate::config::NetworkConfig;
use crate::error::NetworkError;
use crate::leaving::{self, Leaving};
use crate::names::{Names, check_id};
use crate::namespace;
use crate::netlink::Socket;
use crate::pool::{self, AddressPool};
use crate::portmap::{PortMap, Targets};
use crate::ports::{BoundSockets, PortAllocator};
use crate::veth;

/// Calls that are in the kernel at once; the others wait. More gain nothing: one lock of the kernel
/// guards all links.
const THREADS_MAX: usize = 8;

/// The kernel's network, for one data directory.
#[derive(Debug)]
pub struct LinuxNetwork {
    inner: Arc<Inner>,
    threads: Arc<Semaphore>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: NetworkConfig,
    pub(crate) names: Names,
    /// `std` mutex: held to look up and to bind sockets, by threads of ours only.
    books: Mutex<Books>,
    /// Told whenever an entry stops being in the works.
    pub(crate) settled: Condvar,
    /// `std` mutex: held over one exchange with the kernel, by threads of ours only. Memory and kernel
    /// must change together. Taken before `books` where both are needed.
    plumbing: Mutex<Option<Plumbing>>,
    /// `std` mutex: held to look up.
    pub(crate) leaving: Mutex<Leaving>,
}

#[derive(Debug)]
pub(crate) struct Plumbing {
    pub(crate) bridge: Bridge,
    pub(crate) map: PortMap,
}

#[derive(Debug)]
pub(crate) struct Books {
    /// `None` until the bridge stands.
    pub(crate) pool: Option<AddressPool>,
    pub(crate) ports: PortAllocator<BoundSockets>,
    pub(crate) entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// A thread is making or removing it.
    pub(crate) in_the_works: bool,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) bindings: Vec<PortBinding>,
}

impl LinuxNetwork {
    /// Checks the configuration and makes the run directory. The kernel is not touched: bridge and
    /// table are made by [`Self::prepare`] or by the first attach.
    pub fn new(config: NetworkConfig) -> Result<Self, NetworkError> {
        let names = Names::new(&config.tag, &config.run_dir)?;
        if config.dynamic_ports.is_empty() || *config.dynamic_ports.start() == 0 {
            return Err(NetworkError::Config(format!(
                "dynamic ports {:?}",
                config.dynamic_ports
            )));
        }
        let directory = names.namespaces();
        fs::create_dir_all(&directory).map_err(|e| NetworkError::path("create", directory, e))?;
        let ports = PortAllocator::new(BoundSockets, config.dynamic_ports.clone(), random_seed()?);
        let books = Books {
            pool: None,
            ports,
            entries: BTreeMap::new(),
        };
        let inner = Inner {
            config,
            names,
            books: Mutex::new(books),
            settled: Condvar::new(),
            plumbing: Mutex::new(None),
            leaving: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
            threads: Arc::new(Semaphore::new(THREADS_MAX)),
        })
    }

    /// Makes bridge and table now, so that the first attach need not (some 15 ms).
    pub async fn prepare(&self) -> Result<(), NetworkError> {
        self.on_thread("prepare", |inner| inner.ensure_bridge().map(drop))
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
            .name(format!("net-{what}"))
            .spawn(move || {
                // A caller that went away leaves its entry in the books.
                let _ = answer.send(work(&inner));
                drop(permit);
            })
            .map_err(|e| NetworkError::kernel(format!("thread for {what}"), e))?;
        answered.await.map_err(|_| NetworkError::Thread(what))?
    }
}

#[async_trait]
impl HostNetwork for LinuxNetwork {
    async fn attach_bridge(
        &self,
        id: &str,
        ports: &[PortRequest],
    ) -> Result<BridgeAttachment, NetworkError> {
        check_id(id)?;
        let (id, ports) = (id.to_owned(), ports.to_vec());
        self.on_thread("attach", move |inner| inner.attach_bridge(&id, &ports))
            .await
    }

    fn attached(&self, id: &str) -> Option<BridgeAttachment> {
        let books = self.inner.books();
        let entry = books.entries.get(id).filter(|entry| !entry.in_the_works)?;
        let range = books.pool.as_ref()?.range();
        let attachment = self
            .inner
            .attachment(id, range, entry.address?, &entry.bindings);
        Some(attachment)
    }

    fn bridge(&self) -> Option<String> {
        let stands = self.inner.books().pool.is_some();
        stands.then(|| self.inner.names.bridge())
    }

    async fn create_isolated(&self, id: &str) -> Result<PathBuf, NetworkError> {
        check_id(id)?;
        let id = id.to_owned();
        self.on_thread("isolate", move |inner| inner.create_isolated(&id))
            .await
    }

    async fn detach(&self, id: &str) -> Result<(), NetworkError> {
        check_id(id)?;
        let name = id.to_owned();
        let leaves = self.on_thread("detach", move |inner| inner.detach(&name));
        if leaves.await? {
            leaving::watch(&self.inner, id)?;
        }
        Ok(())
    }

    async fn adopt(&self, kept: &[KeptAttachment]) -> Result<ReconcileReport, NetworkError> {
        kept.iter().try_for_each(|kept| check_id(&kept.id))?;
        let kept = kept.to_vec();
        self.on_thread("adopt", move |inner| inner.adopt(&kept))
            .await
    }

    async fn destroy(&self) -> Result<(), NetworkError> {
        self.on_thread("destroy", Inner::destroy).await
    }
}

impl Inner {
    fn attach_bridge(
        &self,
        id: &str,
        requests: &[PortRequest],
    ) -> Result<BridgeAttachment, NetworkError> {
        let bridge = self.ensure_bridge()?;
        let (address, bindings) = self.enter(id, requests)?;
        let made = self.make_attachment(id, bridge, address, &bindings);
        self.settle(id, made)?;
        Ok(self.attachment(id, bridge.range, address, &bindings))
    }

    fn attachment(
        &self,
        id: &str,
        range: Ipv4Cidr,
        address: Ipv4Addr,
        bindings: &[PortBinding],
    ) -> BridgeAttachment {
        BridgeAttachment {
            netns: self.names.namespace(id),
            address,
            prefix_len: range.prefix_len(),
            gateway: pool::gateway(range),
            mac: veth::mac_of(address),
            bindings: bindings.to_vec(),
        }
    }

    /// Claims id, address and ports; nothing is claimed on failure.
    fn enter(
        &self,
        id: &str,
        requests: &[PortRequest],
    ) -> Result<(Ipv4Addr, Vec<PortBinding>), NetworkError> {
        let mut books = self.settled_books(id);
        if books.entries.contains_key(id) {
            return Err(NetworkError::AlreadyAttached { id: id.to_owned() });
        }
        let bindings = books.ports.take(id, requests)?;
        let pool = books.pool.as_mut().expect("ensure_bridge made the pool");
        let Some(address) = pool.take() else {
            let range = pool.range().to_string();
            bindings
                .iter()
                .for_each(|binding| books.ports.release(*binding));
            return Err(NetworkError::NoFreeAddress { range });
        };
        let entry = Entry {
            in_the_works: true,
            address: Some(address),
            bindings: bindings.clone(),
        };
        books.entries.insert(id.to_owned(), entry);
        Ok((address, bindings))
    }

    fn make_attachment(
        &self,
        id: &str,
        bridge: Bridge,
        address: Ipv4Addr,
        bindings: &[PortBinding],
    ) -> Result<(), NetworkError> {
        let name = self.names.veth(bridge.range, address);
        let mut host = route_socket()?;
        antispoof::allow(&self.names, bridge.range, address)?;
        on_leaving_thread(|| {
            let namespace = namespace::create_here(&self.names.namespace(id))?;
            veth::plug(
                &mut host,
                &name,
                bridge.index,
                &namespace,
                address,
                bridge.range,
            )
        })?;
        if let Some(plumbing) = self.plumbing().as_mut() {
            plumbing.map.add(address, bindings)?;
        }
        veth::wait_open(&mut host, &name)
    }

    fn create_isolated(&self, id: &str) -> Result<PathBuf, NetworkError> {
        let path = self.names.namespace(id);
        {
            let mut books = self.settled_books(id);
            if books.entries.contains_key(id) {
                return Err(NetworkError::AlreadyAttached { id: id.to_owned() });
            }
            books.entries.insert(
                id.to_owned(),
                Entry {
                    in_the_works: true,
                    ..Entry::default()
                },
            );
        }
        let made = on_leaving_thread(|| namespace::create_here(&path).map(drop));
        self.settle(id, made)?;
        Ok(path)
    }

    /// Ends an entry's making: it stands, or everything of it is taken back.
    fn settle(&self, id: &str, made: Result<(), NetworkError>) -> Result<(), NetworkError> {
        if let Err(why) = made {
            let entry = self.books().entries.get(id).cloned().unwrap_or_default();
            let removed = self.remove(id, &entry);
            self.strike_out(id, &entry, &removed);
            if let Err(left) = removed {
                warn!(id, error = %left, "a failed attach could not be taken back whole");
            }
            return Err(why);
        }
        if let Some(entry) = self.books().entries.get_mut(id) {
            entry.in_the_works = false;
        }
        self.settled.notify_all();
        Ok(())
    }

    fn ensure_bridge(&self) -> Result<Bridge, NetworkError> {
        let mut plumbing = self.plumbing();
        if let Some(plumbing) = plumbing.as_ref() {
            return Ok(plumbing.bridge);
        }
        let bridge = bridge::ensure(&self.config, &self.names)?;
        let map = PortMap::load(
            &self.names,
            bridge.range,
            Targets::new(),
            self.config.has_instance_metadata,
        )?;
        antispoof::load(&self.names, bridge.range, std::iter::empty());
        self.books().pool = Some(AddressPool::new(bridge.range));
        *plumbing = Some(Plumbing { bridge, map });
        Ok(bridge)
    }

    /// The books, once no thread works on this entry.
    pub(crate) fn settled_books(&self, id: &str) -> MutexGuard<'_, Books> {
        let in_the_works = |books: &mut Books| {
            books
                .entries
                .get(id)
                .is_some_and(|entry| entry.in_the_works)
        };
        self.settled
            .wait_while(self.books(), in_the_works)
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn plumbing(&self) -> MutexGuard<'_, Option<Plumbing>> {
        self.plumbing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn route_socket() -> Result<Socket, NetworkError> {
    Socket::route().map_err(|e| NetworkError::kernel("rtnetlink socket", e))
}

/// For work that leaves the host's namespace: its thread ends with it.
fn on_leaving_thread(
    work: impl FnOnce() -> Result<(), NetworkError> + Send,
) -> Result<(), NetworkError> {
    thread::scope(|scope| {
        scope
            .spawn(work)
            .join()
            .unwrap_or(Err(NetworkError::Thread("a new namespace")))
    })
}

/// Two Longshores, or one started twice, should not offer the same ports in the same order.
fn random_seed() -> Result<u16, NetworkError> {
    let mut bytes = [0; 2];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| NetworkError::kernel("getrandom", e))?;
    Ok(u16::from_ne_bytes(bytes))
}
