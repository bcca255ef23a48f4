//! Moves one container's output to its stream: spools, cuts, sends, acknowledges, in turns.

use super::api::{LogsApi, OutgoingEvent};
use super::delivery::Stage;
use super::events::CutEvent;
use super::options::AwslogsOptions;
use super::progress::{Offsets, Pending, Progress, ProgressFile};
use super::source::Source;
use crate::api::now;
use crate::logs::Pipes;
use runtime::overflow::Dropped;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracing::warn;

/// Data that just came waits so long for more, so that a batch is worth its request.
const LINGER: Duration = Duration::from_millis(20);
/// An event that may go on is sent after so long without a further line (Docker's default).
const OPEN_EVENT_MAX: Duration = Duration::from_secs(5);
/// PutLogEvents takes 1 MiB with 26 bytes an event, and 10,000 events.
const BATCH_BYTES_MAX: usize = 900 * 1024;
const BATCH_EVENTS_MAX: usize = 10_000;
const EVENT_OVERHEAD: usize = 26;
/// Cut in one go.
const CUT_BYTES: usize = 64 * 1024;
/// Waits between tries of a batch.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A full disk is tried again after this time.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// So often it is said how much was dropped.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Where a container's output goes.
#[derive(Clone, Debug)]
pub struct StreamTarget {
    /// The stream's own directory: spool and progress.
    pub dir: PathBuf,
    /// What the shim kept of each output, if anything.
    pub spills: [PathBuf; 2],
    /// The driver's options.
    pub options: AwslogsOptions,
    /// The stream's name.
    pub stream: String,
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// What a `non-blocking` stream lost.
    pub dropped: Dropped,
}

/// Moves one stream.
pub struct Pump {
    api: Arc<dyn LogsApi>,
    target: StreamTarget,
    sources: [Source; 2],
    file: ProgressFile,
    progress: Progress,
    /// Cut, and not yet in a batch.
    ready: [Vec<CutEvent>; 2],
    /// Time of the last batch.
    latest_ms: i64,
    /// What was lost, as last said, and when.
    said: (Dropped, Option<Instant>),
}

impl Pump {
    pub fn open(
        api: Arc<dyn LogsApi>,
        target: StreamTarget,
        pipes: Option<Pipes>,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(&target.dir)?;
        let (file, mut progress) = ProgressFile::open(&target.dir);
        let (stdout, stderr) = pipes.map_or((None, None), |pipes| {
            (Some(pipes.stdout), Some(pipes.stderr))
        });
        let source = |prefix, at: u64, pipe| {
            Source::open(
                &target.dir,
                prefix,
                at,
                target.options.event_start.clone(),
                pipe,
            )
        };
        let mut sources = [
            source("stdout", progress.acknowledged[0], stdout)?,
            source("stderr", progress.acknowledged[1], stderr)?,
        ];
        let lost = &mut progress.dropped_by_shim;
        for ((source, spill), lost) in sources.iter_mut().zip(&target.spills).zip(lost) {
            source.take_spill(spill)?;
            *lost = runtime::record::read_dropped(spill)?;
        }
        Ok(Self {
            api,
            target,
            sources,
            file,
            progress,
            ready: Default::default(),
            latest_ms: 0,
            said: Default::default(),
        })
    }

    pub async fn run(&mut self, mut wanted: watch::Receiver<Stage>) -> Finished {
        if let Some(pending) = self.progress.pending {
            self.send_again(pending, &mut wanted).await;
        }
        loop {
            match self.turn(&mut wanted).await {
                Ok(true) => break,
                Ok(false) => {}
                // The stream's directory went with its task: nobody wants the rest.
                Err(_) if !self.target.dir.exists() => break,
                Err(error) => {
                    warn!(stream = self.target.stream, %error, "a log stream's spool failed; its bytes wait in the pipe");
                    tokio::time::sleep(AFTER_FAILURE).await;
                    continue;
                }
            }
            self.wait(&mut wanted).await;
        }
        self.say_what_is_lost(true);
        Finished {
            dropped: self.progress.lost(),
        }
    }

