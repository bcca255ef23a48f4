//! A service registry: tasks of two services are instances of one Cloud Map service while they run and are well, and no
//! name leads to a task that is to stop.

use crate::simulation::Simulation;
use aws_api::ecs::ServiceRegistry;
use ecs::records::{TASKS, TaskRecord};
use ecs::task::status::{DesiredStatus, TaskStatus};
use servicediscovery::dns::{Dns, RecordType, Routing};
use servicediscovery::instances::IPV4;
use servicediscovery::records::{INSTANCES, ItemKey, SERVICES, ServiceRecord};
use std::collections::BTreeMap;

/// The services that have it.
const NAMED: [&str; 2] = ["vpc", "lent"];

/// An address by task id.
type Addresses = BTreeMap<String, Option<String>>;

impl Simulation {
    fn registry(&mut self) -> ItemKey {
        let scope = self.server.ctx(self.now).scope.clone();
        ItemKey::new(&scope, "srv-1")
    }

    /// Makes the Cloud Map service.
    pub fn make_registry(&mut self) {
        let key = self.registry();
        let made = self.server.submit(0, None, |txn, ctx| {
            let record = ServiceRecord {
                key,
                namespace: "ns-1".into(),
                name: "app".into(),
                description: None,
                dns: Some(Dns {
                    routing: Routing::Multivalue,
                    records: vec![(RecordType::A, 10)],
                }),
                custom_health: true,
                revision: 0,
                creator_request_id: None,
                created: ctx.now,
                tags: BTreeMap::new(),
            };
            txn.put(&SERVICES, record);
            Ok(())
        });
        if made.is_err() {
            self.violate(1, "a registry could not be made".into());
        }
        self.wait_for_commit(None);
    }

    /// `serviceRegistries` of the service of this name.
    pub fn registries_of(&mut self, service: &str) -> Option<Vec<ServiceRegistry>> {
        NAMED.contains(&service).then(|| {
            vec![ServiceRegistry {
                registry_arn: Some(self.registry().arn()),
                ..ServiceRegistry::default()
            }]
        })
    }

    /// The names are those of the tasks that run and are to run, at their addresses.
    pub fn check_names(&mut self) {
        let registry = self.registry();
        let world = &self.server.published;
        let instances = world.scan(&INSTANCES);
        let named = instances.filter(|instance| instance.key.service == registry);
        let named: Addresses = named
            .map(|one| (one.key.id.clone(), one.attributes.get(IPV4).cloned()))
            .collect();
        let serves = |task: &&TaskRecord| {
            let runs = task.last_status == TaskStatus::Running;
            task.registration.is_some() && runs && task.desired == DesiredStatus::Running
        };
        let address = |task: &TaskRecord| Some(task.attachment.as_ref()?.address.to_string());
        let serving = world.scan(&TASKS).map(AsRef::as_ref).filter(serves);
        let serving: Addresses = serving
            .map(|task| (task.key.id.0.clone(), address(task)))
            .collect();
        if named != serving {
            self.violate(
                3,
                format!("names lead to {named:?}, and there are {serving:?}"),
            );
        }
    }
}
