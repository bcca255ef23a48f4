//! What a container needs before it starts: the task's cgroup, its image, its place on the network.

use super::TaskContext;
use crate::api::now;
use crate::bundle::{self, Attachment};
use crate::engine::NETWORK_FILE;
use crate::images;
use crate::task::machine::Event;
use crate::task::state::{Binding, ContainerIndex, TaskState};
use netdev::{PortRequest, Protocol};
use runtime::spec::TaskCgroupSpec;
use tracing::warn;

impl TaskContext {
    pub(super) async fn make_cgroup(&self) {
        let spec = TaskCgroupSpec {
            task_id: self.definition.id().unwrap_or_default().to_owned(),
            cpu_units: self.definition.cpu_units(),
            memory_mib: (self.definition.memory > 0).then_some(self.definition.memory),
            pids: None,
        };
        let made = match self.host.runtime.create_task(&spec).await {
            Ok(()) => self.ensure_holder().await,
            Err(error) => Err(error.to_string()),
        };
        self.send(match made {
            Ok(()) => Event::CgroupMade,
            Err(error) => Event::CgroupFailed(format!("ResourceInitializationError: {error}")),
        });
    }

    pub(super) async fn ensure_image(&self, state: &TaskState, index: ContainerIndex) {
        let container = &self.definition.containers[index];
        let began = now();
        let behavior = self.host.config.image_pull_behavior;
        let id = &state.containers[index].runtime_id;
        let ensured = images::ensure(&self.host, &container.image, id, behavior).await;
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
        let ports: Vec<PortRequest> = self.definition.containers[index]
            .port_mappings
            .iter()
            .map(|port| PortRequest {
                container_port: port.container_port,
                host_port: port.host_port,
                protocol: if port.protocol == "udp" {
                    Protocol::Udp
                } else {
                    Protocol::Tcp
                },
            })
            .collect();
        let runtime_id = &state.containers[index].runtime_id;
        let attached = self.host.network.attach_bridge(runtime_id, &ports).await;
        self.send(match attached {
            Ok(attachment) => {
                let bindings = attachment.bindings.iter().map(binding).collect();
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

fn binding(port: &netdev::PortBinding) -> Binding {
    Binding {
        bind_ip: "0.0.0.0".into(),
        container_port: port.container_port,
        host_port: port.host_port,
        protocol: if port.protocol == Protocol::Udp {
            "udp"
        } else {
            "tcp"
        }
        .into(),
    }
}
