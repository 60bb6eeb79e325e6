//! How much a plugin may use in one call, and the store's limiter that says no to memory.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

use crate::state::Stop;

/// What one call of a plugin may use.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// WebAssembly instructions, roughly. Decides reproducibly: the same input stops at the same place.
    pub fuel: u64,
    /// Wall-clock milliseconds for the whole call. Protects; never meant to decide.
    pub deadline_ms: u64,
    /// Wall-clock milliseconds for compiling, which is done once and kept.
    pub compile_ms: u64,
    /// Bytes of linear memory of all instances together.
    pub memory_bytes: u64,
    /// Elements of one table, which holds references to functions; a large program has thousands.
    pub table_elements: u64,
    /// Bytes that the plugin may hand to the host at once, and by calls of capabilities in sum.
    pub output_bytes: u64,
    /// Calls of host functions.
    pub host_calls: u64,
    /// Bytes of log and standard output that are kept; more is cut without failing.
    pub log_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 10_000_000_000,
            deadline_ms: 30_000,
            compile_ms: 60_000,
            memory_bytes: 1 << 30,
            table_elements: 1 << 20,
            output_bytes: 128 << 20,
            host_calls: 10_000_000,
            log_bytes: 1 << 20,
        }
    }
}

impl Limits {
    /// The higher of each limit.
    #[must_use]
    pub fn at_least(&self, other: &Self) -> Self {
        Self {
            fuel: self.fuel.max(other.fuel),
            deadline_ms: self.deadline_ms.max(other.deadline_ms),
            compile_ms: self.compile_ms.max(other.compile_ms),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            table_elements: self.table_elements.max(other.table_elements),
            output_bytes: self.output_bytes.max(other.output_bytes),
            host_calls: self.host_calls.max(other.host_calls),
            log_bytes: self.log_bytes.max(other.log_bytes),
        }
    }

    /// The deadline as a duration.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

/// What an element takes of the host's memory, which counts against the plugin's.
const TABLE_ELEMENT_BYTES: usize = 16;

/// Counts memory over all instances of a store and notes why it said no.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: u64,
    table_elements: u64,
    used: u64,
    pub(crate) stop: Option<Stop>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { memory_bytes: limits.memory_bytes, table_elements: limits.table_elements, used: 0, stop: None }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let grown = self.used.saturating_add((desired.saturating_sub(current)) as u64);
        if grown > self.memory_bytes {
            // A refusal that the guest could catch would make the outcome depend on how it copes; ending it does not.
            self.stop = Some(Stop::Memory);
            return Err(wasmtime::format_err!("memory limit"));
        }
        self.used = grown;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES) as u64;
        self.used = self.used.saturating_add(bytes);
        if desired as u64 > self.table_elements || self.used > self.memory_bytes {
            self.stop = Some(Stop::Table);
            return Err(wasmtime::format_err!("table limit"));
        }
        Ok(true)
    }
}
