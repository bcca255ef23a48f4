//! What travels: the shapes of the listed operations of each service, their errors and names, and
//! the frames between us and the agents.
//!
//! * [`cloudwatch`], [`ec2`], [`ecs`], [`events`], [`logs`], [`servicediscovery`], [`sts`]: generated from `models/` and `operations.toml` by
//!   `cargo xtask codegen`. Every member is an `Option`; names are the wire's in snake case.
//! * [`agent`]: the frames of the agent's websockets, by hand.
//! * [`shape`]: the one description of a shape; the protocols are in `aws-wire`.
//! * [`Document`]: JSON of the caller's own form.
//! * [`Stored`]: a shape inside a record, for any self-describing serde format.
//! * [`violations`]: what a value breaks of the model's constraints.
//!
//! Pure: no I/O, no clock.

pub mod agent;
pub mod description;
mod document;
mod generated;
pub mod shape;
mod stored;
mod tape;
mod validate;

pub use description::{
    Kind, Member, OperationDescription, Protocol, ServiceDescription, StructDescription,
};
pub use document::Document;
pub use generated::{SERVICES, cloudwatch, ec2, ecs, events, logs, servicediscovery, sts};
pub use shape::{Empty, Operation, ReadError, Shape, ShapeReader, ShapeWriter};
pub use stored::Stored;
pub use validate::{Violation, violations};
