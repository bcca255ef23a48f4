//! Flags, environment and `longshore.toml`, merged: a flag wins over the environment, the
//! environment over the file, the file over the default.

mod agent;

pub use self::agent::AgentSettings;

use crate::cli::{Global, Timing};
use crate::data_dir::DataDir;
use crate::duration::Duration;
use anyhow::{Context, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

const DEFAULT_DATA: &str = "/var/lib/longshore";
const DEFAULT_LISTEN: &str = "127.0.0.1:4566";
const DEFAULT_ACCOUNT: &str = "000000000000";
const DEFAULT_REGION: &str = "us-east-1";
const DEFAULT_CLUSTER: &str = "default";
const HOST_LOST_AFTER: std::time::Duration = std::time::Duration::from_secs(60);

/// What every command works with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory.
    pub data: DataDir,
    /// Whether it was asked for, and is not the default.
    pub data_was_named: bool,
    /// The configuration file that was named, so that `up` can name it to its children.
    pub config: Option<PathBuf>,
    /// Address of the API.
    pub listen: SocketAddr,
    /// As asked for; `up` takes `fast` and `server` `aws` where nothing was asked.
    pub timing: Option<Timing>,
    /// Regions served; never empty.
    pub regions: Vec<String>,
    /// Twelve digits.
    pub account: String,
    /// An agent that is away this long is lost (design: "A lost host").
    pub host_lost_after: std::time::Duration,
    /// How long stopped tasks are described; `None`: as long as on AWS.
    pub stopped_tasks_visible: Option<Duration>,
    /// Further settings of the agent.
    pub agent: AgentSettings,
    /// What is known of single registries.
    pub registries: Vec<RegistrySettings>,
    /// What lifecycle hooks and rules may call.
    pub targets: Vec<control::TargetRecord>,
}

/// A `[[registry]]` table of `longshore.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrySettings {
    /// `HOST` or `HOST:PORT`, as image references have it.
    pub host: String,
    /// Certificates (PEM) that vouch for it, besides the system's.
    pub ca: Option<PathBuf>,
    /// Whether it speaks plain HTTP.
    #[serde(default)]
    pub insecure: bool,
}

/// A `[[target]]` table of `longshore.toml`: what may be called from here, by name. A lifecycle hook
/// asks for it as `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, a rule for a URL as
/// `arn:aws:events:REGION:ACCOUNT:api-destination/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetSettings {
    /// Letters, digits, `.`, `-` and `_`.
    pub name: String,
    /// `http://…` or `https://…`, posted to.
    pub url: Option<String>,
    /// `FAMILY` or `FAMILY:REVISION`, run instead.
    pub task: Option<String>,
    /// Where it is run [default: default].
    pub cluster: Option<String>,
}

impl TargetSettings {
    /// # Errors
    /// A name or a URL is malformed, a target is neither or both of URL and task, or two have one
    /// name.
    fn read(all: Vec<Self>) -> anyhow::Result<Vec<control::TargetRecord>> {
        let mut targets: Vec<control::TargetRecord> = Vec::new();
        for target in all {
            let target = target.one()?;
            if targets.iter().any(|earlier| earlier.name == target.name) {
                bail!("target {} is declared twice", target.name);
            }
            targets.push(target);
        }
        Ok(targets)
    }

    fn one(self) -> anyhow::Result<control::TargetRecord> {
        let name = self.name;
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
            bail!(
                "target {name:?}: a name has up to 64 letters, digits, dots, hyphens and underscores"
            );
        }
        let does = match (self.url, self.task, self.cluster) {
            (Some(url), None, None) => {
                if !(url.starts_with("http://") || url.starts_with("https://")) {
                    bail!("target {name}: {url:?} is no URL that begins with http:// or https://");
                }
                control::TargetKind::Url(url)
            }
            (None, Some(definition), cluster) => control::TargetKind::Task {
                cluster: cluster.unwrap_or_else(|| DEFAULT_CLUSTER.into()),
                definition,
            },
            _ => bail!("target {name}: give it a url, or a task and perhaps its cluster"),
        };
        Ok(control::TargetRecord { name, does })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    listen: Option<SocketAddr>,
    timing: Option<Timing>,
    regions: Vec<String>,
    account: Option<String>,
    host_lost_after: Option<Duration>,
    stopped_tasks_visible: Option<Duration>,
    agent: AgentSettings,
    registry: Vec<RegistrySettings>,
    target: Vec<TargetSettings>,
}

