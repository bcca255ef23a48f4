//! After a restart: keep what the owner names, remove the rest. At the end: remove everything.
//!
//! What exists is read from the kernel and the run directory by name, never from memory, so a crash
//! between any two steps of attaching, detaching or destroying is mended here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use crate::antispoof;
use crate::attachment::{KeptAttachment, ReconcileReport};
use crate::bridge;
use crate::error::NetworkError;
use crate::host::{Entry, Inner, Plumbing, route_socket};
use crate::instance_metadata;
use crate::namespace;
use crate::pool::AddressPool;
use crate::portmap::{self, PortMap, Targets};
use crate::veth;

impl Inner {
    pub(crate) fn adopt(&self, kept: &[KeptAttachment]) -> Result<ReconcileReport, NetworkError> {
        let mut plumbing = self.plumbing();
        *plumbing = None;
        let mut report = ReconcileReport::default();
        let links = self.link_names()?;
        let wants_bridge = kept.iter().any(|kept| kept.address.is_some());
        let bridge = if wants_bridge || links.contains(&self.names.bridge()) {
            Some(bridge::ensure(&self.config, &self.names)?)
        } else {
            portmap::delete_table(&self.names)?;
            antispoof::remove(&self.names)?;
            None
        };
        let mut pool = bridge.map(|bridge| AddressPool::new(bridge.range));
        let mut devices = BTreeSet::new();
        let mut entries = BTreeMap::new();
        for one in kept {
            match self.standing(one, &links, pool.as_mut()) {
                Some(device) => {
                    devices.extend(device);
                    let entry = Entry {
                        in_the_works: false,
                        address: one.address,
                        bindings: one.bindings.clone(),
                    };
                    entries.insert(one.id.clone(), entry);
                    report.kept.push(one.id.clone());
                }
                None => report.missing.push(one.id.clone()),
            }
        }
        report.removed_links = self.remove_links(&links, &devices)?;
        report.removed_namespaces = self.remove_namespaces(&entries)?;
        if let Some(bridge) = bridge {
            let map = PortMap::load(
                &self.names,
                bridge.range,
                targets_of(&entries),
                self.config.has_instance_metadata,
            )?;
            let held = entries.values().filter_map(|entry| entry.address);
            antispoof::load(&self.names, bridge.range, held);
            *plumbing = Some(Plumbing { bridge, map });
        }
        let mut books = self.books();
        books.ports.clear();
        for binding in entries.values().flat_map(|entry| &entry.bindings) {
            if !books.ports.readopt(*binding) {
                report.unheld.push(*binding);
            }
        }
        books.pool = pool;
        books.entries = entries;
        Ok(report)
    }

    pub(crate) fn destroy(&self) -> Result<(), NetworkError> {
        let mut plumbing = self.plumbing();
        *plumbing = None;
        portmap::delete_table(&self.names)?;
        antispoof::remove(&self.names)?;
        instance_metadata::remove(&self.names)?;
        self.remove_links(&self.link_names()?, &BTreeSet::new())?;
        self.remove_namespaces(&BTreeMap::new())?;
        bridge::remove(&self.names, &mut route_socket()?)?;
        let mut books = self.books();
        books.ports.clear();
        books.pool = None;
        books.entries.clear();
        Ok(())
    }

    /// `None`: not whole any more. Else its device, if it has one; its address is then reserved.
    fn standing(
        &self,
        kept: &KeptAttachment,
        links: &BTreeSet<String>,
        pool: Option<&mut AddressPool>,
    ) -> Option<Option<String>> {
        if !namespace::is_mounted(&self.names.namespace(&kept.id)) {
            return None;
        }
        let Some(address) = kept.address else {
            return Some(None);
        };
        let pool = pool?;
        pool.range().offset_of(address)?;
        let device = self.names.veth(pool.range(), address);
        (links.contains(&device) && pool.reserve(address)).then_some(Some(device))
    }

    fn link_names(&self) -> Result<BTreeSet<String>, NetworkError> {
        let links = route_socket()?
            .links()
            .map_err(|e| NetworkError::kernel("list links", e))?;
        Ok(links.into_iter().map(|link| link.name).collect())
    }

    fn remove_links(
        &self,
        links: &BTreeSet<String>,
        kept: &BTreeSet<String>,
    ) -> Result<usize, NetworkError> {
        let prefix = self.names.veth_prefix();
        let mut host = route_socket()?;
        let mut removed = 0;
        for name in links
            .difference(kept)
            .filter(|name| name.starts_with(&prefix))
        {
            veth::unplug(&mut host, name)?;
            removed += 1;
        }
        Ok(removed)
    }

    fn remove_namespaces(&self, kept: &BTreeMap<String, Entry>) -> Result<usize, NetworkError> {
        let directory = self.names.namespaces();
        let failed = |e: io::Error| NetworkError::path("list", &directory, e);
        let files = match fs::read_dir(&directory) {
            Ok(files) => files,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(e) => return Err(failed(e)),
        };
        let mut removed = 0;
        for file in files {
            let file = file.map_err(failed)?;
            if !file
                .file_name()
                .to_str()
                .is_some_and(|id| kept.contains_key(id))
            {
                namespace::remove(&file.path())?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

fn targets_of(entries: &BTreeMap<String, Entry>) -> Targets {
    entries
        .values()
        .filter_map(|entry| Some((entry.address?, &entry.bindings)))
        .flat_map(|(address, bindings)| {
            bindings.iter().map(move |binding| {
                (
                    (binding.protocol, binding.host_port),
                    (address, binding.container_port),
                )
            })
        })
        .collect()
}
