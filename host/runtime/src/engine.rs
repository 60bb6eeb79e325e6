//! The engine and the one way through it: inspect, compile or load, link what is granted, call on a fresh instance.

use std::hash::{Hash as _, Hasher};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, OptLevel, Store, Trap};

use crate::bindings::Full;
use crate::cache::Cache;
use crate::capability::{self, Capabilities};
use crate::component::Plugin;
use crate::error::{PluginError, PluginErrorKind, RuntimeError};
use crate::limits::Limits;
use crate::state::{State, Stop};
use crate::types;

/// How much of a plugin's own words an error holds.
const LONGEST_TEXT: usize = 4096;

/// How often the engine looks at the clock; a deadline is kept to this.
const TICK: Duration = Duration::from_millis(5);

/// Compiles and runs plugins.
pub struct Runtime {
    engine: Engine,
    cache: Option<Cache>,
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
}

impl Runtime {
    /// Sets the engine up. `cache` is the private folder for compiled code; one that fails its checks is not used, which
    /// is told by a warning in the log.
    pub fn new(cache: Option<&Path>) -> Result<Self, RuntimeError> {
        let engine = Engine::new(&config()).map_err(|error| RuntimeError(error.to_string()))?;
        let cache = cache.and_then(|folder| match Cache::open(folder) {
            Ok(cache) => Some(cache),
            Err(why) => {
                tracing::warn!(folder = %folder.display(), "compiled code is not kept there: {why}");
                None
            }
        });
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let ticker = Ticker::start(&engine);
        Ok(Self { compatibility: hasher.finish(), engine, cache, _ticker: ticker })
    }

    /// Asks a plugin what it is: its descriptor's JSON. No `lathe:` import is answered.
    pub fn describe(&self, plugin: &Plugin, limits: &Limits) -> Result<String, PluginError> {
        let started = Instant::now();
        let component = self.component(plugin, limits)?;
        let mut linker = Linker::new(&self.engine);
        capability::link(&mut linker, None)
            .map_err(|error| plugin.error(PluginErrorKind::World(error.to_string())))?;
        let mut store = self.store(plugin, limits, None, started);
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
        let kept = self.cache.as_ref().and_then(|cache| cache.get(&name));
        if let Some(text) = kept.and_then(|bytes| String::from_utf8(bytes).ok()) {
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

    /// Runs the plugin's transform on a fresh instance.
    pub fn transform(
        &self,
        plugin: &Plugin,
        request: &types::Request,
        granted: Capabilities,
        limits: &Limits,
    ) -> Result<Transformed, PluginError> {
        let started = Instant::now();
        refuse_ungranted(plugin, &granted)?;
        let component = self.component(plugin, limits)?;
        let mut linker = Linker::new(&self.engine);
        capability::link(&mut linker, Some(&granted))
            .map_err(|error| plugin.error(PluginErrorKind::World(error.to_string())))?;
        let mut store = self.store(plugin, limits, Some(granted), started);
        let full = instantiate(plugin, &mut store, &component, &linker)?;
        let answer = full
            .lathe_transform_transformer()
            .call_transform(&mut store, request)
            .map_err(|error| plugin.error(ended(&store, &error)))?;
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
        for (level, message) in store.into_data().log {
            tracing::info!(plugin = plugin.name, level, "{message}");
        }
        Ok(Transformed { outcome, fuel })
    }

    fn store(
        &self,
        plugin: &Plugin,
        limits: &Limits,
        granted: Option<Capabilities>,
        started: Instant,
    ) -> Store<State> {
        let seed = Sha256::digest(plugin.digest.as_bytes()).into();
        let mut store = Store::new(&self.engine, State::new(limits, seed, granted));
        store.limiter(|state| &mut state.limiter);
        // Fuel and epochs are both configured, so neither call can fail.
        let _ = store.set_fuel(limits.fuel);
        let left = limits.deadline().saturating_sub(started.elapsed());
        let ticks = left.as_millis() / TICK.as_millis() + 1;
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX / 2));
        store.set_hostcall_fuel(usize::try_from(limits.output_bytes).unwrap_or(usize::MAX));
        store
    }

