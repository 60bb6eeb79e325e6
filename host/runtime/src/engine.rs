//! The engine and the one way through it: inspect, compile or load, link what is granted, call on a fresh instance.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{Hash as _, Hasher};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lathe_manifest::json;
use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Module, Store, Trap};

use crate::bindings::Full;
use crate::cache::Cache;
use crate::capability::{self, Capabilities, preview1};
use crate::compile::{self, Compiler};
use crate::component::{Plugin, Tier};
use crate::error::{PluginError, PluginErrorKind, RuntimeError};
use crate::krm;
use crate::limits::Limits;
use crate::state::{State, Stop};
use crate::types;

/// How much of a plugin's own words an error holds.
const LONGEST_TEXT: usize = 4096;

/// How often the engine looks at the clock; a deadline is kept to this.
const TICK: Duration = Duration::from_millis(5);

/// Native code, ready to be instantiated; cheap to clone.
#[derive(Clone)]
enum Code {
    Component(Component),
    Command(Module),
}

/// Code by the digest of its plugin.
type Loaded = Mutex<HashMap<String, Code>>;

/// Compiles and runs plugins.
pub struct Runtime {
    engine: Engine,
    cache: Option<Cache>,
    compiler: Option<Compiler>,
    loaded: Loaded,
    compatibility: u64,
    _ticker: Ticker,
}

/// How a call ended that ended well.
#[derive(Debug)]
pub struct Transformed {
    /// The plugin's answer, not yet applied or believed.
    pub outcome: types::Outcome,
    /// The fuel it used: the same for the same input on every machine.
    pub fuel: u64,
    log: Vec<(String, String)>,
}

impl Transformed {
    /// Tells what the plugin logged and printed, for whoever asked for that.
    pub fn tell_log(&self, plugin: &str) {
        for (level, message) in &self.log {
            tracing::info!(plugin, level, "{message}");
        }
    }
}

impl Runtime {
    /// Sets the engine up. What is not compiled yet is compiled by `compiler`, or in this process. `cache` is the private folder for compiled code; one that fails its checks is not used, which
    /// is told by a warning in the log.
    pub fn new(cache: Option<&Path>, compiler: Option<Compiler>) -> Result<Self, RuntimeError> {
        Self::with_config(&compile::config(), cache, compiler)
    }

    /// The same, for code that an interpreter runs: what it gives is what any other machine would. Slow; for comparing.
    pub fn portable() -> Result<Self, RuntimeError> {
        let mut config = compile::config();
        config.target("pulley64").map_err(|error| RuntimeError(error.to_string()))?;
        Self::with_config(&config, None, None)
    }

    fn with_config(
        config: &Config,
        cache: Option<&Path>,
        compiler: Option<Compiler>,
    ) -> Result<Self, RuntimeError> {
        let engine = Engine::new(config).map_err(|error| RuntimeError(error.to_string()))?;
        let cache = cache.and_then(|folder| match Cache::open(folder) {
            Ok(cache) => Some(cache),
            Err(why) => {
                tracing::warn!(folder = %folder.display(), "compiled code is not kept there: {why}");
                None
            }
        });
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let ticker = Ticker::start(&engine).map_err(|error| RuntimeError(error.to_string()))?;
        let (loaded, compatibility) = (Loaded::default(), hasher.finish());
        Ok(Self { engine, cache, compiler, loaded, compatibility, _ticker: ticker })
    }

    /// Asks a plugin what it is: its descriptor's JSON. No `lathe:` import is answered.
    pub fn describe(&self, plugin: &Plugin, limits: &Limits) -> Result<String, PluginError> {
        let Code::Component(component) = self.code(plugin, limits)? else {
            return Ok(krm_descriptor(&plugin.name));
        };
        let mut linker = Linker::new(&self.engine);
        capability::link(&mut linker, None)
            .map_err(|error| plugin.error(PluginErrorKind::World(error.to_string())))?;
        let mut store = self.store(limits, State::new(limits, seed(plugin), None));
        let full = instantiate(plugin, &mut store, &component, &linker)?;
        let answer = full.lathe_transform_descriptor().call_describe(&mut store);
        answer.map_err(|error| plugin.error(ended(&store, &error)))
    }

