//! What must always hold, whatever happens in whatever order (design, section 8: 1, 2, 4): nothing
//! is over-committed, no task is ever on two instances, a failed call changes nothing, and when all
//! tasks have stopped every instance has all its room again.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::*;
use ecs::instance::life::{self, Step};
use ecs::records::{CONTAINER_INSTANCES, InstanceId, InstanceKey, TASKS, TaskKey};
use ecs::task::delivery;
use ecs::task::status::TaskStatus;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use support::{House, container, container_change, port, run, task_report};

const HOSTS: usize = 3;
const GPUS: usize = 2;
const FAMILIES: [&str; 5] = ["small", "large", "port", "udp", "gpu"];
const STRATEGIES: [&[(&str, &str)]; 4] = [
    &[],
    &[("binpack", "memory")],
    &[
        ("spread", "attribute:ecs.availability-zone"),
        ("binpack", "cpu"),
    ],
    &[("random", "")],
];

#[derive(Clone, Copy, Debug)]
enum Move {
    Run {
        family: usize,
        count: i32,
        strategy: usize,
        distinct: bool,
    },
    Stop {
        task: usize,
    },
    Report {
        task: usize,
        status: usize,
    },
    Deliver {
        host: usize,
    },
    Away {
        host: usize,
    },
    Back {
        host: usize,
    },
    Lost {
        host: usize,
    },
    Again {
        host: usize,
    },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (0..FAMILIES.len(), 1i32..6, 0..STRATEGIES.len(), prop::bool::weighted(0.2)).prop_map(
            |(family, count, strategy, distinct)| Move::Run { family, count, strategy, distinct }
        ),
        2 => (0usize..40).prop_map(|task| Move::Stop { task }),
        6 => (0usize..40, 0usize..5).prop_map(|(task, status)| Move::Report { task, status }),
        2 => (0usize..HOSTS).prop_map(|host| Move::Deliver { host }),
        1 => (0usize..HOSTS).prop_map(|host| Move::Away { host }),
        2 => (0usize..HOSTS).prop_map(|host| Move::Back { host }),
        1 => (0usize..HOSTS).prop_map(|host| Move::Lost { host }),
        1 => (0usize..HOSTS).prop_map(|host| Move::Again { host }),
    ];
    prop::collection::vec(one, 1..60)
}

struct Play {
    house: House,
    hosts: Vec<InstanceKey>,
    tasks: Vec<TaskKey>,
    placed: BTreeMap<TaskKey, InstanceId>,
}

impl Play {
    fn new() -> Self {
        let mut house = House::new();
        let hosts = (0..HOSTS)
            .map(|i| house.host_with_gpus(&format!("h{i}"), 500, 1000, GPUS))
            .collect();
        house.define("small", vec![container("app", 60, 50)]);
        house.define("large", vec![container("app", 200, 300)]);
        let mappings = Some(vec![port(80, 8080)]);
        house.define(
            "port",
            vec![ContainerDefinition {
                port_mappings: mappings,
                ..container("app", 10, 10)
            }],
        );
        let udp = PortMapping {
            protocol: Some("udp".into()),
            ..port(53, 8080)
        };
        house.define(
            "udp",
            vec![ContainerDefinition {
                port_mappings: Some(vec![udp]),
                ..container("app", 10, 10)
            }],
        );
        let gpu = ResourceRequirement {
            r#type: Some("GPU".into()),
            value: Some("1".into()),
            ..ResourceRequirement::default()
        };
        house.define(
            "gpu",
            vec![ContainerDefinition {
                resource_requirements: Some(vec![gpu]),
                ..container("app", 10, 10)
            }],
        );
        Self {
            house,
            hosts,
            tasks: Vec::new(),
            placed: BTreeMap::new(),
        }
    }

    fn task(&self, n: usize) -> Option<TaskKey> {
        self.tasks.get(n % self.tasks.len().max(1)).cloned()
    }