    /// Native code that is part of the binary, or from the cache, or compiled now and kept.
    fn component(&self, plugin: &Plugin, limits: &Limits) -> Result<Component, PluginError> {
        // Code that was made for another processor or another wasmtime does not load.
        if let Some(component) = plugin.native.and_then(|native| self.load(native.0)) {
            return Ok(component);
        }
        let digest = plugin.digest.trim_start_matches("sha256:");
        let name = format!("{digest}-{:016x}", self.compatibility);
        if let Some(component) =
            self.cache.as_ref().and_then(|cache| cache.get(&name)).and_then(|code| self.load(&code))
        {
            return Ok(component);
        }
        let component = self.compile(plugin, limits)?;
        if let Some(cache) = &self.cache {
            let kept = component.serialize().map_err(|e| e.to_string());
            if let Err(why) = kept.and_then(|code| cache.put(&name, &code).map_err(|e| e.to_string())) {
                tracing::warn!(plugin = plugin.name, "compiled code could not be kept: {why}");
            }
        }
        Ok(component)
    }

    #[allow(unsafe_code, reason = "wasmtime marks loading native code as unsafe; see below")]
    fn load(&self, code: &[u8]) -> Option<Component> {
        // SAFETY: `deserialize` runs what it is given. Either somebody vouched for the code (`Native::new`). Or it comes from
        // the cache: its bytes were read once, from a private folder that only this user can write and through a handle
        // whose owner, mode, type and link count were checked (`cache`); they have their own digest before them; the name
        // they were kept under holds the engine's compatibility hash; `serialize` of this very engine configuration wrote
        // them there. In both cases they cannot change under us in memory.
        unsafe { Component::deserialize(&self.engine, code) }.ok()
    }

    /// Compiles on a thread of its own, so that a component made to compile slowly meets the deadline as well.
    fn compile(&self, plugin: &Plugin, limits: &Limits) -> Result<Component, PluginError> {
        let (sender, receiver) = mpsc::channel();
        let (engine, bytes) = (self.engine.clone(), plugin.bytes.clone());
        thread::spawn(move || {
            // Nobody listens any more where the deadline has passed.
            let _ = sender.send(Component::new(&engine, &bytes));
        });
        match receiver.recv_timeout(limits.deadline()) {
            Ok(Ok(component)) => Ok(component),
            Ok(Err(error)) => Err(plugin.error(PluginErrorKind::Compile(format!("{error:#}")))),
            Err(RecvTimeoutError::Timeout) => Err(plugin.error(PluginErrorKind::Deadline(limits.deadline()))),
            Err(RecvTimeoutError::Disconnected) => {
                Err(plugin.error(PluginErrorKind::Compile("the compiler failed".to_owned())))
            }
        }
    }
}

/// Compiles a component for a target triple, for [`Native`](crate::Native). Takes its time: the result is faster by what
/// optimising gives, the same in fuel, and uses nothing that only some processors of the target have.
pub fn precompile(wasm: &[u8], target: &str) -> Result<Vec<u8>, RuntimeError> {
    let error = |error: wasmtime::Error| RuntimeError(format!("{error:#}"));
    let mut config = config();
    config.cranelift_opt_level(OptLevel::Speed).target(target).map_err(error)?;
    Engine::new(&config).and_then(|engine| engine.precompile_component(wasm)).map_err(error)
}

fn config() -> Config {
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

fn instantiate(
    plugin: &Plugin,
    store: &mut Store<State>,
    component: &Component,
    linker: &Linker<State>,
) -> Result<Full, PluginError> {
    Full::instantiate(&mut *store, component, linker).map_err(|error| match ended(store, &error) {
        PluginErrorKind::Trap { trap, .. } if !error.is::<Trap>() => {
            plugin.error(PluginErrorKind::World(trap))
        }
        kind => plugin.error(kind),
    })
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
        (Some(Stop::Table), _) => PluginErrorKind::Table,
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
            let words = error.root_cause().to_string();
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
    fn start(engine: &Engine) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let engine = engine.clone();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
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
