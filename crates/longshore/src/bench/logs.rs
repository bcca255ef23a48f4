//! Lines from a container's standard output until GetLogEvents has the last of them.

use super::memory;
use super::report::{Report, Row};
use super::subject::Subject;
use super::tasks;
use crate::api::Session;
use crate::cli::LogsBench;
use crate::http::Connection;
use crate::settings::Settings;
use agent::{Server, Trust};
use anyhow::{Context, bail, ensure};
use aws_api::ecs::{LogConfiguration, Task};
use aws_api::logs::GetLogEventsRequest;
use aws_api::logs::operations::GetLogEvents;
use std::time::{Duration, Instant};

const GROUP: &str = "/bench/logs";
const PATIENCE: Duration = Duration::from_secs(300);
/// Lines a second that a follower watches (the rate).
const FOLLOWED_PER_SECOND: u64 = 10_000;
const FOLLOWED_SECONDS: u64 = 5;

/// Measures.
pub async fn run(settings: &Settings, what: &LogsBench) -> anyhow::Result<Report> {
    let subject = Subject::find(settings).await?;
    let mut session = subject.root()?.connect().await?;
    let region = subject.settings.data.server_info()?.region;
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let log = LogConfiguration {
        log_driver: Some("awslogs".into()),
        options: Some(
            [
                option("awslogs-group", GROUP),
                option("awslogs-region", &region),
                option("awslogs-stream-prefix", "bench"),
                option("awslogs-create-group", "true"),
                option("mode", "blocking"),
            ]
            .into_iter()
            .collect(),
        ),
        ..Default::default()
    };
    let image = "longshore/hello";
    let definition = tasks::register(&mut session, "bridge", image, Some(log)).await?;
    let arns = tasks::run(&mut session, &definition, 1).await?;
    let task = tasks::until(&mut session, &arns, "RUNNING").await?;
    let mut writer = Writer::of(&task, arns.first().context("no task")?)?;
    let mut report = Report::new("logs");
    let before = memory::read(&subject.settings)?;
    report.push(all_at_once(&mut session, &mut writer, what).await?);
    report.push(followed(&mut session, &mut writer, what.bytes).await?);
    let after = memory::read(&subject.settings)?;
    report.push(
        Row::new("memory before")
            .with("server_mib", before.server_mib)
            .with("agent_mib", before.agent_mib),
    );
    report.push(
        Row::new("memory after")
            .with("server_mib", after.server_mib)
            .with("agent_mib", after.agent_mib),
    );
    tasks::stop(&mut session, &arns).await?;
    report.note(format!(
        "mode blocking, lines of {} bytes; every line was counted in GetLogEvents",
        what.bytes
    ));
    Ok(report)
}

/// As fast as the pipe takes them.
async fn all_at_once(
    session: &mut Session,
    writer: &mut Writer,
    what: &LogsBench,
) -> anyhow::Result<Row> {
    let began = Instant::now();
    writer.write(what.lines, what.bytes, 0).await?;
    let written = began.elapsed();
    writer.read_all(session).await?;
    let readable = began.elapsed();
    Ok(Row::new("at once: written, then readable")
        .with("lines", what.lines as f64)
        .with("written_s", written.as_secs_f64())
        .with("readable_s", readable.as_secs_f64())
        .with("per_second", what.lines as f64 / readable.as_secs_f64()))
}

/// At a steady rate, read live: how far the reader is behind once the writer has ended.
async fn followed(session: &mut Session, writer: &mut Writer, bytes: u64) -> anyhow::Result<Row> {
    let lines = FOLLOWED_PER_SECOND * FOLLOWED_SECONDS;
    writer.write(lines, bytes, FOLLOWED_PER_SECOND).await?;
    let ended = Instant::now();
    writer.read_all(session).await?;
    Ok(Row::new("10,000 a second: behind at the end")
        .with("lines", lines as f64)
        .with("behind_ms", ended.elapsed().as_secs_f64() * 1000.0))
}

/// The container that writes, and how far its stream was read.
struct Writer {
    address: String,
    stream: String,
    token: Option<String>,
    /// Lines that were asked for and not read yet; requests log a line each.
    owed: u64,
}

impl Writer {
    fn of(task: &Task, arn: &str) -> anyhow::Result<Self> {
        let bindings = task.containers.iter().flatten();
        let mut bindings = bindings.flat_map(|one| one.network_bindings.iter().flatten());
        let port = bindings.find_map(|binding| binding.host_port);
        let task = arn.rsplit('/').next().unwrap_or_default();
        Ok(Self {
            address: format!("127.0.0.1:{}", port.context("the task has no port")?),
            stream: format!("bench/app/{task}"),
            token: None,
            // "listening on port 80".
            owed: 1,
        })
    }

    /// Returns when the container has written all.
    async fn write(&mut self, lines: u64, bytes: u64, per_second: u64) -> anyhow::Result<()> {
        let request = format!(
            "GET /log?lines={lines}&bytes={bytes}&per_second={per_second} HTTP/1.1\r\nhost: {}\r\n\r\n",
            self.address
        );
        let server = Server::new(&format!("http://{}", self.address), Trust::Nobody)?;
        let mut connection = Connection::open(&server).await?;
        let (status, body) = connection.exchange(request.as_bytes()).await?;
        ensure!(status == 200, "{}", String::from_utf8_lossy(&body));
        self.owed += lines + 1;
        Ok(())
    }

    /// Reads on until every line that is owed has come.
    async fn read_all(&mut self, session: &mut Session) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.owed > 0 {
            let input = GetLogEventsRequest {
                log_group_name: Some(GROUP.into()),
                log_stream_name: Some(self.stream.clone()),
                start_from_head: Some(true),
                next_token: self.token.clone(),
                ..Default::default()
            };
            let answer = session.call::<GetLogEvents>(&input).await?;
            let read = answer.events.unwrap_or_default().len() as u64;
            self.token = answer.next_forward_token;
            self.owed = self
                .owed
                .checked_sub(read)
                .context("more lines than were written")?;
            if read == 0 {
                if Instant::now() > deadline {
                    bail!("{} lines are missing", self.owed);
                }
                tokio::time::sleep(tasks::POLL_EVERY).await;
            }
        }
        Ok(())
    }
}
