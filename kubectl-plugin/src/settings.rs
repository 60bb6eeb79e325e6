//! The command line and the process environment, resolved once: the only input that commands have beside their flags.
#![allow(clippy::disallowed_methods, reason = "this is where the binary reads the process environment")]

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use lathe_cluster::Access;
use lathe_pipeline::Builtin;
use lathe_runtime::{Compiler, Native};
use tracing_subscriber::EnvFilter;

use crate::cli::Global;

/// What commands need to know.
pub(crate) struct Settings {
    /// How hints name this program: `kubectl lathe`.
    pub(crate) program: &'static str,
    /// Where compiled plugins are kept; `None` where there is no home.
    pub(crate) cache: Option<PathBuf>,
    /// Where plugins from registries are kept; `None` where there is no home.
    pub(crate) plugins: Option<PathBuf>,
    /// The bundle that takes the place of registries.
    pub(crate) bundle: Option<PathBuf>,
    /// Docker's configuration, for credentials.
    pub(crate) docker_config: Option<PathBuf>,
    /// The user's file of age identities, where sops looks for it.
    pub(crate) age_keys: Option<PathBuf>,
    /// How plugins are compiled: by this program, in a process of its own.
    pub(crate) compiler: Option<Compiler>,
    /// Whether this runs in CI, where nothing is agreed to on the side.
    pub(crate) ci: bool,
    /// Policies from outside of the repository; all of them hold.
    pub(crate) policies: Vec<PathBuf>,
    /// `--namespace`, which only commands that talk to a cluster heed.
    pub(crate) namespace: Option<String>,
    /// The way to the cluster.
    pub(crate) access: Access,
    level: u32,
}

impl Settings {
    pub(crate) fn resolve(
        global: &Global,
        policy: Option<PathBuf>,
        bundle: Option<PathBuf>,
        program: &'static str,
    ) -> Result<Self, String> {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        let outside = std::env::var_os("LATHE_POLICY").map(PathBuf::from);
        if outside.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
            // A variable that was not filled in must not pass for none.
            return Err("`LATHE_POLICY` is empty; unset it, or name a file".to_owned());
        }
        let base = base.filter(|base| base.is_absolute()).map(|base| base.join("lathe"));
        let docker = folder("DOCKER_CONFIG").or_else(|| folder("HOME").map(|home| home.join(".docker")));
        let beside = std::env::var_os("LATHE_BUNDLE").map(PathBuf::from);
        if bundle.is_none() && beside.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
            return Err("`LATHE_BUNDLE` is empty; unset it, or name a folder".to_owned());
        }
        Ok(Self {
            program,
            plugins: base.as_ref().map(|base| base.join("plugins")),
            bundle: bundle.or(beside),
            docker_config: docker.map(|docker| docker.join("config.json")),
            age_keys: folder("XDG_CONFIG_HOME")
                .or_else(|| folder("HOME").map(|home| home.join(".config")))
                .map(|config| config.join("sops/age/keys.txt")),
            access: access(global, folder("HOME"))?,
            cache: base.map(|base| base.join("components")),
            compiler: std::env::current_exe()
                .ok()
                .map(|program| Compiler { program, arguments: vec!["compile-plugin".into()] }),
            ci: std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "false" | "0")),
            policies: outside.into_iter().chain(policy).collect(),
            namespace: global.namespace.clone().filter(|name| !name.is_empty()),
            level: global.verbose.iter().map(|level| u32::from(*level)).sum(),
        })
    }

    /// Starts logging to standard error: `-v`, or what `RUST_LOG` asks for.
    pub(crate) fn start_logging(&self) {
        let level = match self.level {
            // The client logs what is told as an error anyway.
            0 => "error,kube_client=off",
            1 => "lathe_runtime=info,lathe_cluster=info,warn,kube_client=off",
            2 => "lathe_runtime=debug,lathe_cluster=debug,info,kube_client=off",
            // The client logs answers as they are, and a server may quote a Secret in one.
            _ => "debug,kube_client=off",
        };
        let asked = std::env::var("RUST_LOG").ok().filter(|asked| !asked.is_empty());
        let filter = asked.and_then(|asked| EnvFilter::try_new(format!("{asked},kube_client=off")).ok());
        let filter = filter.unwrap_or_else(|| EnvFilter::new(level));
        let logging = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        // Logging that was started by somebody else is as good.
        let _ = logging.with_ansi(false).without_time().try_init();
    }
}

