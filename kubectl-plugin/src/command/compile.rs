//! `compile-plugin`: the process in which a plugin is compiled, so that one made to be compiled forever ends with it.

use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Resource, Rlimit, Signal, getpid, getppid, kill_process, setrlimit};

use crate::cli::CompilePlugin;
use crate::console::Failure;

/// The address space that compiling may take: some 18 MB of WebAssembly take 1 GiB.
const MEMORY: u64 = 6 << 30;

pub(crate) fn run(flags: &CompilePlugin) -> anyhow::Result<()> {
    // Whoever started this may be gone before it is done. Cranelift uses all cores, so its time is a multiple.
    let seconds = (flags.limit / 1000 + 1).saturating_mul(256);
    let limit = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    for (resource, most) in [(Resource::As, MEMORY), (Resource::Cpu, seconds), (Resource::Core, 0)] {
        // A system that has no such limit has the clock.
        let _ = setrlimit(resource, limit(most));
    }
    end_with(getppid())?;
    let mut wasm = Vec::new();
    io::stdin().lock().read_to_end(&mut wasm)?;
    let code =
        lathe_runtime::compile_here(&wasm).map_err(|error| Failure::refused(error.to_string(), &[]))?;
    io::stdout().lock().write_all(&code).context("nobody takes the code")
}

/// Ends this process when the one that started it is gone, which may have been killed.
fn end_with(parent: Option<Pid>) -> anyhow::Result<()> {
    thread::Builder::new().spawn(move || {
        while getppid() == parent {
            thread::sleep(Duration::from_millis(200));
        }
        // At once, whatever the compiler is at.
        let _ = kill_process(getpid(), Signal::KILL);
    })?;
    Ok(())
}
