//! What containers write: read from their pipes and handed to a log driver.
//!
//! What always holds: a stream is read by one reader, from attach to [`LogSink::finish`]; after the
//! container's end what the pipe still holds is read until it is empty, not until its end, since a
//! descendant may keep it open for ever. `blocking` needs nothing here: the pipe is the
//! back-pressure.

mod all;
mod awslogs;
mod json_file;
mod pipe;
mod signed;

pub use all::AllLogs;
pub use json_file::JsonFile;
pub use pipe::{Chunk, read_stream};

use async_trait::async_trait;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Whose output goes where.
#[derive(Debug, Clone)]
pub struct LogStreamSpec {
    /// The container's runtime id: names the stream in [`LogSink::finish`].
    pub runtime_id: String,
    /// The task's record directory; a driver may keep a spool below `logs/`, gone with the task.
    pub task_dir: PathBuf,
    /// The container's record directory; holds the shim's spill files.
    pub container_dir: PathBuf,
    /// The container's name in the task.
    pub container: String,
    /// The driver's name; empty is `json-file`.
    pub driver: String,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
    /// The task whose execution role signs what the driver sends; `None`: the host does.
    pub signer: Option<String>,
}

/// The read ends of a container's standard output and standard error.
#[derive(Debug)]
pub struct Pipes {
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

/// Takes the output of containers.
#[async_trait]
pub trait LogSink: Send + Sync + Debug {
    /// Refuses options that Docker refuses when it creates a container; the text follows
    /// `CannotCreateContainerError: ` in the container's reason.
    fn check(&self, spec: &LogStreamSpec) -> Result<(), String>;
    /// Refuses also what Docker refuses when it starts a container, and makes what the driver needs elsewhere, e.g.
    /// its stream, before that; the text follows `CannotStartContainerError: `.
    async fn prepare(&self, spec: &LogStreamSpec) -> Result<(), String>;
    /// Reads from now on. Without pipes (their shim is gone) only what is spooled is delivered.
    fn attach(&self, spec: LogStreamSpec, pipes: Option<Pipes>);
    /// After a run's end, when another is to follow: resolves when all that was written is read
    /// and will be delivered by the next attach. Nothing is done for a stream without one.
    async fn detach(&self, runtime_id: &str);
    /// After the container's end: resolves when everything it wrote is delivered or was given up.
    /// A stream that was never attached is finished.
    async fn finish(&self, runtime_id: &str);
}

/// The drivers that need nobody else: `json-file` and `none`.
#[derive(Debug, Default)]
pub struct LocalLogs {
    /// `std` mutex: held for a look-up, never across an await.
    streams: Mutex<HashMap<String, Stream>>,
}

#[derive(Debug)]
struct Stream {
    ended: watch::Sender<bool>,
    readers: JoinSet<()>,
}

/// What Docker says of a driver that cannot begin.
fn not_initialized(why: impl std::fmt::Display) -> String {
    format!("failed to initialize logging driver: {why}")
}

/// What Docker says of a driver that it lacks.
fn unknown_driver(driver: &str) -> String {
    format!("logger: no log driver named '{driver}' is registered")
}

#[async_trait]
impl LogSink for LocalLogs {
    fn check(&self, spec: &LogStreamSpec) -> Result<(), String> {
        match spec.driver.as_str() {
            "none" => Ok(()),
            "" | "json-file" => JsonFile::check(&spec.options),
            other => Err(unknown_driver(other)),
        }
    }

    async fn prepare(&self, spec: &LogStreamSpec) -> Result<(), String> {
        self.check(spec)?;
        match spec.driver.as_str() {
            "none" => Ok(()),
            _ => JsonFile::check_values(&spec.options).map_err(not_initialized),
        }
    }

    fn attach(&self, spec: LogStreamSpec, pipes: Option<Pipes>) {
        let Some(pipes) = pipes else { return };
        let (ended, end) = watch::channel(false);
        let mut readers = JoinSet::new();
        let file = (spec.driver != "none").then(|| JsonFile::new(&spec));
        for (name, fd) in [("stdout", pipes.stdout), ("stderr", pipes.stderr)] {
            let (file, end) = (file.clone(), end.clone());
            readers.spawn(read_stream(fd, end, move |chunk| {
                if let Some(file) = &file {
                    file.write(name, chunk);
                }
            }));
        }
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.insert(spec.runtime_id, Stream { ended, readers });
    }

