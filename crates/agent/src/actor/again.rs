//! While a container runs and between two runs: health checks, and the way made free.

use super::TaskContext;
use crate::api::now;
use crate::task::health::{OUTPUT_BYTES_MAX, Probe};
use crate::task::machine::Event;
use crate::task::state::{ContainerIndex, TaskState};
use runtime::host::RuntimeError;
use runtime::spec::{ExecResult, ExecSpec};
use tracing::warn;

impl TaskContext {
    /// What the ended run wrote is the driver's before its shim goes, which holds the pipes for an
    /// agent that comes after us; its delivery goes on meanwhile.
    pub(super) async fn clear(&self, state: &TaskState, index: ContainerIndex) {
        self.host
            .logs
            .detach(&state.containers[index].runtime_id)
            .await;
        if let Err(error) = self.host.runtime.clear(&self.container_dir(index)).await {
            // The start then says what stands in its way.
            warn!(task = %state.arn, %error, "a container's last run could not be cleared away");
        }
        self.host.logs.attach(self.log_spec(state, index), None);
        self.send(Event::Cleared(index));
    }

    /// As Docker does: the container's environment, user and directory, its output cut off.
    pub(super) async fn check_health(
        &self,
        state: &TaskState,
        container: ContainerIndex,
        run: u32,
    ) {
        let Some(health) = &state.containers[container].health else {
            return;
        };
        let spec = ExecSpec {
            args: health.check.args.clone(),
            env: Vec::new(),
            cwd: None,
            user: None,
            timeout_ms: health.check.timeout_ms,
            output_bytes_max: OUTPUT_BYTES_MAX as u32,
        };
        let began = now();
        let result = self
            .host
            .runtime
            .exec(&self.container_dir(container), spec)
            .await;
        let probe = probe(result, health.check.timeout_ms);
        self.send(Event::HealthChecked {
            container,
            run,
            began,
            probe,
        });
    }
}

fn probe(result: Result<ExecResult, RuntimeError>, timeout_ms: u64) -> Probe {
    match result {
        Ok(result) if result.timed_out => {
            let seconds = timeout_ms as f64 / 1000.0;
            Probe::failed(-1, format!("Health check exceeded timeout ({seconds}s)"))
        }
        Ok(result) if result.exit_code == 0 => Probe::Passed(result.stdout + &result.stderr),
        Ok(result) => Probe::failed(result.exit_code, result.stdout + &result.stderr),
        Err(RuntimeError::Failed(failure)) => Probe::failed(-1, failure.to_string()),
        Err(_) => Probe::Impossible,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_passes_with_exit_code_0_in_time() {
        let result = |exit_code, timed_out| {
            let (stdout, stderr) = ("out ".to_owned(), "err".to_owned());
            Ok(ExecResult {
                exit_code,
                timed_out,
                stdout,
                stderr,
            })
        };
        let output = || "out err".to_owned();
        let late = "Health check exceeded timeout (2.5s)".to_owned();
        assert_eq!(probe(result(0, false), 1), Probe::Passed(output()));
        assert_eq!(probe(result(1, false), 1), Probe::failed(1, output()));
        assert_eq!(probe(result(137, true), 2500), Probe::failed(-1, late));
        let lost = Err(RuntimeError::ShimLost("/x".into()));
        assert_eq!(probe(lost, 1), Probe::Impossible);
    }
}