    /// Takes what the pipes hold; what a `non-blocking` stream loses is counted on disk.
    fn take(&mut self, ended: bool) -> io::Result<()> {
        let mut dropped = Dropped::default();
        let mode = self.target.options.mode;
        let acknowledged = self.progress.acknowledged;
        for (source, acknowledged) in self.sources.iter_mut().zip(acknowledged) {
            dropped += source.take(acknowledged, mode, ended)?;
        }
        if dropped != Dropped::default() {
            self.progress.dropped += dropped;
            self.file.write(&self.progress)?;
        }
        Ok(())
    }

    /// Now and then while it goes on, and the whole at the end.
    fn say_what_is_lost(&mut self, ended: bool) {
        let lost = self.progress.lost();
        let (said, at) = self.said;
        let is_new = lost != said && at.is_none_or(|at| at.elapsed() >= SAY_EVERY);
        if is_new || (ended && lost != Dropped::default()) {
            self.said = (lost, Some(Instant::now()));
            warn!(
                stream = self.target.stream,
                lines = lost.lines,
                bytes = lost.bytes,
                ended,
                "log output was dropped: it did not fit max-buffer-size"
            );
        }
    }

    /// Takes what is there and delivers it; whether everything is done.
    async fn turn(&mut self, wanted: &mut watch::Receiver<Stage>) -> io::Result<bool> {
        loop {
            let stage = *wanted.borrow_and_update();
            // After the container's end the pipe is read until it is empty: a descendant may hold it open.
            self.take(stage.is_over())?;
            self.say_what_is_lost(false);
            if stage == Stage::Parting && self.is_all_taken() {
                // The next run begins a line of its own.
                self.sources.iter_mut().try_for_each(Source::end_line)?;
                return Ok(true);
            }
            self.cut()?;
            let drained = self.sources.iter().all(Source::is_drained);
            if stage == Stage::Ended && drained {
                for (source, ready) in self.sources.iter_mut().zip(&mut self.ready) {
                    ready.extend(source.finish());
                }
            }
            if !self.send_ready(wanted).await? && drained {
                return Ok(stage == Stage::Ended);
            }
        }
    }

    /// After the end of a run: nothing of it is left in the pipes.
    fn is_all_taken(&self) -> bool {
        !self.sources.iter().any(Source::is_held_up)
    }

    /// Cuts about as much as a batch holds and no more: events of short lines take many times the
    /// memory that their bytes take in the spool.
    fn cut(&mut self) -> io::Result<()> {
        for (source, ready) in self.sources.iter_mut().zip(&mut self.ready) {
            for _ in 0..BATCH_BYTES_MAX / CUT_BYTES {
                if ready.len() >= BATCH_EVENTS_MAX || source.is_drained() {
                    break;
                }
                ready.extend(source.events(CUT_BYTES, u64::MAX)?);
            }
        }
        Ok(())
    }

    /// Sends one batch of what is cut; whether there was anything.
    async fn send_ready(&mut self, wanted: &mut watch::Receiver<Stage>) -> io::Result<bool> {
        // A clock set back must not put later lines before earlier ones.
        self.latest_ms = self.latest_ms.max(now().millis());
        let timestamp_ms = self.latest_ms;
        let mut taken = [0; 2];
        let (mut events, mut bytes) = (Vec::new(), 0);
        let mut ends = self.progress.acknowledged;
        for (source, ready) in self.ready.iter().enumerate() {
            for event in ready {
                let size = event.message.len() + EVENT_OVERHEAD;
                if events.len() >= BATCH_EVENTS_MAX
                    || (bytes + size > BATCH_BYTES_MAX && !events.is_empty())
                {
                    break;
                }
                bytes += size;
                taken[source] += 1;
                ends[source] = event.end;
                events.push(OutgoingEvent {
                    timestamp_ms,
                    message: event.message.clone(),
                });
            }
        }
        if events.is_empty() {
            return Ok(false);
        }
        self.progress.pending = Some(Pending { ends, timestamp_ms });
        self.file.write(&self.progress)?;
        // Only now: a disk that is full keeps them for the next turn.
        for (ready, taken) in self.ready.iter_mut().zip(taken) {
            ready.drain(..taken);
        }
        if self.deliver(&events, ends, wanted).await {
            self.acknowledge(ends)?;
        }
        Ok(true)
    }

