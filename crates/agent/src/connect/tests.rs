//! Agents that come and go beside one proxy, which runs in this process: real sockets, this process's own network.

use super::channel::{Channel, Door};
use super::protocol::{Answer, Order};
use super::*;
use crate::task::connect::{AccessLog, AppProtocol, Listener, LogFormat};
use aws_api::agent::host_sync::{EndpointRow, EndpointTarget, Row};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// Proxies that are tasks of this test's.
#[derive(Debug, Default)]
struct InProcess {
    started: AtomicUsize,
    running: StdMutex<Option<AbortHandle>>,
}

impl Launch for Arc<InProcess> {
    fn start(&self, door: OwnedFd) -> io::Result<()> {
        self.started.fetch_add(1, Relaxed);
        let door = Door::new(door)?;
        let running = tokio::spawn(async move { proxy::serve(door).await });
        *self.running.lock().unwrap() = Some(running.abort_handle());
        Ok(())
    }

    fn join(&self, _: u32) {}

    fn clear(&self) {
        if let Some(running) = self.running.lock().unwrap().take() {
            running.abort();
        }
    }
}

struct Setting {
    dir: tempfile::TempDir,
    launch: Arc<InProcess>,
    /// Of the target's.
    port: u16,
}

impl Setting {
    /// With a target that says back what it hears.
    async fn new() -> Self {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = socket.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        Self {
            dir: tempfile::tempdir().unwrap(),
            launch: Arc::default(),
            port,
        }
    }

    /// A new agent.
    async fn agent(&self) -> Connect {
        let launch = Arc::new(self.launch.clone());
        let agent = Connect::new(self.dir.path(), self.dir.path(), launch);
        agent.adopt().await;
        agent
    }

    fn targets(&self) -> ToHost {
        let target = EndpointTarget {
            id: "target".into(),
            address: Ipv4Addr::LOCALHOST,
            port: self.port,
        };
        let row = EndpointRow {
            id: "api".into(),
            discovery_name: "api".into(),
            targets: vec![target],
        };
        ToHost::State {
            revision: 1,
            rows: vec![Row::Endpoint(row)],
        }
    }

    /// What a task with so many listeners has open, and at which ports.
    fn opened(&self, listeners: usize) -> (Opened, Vec<u16>) {
        let sockets: Vec<TcpListener> = (0..listeners)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports = sockets.iter().map(|socket| socket.local_addr().unwrap());
        let ports = ports.map(|address| address.port()).collect();
        let listener = Listener {
            name: "api".into(),
            address: Ipv4Addr::new(127, 255, 0, 1),
            port: 80,
            discovery_name: "api".into(),
            endpoint: "api".into(),
            protocol: AppProtocol::Tcp,
            idle_seconds: 0,
            request_seconds: 0,
        };
        let netns = File::open(NETNS).unwrap();
        let namespace = Namespace {
            netns: NETNS.into(),
            inode: netns.metadata().unwrap().ino(),
            task: "t".into(),
            gateway: Some(Ipv4Addr::LOCALHOST),
            wanted: ServiceConnect {
                listeners: vec![listener; listeners],
                ingress: Vec::new(),
                access_log: None,
            },
        };
        let opened = Opened {
            namespace,
            netns: netns.into(),
            log: None,
            sockets: sockets.into_iter().map(OwnedFd::from).collect(),
        };
        (opened, ports)
    }
}

const NETNS: &str = "/proc/self/ns/net";

async fn says_back(stream: &mut TcpStream, text: &[u8]) {
    stream.write_all(text).await.unwrap();
    let mut heard = vec![0; text.len()];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, text);
}

#[tokio::test]
async fn connections_outlive_the_agent_and_the_next_one_has_all_that_was_open() {
    let setting = Setting::new().await;
    let first = setting.agent().await;
    first.learn(&setting.targets()).await;
    // More sockets than a packet takes.
    let (opened, ports) = setting.opened(13);
    first.0.serve(opened).await.unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", ports[12])).await.unwrap();
    says_back(&mut client, b"one").await;
    drop(first);
    says_back(&mut client, b"two").await;
    let second = setting.agent().await;
    says_back(&mut client, b"three").await;
    let (again, _) = setting.opened(13);
    second.0.take_up(again).await.unwrap();
    let state = second.0.state.lock().await;
    let kept = &state.open[Path::new(NETNS)].sockets;
    let kept = kept.iter().map(|socket| {
        let socket = TcpListener::from(socket.try_clone().unwrap());
        socket.local_addr().unwrap().port()
    });
    assert_eq!(kept.collect::<Vec<_>>(), ports);
    drop(state);
    let tally = second.counted().await;
    assert_eq!(tally.tasks["t"][0].counts.active_connections, 1);
    assert_eq!(setting.launch.started.load(Relaxed), 1);
    second.close_others().await;
    says_back(&mut client, b"four").await;
    second.close(Path::new(NETNS), Part::Instance).await;
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "it is closed");
}

