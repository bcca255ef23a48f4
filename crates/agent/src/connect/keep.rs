//! Keeps the host's proxy: found or started, handed what is open, replaced when it has died or is of another build.

use super::access_logs::LogEnds;
use super::ended::Ended;
use super::process::{Opened, Process, is_refusal};
use super::protocol::VERSION;
use super::{Connect, Inner};
use crate::part::Part;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::MutexGuard;
use tokio::time::sleep;
use tracing::{info, warn};

/// How often one of another build is looked at, which is replaced when no client is connected, and one that refused
/// something.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Between two starts where the first failed, or ended at once.
const START_PAUSE: Duration = Duration::from_secs(1);

/// What there is.
#[derive(Debug, Default)]
pub struct State {
    /// `None`: nothing was open yet, or it has died.
    pub process: Option<Process>,
    /// By the path of the namespace.
    pub open: BTreeMap<PathBuf, Opened>,
    /// What of it the process refused, and is asked for again: it may have had no descriptor left.
    pub refused: BTreeSet<PathBuf>,
    /// What the process of an earlier agent serves and no task has taken up: namespaces with their inodes.
    pub found: BTreeMap<PathBuf, u64>,
    /// Of tasks with an access log, by ARN.
    pub logs: BTreeMap<String, LogEnds>,
    /// What was counted in namespaces that are closed.
    pub ended: Ended,
}

impl Connect {
    /// Takes over what an earlier agent left, and keeps it from now on.
    pub async fn adopt(&self) {
        let inner = &self.0;
        let mut state = inner.state.lock().await;
        match Process::find(&inner.socket).await {
            Ok(Some(process)) => inner.take_over(&mut state, process).await,
            Ok(None) => {}
            Err(error) => inner.lose(&mut state, &error).await,
        }
        drop(state);
        tokio::spawn(keep(Arc::downgrade(inner)));
    }

    /// Closes what an earlier agent opened for tasks that are no more.
    pub async fn close_others(&self) {
        let others: Vec<PathBuf> = self.0.state.lock().await.found.keys().cloned().collect();
        for netns in others {
            // Whose it was is not known; a server takes no word of tasks that are not its host's.
            self.close(&netns, Part::Instance).await;
        }
        self.0.changed.notify_one();
    }

    /// Ends the process: for `longshore down`.
    pub async fn end(&self) {
        let mut state = self.0.state.lock().await;
        state.open.clear();
        if let Some(process) = &state.process {
            process.end().await;
        }
        self.0.clear(&mut state).await;
    }
}

impl Inner {
    async fn take_over(&self, state: &mut State, process: Process) {
        let (launch, pid) = (self.launch.clone(), process.hello.pid);
        // The agent that started it may have been killed just then.
        let _ = tokio::task::spawn_blocking(move || launch.join(pid)).await;
        let told = match process.hello.version {
            VERSION => process.targets(self.targets.all()).await,
            _ => Err(io::Error::other("it is of another version")),
        };
        state.found = process.hello.open.clone();
        state.process = Some(process);
        match told {
            Ok(()) => info!(pid, "proxy taken over"),
            Err(error) => self.lose(state, &error).await,
        }
    }

    /// Goes on with what is served already, by this agent or an earlier one; gives back what is not.
    pub async fn take_up(&self, opened: Opened) -> Result<(), Box<Opened>> {
        let mut state = self.state.lock().await;
        let (name, inode) = (opened.namespace.netns.clone(), opened.namespace.inode);
        if state
            .open
            .get(&name)
            .is_some_and(|of| of.namespace.inode == inode)
        {
            return Ok(());
        }
        let is_found = state.found.remove(&name) == Some(inode);
        let (true, Some(process)) = (is_found, &state.process) else {
            return Err(Box::new(opened));
        };
        match process.sockets(&name, opened.namespace.sockets()).await {
            Ok(sockets) => {
                state.open.insert(name, Opened { sockets, ..opened });
                Ok(())
            }
            Err(error) => {
                warn!(%error, "the sockets of a proxy are made anew");
                // Their ports are taken until then.
                if let Err(error) = process.close(name).await {
                    self.replace(&mut state, error).await;
                }
                Err(Box::new(opened))
            }
        }
    }