impl Settings {
    /// Registries with certificates of their own.
    pub fn registry_ca_files(&self) -> BTreeMap<String, PathBuf> {
        let with_ca = |registry: &RegistrySettings| {
            let ca = registry.ca.clone()?;
            Some((registry.host.clone(), ca))
        };
        self.registries.iter().filter_map(with_ca).collect()
    }

    /// Registries spoken to over plain HTTP.
    pub fn insecure_registries(&self) -> Vec<String> {
        let insecure = self.registries.iter().filter(|registry| registry.insecure);
        let hosts = insecure.map(|registry| &registry.host);
        hosts
            .chain(&self.agent.insecure_registries)
            .cloned()
            .collect()
    }

    /// The waits in force; `mode` where none was asked for.
    pub fn waits(&self, mode: Timing) -> control::Timing {
        let table = match self.timing.unwrap_or(mode) {
            Timing::Aws => control::Timing::AWS,
            Timing::Fast => control::Timing::FAST,
        };
        let visible = self.stopped_tasks_visible.map(|time| time.0);
        control::Timing {
            stopped_task_visible: visible.unwrap_or(table.stopped_task_visible),
            ..table
        }
    }

    /// Merges the three sources.
    ///
    /// # Errors
    /// The file cannot be read or understood, or a value is out of its range.
    pub fn resolve(global: &Global) -> anyhow::Result<Self> {
        let named = global.config.as_deref().map(read_file).transpose()?;
        let data = global
            .data
            .clone()
            .or_else(|| named.as_ref().and_then(|file| file.data.clone()))
            .unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
        let data = DataDir::new(&data)?;
        let data_was_named = global.data.is_some();
        let file = match named {
            Some(file) => file,
            None => beside(&data)?,
        };
        let account = global
            .account
            .clone()
            .or(file.account)
            .unwrap_or_else(|| DEFAULT_ACCOUNT.into());
        if account.len() != 12 || !account.bytes().all(|digit| digit.is_ascii_digit()) {
            bail!("account {account:?}: an account id has twelve digits");
        }
        let regions = [
            global.regions.clone(),
            file.regions,
            region_of_environment(),
        ]
        .into_iter()
        .find(|regions| !regions.is_empty())
        .unwrap_or_else(|| vec![DEFAULT_REGION.into()]);
        let listen = global.listen.or(file.listen).unwrap_or_else(|| {
            DEFAULT_LISTEN
                .parse()
                .expect("the default address is well-formed")
        });
        let stopped_tasks_visible = global.stopped_tasks_visible.or(file.stopped_tasks_visible);
        if stopped_tasks_visible.is_some_and(|time| time.0 < control::STOPPED_TASKS_VISIBLE_MIN) {
            bail!("stopped_tasks_visible: AWS shows a stopped task for an hour; use 1h or more");
        }
        file.agent.interfaces()?;
        Ok(Self {
            data,
            data_was_named,
            config: global.config.clone(),
            listen,
            timing: global.timing.or(file.timing),
            regions,
            account,
            host_lost_after: global
                .host_lost_after
                .or(file.host_lost_after)
                .map_or(HOST_LOST_AFTER, |duration| duration.0),
            stopped_tasks_visible,
            agent: file.agent,
            registries: file.registry,
            targets: TargetSettings::read(file.target)?,
        })
    }
}

fn beside(data: &DataDir) -> anyhow::Result<File> {
    let path = data.path().join("longshore.toml");
    if path.exists() {
        read_file(&path)
    } else {
        Ok(File::default())
    }
}

fn read_file(path: &Path) -> anyhow::Result<File> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

