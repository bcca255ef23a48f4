//! Agents beside a proxy that the test plays: what each of the two says at which moment.

use super::channel::{Channel, Door, door};
use super::protocol::{Answer, Counted, Hello, Order, VERSION};
use super::*;
use aws_api::agent::host_sync::{EndpointRow, Row};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Starts none.
#[derive(Debug, Default)]
struct Bystander {
    joined: StdMutex<Vec<u32>>,
    cleared: AtomicUsize,
}

impl Launch for Arc<Bystander> {
    fn start(&self, _: OwnedFd) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn join(&self, pid: u32) {
        self.joined.lock().unwrap().push(pid);
    }

    fn clear(&self) {
        self.cleared.fetch_add(1, Relaxed);
    }
}

struct Setting {
    dir: tempfile::TempDir,
    launch: Arc<Bystander>,
    door: Door,
    agent: Connect,
}

impl Setting {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let launch = Arc::new(Bystander::default());
        let agent = Connect::new(dir.path(), dir.path(), Arc::new(launch.clone()));
        Self {
            door: Door::new(door(&dir.path().join(SOCKET)).unwrap()).unwrap(),
            dir,
            launch,
            agent,
        }
    }

    /// The agent meets this one, and asks nothing further.
    async fn meet(&self, version: u32, pid: u32) -> Channel {
        let play = async {
            let channel = self.door.accept().await.unwrap();
            assert!(matches!(heard(&channel).await, Order::Hello));
            let hello = Hello {
                version,
                build: proxy::build(),
                pid,
                began: "p".into(),
                open: BTreeMap::new(),
            };
            answer(&channel, Answer::Hello(hello)).await;
            if version == VERSION {
                assert!(matches!(heard(&channel).await, Order::Targets(all) if all.is_all));
                answer(&channel, Answer::Done).await;
            }
            channel
        };
        tokio::join!(self.agent.adopt(), play).1
    }
}

async fn heard(channel: &Channel) -> Order {
    channel.receive().await.unwrap().unwrap().0
}

async fn answer(channel: &Channel, answer: Answer) {
    channel.send(&answer, &[]).await.unwrap();
}

fn endpoint(id: &str) -> ToHost {
    let row = EndpointRow {
        id: id.into(),
        discovery_name: id.into(),
        targets: Vec::new(),
    };
    ToHost::State {
        revision: 1,
        rows: vec![Row::Endpoint(row)],
    }
}

#[tokio::test]
async fn targets_are_written_down_before_the_proxy_is_told() {
    let setting = Setting::new();
    let channel = setting.meet(VERSION, std::process::id()).await;
    let play = async {
        assert!(matches!(heard(&channel).await, Order::Targets(change) if !change.is_all));
        // What an agent knows that comes after one that is killed now.
        let written = Targets::open(setting.dir.path()).all().put;
        assert_eq!(written.iter().map(|row| &row.id).collect::<Vec<_>>(), ["a"]);
        answer(&channel, Answer::Done).await;
    };
    let said = endpoint("a");
    tokio::join!(setting.agent.learn(&said), play);
}

#[tokio::test]
async fn a_namespace_is_closed_whoever_had_it_opened() {
    let setting = Setting::new();
    let channel = setting.meet(VERSION, std::process::id()).await;
    let netns = Path::new("/of/an/earlier/agent");
    let play = async {
        assert!(matches!(heard(&channel).await, Order::Close(of) if of == netns));
        answer(&channel, Answer::Counted(Vec::new())).await;
    };
    tokio::select! {
        biased;
        () = play => {}
        () = setting.agent.close(netns, Part::Instance) => panic!("the proxy was not told"),
    }
}

#[tokio::test]
async fn a_proxy_whose_answer_was_not_awaited_is_asked_nothing_more() {
    let setting = Setting::new();
    let channel = setting.meet(VERSION, std::process::id()).await;
    tokio::select! {
        _ = setting.agent.counted() => panic!("nothing was answered"),
        order = heard(&channel) => assert!(matches!(order, Order::Count)),
    }
    let late = Counted {
        task: "t".into(),
        discovery_name: "api".into(),
        counts: proxy::Counts::default(),
        targets: BTreeMap::new(),
    };
    answer(&channel, Answer::Counted(vec![late])).await;
    assert!(setting.agent.counted().await.tasks.is_empty());
    assert_eq!(setting.launch.cleared.load(Relaxed), 1, "it is replaced");
}

/// Whether the agent killed a process that says it is a proxy of this version.
async fn is_killed(setting: &Setting, version: u32) -> bool {
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    let channel = setting.meet(version, other.id()).await;
    assert_eq!(*setting.launch.joined.lock().unwrap(), [other.id()]);
    drop(channel);
    let ended = other.try_wait().unwrap();
    other.kill().unwrap();
    other.wait().unwrap();
    ended.is_some_and(|status| status.signal() == Some(9))
}

#[tokio::test]
async fn a_proxy_that_is_taken_over_can_be_ended_from_then_on() {
    assert!(!is_killed(&Setting::new(), VERSION).await);
}

#[tokio::test]
async fn a_proxy_of_another_version_is_killed_wherever_it_is() {
    let setting = Setting::new();
    assert!(is_killed(&setting, VERSION + 1).await);
    assert_eq!(setting.launch.cleared.load(Relaxed), 1);
}
