//! Keeps the host's proxy: found or started, handed what is open, replaced when it has died or is of another build.

use super::access_logs::LogEnds;
use super::process::{Opened, Process, is_refusal};
use super::{Connect, Inner};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::MutexGuard;
use tokio::time::sleep;
use tracing::{info, warn};

/// How often one of another build is looked at: it is replaced when no client is connected.
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
    /// What the process of an earlier agent serves and no task has taken up: namespaces with their inodes.
    pub found: BTreeMap<PathBuf, u64>,
    /// Of tasks with an access log, by ARN.
    pub logs: BTreeMap<String, LogEnds>,
}

impl Connect {
    /// Takes over what an earlier agent left, and keeps it from now on.
    pub async fn adopt(&self) {
        let inner = &self.0;
        let mut state = inner.state.lock().await;
        match Process::find(&inner.socket).await {
            Ok(Some(process)) => {
                info!(pid = process.hello.pid, "proxy taken over");
                state.found = process.hello.open.clone();
                let told = process.targets(inner.targets.all()).await;
                state.process = Some(process);
                if let Err(error) = told {
                    inner.lose(&mut state, &error).await;
                }
            }
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
            self.close(&netns).await;
        }
        self.0.changed.notify_one();
    }

    /// Ends the process: for `longshore down`.
    pub async fn end(&self) {
        let mut state = self.0.state.lock().await;
        state.open.clear();
        state.found.clear();
        if let Some(process) = state.process.take() {
            process.end().await;
        }
        self.0.changed.notify_one();
    }
}

impl Inner {
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
            Err(error) if !is_refusal(&error) => self.restart(&mut state).await,
            other => other,
        };
        if served.is_err() {
            state.open.remove(&name);
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
        if !state.open.is_empty()
            && let Err(error) = self.restart(state).await
        {
            warn!(%error, "there is no proxy; it is tried again");
        }
    }

    /// Starts one, and hands over all that is open.
    async fn restart(&self, state: &mut State) -> io::Result<()> {
        self.clear(state).await;
        let process = Process::start(&*self.launch, &self.socket).await?;
        info!(pid = process.hello.pid, "proxy started");
        process.targets(self.targets.all()).await?;
        for opened in state.open.values() {
            process.open(opened).await?;
        }
        state.process = Some(process);
        self.changed.notify_one();
        Ok(())
    }

    async fn lose(&self, state: &mut State, error: &io::Error) {
        warn!(%error, "the proxy is lost");
        self.clear(state).await;
    }

    /// Ends whatever proxy there is.
    async fn clear(&self, state: &mut State) {
        state.process = None;
        state.found.clear();
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
            && let Err(error) = self.restart(state).await
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
            } else if let Err(error) = kept.restart(&mut state).await {
                warn!(%error, "there is no proxy; it is tried again");
                drop(state);
                sleep(START_PAUSE).await;
            }
            continue;
        };
        let (pid, ended, is_other) = (process.hello.pid, process.ended(), process.is_other_build());
        let is_new = process.since.elapsed() < START_PAUSE;
        drop(state);
        tokio::select! {
            () = ended => {
                if is_new {
                    sleep(START_PAUSE).await;
                }
                died(&kept, kept.state.lock().await, pid).await;
            }
            () = sleep(RENEW_EVERY), if is_other => {
                kept.renew(&mut *kept.state.lock().await).await;
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
