//! An operation of a service with its types erased: the one shape in which `control` gets them all.
//!
//! The order of dispatch is in the types: [`Operation::decode`] gives a [`Request`], which can only
//! be authorised; [`Request::authorise`] gives an [`Authorised`], which can only be run, in the one
//! way that fits its kind; that gives an [`Answer`], which can only be encoded.

use crate::evaluate::{Ask, HostRights, authorise};
use aws_api::{ReadError, Shape, ShapeReader, ShapeWriter, Violation};
use aws_types::{AwsError, Ctx};
use std::fmt;
use std::sync::Arc;
use store::{LogStore, MetricStore, Txn, World};

/// What an operation needs to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A snapshot.
    Read,
    /// A transaction.
    Write,
    /// A snapshot and the log store, which it reads.
    LogRead,
    /// A snapshot and the log store, which it changes.
    LogWrite,
    /// A snapshot and the metric store, which it reads.
    MetricRead,
    /// A snapshot and the metric store, which it changes.
    MetricWrite,
}

/// One API call of a service.
pub struct Operation {
    service: &'static str,
    name: &'static str,
    kind: Kind,
    decode: Box<Decode>,
}

type Decode = dyn Fn(&mut dyn ShapeReader) -> Result<Request, ReadError> + Send + Sync;
type Authorisation<I> = fn(&I, &World, &Ctx) -> Vec<Ask>;

impl Operation {
    /// An operation that only reads.
    #[must_use]
    pub fn read<O: aws_api::Operation>(
        authorisation: Authorisation<O::Input>,
        call: fn(&World, &mut Ctx, &O::Input) -> Result<O::Output, AwsError>,
    ) -> Self
    where
        O::Input: Send + Sync + 'static,
        O::Output: Send + 'static,
    {
        Self::new::<O>(Kind::Read, authorisation, move |input| {
            Authorised::Read(ReadCall(Box::new(move |world, ctx| {
                call(world, ctx, &input).map(Answer::of)
            })))
        })
    }

    /// An operation that changes the World.
    #[must_use]
    pub fn write<O: aws_api::Operation>(
        authorisation: Authorisation<O::Input>,
        call: fn(&mut Txn, &mut Ctx, &O::Input) -> Result<O::Output, AwsError>,
    ) -> Self
    where
        O::Input: Send + Sync + 'static,
        O::Output: Send + 'static,
    {
        Self::new::<O>(Kind::Write, authorisation, move |input| {
            Authorised::Write(WriteCall(Box::new(move |txn, ctx| {
                call(txn, ctx, &input).map(Answer::of)
            })))
        })
    }

    /// An operation that reads log events.
    #[must_use]
    pub fn log_read<O: aws_api::Operation>(
        authorisation: Authorisation<O::Input>,
        call: fn(&World, &mut Ctx, &dyn LogStore, &O::Input) -> Result<O::Output, AwsError>,
    ) -> Self
    where
        O::Input: Send + Sync + 'static,
        O::Output: Send + 'static,
    {
        Self::logs::<O>(Kind::LogRead, authorisation, call)
    }

    /// An operation that changes log events.
    #[must_use]
    pub fn log_write<O: aws_api::Operation>(
        authorisation: Authorisation<O::Input>,
        call: fn(&World, &mut Ctx, &dyn LogStore, &O::Input) -> Result<O::Output, AwsError>,
    ) -> Self
    where
        O::Input: Send + Sync + 'static,
        O::Output: Send + 'static,
    {
        Self::logs::<O>(Kind::LogWrite, authorisation, call)
    }

    /// An operation that reads metric samples.
    #[must_use]
    pub fn metric_read<O: aws_api::Operation>(
        authorisation: Authorisation<O::Input>,
        call: fn(&World, &mut Ctx, &dyn MetricStore, &O::Input) -> Result<O::Output, AwsError>,
    ) -> Self
    where
        O::Input: Send + Sync + 'static,
        O::Output: Send + 'static,
    {
        Self::metrics::<O>(Kind::MetricRead, authorisation, call)
    }

    /// An operation that changes metric samples.
    #[must_use]
    pub fn metric_write<O: aws_api::Operation>(
        authorisation: Authorisation<O::Input>,
        call: fn(&World, &mut Ctx, &dyn MetricStore, &O::Input) -> Result<O::Output, AwsError>,
    ) -> Self
    where
        O::Input: Send + Sync + 'static,
        O::Output: Send + 'static,
    {
        Self::metrics::<O>(Kind::MetricWrite, authorisation, call)
    }

    /// Our name of the service, e.g. `ecs`.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// As the model names it, e.g. `RunTask`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it needs to run.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Reads the input.
    ///
    /// # Errors
    /// The input is not of the operation's shape.
    pub fn decode(&self, reader: &mut dyn ShapeReader) -> Result<Request, ReadError> {
        (self.decode)(reader)
    }

    fn logs<O: aws_api::Operation>(
        kind: Kind,
        authorisation: Authorisation<O::Input>,
        call: fn(&World, &mut Ctx, &dyn LogStore, &O::Input) -> Result<O::Output, AwsError>,
    ) -> Self
    where
        O::Input: Send + Sync + 'static,
        O::Output: Send + 'static,
    {
        Self::new::<O>(kind, authorisation, move |input| {
            Authorised::Logs(LogCall(Box::new(move |world, ctx, logs| {
                call(world, ctx, logs, &input).map(Answer::of)
            })))
        })
    }

