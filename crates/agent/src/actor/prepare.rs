//! What a container needs before it starts: the task's cgroup, its image, its place on the network.

use super::TaskContext;
use crate::api::now;
use crate::bundle::{self, Attachment};
use crate::connect::Place;
use crate::endpoints;
use crate::fargate;
use crate::images;
use crate::kept::NETWORK_FILE;
use crate::task::definition::PortMapping;
use crate::task::machine::Event;
use crate::task::state::{Binding, ContainerIndex, TaskState};
use netdev::{PortBinding, PortRequest, Protocol};
use runtime::spec::TaskCgroupSpec;
use tracing::warn;

impl TaskContext {
    pub(super) async fn make_cgroup(&self) {
        let spec = TaskCgroupSpec {
            task_id: self.definition.id().unwrap_or_default().to_owned(),
            cpu_units: self.definition.cpu_units(),
            memory_mib: (self.definition.memory > 0).then_some(self.definition.memory),
            pids: self.definition.is_fargate().then_some(fargate::PIDS_MAX),
        };
        let made = match self.host.runtime.create_task(&spec).await {
            Ok(()) => self.make_place().await,
            Err(error) => Err(error.to_string()),
        };
        self.send(match made {
            Ok(()) => Event::CgroupMade,
            Err(error) => Event::CgroupFailed(format!("ResourceInitializationError: {error}")),
        });
    }

    /// What its containers need besides their group.
    async fn make_place(&self) -> Result<(), String> {
        let given = self.given.clone()?;
        self.host.isolation.make_disk(given, &self.dir).await?;
        match given.ids {
            // Its namespaces come with the interface; the first container starts the holder.
            Some(_) => Ok(()),
            None => self.ensure_holder().await,
        }
    }

    pub(super) async fn ensure_image(&self, state: &TaskState, index: ContainerIndex) {
        let container = &self.definition.containers[index];
        let began = now();
        let image = self.definition.image_of(container);
        let behavior = self.host.config.image_pull_behavior;
        let id = &state.containers[index].runtime_id;
        let ensured = images::ensure(&self.host, &image, id, behavior).await;
        self.send(match ensured {
            Ok(ensured) => {
                let image = ensured.image;
                let stop_signal = bundle::stop_signal(container, &image);
                let digest = image.from_registry.then(|| image.digest.clone());
                self.set_parts(index, |parts| parts.image = Some(image));
                let pulled = ensured.pulled.then(|| (began, now()));
                Event::ImageReady {
                    container: index,
                    digest,
                    stop_signal,
                    pulled,
                }
            }
            Err(error) => Event::ImageFailed(index, error.reason()),
        });
    }

    pub(super) async fn attach_network(&self, state: &TaskState, index: ContainerIndex) {
        let mappings = self.definition.containers[index].port_mappings.iter();
        let ports: Vec<PortRequest> = mappings.filter_map(request).collect();
        let runtime_id = &state.containers[index].runtime_id;
        let attached = self.host.network.attach_bridge(runtime_id, &ports).await;
        let attached = match attached {
            Ok(attachment) => match self.open_proxy(&Place::from(&attachment)).await {
                Ok(()) => Ok(attachment),
                Err(reason) => {
                    self.leave_bridge(runtime_id).await;
                    Err(reason)
                }
            },
            Err(error) => Err(error.to_string()),
        };
        self.send(match attached {
            Ok(attachment) => {
                let bindings = bindings(&ports, &attachment.bindings);
                endpoints::ensure_bridge(&self.host).await;
                self.keep_address(index, attachment.address);
                self.set_parts(index, |parts| {
                    parts.attachment = Some(Attachment::Bridge(Box::new(attachment)));
                });
                Event::NetworkMade(index, bindings)
            }
            Err(error) => {
                self.set_parts(index, |parts| parts.is_cut_off = true);
                Event::NetworkFailed(index, format!("CannotStartContainerError: {error}"))
            }
        });
    }

    /// For the agent that takes the attachment over.
    fn keep_address(&self, index: ContainerIndex, address: std::net::Ipv4Addr) {
        let dir = self.container_dir(index);
        let kept = std::fs::create_dir_all(&dir)
            .and_then(|()| std::fs::write(dir.join(NETWORK_FILE), address.to_string()));
        if let Err(error) = kept {
            warn!(dir = %dir.display(), %error, "an attachment's address could not be written");
        }
    }
}

/// The definition has been checked: every mapping states its ports.
fn request(mapping: &PortMapping) -> Option<PortRequest> {
    let (container_port, count) = mapping.row().ok()?;
    Some(PortRequest {
        container_port,
        host_port: mapping.host_port,
        protocol: if mapping.protocol == "udp" {
            Protocol::Udp
        } else {
            Protocol::Tcp
        },
        count,
    })
}

/// What was given, by request: `given` has one entry for each port, in the order of the requests.
fn bindings(requests: &[PortRequest], given: &[PortBinding]) -> Vec<Binding> {
    let mut given = given.iter();
    let of = |request: &PortRequest| {
        let first = given.next()?;
        let count = request.count;
        given.by_ref().take(usize::from(count) - 1).for_each(drop);
        let protocol = match first.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        Some(Binding {
            bind_ip: "0.0.0.0".into(),
            container_port: first.container_port,
            host_port: first.host_port,
            protocol: protocol.into(),
            range_len: (count > 1).then_some(count),
        })
    };
    requests.iter().filter_map(of).collect()
}
