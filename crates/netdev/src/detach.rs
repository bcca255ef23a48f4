//! Detaching: the order in which an attachment is taken back.

use crate::error::NetworkError;
use crate::host::{Entry, Inner, route_socket};
use crate::namespace;
use crate::veth;

impl Inner {
    /// Whether a device is left for the kernel to remove.
    pub(crate) fn detach(&self, id: &str) -> Result<bool, NetworkError> {
        let entry = {
            let mut books = self.settled_books(id);
            match books.entries.get_mut(id) {
                Some(entry) => {
                    entry.in_the_works = true;
                    entry.clone()
                }
                None => return namespace::remove(&self.names.namespace(id)).map(|()| false),
            }
        };
        let closed = self.close(id, &entry);
        if closed.is_err() {
            self.strike_out(id, &entry, &closed);
        }
        closed.map(|()| entry.address.is_some())
    }

    /// Frees the ports, and lets go of the namespace: the kernel then removes what is in it, many at
    /// a time, which [`crate::leaving`] waits for.
    fn close(&self, id: &str, entry: &Entry) -> Result<(), NetworkError> {
        self.unmap(entry)?;
        let mut books = self.books();
        for binding in &entry.bindings {
            books.ports.release(*binding);
        }
        if let Some(entry) = books.entries.get_mut(id) {
            entry.bindings.clear();
        }
        if entry.address.is_none() {
            books.entries.remove(id);
        }
        drop(books);
        self.settled.notify_all();
        namespace::remove(&self.names.namespace(id))
    }

    /// No packet reaches the container by a host port any more.
    fn unmap(&self, entry: &Entry) -> Result<(), NetworkError> {
        match (entry.address, self.plumbing().as_mut()) {
            (Some(address), Some(plumbing)) => plumbing.map.remove(address, &entry.bindings),
            _ => Ok(()),
        }
    }

    /// Frees port and address only after the kernel let go of them.
    pub(crate) fn strike_out(&self, id: &str, entry: &Entry, removed: &Result<(), NetworkError>) {
        let mut books = self.books();
        if removed.is_ok() {
            books.entries.remove(id);
            entry
                .bindings
                .iter()
                .for_each(|binding| books.ports.release(*binding));
            if let (Some(pool), Some(address)) = (books.pool.as_mut(), entry.address) {
                pool.release(address);
            }
        } else if let Some(entry) = books.entries.get_mut(id) {
            entry.in_the_works = false;
        }
        drop(books);
        self.settled.notify_all();
    }

    /// Every step is tried and idempotent; the first failure is told.
    pub(crate) fn remove(&self, id: &str, entry: &Entry) -> Result<(), NetworkError> {
        let unmapped = self.unmap(entry);
        let unplugged = match self.device(entry) {
            Some(name) => route_socket().and_then(|mut host| veth::unplug(&mut host, &name)),
            None => Ok(()),
        };
        let namespace = namespace::remove(&self.names.namespace(id));
        unmapped.and(unplugged).and(namespace)
    }

    /// The host's end of an attachment.
    pub(crate) fn device(&self, entry: &Entry) -> Option<String> {
        let range = self.plumbing().as_ref()?.bridge.range;
        Some(self.names.veth(range, entry.address?))
    }
}