/// kubectl's flags, and the files that kubectl would read.
fn access(global: &Global, home: Option<PathBuf>) -> Result<Access, String> {
    let listed = std::env::var_os("KUBECONFIG").filter(|list| !list.is_empty());
    let files: Vec<PathBuf> = match (&global.kubeconfig, listed) {
        (Some(file), _) => vec![file.clone()],
        (None, Some(list)) => {
            std::env::split_paths(&list).filter(|file| !file.as_os_str().is_empty()).collect()
        }
        (None, None) => home.map(|home| home.join(".kube/config")).into_iter().collect(),
    };
    // A variable of a CI job that is not set leaves an empty flag, which kubectl takes for none.
    let text = |flag: &Option<String>| flag.clone().filter(|text| !text.is_empty());
    let extra = |text: &String| {
        let pair = text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        pair.ok_or_else(|| format!("`--as-user-extra` takes key=value, and this is `{text}`"))
    };
    Ok(Access {
        kubeconfig: files,
        explicit: global.kubeconfig.is_some(),
        context: text(&global.context),
        cluster: text(&global.cluster),
        user: text(&global.user),
        server: text(&global.server),
        token: text(&global.token),
        as_user: text(&global.as_user),
        as_uid: text(&global.as_uid),
        as_groups: global.as_group.clone(),
        as_user_extra: global.as_user_extra.iter().map(extra).collect::<Result<_, _>>()?,
        certificate_authority: global.certificate_authority.clone(),
        client_certificate: global.client_certificate.clone(),
        client_key: global.client_key.clone(),
        insecure_skip_tls_verify: global.insecure_skip_tls_verify,
        tls_server_name: text(&global.tls_server_name),
        proxy_url: text(&global.proxy_url),
        request_timeout: global.request_timeout.as_deref().map(request_timeout).transpose()?.flatten(),
        disable_compression: global.disable_compression,
    })
}

/// Longer time-outs are slips of the hand, and reach beyond what clocks can add.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(24);

/// `--request-timeout`; zero is no limit of the user's own.
fn request_timeout(text: &str) -> Result<Option<Duration>, String> {
    let time = duration(text).map_err(|told| format!("`--request-timeout` {told}"))?;
    Ok((!time.is_zero()).then_some(time))
}

/// How long something may be ago: `7d`, `12h`.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    lathe_pipeline::age(text).ok_or_else(|| format!("takes a time such as 7d or 12h, and this is `{text}`"))
}

/// A duration as kubectl takes it: seconds, or Go's `1m30s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("takes seconds or a duration such as 1m30s, and this is `{text}`");
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let seconds = match unit {
            "" if rest == text => 1.0,
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        total = total.checked_add(part).filter(|total| *total <= LONGEST_TIMEOUT).ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// A variable of the process environment, for secret providers that may read it.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The milliseconds since 1970.
pub(crate) fn milliseconds() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

/// The time of this moment as RFC 3339 has it, in UTC and whole seconds.
pub(crate) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time that long from now, in the same form.
pub(crate) fn time_after(age: Duration) -> String {
    let then = Timestamp::now().checked_add(age).unwrap_or(Timestamp::MAX);
    then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The plugins that are part of this binary.
#[allow(unsafe_code, reason = "native code has to be vouched for; see below")]
pub(crate) fn builtin(name: &str) -> Option<Builtin> {
    let lathe_bundle::Builtin { version, source, wasm, native, descriptor, .. } = *lathe_bundle::find(name)?;
    // SAFETY: the build script of lathe-bundle made this code of this very component with this workspace's lathe-runtime,
    // and it has been a part of this binary since.
    let native = unsafe { Native::new(native) };
    Some(Builtin { version, source, wasm, native, descriptor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_kubectls() {
        for (text, want) in
            [("5", 5_000), ("1m30s", 90_000), ("2s500ms", 2_500), ("0", 0), ("1.5h", 5_400_000)]
        {
            let want = (want > 0).then(|| Duration::from_millis(want));
            assert_eq!(request_timeout(text), Ok(want), "{text}");
        }
        for text in ["", "x", "5x", "1m30", "-1s", ".", "1e400", "10000000000000000000", "25h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