#[tokio::test]
async fn what_was_counted_of_a_task_that_ends_is_told_at_once_and_once() {
    let setting = Setting::new().await;
    let agent = setting.agent().await;
    agent.learn(&setting.targets()).await;
    let (opened, ports) = setting.opened(1);
    agent.0.serve(opened).await.unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", ports[0])).await.unwrap();
    says_back(&mut client, b"four").await;
    agent.close(Path::new(NETNS), Part::Fargate).await;
    agent.has_ended(Part::Fargate).await;
    assert!(agent.ended(Part::Instance).await.is_empty());
    let ended = agent.ended(Part::Fargate).await;
    assert_eq!(ended, BTreeSet::from(["t".to_owned()]));
    let counts = agent.counted().await.tasks["t"][0].counts.clone();
    assert_eq!((counts.new_connections, counts.active_connections), (1, 0));
    // Of another namespace of the task more may come, and all of it is one sum.
    let (again, ports) = setting.opened(1);
    agent.0.serve(again).await.unwrap();
    agent.forget_ended(Part::Fargate, ended.clone()).await;
    let mut client = TcpStream::connect(("127.0.0.1", ports[0])).await.unwrap();
    says_back(&mut client, b"more").await;
    let counts = agent.counted().await.tasks["t"][0].counts.clone();
    assert_eq!((counts.new_connections, counts.active_connections), (2, 1));
    agent.close(Path::new(NETNS), Part::Fargate).await;
    // Closed once more: nothing is counted twice.
    agent.close(Path::new(NETNS), Part::Fargate).await;
    assert_eq!(
        agent.counted().await.tasks["t"][0].counts.new_connections,
        2
    );
    agent.forget_ended(Part::Fargate, ended).await;
    assert!(agent.counted().await.tasks.is_empty());
}

