//! What the host keeps for one call of one plugin.

use crate::capability::{Capabilities, runtime_stubs::Stubs};
use crate::limits::{Limiter, Limits};

/// Why the host ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Memory,
    Table,
    HostCalls,
    Output,
    Sleep,
    Exit,
    Describing,
}

/// Bytes that a command reads as its standard input.
#[derive(Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    at: usize,
}

impl Input {
    /// Moves as many bytes into the buffer as it has room for and there are left.
    pub(crate) fn take(&mut self, buffer: &mut [u8]) -> usize {
        let left = self.bytes.get(self.at..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.at += count;
        count
    }
}

/// A store's data.
pub(crate) struct State {
    pub(crate) limits: Limits,
    pub(crate) limiter: Limiter,
    pub(crate) stubs: Stubs,
    pub(crate) capabilities: Capabilities,
    pub(crate) log: Vec<(String, String)>,
    /// What a command reads, wrote, and ended with.
    pub(crate) input: Input,
    pub(crate) output: Vec<u8>,
    pub(crate) exit_code: Option<i32>,
    /// The plugin is only asked what it is; each capability is there and traps.
    describing: bool,
    log_left: u64,
    handed: u64,
    host_calls: u64,
}

impl State {
    /// `None` for capabilities: the plugin is only asked what it is.
    pub(crate) fn new(limits: &Limits, seed: [u8; 32], capabilities: Option<Capabilities>) -> Self {
        Self {
            limiter: Limiter::new(limits),
            stubs: Stubs::new(seed),
            describing: capabilities.is_none(),
            capabilities: capabilities.unwrap_or_default(),
            log: Vec::new(),
            input: Input::default(),
            output: Vec::new(),
            exit_code: None,
            log_left: limits.log_bytes,
            handed: 0,
            host_calls: 0,
            limits: limits.clone(),
        }
    }

    /// The same, for a command that will read this.
    pub(crate) fn with_input(self, bytes: Vec<u8>) -> Self {
        Self { input: Input { bytes, at: 0 }, ..self }
    }

    /// Keeps what a command writes as its answer.
    pub(crate) fn answer(&mut self, bytes: &[u8]) -> wasmtime::Result<()> {
        if (self.output.len() + bytes.len()) as u64 > self.limits.output_bytes {
            return self.end(Stop::Output);
        }
        self.output.extend_from_slice(bytes);
        Ok(())
    }

    /// Every function of a capability starts with this; what it is handed is kept by the host, so it is counted.
    pub(crate) fn enter(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.handed = self.handed.saturating_add(bytes as u64);
        if self.handed > self.limits.output_bytes {
            return self.end(Stop::Output);
        }
        if self.describing {
            return self.end(Stop::Describing);
        }
        self.count_call()
    }

    /// Counts one call of a host function; every one of the runtime's stubs starts with this.
    pub(crate) fn count_call(&mut self) -> wasmtime::Result<()> {
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls { self.end(Stop::HostCalls) } else { Ok(()) }
    }

    /// Ends the call by a trap and notes why.
    pub(crate) fn end<T>(&mut self, stop: Stop) -> wasmtime::Result<T> {
        self.limiter.stop = Some(stop);
        Err(wasmtime::format_err!("ended by the host"))
    }

    /// Keeps a message of the plugin while there is room for it.
    pub(crate) fn keep_log(&mut self, level: &str, message: &str) {
        let Some(left) = self.log_left.checked_sub(message.len() as u64 + 16) else { return };
        self.log_left = left;
        self.log.push((level.to_owned(), message.to_owned()));
    }
}
