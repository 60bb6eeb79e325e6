//! The command line and the process environment, resolved once: the only input that commands have beside their flags.
#![allow(clippy::disallowed_methods, reason = "this is where the binary reads the process environment")]

use std::path::PathBuf;

use lathe_pipeline::Builtin;
use tracing_subscriber::EnvFilter;

use crate::cli::Global;

/// What commands need to know.
pub(crate) struct Settings {
    /// How hints name this program: `kubectl lathe`.
    pub(crate) program: &'static str,
    /// Where compiled plugins are kept; `None` where there is no home.
    pub(crate) cache: Option<PathBuf>,
    /// Whether this runs in CI, where nothing is agreed to on the side.
    pub(crate) ci: bool,
    /// `--namespace`, which only commands that talk to a cluster heed.
    pub(crate) namespace: Option<String>,
    level: u32,
}

impl Settings {
    pub(crate) fn resolve(global: &Global, program: &'static str) -> Self {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        Self {
            program,
            cache: base.filter(|base| base.is_absolute()).map(|base| base.join("lathe/components")),
            ci: std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "false" | "0")),
            namespace: global.namespace.clone(),
            level: global.verbose.iter().map(|level| u32::from(*level)).sum(),
        }
    }

    /// Starts logging to standard error: `-v`, or what `RUST_LOG` asks for.
    pub(crate) fn start_logging(&self) {
        let level = match self.level {
            0 => "error",
            1 => "lathe_runtime=info,warn",
            2 => "lathe_runtime=debug,info",
            _ => "debug",
        };
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
        let logging = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        // Logging that was started by somebody else is as good.
        let _ = logging.with_ansi(false).without_time().try_init();
    }
}

/// A variable of the process environment, for secret providers that may read it.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The plugins that are part of this binary.
pub(crate) fn builtin(name: &str) -> Option<Builtin> {
    let builtin = lathe_bundle::find(name)?;
    Some(Builtin { version: builtin.version, source: builtin.source, wasm: builtin.wasm })
}