#[tokio::test]
async fn what_no_task_takes_up_is_closed() {
    let setting = Setting::new().await;
    let first = setting.agent().await;
    let (opened, ports) = setting.opened(1);
    first.0.serve(opened).await.unwrap();
    drop(first);
    let second = setting.agent().await;
    second.close_others().await;
    let refused = TcpStream::connect(("127.0.0.1", ports[0])).await;
    let kind = refused.unwrap_err().kind();
    assert_eq!(kind, io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn the_next_proxy_is_handed_the_sockets_and_the_targets_of_one_that_is_gone() {
    let setting = Setting::new().await;
    let agent = setting.agent().await;
    agent.learn(&setting.targets()).await;
    let (opened, ports) = setting.opened(7);
    agent.0.serve(opened).await.unwrap();
    // It ends for another reason than that this agent said so.
    let stranger = Channel::connect(&setting.dir.path().join(SOCKET));
    let stranger = stranger.unwrap().unwrap();
    stranger.send(&Order::End, &[]).await.unwrap();
    assert!(matches!(
        stranger.receive::<Answer>().await.unwrap().unwrap().0,
        Answer::Done
    ));
    // Taken by nobody yet, and by nobody refused.
    let mut client = TcpStream::connect(("127.0.0.1", ports[6])).await.unwrap();
    let tally = agent.counted().await;
    assert!(tally.tasks.is_empty(), "the next counts from now on");
    says_back(&mut client, b"one").await;
    assert_eq!(setting.launch.started.load(Relaxed), 2);
    assert_eq!(
        agent.counted().await.tasks["t"][0].counts.new_connections,
        1
    );
}

#[tokio::test]
async fn one_that_is_idle_ends_and_one_with_clients_goes_on() {
    let setting = Setting::new().await;
    let agent = setting.agent().await;
    agent.learn(&setting.targets()).await;
    let (opened, ports) = setting.opened(1);
    agent.0.serve(opened).await.unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", ports[0])).await.unwrap();
    says_back(&mut client, b"one").await;
    agent.0.renew(&mut *agent.0.state.lock().await).await;
    says_back(&mut client, b"two").await;
    assert_eq!(setting.launch.started.load(Relaxed), 1);
    drop(client);
    while setting.launch.started.load(Relaxed) == 1 {
        agent.0.renew(&mut *agent.0.state.lock().await).await;
        tokio::task::yield_now().await;
    }
    let mut client = TcpStream::connect(("127.0.0.1", ports[0])).await.unwrap();
    says_back(&mut client, b"three").await;
}

#[tokio::test]
async fn a_proxy_that_says_no_is_not_ended_for_it() {
    let setting = Setting::new().await;
    let agent = setting.agent().await;
    let (opened, _) = setting.opened(1);
    agent.0.serve(opened).await.unwrap();
    let (mut unfit, _) = setting.opened(1);
    unfit.namespace.netns = "other".into();
    unfit.sockets = vec![File::open("/dev/null").unwrap().into()];
    assert!(agent.0.serve(unfit).await.is_err());
    let state = agent.0.state.lock().await;
    assert_eq!(state.open.len(), 1);
    assert_eq!(setting.launch.started.load(Relaxed), 1);
}

#[tokio::test]
async fn what_the_next_proxy_refuses_is_taken_from_no_other_and_asked_for_again() {
    let setting = Setting::new().await;
    let agent = setting.agent().await;
    agent.learn(&setting.targets()).await;
    let (opened, ports) = setting.opened(1);
    agent.0.serve(opened).await.unwrap();
    let (mut unfit, _) = setting.opened(1);
    // Before the other in their order.
    let name = PathBuf::from("-unfit");
    unfit.namespace.netns = name.clone();
    unfit.sockets = vec![File::open("/dev/null").unwrap().into()];
    let mut state = agent.0.state.lock().await;
    state.open.insert(name.clone(), unfit);
    let lost = io::ErrorKind::NotConnected;
    agent.0.replace(&mut state, lost.into()).await;
    assert!(state.process.is_some());
    assert_eq!(state.refused.iter().collect::<Vec<_>>(), [&name]);
    let mut client = TcpStream::connect(("127.0.0.1", ports[0])).await.unwrap();
    says_back(&mut client, b"one").await;
    let (mut fit, ports) = setting.opened(1);
    fit.namespace.netns = name.clone();
    state.open.insert(name, fit);
    agent.0.ask_again(&mut state).await;
    assert!(state.refused.is_empty());
    let mut client = TcpStream::connect(("127.0.0.1", ports[0])).await.unwrap();
    says_back(&mut client, b"two").await;
    assert_eq!(setting.launch.started.load(Relaxed), 2);
}

#[tokio::test]
async fn what_cannot_be_taken_up_is_closed_before_it_is_made_anew() {
    let setting = Setting::new().await;
    let first = setting.agent().await;
    let (opened, ports) = setting.opened(1);
    first.0.serve(opened).await.unwrap();
    drop(first);
    let second = setting.agent().await;
    let (more, _) = setting.opened(2);
    assert!(second.0.take_up(more).await.is_err());
    let refused = TcpStream::connect(("127.0.0.1", ports[0])).await;
    let kind = refused.unwrap_err().kind();
    assert_eq!(kind, io::ErrorKind::ConnectionRefused);
    assert_eq!(setting.launch.started.load(Relaxed), 1, "it goes on");
}

#[tokio::test]
async fn what_a_proxy_logs_waits_in_the_pipe_for_whatever_agent() {
    let setting = Setting::new().await;
    let first = setting.agent().await;
    first.learn(&setting.targets()).await;
    let (mut opened, ports) = setting.opened(1);
    opened.namespace.wanted.access_log = Some(AccessLog {
        format: LogFormat::Text,
        include_query_parameters: false,
        driver: String::new(),
        options: std::collections::BTreeMap::new(),
    });
    opened.log = Some(LogEnds::new().unwrap());
    first.0.serve(opened).await.unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", ports[0])).await.unwrap();
    says_back(&mut client, b"four").await;
    drop((client, first));
    let second = setting.agent().await;
    let state = second.0.state.lock().await;
    let process = state.process.as_ref().unwrap();
    let ends = process.log_ends(Path::new(NETNS)).await.unwrap();
    let read = ends.descriptors()[0].try_clone_to_owned().unwrap();
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(File::from(read))
            .read_line(&mut line)
            .unwrap();
        line
    });
    let (line, target) = (line.await.unwrap(), setting.port);
    assert!(line.contains("] \"- - -\" 0 4 4 "), "{line}");
    assert!(
        line.ends_with(&format!(" \"127.0.0.1:{target}\"\n")),
        "{line}"
    );
}