    /// What a plugin says of itself, as [`describe`](Self::describe) gives it: from what is at hand or kept beside its compiled
    /// code, or by asking it and keeping the answer.
    pub fn descriptor(&self, plugin: &Plugin, limits: &Limits) -> Result<String, PluginError> {
        if let Some(text) = plugin.descriptor {
            return Ok(text.to_owned());
        }
        let name = format!("{}-descriptor", plugin.digest.trim_start_matches("sha256:"));
        let kept = self.cache.as_ref().and_then(|cache| cache.text(&name));
        if let Some(text) = kept.filter(|text| json::parse(text).is_ok()) {
            return Ok(text);
        }
        let text = self.describe(plugin, limits)?;
        if let Some(cache) = &self.cache
            && let Err(why) = cache.put(&name, text.as_bytes())
        {
            tracing::warn!(plugin = plugin.name, "what the plugin says of itself could not be kept: {why}");
        }
        Ok(text)
    }

    /// Has native code of the plugin at hand, so that what follows need not compile.
    pub fn prepare(&self, plugin: &Plugin, limits: &Limits) -> Result<(), PluginError> {
        self.code(plugin, limits).map(drop)
    }

    /// Runs the plugin's transform on a fresh instance.
    pub fn transform(
        &self,
        plugin: &Plugin,
        request: &types::Request,
        granted: Capabilities,
        limits: &Limits,
    ) -> Result<Transformed, PluginError> {
        refuse_ungranted(plugin, &granted)?;
        let code = self.code(plugin, limits)?;
        let started = Instant::now();
        let (answer, store) = match code {
            Code::Component(component) => {
                let mut linker = Linker::new(&self.engine);
                capability::link(&mut linker, Some(&granted))
                    .map_err(|error| plugin.error(PluginErrorKind::World(error.to_string())))?;
                let mut store = self.store(limits, State::new(limits, seed(plugin), Some(granted)));
                let full = instantiate(plugin, &mut store, &component, &linker)?;
                let answer = full.lathe_transform_transformer().call_transform(&mut store, request);
                (answer.map_err(|error| plugin.error(ended(&store, &error)))?, store)
            }
            Code::Command(module) => self.command(plugin, &module, request, granted, limits)?,
        };
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        tracing::debug!(
            plugin = plugin.name,
            digest = plugin.digest,
            fuel,
            us = started.elapsed().as_micros(),
            "ran"
        );
        let outcome = answer.map_err(|mut why| {
            why.truncate(why.floor_char_boundary(LONGEST_TEXT));
            plugin.error(PluginErrorKind::Refused(why))
        })?;
        Ok(Transformed { outcome, fuel, log: store.into_data().log })
    }

    /// Runs a command: the request on its standard input, the answer from its standard output.
    fn command(
        &self,
        plugin: &Plugin,
        module: &Module,
        request: &types::Request,
        granted: Capabilities,
        limits: &Limits,
    ) -> Result<(Result<types::Outcome, String>, Store<State>), PluginError> {
        let world = |error: wasmtime::Error| plugin.error(PluginErrorKind::World(format!("{error:#}")));
        let (sent, input) =
            krm::encode(request).map_err(|told| plugin.error(PluginErrorKind::Answer(told)))?;
        let mut linker = wasmtime::Linker::new(&self.engine);
        preview1::add_to_linker(&mut linker).map_err(world)?;
        let state = State::new(limits, seed(plugin), Some(granted)).with_input(input);
        let mut store = self.store(limits, state);
        let started = Instant::now();
        let instance = linker.instantiate(&mut store, module).map_err(|error| {
            let kind = not_instantiated(&store, &error);
            plugin.error(kind)
        })?;
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start").map_err(world)?;
        let ran = start.call(&mut store, ());
        store.data_mut().end_line();
        let code = match (ran, store.data().exit_code) {
            (Ok(()), _) => 0,
            (Err(_), Some(code)) => code,
            (Err(error), None) => return Err(plugin.error(ended(&store, &error))),
        };
        let output = std::mem::take(&mut store.data_mut().output);
        let said = store.data().stubs.last_line.clone();
        // Reading what it wrote takes its time as well, on a thread, because that cannot be ended.
        let (sender, receiver) = mpsc::channel();
        let read = move || drop(sender.send(sent.answer(code, &said, &output)));
        thread::Builder::new()
            .spawn(read)
            .map_err(|error| plugin.error(PluginErrorKind::Host(error.to_string())))?;
        let left = limits.deadline().saturating_sub(started.elapsed());
        let answer = receiver
            .recv_timeout(left)
            .map_err(|_| plugin.error(PluginErrorKind::Deadline(limits.deadline())))?;
        Ok((answer.map_err(|told| plugin.error(PluginErrorKind::Answer(told)))?, store))
    }

