//! The proxy's process as the agent has it: started, found, asked, ended.

use super::access_logs::LogEnds;
use super::channel::{Channel, door};
use super::protocol::{Answer, Counted, Hello, Namespace, Order, SOCKETS_MAX, Targets};
use super::proxy;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

/// One that has not answered by then hangs, and is ended.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// What starts proxies, and ends those that nobody can speak to.
pub trait Launch: Debug + Send + Sync {
    /// Starts one that takes agents at this socket.
    ///
    /// # Errors
    /// It cannot be started.
    fn start(&self, door: OwnedFd) -> io::Result<()>;
    /// Makes this process one that [`clear`](Launch::clear) ends: whoever started it may have been killed before that.
    fn join(&self, pid: u32);
    /// Ends all of this host's, and returns when they are gone.
    fn clear(&self);
}

/// One that answered.
#[derive(Debug)]
pub struct Process {
    /// What it is.
    pub hello: Hello,
    /// When this agent met it.
    pub since: Instant,
    channel: Channel,
    /// An answer was not awaited: what comes next is that one, and not what is asked for then.
    is_behind: AtomicBool,
    /// `None` where it is this process, as in tests.
    pidfd: Option<Arc<AsyncFd<OwnedFd>>>,
}

/// A namespace as the agent keeps it, so that the next proxy is handed the same sockets: who connects while there is
/// none waits in their queues.
#[derive(Debug)]
pub struct Opened {
    /// What is served.
    pub namespace: Namespace,
    /// The namespace itself.
    pub netns: OwnedFd,
    /// Of its access log, if it has one.
    pub log: Option<LogEnds>,
    /// Of its listeners, then of its ingress.
    pub sockets: Vec<OwnedFd>,
}

impl Process {
    /// A new one.
    ///
    /// # Errors
    /// It cannot be started, or does not answer.
    pub async fn start(launch: Arc<dyn Launch>, socket: &Path) -> io::Result<Self> {
        let at = socket.to_owned();
        let started = tokio::task::spawn_blocking(move || launch.start(door(&at)?));
        started.await.map_err(io::Error::other)??;
        let channel = Channel::connect(socket)?.ok_or(io::ErrorKind::ConnectionRefused)?;
        Self::meet(channel).await
    }

