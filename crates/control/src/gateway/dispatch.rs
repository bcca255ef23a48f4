//! The one path of every AWS request: identify → authenticate → decode → check → authorise → run →
//! commit → tell the decision log → encode → log. The types of `iam::operations` keep the order: what is decoded can only
//! be authorised, and only what is authorised can run.

use super::answer::{self, Answer};
use super::authenticate::{self, Identity};
use super::body::BodyFault;
use super::{Gateway, encoding, with_head};
use crate::clock;
use crate::decision_log::{Asked, Entry};
use aws_api::{Protocol, ServiceDescription};
use aws_types::{AwsError, Caller, Ctx, Decision, ErrorCode, Fault, Ids, Principal, codes};
use aws_wire::protocol::{self, Encoded};
use aws_wire::route::{self, Route};
use ecs::host_rights::host_rights;
use hyper::http::request::Parts;
use iam::{Authorised, Request};
use std::time::Instant;
use tracing::{Level, debug, enabled, error};

/// Answers an AWS request.
pub async fn answer(
    gateway: &Gateway,
    parts: &Parts,
    body: &[u8],
    (request_id, ids): (&str, Ids),
) -> Answer {
    let started = Instant::now();
    let whole = match encoding::decoded(&parts.headers, body, &gateway.room) {
        Ok(whole) => whole,
        Err(fault) => return refuse(parts, fault, request_id),
    };
    let admitted = with_head(parts, |head| {
        let route = route::identify(head, whole.bytes()).map_err(|nowhere| Refused {
            error: nowhere.error,
            protocol: nowhere.protocol,
            service: nowhere.service,
        })?;
        let refused = |error| Refused {
            error,
            protocol: route.protocol,
            service: Some(route.service),
        };
        let identity = authenticate::authenticate(gateway, head, body, route.service.signing_name)
            .map_err(|fault| refused(fault.error(route.protocol)))?;
        let request = decode(gateway, &route, whole.bytes(), head.query).map_err(refused)?;
        let request = Admitted {
            request,
            is_dry_run: protocol::is_dry_run(&route, whole.bytes(), head.query),
        };
        Ok((route, identity, request))
    });
    let encoded = match admitted {
        Ok((route, identity, request)) => {
            run(
                gateway,
                route,
                identity,
                request,
                (request_id, ids),
                started,
            )
            .await
        }
        Err(Refused {
            error,
            protocol,
            service,
        }) => {
            log("-", "-", (request_id, None), Some(&error), started);
            protocol::encode_error(protocol, service, request_id, &error)
        }
    };
    answer::encoded(encoded)
}

/// Answers a request whose body could not be read, in the form that its head asks for.
/// Rule: "Common Errors" of the API references.
pub fn refuse(parts: &Parts, fault: BodyFault, request_id: &str) -> Answer {
    let error = match fault {
        BodyFault::TooLong => ErrorCode::sender("RequestEntityTooLargeException", 413)
            .with("The request entity is too large."),
        BodyFault::Late => {
            ErrorCode::sender("RequestTimeoutException", 408).with("Reading the request timed out.")
        }
        BodyFault::Broken => ErrorCode::sender("MalformedHttpRequestException", 400)
            .with("The request's body could not be read."),
        BodyFault::NoRoom => codes::THROTTLING.with("Rate exceeded"),
    };
    let protocol = with_head(parts, route::protocol_of_head);
    log("-", "-", (request_id, None), Some(&error), Instant::now());
    answer::encoded(protocol::encode_error(protocol, None, request_id, &error))
}

/// A decoded request of a known caller.
struct Admitted {
    request: Request,
    /// It only asks whether it would succeed.
    is_dry_run: bool,
}

struct Refused {
    error: AwsError,
    protocol: Protocol,
    service: Option<&'static ServiceDescription>,
}

fn decode(gateway: &Gateway, route: &Route, body: &[u8], query: &str) -> Result<Request, AwsError> {
    let operation = gateway
        .operations
        .get(&(route.service.name, route.operation.name))
        .ok_or_else(|| {
            codes::INTERNAL_FAILURE
                .with("An internal error occurred.")
                .detail("listed, but not served")
        })?;
    let request = protocol::decode(route, body, query, |reader| operation.decode(reader))?;
    if request.violations().is_empty() {
        return Ok(request);
    }
    let text = aws_api::Violation::message(request.violations());
    Err(validation_code(route).with(text))
}

/// How a service names a broken constraint of its model.
fn validation_code(route: &Route) -> ErrorCode {
    match route.protocol {
        Protocol::AwsQuery => ErrorCode::sender("ValidationError", 400),
        Protocol::Ec2Query => ErrorCode::sender("InvalidParameterValue", 400),
        Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RpcV2Cbor => match route.service.name
        {
            "cloudwatch" => ErrorCode::sender("ValidationError", 400),
            "events" => ErrorCode::sender("ValidationException", 400),
            "servicediscovery" => ErrorCode::sender("InvalidInput", 400),
            _ => ErrorCode::sender("InvalidParameterException", 400),
        },
    }
}

