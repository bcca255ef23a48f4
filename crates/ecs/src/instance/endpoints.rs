//! Where agents find the server: configuration of the edge, kept as one row so that the answer of
//! DiscoverPollEndpoint is a function of the state.

use crate::records::container_instance::{SERVER_ENDPOINT, ServerEndpoint};
use store::{Key, Txn, World};

/// Sets the server's address (`http://HOST:PORT`, without a path). Called once at every start.
pub fn set(txn: &mut Txn, url: &str) {
    let now = ServerEndpoint {
        url: url.trim_end_matches('/').into(),
    };
    if get(txn) != Some(now.url.as_str()) {
        txn.put(&SERVER_ENDPOINT, now);
    }
}

/// The server's address, once it was set.
#[must_use]
pub fn get(world: &World) -> Option<&str> {
    let row = world.get(&SERVER_ENDPOINT, &Key::of(&["server"]));
    row.map(|endpoint| endpoint.url.as_str())
}
