//! The frames of ACS, both directions.

use super::{IamRoleCredentials, Task, frame};
use aws_types::Timestamp;

frame! {
    /// Server to agent: I am here.
    HeartbeatMessage {
        message_id: String,
        healthy: bool,
    }
    /// Agent to server: I heard the heartbeat.
    HeartbeatAckRequest {
        message_id: String,
    }
    /// Server to agent: run and stop these. Acknowledged by [`AckRequest`] only if every task was
    /// accepted.
    PayloadMessage {
        cluster_arn: String,
        container_instance_arn: String,
        message_id: String,
        /// Milliseconds on the wire.
        generated_at: Timestamp,
        /// Raises the agent's latest manifest number.
        seq_num: i64,
        timeline: i64,
        tasks: Vec<Task>,
    }
    /// Agent to server: taken. The values are copied from the message.
    AckRequest {
        cluster: String,
        container_instance: String,
        message_id: String,
    }
    /// Agent to server: refused.
    NackRequest {
        cluster: String,
        container_instance: String,
        message_id: String,
        reason: String,
    }
    /// Server to agent: everything that should exist there. A manifest whose timeline is not
    /// greater than the latest one is dropped without an answer.
    TaskManifestMessage {
        cluster_arn: String,
        container_instance_arn: String,
        message_id: String,
        generated_at: Timestamp,
        /// The sequence number, shared with [`PayloadMessage::seq_num`].
        timeline: i64,
        tasks: Vec<TaskIdentifier>,
    }
    /// A task as manifests and stop verification name it.
    TaskIdentifier {
        task_arn: String,
        task_cluster_arn: String,
        /// `RUNNING` or `STOPPED`.
        desired_status: String,
    }
    /// Agent to server: these run here and the manifest does not have them; shall I stop them?
    TaskStopVerificationMessage {
        /// Of the manifest.
        message_id: String,
        stop_candidates: Vec<TaskIdentifier>,
    }
    /// Server to agent: stop these.
    TaskStopVerificationAck {
        /// Of the manifest.
        message_id: String,
        generated_at: Timestamp,
        stop_tasks: Vec<TaskIdentifier>,
    }
    /// Server to agent: fresh credentials under a known credentials id.
    IamRoleCredentialsMessage {
        message_id: String,
        task_arn: String,
        task_cluster_arn: String,
        /// `TaskApplication` or `TaskExecution`.
        role_type: String,
        role_credentials: IamRoleCredentials,
    }
    /// Agent to server: the credentials are in place.
    IamRoleCredentialsAckRequest {
        message_id: String,
        /// Echoed verbatim.
        expiration: String,
        credentials_id: String,
    }
    /// Server to agent: a text alone; of errors, exceptions and the close frame.
    TextMessage {
        message: String,
    }
}
