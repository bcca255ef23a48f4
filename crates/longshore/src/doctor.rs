//! `longshore doctor`: what this machine lacks, and how to mend it.

use crate::aws_cli;
use crate::cli::Timing;
use crate::settings::Settings;
use std::path::Path;
use std::process::ExitCode;

/// One thing looked at.
struct Finding {
    what: &'static str,
    found: Result<String, String>,
}

/// Looks at everything; fails when something that is needed is missing.
pub fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let findings = [
        Finding {
            what: "root",
            found: root(),
        },
        Finding {
            what: "kernel",
            found: kernel(),
        },
        Finding {
            what: "cgroups",
            found: cgroups(),
        },
        Finding {
            what: "overlayfs",
            found: overlayfs(),
        },
        Finding {
            what: "nftables",
            found: nftables(),
        },
        Finding {
            what: "API address",
            found: address(settings),
        },
    ];
    let mut missing = false;
    for finding in &findings {
        match &finding.found {
            Ok(text) => println!("ok    {:<12} {text}", finding.what),
            Err(mend) => {
                missing = true;
                println!("LACKS {:<12} {mend}", finding.what);
            }
        }
    }
    print_warnings();
    let timing = settings.timing.unwrap_or(Timing::Fast);
    println!("\nwaits ({timing:?} of --timing):");
    for (name, wait) in settings.waits(timing).rows() {
        println!("  {name}: {} s", wait.as_secs_f64());
    }
    Ok(if missing {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What only some need.
fn print_warnings() {
    match aws_cli::warning() {
        Some(warning) => println!("warn  {:<12} {warning}", "aws"),
        None => println!(
            "ok    {:<12} none installed, or one that honours AWS_ENDPOINT_URL",
            "aws"
        ),
    }
    match fargate_lacks() {
        Some(what) => println!(
            "warn  {:<12} this machine cannot be lent to tasks of launch type FARGATE: {what}",
            "fargate"
        ),
        None => println!(
            "ok    {:<12} tasks can have a disk and ids of their own",
            "fargate"
        ),
    }
}

fn root() -> Result<String, String> {
    if rustix::process::geteuid().is_root() {
        Ok("yes".into())
    } else {
        Err("containers need root: run with sudo".into())
    }
}

fn kernel_release() -> (String, (u32, u32)) {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let mut numbers = release
        .split(['.', '-'])
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (release, version)
}

/// What is plainly missing; the agent finds out by doing it.
fn fargate_lacks() -> Option<String> {
    let (release, version) = kernel_release();
    if version < (5, 19) {
        return Some(format!(
            "kernel {release}: 5.19 or newer is needed, or `[agent] fargate_user_namespace = false`"
        ));
    }
    agent::disks_lack().map(|what| format!("{what} is missing"))
}

fn kernel() -> Result<String, String> {
    let (release, version) = kernel_release();
    if version >= (5, 15) {
        Ok(release)
    } else {
        Err(format!(
            "{release}: 5.15 or newer is needed; upgrade the distribution's kernel"
        ))
    }
}

fn cgroups() -> Result<String, String> {
    if let Ok(controllers) = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers") {
        let lacking: Vec<_> = ["cpu", "memory", "pids"]
            .into_iter()
            .filter(|name| !controllers.split_whitespace().any(|c| c == *name))
            .collect();
        return if lacking.is_empty() {
            Ok("v2".into())
        } else {
            Err(format!(
                "v2 without {}: boot without cgroup_disable, or enable them in the parent's cgroup.subtree_control",
                lacking.join(", ")
            ))
        };
    }
    let lacking: Vec<_> = ["cpu", "memory", "pids", "devices", "freezer"]
        .into_iter()
        .filter(|name| !Path::new("/sys/fs/cgroup").join(name).is_dir())
        .collect();
    if lacking.is_empty() {
        Ok("v1".into())
    } else {
        Err(format!(
            "v1 without {}: mount them below /sys/fs/cgroup",
            lacking.join(", ")
        ))
    }
}

fn overlayfs() -> Result<String, String> {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if known
        .lines()
        .any(|line| line.trim_end().ends_with("overlay"))
    {
        Ok("yes".into())
    } else {
        Err("load it: modprobe overlay".into())
    }
}

fn nftables() -> Result<String, String> {
    match std::process::Command::new("nft").arg("--version").output() {
        Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Err(_) => Err("bridge mode needs nft: apt-get install nftables".into()),
    }
}

fn address(settings: &Settings) -> Result<String, String> {
    if settings.data.server_info().is_ok() {
        return Ok(format!("{} (a server runs)", settings.listen));
    }
    match std::net::TcpListener::bind(settings.listen) {
        Ok(_) => Ok(format!("{} is free", settings.listen)),
        Err(error) => Err(format!(
            "{}: {error}; choose another with --listen",
            settings.listen
        )),
    }
}
