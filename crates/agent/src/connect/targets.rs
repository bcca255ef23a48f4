//! The endpoints' targets, as host sync says them; kept beside the agent's records, so that an agent that
//! comes back serves before it is told anew.

use super::kept;
use super::protocol::Targets as Change;
use aws_api::agent::host_sync::{EndpointRow, EndpointTarget, Row, RowKey, ToHost};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::warn;

const FILE: &str = "endpoints.json";

/// By the endpoint's id.
type Known = BTreeMap<String, Arc<[EndpointTarget]>>;

/// What is known of all endpoints that tasks of this host reach.
#[derive(Debug)]
pub struct Targets {
    known: watch::Sender<Known>,
    file: PathBuf,
}

impl Targets {
    /// What an earlier agent knew. `dir`: of the agent's records.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        let file = dir.join(FILE);
        let kept = std::fs::read(&file).ok();
        let rows: Option<Vec<EndpointRow>> =
            kept.and_then(|text| serde_json::from_slice(&text).ok());
        let known = rows.into_iter().flatten();
        let known = known.map(|row| (row.id, row.targets.into()));
        Self {
            known: watch::Sender::new(known.collect()),
            file,
        }
    }

    /// What a message of host sync says that is not known; `None` where that is nothing.
    #[must_use]
    pub fn change(&self, message: &ToHost) -> Option<Change> {
        let before = self.known.borrow().clone();
        let mut after = before.clone();
        take(&mut after, message);
        let gone = before.keys().filter(|id| !after.contains_key(*id));
        let new = after
            .iter()
            .filter(|(id, targets)| before.get(*id) != Some(targets));
        let change = Change {
            is_all: false,
            remove: gone.cloned().collect(),
            put: new.map(|(id, targets)| row(id, targets)).collect(),
        };
        (change != Change::default()).then_some(change)
    }

    /// Writes down what is known once a change is taken in.
    pub async fn write_down(&self, change: &Change) {
        let mut after = self.known.borrow().clone();
        change_in(&mut after, change.clone());
        let rows: Vec<EndpointRow> = rows(&after).collect();
        if let Err(error) = kept::write(&self.file, rows).await {
            warn!(%error, "the endpoints' targets could not be written down");
        }
    }

    /// Takes a change in.
    pub fn take(&self, change: Change) {
        self.known.send_modify(|known| change_in(known, change));
    }

    /// All that is known.
    #[must_use]
    pub fn all(&self) -> Change {
        let known = self.known.borrow();
        Change {
            is_all: true,
            put: rows(&known).collect(),
            remove: Vec::new(),
        }
    }

    /// Waits until all of these are known, so long at most.
    pub async fn wait_for(&self, endpoints: &[String], patience: Duration) {
        let mut known = self.known.subscribe();
        let all = known.wait_for(|known| endpoints.iter().all(|id| known.contains_key(id)));
        if timeout(patience, all).await.is_err() {
            warn!(?endpoints, "the targets of endpoints are not known yet");
        }
    }
}

fn change_in(known: &mut Known, change: Change) {
    for id in &change.remove {
        known.remove(id);
    }
    for row in change.put {
        known.insert(row.id, row.targets.into());
    }
}

fn rows(known: &Known) -> impl Iterator<Item = EndpointRow> {
    known.iter().map(|(id, targets)| row(id, targets))
}

fn row(id: &str, targets: &[EndpointTarget]) -> EndpointRow {
    EndpointRow {
        id: id.to_owned(),
        discovery_name: String::new(),
        targets: targets.to_vec(),
    }
}

fn take(known: &mut Known, message: &ToHost) {
    let (put, remove): (&[Row], &[RowKey]) = match message {
        ToHost::State { rows, .. } => {
            known.clear();
            (rows, &[])
        }
        ToHost::Change { put, remove, .. } => (put, remove),
    };
    for key in remove {
        if let RowKey::Endpoint(id) = key {
            known.remove(id);
        }
    }
    for row in put {
        if let Row::Endpoint(row) = row {
            known.insert(row.id.clone(), row.targets.clone().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn row(id: &str, targets: &[u16]) -> Row {
        let target = |port: &u16| EndpointTarget {
            id: format!("t{port}"),
            address: Ipv4Addr::LOCALHOST,
            port: *port,
        };
        Row::Endpoint(EndpointRow {
            id: id.into(),
            discovery_name: id.into(),
            targets: targets.iter().map(target).collect(),
        })
    }

    fn ports(targets: &Targets, id: &str) -> Vec<u16> {
        let all = targets.all().put.into_iter();
        let of = all.filter(|row| row.id == id).flat_map(|row| row.targets);
        of.map(|target| target.port).collect()
    }

    async fn learn(targets: &Targets, message: &ToHost) -> Option<(Vec<String>, Vec<String>)> {
        let change = targets.change(message)?;
        let put = change.put.iter().map(|row| row.id.clone()).collect();
        let said = (put, change.remove.clone());
        targets.write_down(&change).await;
        targets.take(change);
        Some(said)
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[tokio::test]
    async fn what_was_learnt_last_is_known_to_the_agent_that_comes_next() {
        let dir = tempfile::tempdir().unwrap();
        let targets = Targets::open(dir.path());
        let rows = vec![row("a", &[1, 2]), row("b", &[3])];
        let state = ToHost::State { revision: 1, rows };
        let said = learn(&targets, &state).await;
        assert_eq!(said, Some((ids(&["a", "b"]), ids(&[]))));
        assert_eq!(learn(&targets, &state).await, None, "it is known");
        let change = ToHost::Change {
            revision: 2,
            put: vec![row("a", &[2])],
            remove: vec![RowKey::Endpoint("b".into())],
        };
        let said = learn(&targets, &change).await;
        assert_eq!(said, Some((ids(&["a"]), ids(&["b"]))));
        for known in [&targets, &Targets::open(dir.path())] {
            assert_eq!((ports(known, "a"), ports(known, "b")), (vec![2], vec![]));
        }
        let nothing = ToHost::State {
            revision: 1,
            rows: Vec::new(),
        };
        assert_eq!(
            learn(&targets, &nothing).await,
            Some((ids(&[]), ids(&["a"])))
        );
        assert_eq!(ports(&targets, "a"), [] as [u16; 0]);
    }
}