    fn store(&self, limits: &Limits, state: State) -> Store<State> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        // Fuel and epochs are both configured, so neither call can fail.
        let _ = store.set_fuel(limits.fuel);
        let ticks = limits.deadline().as_millis() / TICK.as_millis() + 1;
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX / 2));
        store.set_hostcall_fuel(usize::try_from(limits.output_bytes).unwrap_or(usize::MAX));
        store
    }

    /// Native code that is loaded already, part of the binary, from the cache, or compiled now and kept.
    fn code(&self, plugin: &Plugin, limits: &Limits) -> Result<Code, PluginError> {
        let known = || self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = known().get(&plugin.digest).cloned();
        if let Some(code) = loaded {
            return Ok(code);
        }
        let code = self.find(plugin, limits)?;
        Ok(known().entry(plugin.digest.clone()).or_insert(code).clone())
    }

    fn find(&self, plugin: &Plugin, limits: &Limits) -> Result<Code, PluginError> {
        // Code that was made for another processor or another wasmtime does not load.
        if let Some(code) = plugin.native.and_then(|native| self.load(plugin.tier, native.0)) {
            return Ok(code);
        }
        let digest = plugin.digest.trim_start_matches("sha256:");
        let name = format!("{digest}-{:016x}", self.compatibility);
        if let Some(code) = self
            .cache
            .as_ref()
            .and_then(|cache| cache.open_file(&name))
            .and_then(|file| self.map(plugin.tier, &file))
        {
            return Ok(code);
        }
        let started = Instant::now();
        let native = compile::compile(&self.engine, self.compiler.as_ref(), plugin, limits)
            .map_err(|kind| plugin.error(kind))?;
        tracing::debug!(
            plugin = plugin.name,
            bytes = native.len(),
            us = started.elapsed().as_micros(),
            "compiled"
        );
        let code = self.load(plugin.tier, &native).ok_or_else(|| {
            plugin.error(PluginErrorKind::Compile("what the compiler wrote does not load".to_owned()))
        })?;
        if let Some(cache) = &self.cache
            && let Err(why) = cache.put(&name, &native)
        {
            tracing::warn!(plugin = plugin.name, "compiled code could not be kept: {why}");
        }
        Ok(code)
    }

    #[allow(unsafe_code, reason = "wasmtime marks loading native code as unsafe; see below")]
    fn load(&self, tier: Tier, code: &[u8]) -> Option<Code> {
        // SAFETY: `deserialize` runs what it is given. Either somebody vouched for the code (`Native::new`), or the compiler has just
        // written it, which is this program or a process that it started. It cannot change under us in memory.
        unsafe {
            match tier {
                Tier::Component => Component::deserialize(&self.engine, code).ok().map(Code::Component),
                Tier::Krm => Module::deserialize(&self.engine, code).ok().map(Code::Command),
            }
        }
    }

    #[allow(unsafe_code, reason = "wasmtime marks loading native code as unsafe; see below")]
    fn map(&self, tier: Tier, file: &File) -> Option<Code> {
        // By its descriptor, so that what was checked is what is loaded.
        let path = format!("/dev/fd/{}", file.as_raw_fd());
        // SAFETY: `deserialize_file` runs what the file holds, and goes on reading it. The file comes from the cache: a private folder
        // that only this user can write, and owner, mode, type and link count of the file were checked on this very descriptor
        // (`cache`); the name that it was kept under holds the engine's compatibility hash; `serialize` of this very engine
        // configuration wrote it. Nobody of ours writes a file of the cache in place, and others cannot.
        unsafe {
            match tier {
                Tier::Component => Component::deserialize_file(&self.engine, path).ok().map(Code::Component),
                Tier::Krm => Module::deserialize_file(&self.engine, path).ok().map(Code::Command),
            }
        }
    }
}

fn instantiate(
    plugin: &Plugin,
    store: &mut Store<State>,
    component: &Component,
    linker: &Linker<State>,
) -> Result<Full, PluginError> {
    Full::instantiate(&mut *store, component, linker).map_err(|error| {
        let kind = not_instantiated(store, &error);
        plugin.error(kind)
    })
}

