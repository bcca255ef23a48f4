//! After a restart: keep what the owner names, remove the rest. At the end: remove everything.
//!
//! What exists is read from the kernel and the run directory by name, never from memory, so a crash
//! between any two steps of attaching, detaching or destroying is mended here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::leaving::{LEAVING_PREFIX, Leaving};
use super::linux::{Attachment, Inner, State};
use super::plug::Plugged;
use super::router::Router;
use super::uplink::HostSide;
use super::{KeptVpcAttachment, VpcAdoption};
use crate::error::NetworkError;
use crate::namespace;
use crate::netlink::paths::Hop;

impl Inner {
    pub(crate) fn adopt(&self, kept: &[KeptVpcAttachment]) -> Result<VpcAdoption, NetworkError> {
        let mut state = self.state();
        let mut report = VpcAdoption::default();
        self.find_routers(&mut state)?;
        let mut attachments = BTreeMap::new();
        for one in kept {
            let path = self.names.vpc_namespace(&one.id);
            let holding = state
                .routers
                .values()
                .find(|router| router.plugged.contains_key(&one.interface));
            match holding.filter(|_| namespace::is_mounted(&path)) {
                Some(router) => {
                    let attachment = Attachment {
                        vpc: router.vpc.clone(),
                        interface: one.interface.clone(),
                    };
                    attachments.insert(one.id.clone(), attachment);
                    report.kept.push(one.id.clone());
                }
                None => report.missing.push(one.id.clone()),
            }
        }
        let files = names_in(&self.names.vpc_namespaces())?;
        for id in files.iter().filter(|id| !attachments.contains_key(*id)) {
            namespace::remove(&self.names.vpc_namespace(id))?;
            report.removed += 1;
        }
        let wanted: BTreeSet<&String> = attachments.values().map(|a| &a.interface).collect();
        let mut leaving = Vec::new();
        for router in state.routers.values_mut() {
            let plugged: Vec<String> = router.plugged.keys().cloned().collect();
            for interface in plugged.iter().filter(|one| !wanted.contains(one)) {
                leaving.extend(router.unplug(interface)?);
                report.removed += 1;
            }
        }
        state.leaving.extend(leaving);
        state.attachments = attachments;
        Ok(report)
    }

    /// Every router whose namespace stands, with what is plugged into it. Others leave nothing.
    fn find_routers(&self, state: &mut State) -> Result<(), NetworkError> {
        state.forget_routers();
        let files = names_in(&self.names.routers())?;
        if files.is_empty() {
            return Ok(());
        }
        state.open_host(self)?;
        let host = state.host_side()?;
        let (mut routers, mut leaving) = (BTreeMap::new(), Vec::new());
        for vpc in files {
            let path = self.names.router(&vpc);
            if !namespace::is_mounted(&path) {
                namespace::remove(&path)?;
                continue;
            }
            let mut router = Router::open(&vpc, &path, host)?;
            leaving.extend(router.find_plugged()?);
            routers.insert(vpc, router);
        }
        for (vpc, uplink) in host.uplinks()? {
            if !routers.contains_key(&vpc) {
                host.remove(&uplink.device)?;
            }
        }
        state.routers = routers;
        state.leaving = leaving;
        Ok(())
    }

    pub(crate) fn destroy(&self) -> Result<(), NetworkError> {
        let mut state = self.state();
        state.forget_routers();
        state.attachments.clear();
        // Uplinks first: the kernel would take them, and what is noted on them, with their routers.
        let mut host = HostSide::without_table(&self.config, &self.names)?;
        for (_, uplink) in host.uplinks()? {
            host.remove(&uplink.device)?;
        }
        for id in names_in(&self.names.vpc_namespaces())? {
            namespace::remove(&self.names.vpc_namespace(&id))?;
        }
        for vpc in names_in(&self.names.routers())? {
            namespace::remove(&self.names.router(&vpc))?;
        }
        host.delete_table()?;
        match fs::remove_dir_all(self.names.vpc()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(NetworkError::path("remove", self.names.vpc(), e))
            }
            _ => self.names.make_vpc_directories(),
        }
    }
}

impl Router {
    /// Interfaces' devices by their notes; addresses by the routes that lead to them. Answers with the
    /// devices that were leaving.
    fn find_plugged(&mut self) -> Result<Vec<Leaving>, NetworkError> {
        let links = self.route.links().map_err(|e| self.failed_io("links", e))?;
        let paths = self
            .route
            .paths()
            .map_err(|e| self.failed_io("routes", e))?;
        for link in links.iter().filter(|link| link.alias.starts_with("eni-")) {
            let mut addresses: BTreeSet<IpAddr> = paths
                .iter()
                .filter(|path| {
                    path.hop
                        == Hop::Device {
                            index: link.index,
                            gateway: None,
                        }
                })
                .map(|path| path.to.addr())
                .collect();
            addresses.extend(primary_of(&link.name));
            let plugged = Plugged {
                device: link.name.clone(),
                index: link.index,
                addresses: addresses.into_iter().collect(),
                is_free: false,
            };
            self.plugged.insert(link.alias.clone(), plugged);
        }
        let names = links.into_iter().map(|link| link.name);
        let leaving = names.filter(|name| name.starts_with(LEAVING_PREFIX));
        Ok(leaving.map(|name| self.leaves(name)).collect())
    }
}

impl State {
    fn forget_routers(&mut self) {
        self.routers.clear();
        self.leaving.clear();
        self.idle.clear();
        self.host = None;
    }
}

fn primary_of(device: &str) -> Option<IpAddr> {
    let number = u32::from_str_radix(device.strip_prefix('e')?, 16).ok()?;
    Some(Ipv4Addr::from(number).into())
}

/// Names of the files of a directory; none, where there is no directory.
fn names_in(directory: &Path) -> Result<Vec<String>, NetworkError> {
    let failed = |e: io::Error| NetworkError::path("list", directory, e);
    let files = match fs::read_dir(directory) {
        Ok(files) => files,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let names = files.map(|file| Ok(file?.file_name().to_string_lossy().into_owned()));
    names.collect::<Result<_, io::Error>>().map_err(failed)
}
