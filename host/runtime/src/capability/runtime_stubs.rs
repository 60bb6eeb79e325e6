//! WASI as far as language runtimes drag it in, answered without asking the machine anything.
//!
//! The environment and the arguments are empty. The monotonic clock starts at one second and advances a millisecond per
//! reading and by whatever was slept; the wall clock stands at 1970. Sleeping returns at once, but may not exceed the
//! call's deadline in sum. Randomness is a counter hashed with the plugin's digest: the same in every run.
#![allow(unreachable_pub, reason = "the generated bindings name these types as public")]

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use wasmtime::component::{HasSelf, Linker, Resource};

use crate::bindings::stubs::wasi::{cli, clocks, io, random};
use crate::state::{State, Stop};

/// `wasi:io/error.error`; never made.
pub struct IoError;
/// `wasi:io/poll.pollable`; its handle names the time to wait.
pub struct Pollable;
/// `wasi:io/streams.input-stream`: always at its end.
pub struct Input;
/// `wasi:io/streams.output-stream`: kept as log lines.
pub struct Output;

/// One call's clock, randomness and standard output.
pub(crate) struct Stubs {
    now: u64,
    slept: u64,
    /// Pollables that are not ready yet, and the instant at which they are.
    instants: HashMap<u32, u64>,
    next_pollable: u32,
    seed: [u8; 32],
    drawn: u64,
    line: Vec<u8>,
    pub(crate) last_line: String,
}

/// In nanoseconds.
pub(crate) const MILLISECOND: u64 = 1_000_000;
const OUTPUT_CHUNK: u64 = 64 << 10;
const LINE_LIMIT: usize = 4096;
/// Bytes of randomness at once; no program needs more.
const MOST_RANDOM: u64 = 1 << 20;

impl Stubs {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            now: 1_000 * MILLISECOND,
            slept: 0,
            instants: HashMap::new(),
            next_pollable: 0,
            seed,
            drawn: 0,
            line: Vec::new(),
            last_line: String::new(),
        }
    }

    fn pollable(&mut self, instant: u64) -> Resource<Pollable> {
        self.next_pollable = self.next_pollable.wrapping_add(1);
        if instant > self.now {
            self.instants.insert(self.next_pollable, instant);
        }
        Resource::new_own(self.next_pollable)
    }

    /// How long it is until the pollable is ready.
    fn wait_for(&self, pollable: &Resource<Pollable>) -> u64 {
        self.instants.get(&pollable.rep()).map_or(0, |instant| instant.saturating_sub(self.now))
    }

    /// The monotonic clock's time, in nanoseconds, without its moving on.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Reads the monotonic clock, which moves on by that.
    pub(crate) fn read_clock(&mut self) -> u64 {
        self.now = self.now.saturating_add(MILLISECOND);
        self.now
    }

    fn random(&mut self) -> u64 {
        self.drawn += 1;
        let digest = Sha256::new().chain_update(self.seed).chain_update(self.drawn.to_le_bytes()).finalize();
        digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

impl State {
    /// Waits without waiting: moves the clock, and counts what a real sleep would have taken.
    pub(crate) fn wait(&mut self, nanoseconds: u64) -> wasmtime::Result<()> {
        self.stubs.now = self.stubs.now.saturating_add(nanoseconds);
        self.stubs.slept = self.stubs.slept.saturating_add(nanoseconds);
        if self.stubs.slept / MILLISECOND > self.limits.deadline_ms { self.end(Stop::Sleep) } else { Ok(()) }
    }

    pub(crate) fn print(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\n' {
                if self.stubs.line.len() < LINE_LIMIT {
                    self.stubs.line.push(*byte);
                }
                continue;
            }
            self.end_line();
        }
    }

    /// Takes what was printed since the last line for a line of its own.
    pub(crate) fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.stubs.line)).into_owned();
        self.keep_log("output", &line);
        let told = ["panic: ", "fatal error: "].iter().any(|word| self.stubs.last_line.starts_with(word));
        // What comes after Go's reason is a trace.
        if !told && !line.trim().is_empty() && !line.starts_with("note: run with `RUST_BACKTRACE") {
            self.stubs.last_line = line;
        }
    }

    pub(crate) fn random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.count_call()?;
        if length > MOST_RANDOM {
            return self.end(Stop::Output);
        }
        let length = usize::try_from(length)?;
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend(self.stubs.random().to_le_bytes());
        }
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// Adds all of the stubs.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    macro_rules! add {
        ($($module:path),* $(,)?) => {{
            $({ use $module as module; module::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?; })*
        }};
    }
    add!(
        io::error,
        io::poll,
        io::streams,
        cli::environment,
        cli::exit,
        cli::stdin,
        cli::stdout,
        cli::stderr,
        cli::terminal_input,
        cli::terminal_output,
        cli::terminal_stdin,
        cli::terminal_stdout,
        cli::terminal_stderr,
        clocks::monotonic_clock,
        clocks::wall_clock,
        random::random,
        random::insecure,
        random::insecure_seed,
    );
    Ok(())
}

