//! Pulls of one image from a registry on loopback, until its container is started, beside skopeo.

use super::registry::{Layer, Registry, digest};
use super::report::{Report, Row};
use super::subject::Subject;
use super::tasks;
use crate::cli::PullBench;
use crate::settings::Settings;
use anyhow::{Context, ensure};
use aws_api::ecs::Task;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

/// A file of a layer: about what a system's tree has on average.
const FILE_BYTES: usize = 28 * 1024;

/// Measures.
pub async fn run(settings: &Settings, what: &PullBench) -> anyhow::Result<Report> {
    let layers: Vec<Layer> = (0..what.layers)
        .map(|at| layer(at, what.mib << 20))
        .collect::<anyhow::Result<_>>()?;
    let bytes: usize = layers.iter().map(|layer| layer.gzip.len()).sum();
    let mib = bytes as f64 / f64::from(1 << 20);
    let registry = Registry::start(layers).await?;
    let mut report = Report::new("pull");
    let subject = Subject::find(settings).await?;
    let mut session = subject.root()?.connect().await?;
    let definition = tasks::register(&mut session, "none", &registry.reference, None).await?;
    let arns = tasks::run(&mut session, &definition, 1).await?;
    // Its program does not exist: what counts is when the pull began and ended.
    let task = tasks::until(&mut session, &arns, "STOPPED").await?;
    report.push(row("pull, verify, unpack", pulled(&task)?, mib));
    match skopeo(&registry.reference).await? {
        Some(elapsed) => report.push(row("skopeo copy (no unpacking)", elapsed, mib)),
        None => report.note("skopeo is not installed: no peer in this run"),
    }
    report.note(format!(
        "{} layers of gzip, {mib:.0} MiB in all, files of {} KiB",
        what.layers,
        FILE_BYTES >> 10
    ));
    Ok(report)
}

fn row(what: &str, elapsed: Duration, mib: f64) -> Row {
    Row::new(what)
        .with("seconds", elapsed.as_secs_f64())
        .with("mib_per_s", mib / elapsed.as_secs_f64())
}

fn pulled(task: &Task) -> anyhow::Result<Duration> {
    let began = task.pull_started_at.context("the image was not pulled")?;
    let ended = task.pull_stopped_at.context("the pull did not end")?;
    Ok(ended.since(began))
}

/// `skopeo copy` into a directory: downloads and verifies, in parallel, and unpacks nothing.
async fn skopeo(reference: &str) -> anyhow::Result<Option<Duration>> {
    if Command::new("skopeo").arg("--version").output().is_err() {
        return Ok(None);
    }
    let name = format!("longshore-bench-skopeo-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory)?;
    let target = format!("dir:{}", directory.join("image").display());
    let source = format!("docker://{reference}");
    let began = Instant::now();
    // The registry is served by this very thread.
    let output = tokio::process::Command::new("skopeo")
        .args(["--insecure-policy", "copy", "--src-tls-verify=false"])
        .args([source, target])
        .output()
        .await?;
    let elapsed = began.elapsed();
    let _ = std::fs::remove_dir_all(&directory);
    ensure!(
        output.status.success(),
        "skopeo: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Some(elapsed))
}

/// A layer of about `bytes` compressed: files that halve, roughly, as programs and libraries do.
fn layer(number: usize, bytes: usize) -> anyhow::Result<Layer> {
    let mut tar = Vec::with_capacity(bytes * 2);
    let mut noise = Noise(number as u64 + 1);
    for at in 0..bytes * 2 / FILE_BYTES {
        let mut content = vec![b'.'; FILE_BYTES];
        for byte in content.iter_mut().step_by(2) {
            *byte = noise.next();
        }
        entry(
            &mut tar,
            &format!("layer{number}/{}/{at}", at % 64),
            &content,
        );
    }
    tar.extend([0; 1024]);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&tar)?;
    Ok(Layer {
        gzip: gzip.finish()?,
        diff_id: digest(&tar),
    })
}

/// xorshift: the same layers in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as u8
    }
}

/// A regular file in the ustar form.
fn entry(tar: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut head = [0u8; 512];
    let mut put = |at: usize, text: &[u8]| head[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend(head);
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}