    /// One that an earlier agent left, of whatever version; `None` where there is none.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn find(socket: &Path) -> io::Result<Option<Self>> {
        let Some(channel) = Channel::connect(socket)? else {
            return Ok(None);
        };
        Self::meet(channel).await.map(Some)
    }

    async fn meet(channel: Channel) -> io::Result<Self> {
        let (answer, _) = exchange(&channel, &Order::Hello, &[]).await?;
        let Answer::Hello(hello) = answer else {
            return Err(otherwise(&answer));
        };
        let pidfd = watched(hello.pid)?;
        Ok(Self {
            hello,
            since: Instant::now(),
            channel,
            is_behind: AtomicBool::new(false),
            pidfd,
        })
    }

    /// Whether it is of another build than this agent.
    #[must_use]
    pub fn is_other_build(&self) -> bool {
        self.hello.build != proxy::build()
    }

    /// Resolves when the process has ended.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let pidfd = self.pidfd.clone();
        async move {
            match pidfd {
                // A pidfd becomes readable when its process ends, and stays so.
                Some(pidfd) => drop(pidfd.readable().await),
                None => std::future::pending().await,
            }
        }
    }

    /// Serves a namespace.
    ///
    /// # Errors
    /// It is gone, or could not do it.
    pub async fn open(&self, opened: &Opened) -> io::Result<()> {
        let order = Order::Open(opened.namespace.clone());
        let mut with = vec![opened.netns.as_fd()];
        with.extend(opened.log.iter().flat_map(LogEnds::descriptors));
        self.done(&order, &with).await?;
        for sockets in opened.sockets.chunks(SOCKETS_MAX) {
            let name = opened.namespace.netns.clone();
            let with: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
            self.done(&Order::Sockets(name, with.len()), &with).await?;
        }
        Ok(())
    }

    /// The sockets of a namespace that it serves.
    ///
    /// # Errors
    /// It is gone, or has not so many.
    pub async fn sockets(&self, netns: &Path, count: usize) -> io::Result<Vec<OwnedFd>> {
        let mut all = Vec::new();
        while all.len() < count {
            let order = Order::Give(netns.to_owned(), all.len());
            let sockets = match self.ask(&order, &[]).await? {
                (Answer::Done, sockets) if sockets.is_empty() => {
                    let error = "it has not so many sockets";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
                (Answer::Done, sockets) => sockets,
                (answer, _) => return Err(self.unexpected(answer)),
            };
            all.extend(sockets);
        }
        Ok(all)
    }

    /// The access log's pipe of a namespace that it serves.
    ///
    /// # Errors
    /// It is gone, or has none.
    pub async fn log_ends(&self, netns: &Path) -> io::Result<LogEnds> {
        match self.ask(&Order::GiveLog(netns.to_owned()), &[]).await? {
            (Answer::Done, ends) => LogEnds::given(ends),
            (answer, _) => Err(self.unexpected(answer)),
        }
    }

    /// Closes what it serves there. What it counted there until then.
    ///
    /// # Errors
    /// It is gone.
    pub async fn close(&self, netns: PathBuf) -> io::Result<Vec<Counted>> {
        self.counts(&Order::Close(netns)).await
    }

    /// Tells it of targets.
    ///
    /// # Errors
    /// It is gone.
    pub async fn targets(&self, change: Targets) -> io::Result<()> {
        self.done(&Order::Targets(change), &[]).await
    }

    /// What it counted.
    ///
    /// # Errors
    /// It is gone.
    pub async fn counted(&self) -> io::Result<Vec<Counted>> {
        self.counts(&Order::Count).await
    }

    async fn counts(&self, order: &Order) -> io::Result<Vec<Counted>> {
        match self.ask(order, &[]).await? {
            (Answer::Counted(counted), _) => Ok(counted),
            (answer, _) => Err(self.unexpected(answer)),
        }
    }

    /// Ends it if nobody is connected. Whether it ends.
    ///
    /// # Errors
    /// It is gone.
    pub async fn end_if_idle(&self) -> io::Result<bool> {
        match self.ask(&Order::EndIfIdle, &[]).await? {
            (Answer::Done, _) => Ok(true),
            (Answer::Busy, _) => Ok(false),
            (answer, _) => Err(self.unexpected(answer)),
        }
    }

    /// Ends it, whoever is connected; returns when it has ended, or after some seconds.
    pub async fn end(&self) {
        if self.done(&Order::End, &[]).await.is_ok() {
            let _ = timeout(ANSWER_PATIENCE, self.ended()).await;
        }
    }

    /// Kills it, wherever it is; returns when it has ended, or after some seconds.
    pub async fn kill(&self) {
        let Some(pidfd) = &self.pidfd else {
            return;
        };
        // An error says that it has ended.
        if pidfd_send_signal(pidfd.get_ref(), Signal::KILL).is_ok() {
            let _ = timeout(ANSWER_PATIENCE, self.ended()).await;
        }
    }

    async fn done(&self, order: &Order, with: &[BorrowedFd<'_>]) -> io::Result<()> {
        match self.ask(order, with).await? {
            (Answer::Done, _) => Ok(()),
            (answer, _) => Err(self.unexpected(answer)),
        }
    }

    async fn ask(
        &self,
        order: &Order,
        with: &[BorrowedFd<'_>],
    ) -> io::Result<(Answer, Vec<OwnedFd>)> {
        // Also for who is no longer there when the answer comes.
        if self.is_behind.swap(true, Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let exchanged = exchange(&self.channel, order, with).await?;
        self.is_behind.store(false, Relaxed);
        Ok(exchanged)
    }

    /// The kind tells those apart that a living proxy gave.
    fn unexpected(&self, answer: Answer) -> io::Error {
        match answer {
            Answer::Failed(text) => io::Error::new(io::ErrorKind::InvalidData, text),
            other => {
                self.is_behind.store(true, Relaxed);
                otherwise(&other)
            }
        }
    }
}

fn otherwise(answer: &Answer) -> io::Error {
    io::Error::other(format!("an answer to something else: {answer:?}"))
}

async fn exchange(
    channel: &Channel,
    order: &Order,
    with: &[BorrowedFd<'_>],
) -> io::Result<(Answer, Vec<OwnedFd>)> {
    let exchanged = async {
        channel.send(order, with).await?;
        channel.receive().await
    };
    let answer = timeout(ANSWER_PATIENCE, exchanged).await?;
    // Whatever kind of error it is that nothing was understood: it is no refusal.
    let answer = answer.map_err(io::Error::other)?;
    answer.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Whether a proxy that gave this error still serves.
#[must_use]
pub fn is_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

fn watched(pid: u32) -> io::Result<Option<Arc<AsyncFd<OwnedFd>>>> {
    if pid == std::process::id() {
        return Ok(None);
    }
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::InvalidData)?;
    let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
    #[allow(
        deprecated,
        reason = "the descriptor is owned by what is returned; its replacement is unsafe to call"
    )]
    let pidfd = AsyncFd::new(pidfd)?;
    Ok(Some(Arc::new(pidfd)))
}
