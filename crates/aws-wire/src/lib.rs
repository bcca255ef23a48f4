//! The wire: bytes in, bytes out. Routing, protocols and signatures of the AWS APIs.
//!
//! * [`route`]: which service and operation a request is for, from its head alone.
//! * [`protocol`]: one handwritten codec per protocol over the shapes of `aws-api`.
//! * [`sigv4`]: Signature Version 4, verified for requests and made for our own clients.
//! * [`client`]: signed requests and decoded answers for our own clients.
//!
//! Pure: no sockets, no clock. Every parser here takes any bytes without panicking.

pub mod client;
pub mod head;
pub mod protocol;
pub mod route;
pub mod sigv4;

pub use head::Head;
pub use route::Route;