async fn run(
    gateway: &Gateway,
    route: Route,
    identity: Identity,
    request: Admitted,
    (request_id, ids): (&str, Ids),
    started: Instant,
) -> Encoded {
    let ctx = clock::ctx(identity.scope, identity.caller, request_id.to_owned(), ids);
    let (asked, is_agent) = (Asked::of(&ctx), is_agent(&ctx.caller));
    // Who asked, for the log: no text is made for a line that is not written.
    let caller = enabled!(Level::DEBUG).then(|| asked.caller.clone());
    let outcome = perform(gateway, request, ctx).await;
    let outcome = tell(gateway, (asked, is_agent), &route, outcome);
    log(
        route.service.name,
        route.operation.name,
        (request_id, caller),
        outcome.as_ref().err(),
        started,
    );
    match outcome {
        Ok(answer) => protocol::encode(&route, request_id, |writer| answer.write(writer)),
        Err(error) => {
            protocol::encode_error(route.protocol, Some(route.service), request_id, &error)
        }
    }
}

/// What ran.
struct Ran {
    answer: iam::Answer,
    is_write: bool,
    decisions: Vec<Box<dyn Decision>>,
}

/// Whether it is an agent's routine: of its host, or of a task by its execution role.
fn is_agent(caller: &Caller) -> bool {
    matches!(
        caller.principal,
        Principal::Host { .. } | Principal::Execution { .. }
    )
}

/// Tells the decision log what it keeps of this call.
fn tell(
    gateway: &Gateway,
    (asked, is_agent): (Asked, bool),
    route: &Route,
    outcome: Result<Ran, AwsError>,
) -> Result<iam::Answer, AwsError> {
    let (outcome, decisions, is_kept) = match outcome {
        Ok(ran) => {
            let is_kept = !ran.decisions.is_empty() || (ran.is_write && !is_agent);
            (Ok(ran.answer), ran.decisions, is_kept)
        }
        Err(error) => (Err(error), Vec::new(), true),
    };
    if is_kept {
        gateway.decisions.record(Entry {
            asked,
            service: route.service.name,
            operation: route.operation.name,
            refusal: outcome.as_ref().err().cloned(),
            decisions,
        });
    }
    outcome
}

async fn perform(gateway: &Gateway, admitted: Admitted, mut ctx: Ctx) -> Result<Ran, AwsError> {
    let Admitted {
        request,
        is_dry_run,
    } = admitted;
    // A dry run does everything and then fails, which leaves nothing behind.
    let unless_dry = move |answer| match is_dry_run {
        true => Err(protocol::dry_run_operation()),
        false => Ok(answer),
    };
    let without_decisions = |answer| Ran {
        answer,
        is_write: false,
        decisions: Vec::new(),
    };
    let world = gateway.state.snapshot();
    match request.authorise(&world, &ctx, host_rights)? {
        Authorised::Read(call) => call
            .run(&world, &mut ctx)
            .and_then(unless_dry)
            .map(without_decisions),
        Authorised::Write(call) => {
            let submitted = gateway.state.submit(ctx, move |txn, ctx| {
                Ok(Ran {
                    answer: call.run(txn, ctx).and_then(unless_dry)?,
                    is_write: true,
                    decisions: std::mem::take(&mut ctx.decisions),
                })
            });
            submitted.await
        }
        Authorised::Logs(call) => {
            let logs = gateway.logs.clone();
            waiting(move || call.run(&world, &mut ctx, &*logs))
                .await
                .map(without_decisions)
        }
        Authorised::Metrics(call) => {
            let metrics = gateway.metrics.clone();
            waiting(move || call.run(&world, &mut ctx, &*metrics))
                .await
                .map(without_decisions)
        }
    }
}

/// Runs what may wait for a disk on a thread that may.
async fn waiting(
    run: impl FnOnce() -> Result<iam::Answer, AwsError> + Send + 'static,
) -> Result<iam::Answer, AwsError> {
    let ran = tokio::task::spawn_blocking(run).await;
    ran.unwrap_or_else(|panic| {
        Err(codes::INTERNAL_FAILURE
            .with("An internal error occurred.")
            .detail(panic))
    })
}

/// One line a request: refusals of the caller's making are ordinary, ours are not.
fn log(
    service: &str,
    operation: &str,
    (request_id, caller): (&str, Option<String>),
    refusal: Option<&AwsError>,
    started: Instant,
) {
    let elapsed_ms = started.elapsed().as_millis();
    match refusal {
        Some(refusal) if refusal.code().fault == Fault::Receiver => {
            error!(service, operation, request_id, code = refusal.code().name, detail = ?refusal.log_detail(), elapsed_ms, "request failed");
        }
        Some(refusal) => {
            debug!(service, operation, request_id, caller, code = refusal.code().name, message = refusal.message(), detail = ?refusal.log_detail(), elapsed_ms, "request refused");
        }
        None => debug!(
            service,
            operation, request_id, caller, elapsed_ms, "request"
        ),
    }
}
