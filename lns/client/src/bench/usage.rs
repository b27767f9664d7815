//! What a run costs the server.

use std::time::Duration;

use super::BenchError;

/// What a server's process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub(super) cpu: Duration,
    pub(super) memory: u64,
}

impl Usage {
    pub(super) fn of(pid: Option<u32>) -> Result<Option<Self>, BenchError> {
        let Some(pid) = pid else { return Ok(None) };
        let read = BenchError::system("the server's process cannot be read under /proc");
        Ok(Some(Self {
            cpu: tollgate_sys::process::cpu_time(pid).map_err(&read)?,
            memory: tollgate_sys::process::resident(pid).map_err(&read)?,
        }))
    }
}