    async fn detach(&self, runtime_id: &str) {
        // What is read is in the file.
        self.finish(runtime_id).await;
    }

    async fn finish(&self, runtime_id: &str) {
        let stream = self
            .streams
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(runtime_id);
        if let Some(mut stream) = stream {
            let _ = stream.ended.send(true);
            while stream.readers.join_next().await.is_some() {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn spec(dir: &std::path::Path, driver: &str) -> LogStreamSpec {
        LogStreamSpec {
            runtime_id: "id".into(),
            task_dir: dir.into(),
            container_dir: dir.into(),
            container: "app".into(),
            driver: driver.into(),
            options: BTreeMap::new(),
            signer: None,
        }
    }

    #[tokio::test]
    async fn what_a_container_wrote_is_in_its_file_although_the_pipe_stays_open() {
        let dir = tempfile::tempdir().unwrap();
        let logs = LocalLogs::default();
        let (out, mut stdout) = std::io::pipe().unwrap();
        let (err, mut stderr) = std::io::pipe().unwrap();
        logs.attach(
            spec(dir.path(), "json-file"),
            Some(Pipes {
                stdout: out.into(),
                stderr: err.into(),
            }),
        );
        stdout.write_all(b"one\ntwo").unwrap();
        stderr.write_all(b"bad\n").unwrap();
        logs.finish("id").await;
        let text = std::fs::read_to_string(dir.path().join(json_file::FILE_NAME)).unwrap();
        let mut lines: Vec<(String, String)> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|v| {
                (
                    v["stream"].as_str().unwrap().into(),
                    v["log"].as_str().unwrap().into(),
                )
            })
            .collect();
        lines.sort();
        let expected = [("stderr", "bad\n"), ("stdout", "one\n"), ("stdout", "two")];
        assert_eq!(lines, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[tokio::test]
    async fn none_keeps_nothing_and_reads_everything() {
        let dir = tempfile::tempdir().unwrap();
        let logs = LocalLogs::default();
        let (out, mut stdout) = std::io::pipe().unwrap();
        let (err, _stderr) = std::io::pipe().unwrap();
        logs.attach(
            spec(dir.path(), "none"),
            Some(Pipes {
                stdout: out.into(),
                stderr: err.into(),
            }),
        );
        // More than a pipe holds: it ends only if somebody reads.
        let writer = tokio::task::spawn_blocking(move || stdout.write_all(&[b'x'; 1 << 20]));
        writer.await.unwrap().unwrap();
        logs.finish("id").await;
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_unknown_driver_is_refused_in_dockers_words() {
        let logs = LocalLogs::default();
        let refusal = logs
            .check(&spec(std::path::Path::new("/"), "gelf"))
            .unwrap_err();
        assert_eq!(refusal, "logger: no log driver named 'gelf' is registered");
    }

    #[tokio::test]
    async fn a_wrong_value_is_no_matter_before_the_start_and_a_wrong_name_is() {
        let logs = LocalLogs::default();
        let with = |name: &str, value: &str| LogStreamSpec {
            options: BTreeMap::from([(name.into(), value.into())]),
            ..spec(std::path::Path::new("/"), "json-file")
        };
        let wrong = with("max-file", "0");
        assert_eq!(logs.check(&wrong), Ok(()));
        let refusal = logs.prepare(&wrong).await.unwrap_err();
        let expected = "failed to initialize logging driver: max-file cannot be less than 1";
        assert_eq!(refusal, expected);
        let unknown = with("max-files", "3");
        let expected = Err("unknown log opt 'max-files' for json-file log driver".to_owned());
        assert_eq!(logs.check(&unknown), expected);
        assert_eq!(logs.prepare(&unknown).await, expected);
        // Docker looks at nothing of it.
        let nowhere = LogStreamSpec {
            driver: "none".into(),
            ..wrong
        };
        assert_eq!(logs.prepare(&nowhere).await, Ok(()));
    }
}
