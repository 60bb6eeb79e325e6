//! From WebAssembly to native code, within a time of its own.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use wasmtime::{Config, Engine, OptLevel};

use crate::component::{Plugin, Tier};
use crate::error::{CompileError, PluginErrorKind, RuntimeError};
use crate::limits::Limits;

/// How much of what a compiler says is kept.
const LONGEST_TEXT: u64 = 4096;

/// A program that compiles in a process of its own: it is given a plugin's bytes on standard input and `compileMs` as its last
/// argument, calls [`compile_here`], and answers with the code on standard output. So a plugin that is made to be compiled
/// forever, or to use up memory, is ended with that process.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// The program.
    pub program: PathBuf,
    /// Its arguments but the last.
    pub arguments: Vec<OsString>,
}

/// What every engine has in common, whatever it compiles for.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // CI jobs start without a cache, so what is compiled at run time is compiled fast. Measured on three plugins of 280
        // KB: 532 ms instead of 704 ms, and 10,000 objects 5 % slower. Fuel does not depend on it.
        .cranelift_opt_level(OptLevel::None)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(512 << 10);
    config
}

/// Compiles a component for a target triple, for [`Native`](crate::Native). Takes its time: the result is faster by what
/// optimising gives, the same in fuel, and uses nothing that only some processors of the target have.
pub fn precompile(wasm: &[u8], target: &str) -> Result<Vec<u8>, RuntimeError> {
    let error = |error: wasmtime::Error| RuntimeError(format!("{error:#}"));
    let mut config = config();
    config.cranelift_opt_level(OptLevel::Speed).target(target).map_err(error)?;
    Engine::new(&config).and_then(|engine| engine.precompile_component(wasm)).map_err(error)
}

/// Compiles a plugin's bytes for this machine: what a [`Compiler`] does.
pub fn compile_here(wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
    let error = |error: wasmtime::Error| CompileError(format!("{error:#}"));
    let engine = Engine::new(&config()).map_err(error)?;
    native(&engine, wasm, Tier::of(wasm)).map_err(error)
}

fn native(engine: &Engine, wasm: &[u8], tier: Tier) -> wasmtime::Result<Vec<u8>> {
    match tier {
        Tier::Component => engine.precompile_component(wasm),
        Tier::Krm => engine.precompile_module(wasm),
    }
}

/// Native code for a plugin, made by the compiler or, without one, on a thread of this process, which cannot be ended.
pub(crate) fn compile(
    engine: &Engine,
    compiler: Option<&Compiler>,
    plugin: &Plugin,
    limits: &Limits,
) -> Result<Vec<u8>, PluginErrorKind> {
    let most = Duration::from_millis(limits.compile_ms);
    if let Some(compiler) = compiler {
        return elsewhere(compiler, plugin, limits, most);
    }
    let (sender, receiver) = mpsc::channel();
    let (engine, bytes, tier) = (engine.clone(), plugin.bytes.clone(), plugin.tier);
    spawn(move || {
        // Nobody listens any more where the time is over.
        let _ = sender.send(native(&engine, &bytes, tier).map_err(|error| format!("{error:#}")));
    })?;
    wait(&receiver, most)?.map_err(PluginErrorKind::Compile)
}

fn elsewhere(
    compiler: &Compiler,
    plugin: &Plugin,
    limits: &Limits,
    most: Duration,
) -> Result<Vec<u8>, PluginErrorKind> {
    let failed = |error: std::io::Error| PluginErrorKind::Compile(format!("the compiler: {error}"));
    let mut command = Command::new(&compiler.program);
    command.args(&compiler.arguments).arg(limits.compile_ms.to_string()).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Ended(command.spawn().map_err(failed)?);
    let (input, output, told) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    let bytes = plugin.bytes.clone();
    spawn(move || {
        // A compiler that reads no further says why on its own.
        let _ = input.map(|mut input| input.write_all(&bytes));
    })?;
    let (sender, receiver) = mpsc::channel();
    spawn(move || {
        let mut code = Vec::new();
        let read = output.map_or(Ok(0), |mut output| output.read_to_end(&mut code));
        let _ = sender.send(read.map(|_| code));
    })?;
    let (say, said) = mpsc::channel();
    spawn(move || {
        let mut text = Vec::new();
        let _ = told.map(|told| told.take(LONGEST_TEXT).read_to_end(&mut text));
        let _ = say.send(String::from_utf8_lossy(&text).trim().to_owned());
    })?;
    let code = wait(&receiver, most)?.map_err(failed)?;
    let status = child.0.wait().map_err(failed)?;
    if status.success() {
        return Ok(code);
    }
    let text = said.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    let text = text.trim_start_matches("error: ").to_owned();
    let text = if text.is_empty() { format!("the compiler ended with {status}") } else { text };
    Err(PluginErrorKind::Compile(text))
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), PluginErrorKind> {
    let started = thread::Builder::new().spawn(work);
    started.map(drop).map_err(|error| PluginErrorKind::Host(error.to_string()))
}

fn wait<T>(receiver: &Receiver<T>, most: Duration) -> Result<T, PluginErrorKind> {
    receiver.recv_timeout(most).map_err(|error| match error {
        RecvTimeoutError::Timeout => PluginErrorKind::CompileTime(most),
        RecvTimeoutError::Disconnected => PluginErrorKind::Compile("the compiler failed".to_owned()),
    })
}

/// A process that does not outlive its use.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed, which is all the same.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