    fn metrics<O: aws_api::Operation>(
        kind: Kind,
        authorisation: Authorisation<O::Input>,
        call: fn(&World, &mut Ctx, &dyn MetricStore, &O::Input) -> Result<O::Output, AwsError>,
    ) -> Self
    where
        O::Input: Send + Sync + 'static,
        O::Output: Send + 'static,
    {
        Self::new::<O>(kind, authorisation, move |input| {
            Authorised::Metrics(MetricCall(Box::new(move |world, ctx, metrics| {
                call(world, ctx, metrics, &input).map(Answer::of)
            })))
        })
    }

    fn new<O: aws_api::Operation>(
        kind: Kind,
        authorisation: Authorisation<O::Input>,
        prepare: impl Fn(Arc<O::Input>) -> Authorised + Send + Sync + 'static,
    ) -> Self
    where
        O::Input: Send + Sync + 'static,
    {
        let checked = aws_api::SERVICES
            .iter()
            .any(|service| service.name == O::SERVICE && service.validate);
        let decode = move |reader: &mut dyn ShapeReader| {
            let input = Arc::new(O::Input::read(reader)?);
            Ok(Request {
                violations: if checked {
                    aws_api::violations(&*input)
                } else {
                    Vec::new()
                },
                call: prepare(input.clone()),
                asks: Box::new(move |world, ctx| authorisation(&input, world, ctx)),
            })
        };
        Self {
            service: O::SERVICE,
            name: O::NAME,
            kind,
            decode: Box::new(decode),
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({:?})", self.service, self.name, self.kind)
    }
}

/// A decoded request. It can be authorised, and nothing else can be done with it.
pub struct Request {
    violations: Vec<Violation>,
    asks: Box<dyn Fn(&World, &Ctx) -> Vec<Ask> + Send>,
    call: Authorised,
}

impl Request {
    /// What the input breaks of the model's constraints; empty where the service's rules are
    /// written by hand.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What the request must be allowed.
    #[must_use]
    pub fn asks(&self, world: &World, ctx: &Ctx) -> Vec<Ask> {
        (self.asks)(world, ctx)
    }

    /// Lets the request pass if `ctx.caller` may have all that it asks for.
    ///
    /// # Errors
    /// As [`authorise`](crate::evaluate::authorise).
    pub fn authorise(
        self,
        world: &World,
        ctx: &Ctx,
        host_rights: HostRights,
    ) -> Result<Authorised, AwsError> {
        authorise(world, &ctx.caller, &self.asks(world, ctx), host_rights)?;
        Ok(self.call)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The input may hold secrets.
        f.write_str("Request")
    }
}

/// An authorised request, to be run in the way that fits it.
#[derive(Debug)]
pub enum Authorised {
    /// Runs over a snapshot.
    Read(ReadCall),
    /// Runs in a transaction.
    Write(WriteCall),
    /// Runs over a snapshot and the log store, on a thread that may wait for a disk.
    Logs(LogCall),
    /// Runs over a snapshot and the metric store, on such a thread.
    Metrics(MetricCall),
}

/// Runs over a snapshot.
pub struct ReadCall(Box<dyn FnOnce(&World, &mut Ctx) -> Result<Answer, AwsError> + Send>);

/// Runs in a transaction.
pub struct WriteCall(Box<dyn FnOnce(&mut Txn, &mut Ctx) -> Result<Answer, AwsError> + Send>);

/// Runs over a snapshot and the log store.
pub struct LogCall(
    Box<dyn FnOnce(&World, &mut Ctx, &dyn LogStore) -> Result<Answer, AwsError> + Send>,
);

/// Runs over a snapshot and the metric store.
pub struct MetricCall(
    Box<dyn FnOnce(&World, &mut Ctx, &dyn MetricStore) -> Result<Answer, AwsError> + Send>,
);

impl ReadCall {
    /// Runs the operation.
    ///
    /// # Errors
    /// The operation's own.
    pub fn run(self, world: &World, ctx: &mut Ctx) -> Result<Answer, AwsError> {
        (self.0)(world, ctx)
    }
}

impl WriteCall {
    /// Runs the operation.
    ///
    /// # Errors
    /// The operation's own.
    pub fn run(self, txn: &mut Txn, ctx: &mut Ctx) -> Result<Answer, AwsError> {
        (self.0)(txn, ctx)
    }
}

impl LogCall {
    /// Runs the operation.
    ///
    /// # Errors
    /// The operation's own.
    pub fn run(
        self,
        world: &World,
        ctx: &mut Ctx,
        logs: &dyn LogStore,
    ) -> Result<Answer, AwsError> {
        (self.0)(world, ctx, logs)
    }
}

impl MetricCall {
    /// Runs the operation.
    ///
    /// # Errors
    /// The operation's own.
    pub fn run(
        self,
        world: &World,
        ctx: &mut Ctx,
        metrics: &dyn MetricStore,
    ) -> Result<Answer, AwsError> {
        (self.0)(world, ctx, metrics)
    }
}

/// The output of an operation, to be encoded.
pub struct Answer(Box<dyn Fn(&mut dyn ShapeWriter) + Send>);

impl Answer {
    fn of<S: Shape + Send + 'static>(output: S) -> Self {
        Self(Box::new(move |writer| output.write(writer)))
    }

    /// Hands the output to a protocol.
    pub fn write(&self, writer: &mut dyn ShapeWriter) {
        (self.0)(writer);
    }
}

macro_rules! opaque {
    ($($type:ident),*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($type))
            }
        }
    )*};
}
opaque!(ReadCall, WriteCall, LogCall, MetricCall, Answer);