    /// Has it served, by a process that is started where there is none.
    ///
    /// # Errors
    /// It is not served, and nothing of it is left.
    pub async fn serve(&self, opened: Opened) -> io::Result<()> {
        let mut state = self.state.lock().await;
        let name = opened.namespace.netns.clone();
        let served = match &state.process {
            Some(process) => process.open(&opened).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        state.open.insert(name.clone(), opened);
        let served = match served {
            Err(error) if !is_refusal(&error) => self.restart(&mut state, Some(&name)).await,
            other => other,
        };
        if served.is_err() {
            state.open.remove(&name);
            state.refused.remove(&name);
            if let Some(process) = &state.process {
                // What it has of it; one that is gone has nothing.
                let _ = process.close(name).await;
            }
        }
        served
    }

    /// Another in place of one that did not do what it was told.
    pub async fn replace(&self, state: &mut State, error: io::Error) {
        self.lose(state, &error).await;
        self.replace_ended(state).await;
    }

    /// Starts one, and hands over all that is open.
    ///
    /// # Errors
    /// None can be had, or it refuses what is wanted; what else it refuses is asked for again later.
    async fn restart(&self, state: &mut State, wanted: Option<&Path>) -> io::Result<()> {
        self.clear(state).await;
        let process = Process::start(self.launch.clone(), &self.socket).await?;
        info!(pid = process.hello.pid, "proxy started");
        state.process = Some(process);
        let all = state.open.keys().cloned().collect();
        match self.hand_over(state, all, wanted).await {
            Err(error) if !is_refusal(&error) => {
                self.clear(state).await;
                Err(error)
            }
            handed => {
                self.changed.notify_one();
                handed
            }
        }
    }

    async fn hand_over(
        &self,
        state: &mut State,
        all: BTreeSet<PathBuf>,
        wanted: Option<&Path>,
    ) -> io::Result<()> {
        let Some(process) = &state.process else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        process.targets(self.targets.all()).await?;
        let mut answer = Ok(());
        for (name, opened) in state.open.iter().filter(|(name, _)| all.contains(*name)) {
            match process.open(opened).await {
                Ok(()) => drop(state.refused.remove(name)),
                Err(error) if is_refusal(&error) => {
                    let task = &opened.namespace.task;
                    warn!(task, %error, "the proxy does not serve a task");
                    // What it has of it holds the namespace.
                    process.close(name.clone()).await?;
                    state.refused.insert(name.clone());
                    if wanted == Some(name) {
                        answer = Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        answer
    }

    /// Asks once more for what was refused.
    pub async fn ask_again(&self, state: &mut State) {
        let refused = std::mem::take(&mut state.refused);
        if !refused.is_empty()
            && state.process.is_some()
            && let Err(error) = self.hand_over(state, refused, None).await
        {
            self.replace(state, error).await;
        }
    }

    async fn lose(&self, state: &mut State, error: &io::Error) {
        warn!(%error, "the proxy is lost");
        self.clear(state).await;
    }

    /// Ends whatever proxy there is.
    async fn clear(&self, state: &mut State) {
        let process = state.process.take();
        state.found.clear();
        state.refused.clear();
        // Also one that is where `Launch` does not find it.
        if let Some(process) = process {
            process.kill().await;
        }
        let launch = self.launch.clone();
        let _ = tokio::task::spawn_blocking(move || launch.clear()).await;
        self.changed.notify_one();
    }

    /// Ends one of another build if nobody is connected, and starts this build's.
    pub async fn renew(&self, state: &mut State) {
        // Until all are taken up their sockets are not here, and would end with it.
        let Some(process) = state.process.as_ref().filter(|_| state.found.is_empty()) else {
            return;
        };
        match process.end_if_idle().await {
            Ok(true) => {
                info!("the proxy is of another build and idle: it is replaced");
                self.replace_ended(state).await;
            }
            Ok(false) => {}
            Err(error) => self.replace(state, error).await,
        }
    }

    async fn replace_ended(&self, state: &mut State) {
        state.process = None;
        if !state.open.is_empty()
            && let Err(error) = self.restart(state, None).await
        {
            warn!(%error, "there is no proxy; it is tried again");
        }
    }
}

/// Until the agent ends.
async fn keep(inner: Weak<Inner>) {
    while let Some(kept) = inner.upgrade() {
        let mut state = kept.state.lock().await;
        let Some(process) = &state.process else {
            if state.open.is_empty() {
                drop(state);
                wait(&kept).await;
            } else if let Err(error) = kept.restart(&mut state, None).await {
                warn!(%error, "there is no proxy; it is tried again");
                drop(state);
                sleep(START_PAUSE).await;
            }
            continue;
        };
        let (pid, ended, is_other) = (process.hello.pid, process.ended(), process.is_other_build());
        let has_refused = !state.refused.is_empty();
        let is_new = process.since.elapsed() < START_PAUSE;
        drop(state);
        tokio::select! {
            () = ended => {
                if is_new {
                    sleep(START_PAUSE).await;
                }
                died(&kept, kept.state.lock().await, pid).await;
            }
            () = sleep(RENEW_EVERY), if is_other || has_refused => {
                let mut state = kept.state.lock().await;
                kept.ask_again(&mut state).await;
                if is_other {
                    kept.renew(&mut state).await;
                }
            }
            () = wait(&kept) => {}
        }
    }
}

async fn wait(inner: &Inner) {
    inner.changed.notified().await;
}

async fn died(inner: &Inner, mut state: MutexGuard<'_, State>, pid: u32) {
    // Whoever asked it meanwhile has seen to it.
    if state.process.as_ref().is_some_and(|of| of.hello.pid == pid) {
        warn!(pid, "the proxy has died");
        inner.replace_ended(&mut state).await;
    }
}
