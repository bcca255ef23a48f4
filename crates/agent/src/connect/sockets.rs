//! The sockets of a proxy, made in a task's namespace.

use super::Place;
use crate::task::connect::{Listener, ServiceConnect};
use netdev::{namespace, redirect};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;

/// One for each listener, to which its address and port lead: at a port that the kernel chooses, so that the
/// task's own programs may have the same port. Then one for each port of its ingress. All or none.
///
/// # Errors
/// A port is taken, or the namespace has gone.
pub async fn make(place: &Place, wanted: &ServiceConnect) -> io::Result<Vec<OwnedFd>> {
    let ingress = wanted.ingress.iter();
    let ingress = ingress.map(|one| SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, one.port));
    let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    let listeners = wanted.listeners.iter().map(|_| any);
    let addresses: Vec<SocketAddrV4> = listeners.chain(ingress).collect();
    let (netns, wanted) = (place.netns.clone(), wanted.listeners.clone());
    let made = tokio::task::spawn_blocking(move || {
        let bind = move || -> io::Result<Vec<TcpListener>> {
            addresses.into_iter().map(TcpListener::bind).collect()
        };
        let sockets = namespace::run_in(&netns, bind).map_err(io::Error::other)??;
        let ports = leading(&wanted, &sockets)?;
        redirect::redirect(&netns, &ports).map_err(io::Error::other)?;
        io::Result::Ok(sockets)
    });
    let sockets = made.await.map_err(io::Error::other)??;
    Ok(sockets.into_iter().map(OwnedFd::from).collect())
}

fn leading(
    listeners: &[Listener],
    sockets: &[TcpListener],
) -> io::Result<Vec<(SocketAddrV4, u16)>> {
    let pairs = listeners.iter().zip(sockets);
    let led = pairs.map(|(listener, socket)| {
        let from = SocketAddrV4::new(listener.address, listener.port);
        Ok((from, socket.local_addr()?.port()))
    });
    led.collect()
}