impl io::error::Host for State {}
impl io::error::HostError for State {
    fn to_debug_string(&mut self, _: Resource<IoError>) -> wasmtime::Result<String> {
        Ok(String::new())
    }
    fn drop(&mut self, _: Resource<IoError>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl io::poll::Host for State {
    fn poll(&mut self, pollables: Vec<Resource<Pollable>>) -> wasmtime::Result<Vec<u32>> {
        self.count_call()?;
        let waits: Vec<u64> = pollables.iter().map(|pollable| self.stubs.wait_for(pollable)).collect();
        let first = waits.iter().copied().min().unwrap_or(0);
        self.wait(first)?;
        Ok((0..).zip(waits).filter(|(_, wait)| *wait == first).map(|(index, _)| index).collect())
    }
}
impl io::poll::HostPollable for State {
    fn ready(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<bool> {
        self.count_call()?;
        Ok(self.stubs.wait_for(&pollable) == 0)
    }
    fn block(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        self.count_call()?;
        let wait = self.stubs.wait_for(&pollable);
        self.wait(wait)
    }
    fn drop(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        self.stubs.instants.remove(&pollable.rep());
        Ok(())
    }
}

type Streamed<T> = wasmtime::Result<Result<T, io::streams::StreamError>>;

impl io::streams::Host for State {}
impl io::streams::HostInputStream for State {
    fn read(&mut self, _: Resource<Input>, _: u64) -> Streamed<Vec<u8>> {
        self.count_call()?;
        Ok(Err(io::streams::StreamError::Closed))
    }
    fn blocking_read(&mut self, input: Resource<Input>, length: u64) -> Streamed<Vec<u8>> {
        self.read(input, length)
    }
    fn skip(&mut self, _: Resource<Input>, _: u64) -> Streamed<u64> {
        self.count_call()?;
        Ok(Err(io::streams::StreamError::Closed))
    }
    fn blocking_skip(&mut self, input: Resource<Input>, length: u64) -> Streamed<u64> {
        self.skip(input, length)
    }
    fn subscribe(&mut self, _: Resource<Input>) -> wasmtime::Result<Resource<Pollable>> {
        self.count_call()?;
        Ok(self.stubs.pollable(0))
    }
    fn drop(&mut self, _: Resource<Input>) -> wasmtime::Result<()> {
        Ok(())
    }
}
impl io::streams::HostOutputStream for State {
    fn check_write(&mut self, _: Resource<Output>) -> Streamed<u64> {
        self.count_call()?;
        Ok(Ok(OUTPUT_CHUNK))
    }
    fn write(&mut self, _: Resource<Output>, contents: Vec<u8>) -> Streamed<()> {
        self.count_call()?;
        // More than `check-write` allows is an error of the caller's.
        if contents.len() as u64 > OUTPUT_CHUNK {
            return self.end(Stop::Output);
        }
        self.print(&contents);
        Ok(Ok(()))
    }
    fn blocking_write_and_flush(&mut self, output: Resource<Output>, contents: Vec<u8>) -> Streamed<()> {
        self.write(output, contents)
    }
    fn flush(&mut self, _: Resource<Output>) -> Streamed<()> {
        self.count_call()?;
        Ok(Ok(()))
    }
    fn blocking_flush(&mut self, output: Resource<Output>) -> Streamed<()> {
        self.flush(output)
    }
    fn subscribe(&mut self, _: Resource<Output>) -> wasmtime::Result<Resource<Pollable>> {
        self.count_call()?;
        Ok(self.stubs.pollable(0))
    }
    fn write_zeroes(&mut self, _: Resource<Output>, _: u64) -> Streamed<()> {
        self.count_call()?;
        Ok(Ok(()))
    }
    fn blocking_write_zeroes_and_flush(&mut self, output: Resource<Output>, length: u64) -> Streamed<()> {
        self.write_zeroes(output, length)
    }
    fn splice(&mut self, _: Resource<Output>, _: Resource<Input>, _: u64) -> Streamed<u64> {
        self.count_call()?;
        Ok(Err(io::streams::StreamError::Closed))
    }
    fn blocking_splice(
        &mut self,
        output: Resource<Output>,
        input: Resource<Input>,
        length: u64,
    ) -> Streamed<u64> {
        self.splice(output, input, length)
    }
    fn drop(&mut self, _: Resource<Output>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl cli::environment::Host for State {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        self.count_call()?;
        Ok(Vec::new())
    }
    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        self.count_call()?;
        Ok(Vec::new())
    }
    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        self.count_call()?;
        Ok(None)
    }
}
impl cli::exit::Host for State {
    fn exit(&mut self, _: Result<(), ()>) -> wasmtime::Result<()> {
        self.end(Stop::Exit)
    }
}
impl cli::stdin::Host for State {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<Input>> {
        self.count_call()?;
        Ok(Resource::new_own(0))
    }
}
impl cli::stdout::Host for State {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<Output>> {
        self.count_call()?;
        Ok(Resource::new_own(1))
    }
}
impl cli::stderr::Host for State {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<Output>> {
        self.count_call()?;
        Ok(Resource::new_own(2))
    }
}
impl cli::terminal_input::Host for State {}
impl cli::terminal_input::HostTerminalInput for State {
    fn drop(&mut self, _: Resource<cli::terminal_input::TerminalInput>) -> wasmtime::Result<()> {
        Ok(())
    }
}
impl cli::terminal_output::Host for State {}
impl cli::terminal_output::HostTerminalOutput for State {
    fn drop(&mut self, _: Resource<cli::terminal_output::TerminalOutput>) -> wasmtime::Result<()> {
        Ok(())
    }
}
impl cli::terminal_stdin::Host for State {
    fn get_terminal_stdin(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_input::TerminalInput>>> {
        self.count_call()?;
        Ok(None)
    }
}
impl cli::terminal_stdout::Host for State {
    fn get_terminal_stdout(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        self.count_call()?;
        Ok(None)
    }
}
impl cli::terminal_stderr::Host for State {
    fn get_terminal_stderr(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        self.count_call()?;
        Ok(None)
    }
}

impl clocks::monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.count_call()?;
        Ok(self.stubs.read_clock())
    }
    fn resolution(&mut self) -> wasmtime::Result<u64> {
        self.count_call()?;
        Ok(MILLISECOND)
    }
    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<Pollable>> {
        self.count_call()?;
        Ok(self.stubs.pollable(when))
    }
    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<Pollable>> {
        self.count_call()?;
        let instant = self.stubs.now.saturating_add(duration);
        Ok(self.stubs.pollable(instant))
    }
}
impl clocks::wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        self.count_call()?;
        Ok(clocks::wall_clock::Datetime { seconds: 0, nanoseconds: 0 })
    }
    fn resolution(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        self.count_call()?;
        Ok(clocks::wall_clock::Datetime { seconds: 1, nanoseconds: 0 })
    }
}

impl random::random::Host for State {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(length)
    }
    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.count_call()?;
        Ok(self.stubs.random())
    }
}
impl random::insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(length)
    }
    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.count_call()?;
        Ok(self.stubs.random())
    }
}
impl random::insecure_seed::Host for State {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        self.count_call()?;
        Ok((self.stubs.random(), self.stubs.random()))
    }
}