    /// Sends the batch that an earlier agent had written down, the very same.
    async fn send_again(&mut self, pending: Pending, wanted: &mut watch::Receiver<Stage>) {
        let mut events = Vec::new();
        for (source, until) in self.sources.iter_mut().zip(pending.ends) {
            let mut cut = source.events(usize::MAX, until).unwrap_or_default();
            cut.extend(source.finish());
            events.extend(cut.into_iter().map(|event| OutgoingEvent {
                timestamp_ms: pending.timestamp_ms,
                message: event.message,
            }));
        }
        if !events.is_empty() && !self.deliver(&events, pending.ends, wanted).await {
            return;
        }
        if let Err(error) = self.acknowledge(pending.ends) {
            warn!(stream = self.target.stream, %error, "a log stream's progress could not be written");
        }
    }

    /// Sends until it is taken or refused for good. Output is taken meanwhile: a server that is away
    /// must not hold up a `non-blocking` container, nor the next run of one. False where the delivery
    /// parts before: its successor sends the same batch.
    async fn deliver(
        &mut self,
        events: &[OutgoingEvent],
        ends: Offsets,
        wanted: &mut watch::Receiver<Stage>,
    ) -> bool {
        let (api, target) = (self.api.clone(), self.target.clone());
        let sending = send(&*api, &target, events, ends[0] + ends[1]);
        tokio::pin!(sending);
        let mut parting = false;
        loop {
            tokio::select! {
                () = &mut sending => return true,
                () = more_output(&self.sources) => {}
                _ = wanted.wait_for(|stage| *stage == Stage::Parting), if !parting => parting = true,
            }
            // A full disk leaves the bytes in the pipe, and the next turn says so.
            let taken = self.take(parting);
            self.say_what_is_lost(false);
            if parting && taken.is_ok() && self.is_all_taken() {
                return false;
            }
        }
    }

    fn acknowledge(&mut self, ends: Offsets) -> io::Result<()> {
        self.progress.acknowledged = ends;
        self.progress.pending = None;
        self.file.write(&self.progress)?;
        for (source, end) in self.sources.iter_mut().zip(ends) {
            source.forget_before(end);
        }
        Ok(())
    }

    /// Waits for output, for the container's end, or for an open event's time.
    async fn wait(&mut self, wanted: &mut watch::Receiver<Stage>) {
        let open = self.sources.iter().any(Source::has_open_event);
        let patience = if open {
            OPEN_EVENT_MAX
        } else {
            Duration::from_secs(3600)
        };
        tokio::select! {
            () = more_output(&self.sources) => {}
            changed = wanted.changed() => {
                if changed.is_err() {
                    // Nobody will say that the container ended: the agent itself ends.
                    std::future::pending::<()>().await;
                }
            }
            () = tokio::time::sleep(patience) => {
                for (source, ready) in self.sources.iter_mut().zip(&mut self.ready) {
                    ready.extend(source.close_event());
                }
            }
        }
    }
}

/// There is output, and a moment has passed since the first of it.
async fn more_output([stdout, stderr]: &[Source; 2]) {
    tokio::select! {
        () = readable(stdout) => {}
        () = readable(stderr) => {}
    }
    tokio::time::sleep(LINGER).await;
}

async fn send(api: &dyn LogsApi, target: &StreamTarget, events: &[OutgoingEvent], cursor: u64) {
    let (options, stream) = (&target.options, &target.stream);
    let mut wait = RETRY.0;
    loop {
        let sent = api
            .put_log_events(&options.region, &options.group, stream, events, cursor)
            .await;
        match sent {
            Ok(()) => return,
            Err(failure) if !failure.is_passing() => {
                warn!(stream, %failure, events = events.len(), "a batch of log events was refused");
                return;
            }
            Err(_) => {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY.1);
            }
        }
    }
}

async fn readable(source: &Source) {
    match &source.pipe {
        Some(pipe) => {
            if let Ok(mut guard) = pipe.readable().await {
                guard.clear_ready();
            }
        }
        None => std::future::pending().await,
    }
}