/// Why there is no instance: the plugin does not fit, or it ran already and ended early.
fn not_instantiated(store: &Store<State>, error: &wasmtime::Error) -> PluginErrorKind {
    match ended(store, error) {
        PluginErrorKind::Trap { trap, .. } if !error.is::<Trap>() => PluginErrorKind::World(trap),
        kind => kind,
    }
}

/// What the language's runtime finds as randomness follows from the plugin alone.
fn seed(plugin: &Plugin) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update(plugin.digest.as_bytes());
    if plugin.seed > 0 {
        hash.update(plugin.seed.to_le_bytes());
    }
    hash.finalize().into()
}

/// A command cannot be asked what it is.
fn krm_descriptor(name: &str) -> String {
    let file = name.rsplit(['/', ':']).next().unwrap_or(name).trim_end_matches(".wasm");
    let mut out = String::from(r#"{"configSchema":{"type":"object"},"name":"#);
    json::write_string(&mut out, file);
    out.push_str(r#","scope":"set","summary":"A KRM function","version":""}"#);
    out
}

fn refuse_ungranted(plugin: &Plugin, granted: &Capabilities) -> Result<(), PluginError> {
    let has = |right: &str| match right {
        "secrets" => granted.secrets.is_some(),
        "oidc-clients" => granted.clients.is_some(),
        "logging" => granted.logging,
        _ => false,
    };
    let missing: Vec<String> =
        plugin.rights().into_iter().filter(|r| !has(r)).map(ToOwned::to_owned).collect();
    if missing.is_empty() { Ok(()) } else { Err(plugin.error(PluginErrorKind::NotGranted(missing))) }
}

/// Why a call ended early, in the host's words where the host ended it.
fn ended(store: &Store<State>, error: &wasmtime::Error) -> PluginErrorKind {
    let state = store.data();
    let limits = &state.limits;
    let said = state.stubs.last_line.clone();
    match (state.limiter.stop, error.downcast_ref::<Trap>()) {
        (Some(Stop::Memory), _) => PluginErrorKind::Memory(limits.memory_bytes),
        (Some(Stop::Table), _) => PluginErrorKind::Table(limits.table_elements),
        (Some(Stop::Output), _) => PluginErrorKind::Output(limits.output_bytes),
        (Some(Stop::HostCalls), _) => PluginErrorKind::HostCalls(limits.host_calls),
        (Some(Stop::Sleep), _) => PluginErrorKind::Sleep(limits.deadline()),
        (Some(Stop::Describing), _) => PluginErrorKind::Describing,
        (Some(Stop::Exit), _) => PluginErrorKind::Exit(said),
        (None, Some(Trap::OutOfFuel)) => PluginErrorKind::Fuel(limits.fuel),
        (None, Some(Trap::Interrupt)) => PluginErrorKind::Deadline(limits.deadline()),
        (None, Some(Trap::StackOverflow)) => PluginErrorKind::Stack,
        (None, Some(trap)) => PluginErrorKind::Trap { trap: trap.to_string(), said },
        (None, None) => {
            if error.downcast_ref::<std::str::Utf8Error>().is_some() {
                return PluginErrorKind::Answer("text in UTF-8".to_owned());
            }
            let words = error.root_cause().to_string();
            // What the system does not give is no fault of the plugin's.
            if words.contains("(os error ") {
                return PluginErrorKind::Host(words);
            }
            if words.contains("hostcall fuel") || words.contains("fuel allocated for hostcalls") {
                return PluginErrorKind::Output(limits.output_bytes);
            }
            PluginErrorKind::Trap { trap: words, said }
        }
    }
}

/// Moves the engine's epoch on, by which running code notices that time passes.
struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: &Engine) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let engine = engine.clone();
        let thread = thread::Builder::new().spawn(move || {
            let (started, mut ticks) = (Instant::now(), 0);
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                // On a busy machine this thread wakes late, and the ticks it slept through count as well.
                while ticks < started.elapsed().as_millis() / TICK.as_millis() {
                    engine.increment_epoch();
                    ticks += 1;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A ticker that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

/// FNV-1a, whose result, unlike the standard hasher's, is the same in every version of the standard library.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