fn region_of_environment() -> Vec<String> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|region| !region.is_empty())
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interval and minimum age in seconds, and images a cycle.
    fn cleanup(text: &str) -> Option<(u64, u64, usize)> {
        let settings: AgentSettings = toml::from_str(text).unwrap();
        let cleanup = settings.image_cleanup()?;
        let seconds = |duration: std::time::Duration| duration.as_secs();
        let policy = cleanup.policy;
        Some((
            seconds(cleanup.interval),
            seconds(policy.minimum_age),
            policy.images_max,
        ))
    }

    #[test]
    fn unused_images_go_as_the_ecs_agent_has_it() {
        for (text, expected) in [
            ("", Some((1800, 3600, 5))),
            (
                "image_cleanup_interval = \"10m\"\nimage_minimum_cleanup_age = \"1h30m\"\nimages_deleted_per_cycle = 2",
                Some((600, 5400, 2)),
            ),
            ("disable_image_cleanup = true", None),
            ("image_pull_behavior = \"prefer-cached\"", None),
            ("image_pull_behavior = \"once\"", Some((1800, 3600, 5))),
        ] {
            assert_eq!(cleanup(text), expected, "{text}");
        }
        assert!(toml::from_str::<AgentSettings>("image_cleanup_interval = \"soon\"").is_err());
    }

    #[test]
    fn a_machine_counts_as_a_type_that_is_known_or_says_its_number() {
        for (text, expected) in [
            ("", Some(0)),
            ("instance_type = \"c5.large\"", Some(1)),
            ("instance_type = \"c5.large\"\nmax_interfaces = 5", Some(2)),
            ("instance_type = \"own.box\"\nmax_interfaces = 5", Some(2)),
            ("instance_type = \"own.box\"", None),
            ("max_interfaces = 0", None),
            ("launch_template = \"web\"", Some(1)),
            (
                "launch_template = \"web:$Latest\"\nmax_interfaces = 5",
                Some(2),
            ),
            ("launch_template = \"lt-0123456789abcdef0:3\"", Some(1)),
            ("launch_template = \"web:newest\"", None),
            ("launch_template = \"a web\"", None),
            (
                "launch_template = \"web\"\ninstance_type = \"c5.large\"",
                None,
            ),
        ] {
            let settings: AgentSettings = toml::from_str(text).unwrap();
            let found = settings.interfaces().ok();
            assert_eq!(found.map(|found| found.len()), expected, "{text}");
        }
    }

    #[test]
    fn a_limit_of_metadata_is_two_numbers() {
        let limit = |text: &str| {
            let settings: AgentSettings = toml::from_str(text).unwrap();
            let limit = settings.metadata_limit().ok()?;
            Some((limit.per_second.get(), limit.burst.get()))
        };
        assert_eq!(limit(""), Some((40, 60)));
        assert_eq!(limit("task_metadata_rps_limit = \"5,9\""), Some((5, 9)));
        assert_eq!(limit("task_metadata_rps_limit = \"often\""), None);
    }

    #[test]
    fn targets_have_one_name_each_and_do_one_thing() {
        for (text, expected) in [
            ("name = \"a\"\nurl = \"http://127.0.0.1:9/\"", Ok(1)),
            ("name = \"a\"\ntask = \"check:3\"\ncluster = \"c\"", Ok(1)),
            (
                "name = \"a\"\ntask = \"check\"\n[[target]]\nname = \"b\"\ntask = \"check\"",
                Ok(2),
            ),
            (
                "name = \"a\"\ntask = \"check\"\n[[target]]\nname = \"a\"\ntask = \"check\"",
                Err("declared twice"),
            ),
            ("name = \"a b\"\ntask = \"check\"", Err("a name has")),
            ("name = \"a\"", Err("give it a url")),
            (
                "name = \"a\"\nurl = \"http://h/\"\ntask = \"check\"",
                Err("give it a url"),
            ),
            (
                "name = \"a\"\nurl = \"file:///etc/passwd\"",
                Err("is no URL"),
            ),
        ] {
            let file: File = toml::from_str(&format!("[[target]]\n{text}")).unwrap();
            let read = TargetSettings::read(file.target);
            match expected {
                Ok(count) => assert_eq!(read.unwrap().len(), count, "{text}"),
                Err(why) => assert!(read.unwrap_err().to_string().contains(why), "{text}"),
            }
        }
    }

    #[test]
    fn stopped_tasks_are_described_no_shorter_than_on_aws() {
        for (text, accepted) in [("1h", true), ("59m59s", false), ("240h", true)] {
            let global = Global {
                data: Some("/tmp/longshore-of-a-test".into()),
                stopped_tasks_visible: Some(text.parse().unwrap()),
                ..Global::default()
            };
            assert_eq!(Settings::resolve(&global).is_ok(), accepted, "{text}");
        }
    }
}