    fn make(&mut self, step: Move) {
        self.house.pass(1);
        match step {
            Move::Run {
                family,
                count,
                strategy,
                distinct,
            } => {
                let strategy = STRATEGIES[strategy]
                    .iter()
                    .map(|(kind, field)| PlacementStrategy {
                        r#type: Some((*kind).into()),
                        field: (!field.is_empty()).then(|| (*field).into()),
                    });
                let constraint = PlacementConstraint {
                    r#type: Some("distinctInstance".into()),
                    expression: None,
                };
                let input = RunTaskRequest {
                    placement_strategy: Some(strategy.collect()),
                    placement_constraints: distinct.then(|| vec![constraint]),
                    ..run(FAMILIES[family], count)
                };
                let answer = self.house.run(input).unwrap();
                let scope = self.house.ctx.scope.clone();
                let arns = answer
                    .tasks
                    .unwrap()
                    .into_iter()
                    .map(|task| task.task_arn.unwrap());
                let keys = arns.map(|arn| ecs::task::reference::task_arn(&scope, &arn).unwrap());
                self.tasks.extend(keys);
            }
            Move::Stop { task } => {
                if let Some(key) = self.task(task) {
                    self.house.stop(&key.id.0, None).unwrap();
                }
            }
            Move::Report { task, status } => {
                if let Some(key) = self.task(task) {
                    let name = ["PENDING", "RUNNING", "STOPPED", "STOPPED", "NONSENSE"][status];
                    let code = (name == "STOPPED").then_some(0);
                    let change = container_change("app", name, code, None);
                    self.house.report(task_report(&key, name, vec![change]));
                }
            }
            Move::Deliver { host } => {
                self.house.deliver(&self.hosts[host].clone());
            }
            Move::Away { host } => {
                let key = self.hosts[host].clone();
                self.house
                    .change(|txn, ctx| life::disconnected(txn, ctx, &key));
            }
            Move::Back { host } => {
                let key = self.hosts[host].clone();
                let versions = life::SessionVersions::default();
                self.house
                    .change(|txn, _| life::connected(txn, &key, &versions));
            }
            Move::Lost { host } => {
                let key = self.hosts[host].clone();
                while self.house.change(|txn, ctx| life::lost(txn, ctx, &key, 2)) == Step::More {}
            }
            Move::Again { host } => {
                let name = format!("h{host}");
                let again = self.house.register_with_gpus(&name, 500, 1000, GPUS);
                assert_eq!(again, self.hosts[host]);
            }
        }
    }

    /// Sums over the tasks themselves, not over what the code under test sums.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let mut taken: BTreeMap<InstanceId, (u32, u32)> = BTreeMap::new();
        let mut single = BTreeSet::new();
        for task in self.house.world.scan(&TASKS) {
            let first = self
                .placed
                .entry(task.key.clone())
                .or_insert_with(|| task.instance.clone());
            prop_assert_eq!(&*first, &task.instance, "a task never moves");
            let silent = task.last_status != TaskStatus::Stopped;
            prop_assert!(!silent || task.holds, "a living task holds its room");
            if task.holds {
                let sum = taken.entry(task.instance.clone()).or_default();
                sum.0 += task.reserved.cpu_units;
                sum.1 += task.reserved.memory_mib;
                let tcp = task.reserved.tcp.iter().map(|port| format!("tcp {port}"));
                let udp = task.reserved.udp.iter().map(|port| format!("udp {port}"));
                let shown = task.containers.iter().flat_map(|c| &c.gpu_ids);
                prop_assert!(shown.eq(&task.reserved.gpus), "what is reserved is given");
                for one in tcp.chain(udp).chain(task.reserved.gpus.iter().cloned()) {
                    prop_assert!(
                        single.insert((task.instance.clone(), one.clone())),
                        "two tasks hold {}",
                        one
                    );
                }
            }
        }
        for instance in self.house.world.scan(&CONTAINER_INSTANCES) {
            let (cpu, memory) = taken.get(&instance.key.id).copied().unwrap_or_default();
            prop_assert!(
                cpu <= instance.registered.cpu_units && memory <= instance.registered.memory_mib
            );
            for parcel in delivery::undelivered(&self.house.world, &instance.key, &[]) {
                let task = self.house.world.get(&TASKS, &parcel.key).unwrap();
                prop_assert_eq!(
                    &task.instance,
                    &instance.key.id,
                    "told to its own host only"
                );
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_is_over_committed_and_everything_comes_back(moves in moves()) {
        let mut play = Play::new();
        for step in moves {
            play.make(step);
            play.check()?;
        }
        for key in play.tasks.clone() {
            play.house.stop(&key.id.0, None).unwrap();
            play.house.report_stopped(&key, &["app"], 0);
        }
        for host in play.hosts.clone() {
            let (cpu, memory, ports) = play.house.remaining(&host);
            prop_assert_eq!((cpu, memory, ports.len()), (500, 1000, 5));
            let left = play.house.instance(&host).remaining_resources.unwrap();
            let gpus = left.iter().find(|r| r.name.as_deref() == Some("GPU")).unwrap();
            prop_assert_eq!(gpus.string_set_value.as_ref().unwrap().len(), GPUS);
            prop_assert!(play.house.deliver(&host).is_empty(), "nothing is left to be told");
        }
    }

    #[test]
    fn a_refused_call_changes_nothing(count in prop_oneof![Just(0), 11i32..20], moves in moves()) {
        let mut play = Play::new();
        for step in moves {
            play.make(step);
        }
        let before: Vec<_> = play.house.world.encoded_rows().collect();
        prop_assert!(play.house.run(run("small", count)).is_err());
        prop_assert_eq!(before, play.house.world.encoded_rows().collect::<Vec<_>>());
    }
}
