//! A cluster to test with: etcd, API server and controller manager on loopback, no nodes.
//!
//! It lives in a folder of its own and ends with the run that started it, also by signal. What a run left that was
//! killed outright, the next one ends, by pid: programs that name the folder of a run that is no more.

mod pki;

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};

use crate::process::{self, Started};
use crate::tools::{self, Tool as _};
use pki::Pki;

/// How long a server may take to start; measured are 5 s on an idle machine.
const LONGEST: Duration = Duration::from_mins(2);

const PREFIX: &str = "lathe-cluster-";

/// A running cluster.
pub(crate) struct Cluster {
    folder: PathBuf,
    /// Held for as long as the run lives, whatever ends it.
    _alive: File,
    servers: Vec<Started>,
    kubectl: PathBuf,
}

impl Cluster {
    /// Starts one and waits until it can be used. A port may be taken in the moment before a server takes it; then
    /// another try has others.
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::try_start().or_else(|error| {
            eprintln!("cluster: {error:#}\ncluster: once more");
            Self::try_start()
        })
    }

    fn try_start() -> anyhow::Result<Self> {
        let (etcd, kubernetes) = (tools::ETCD.folder()?, tools::KUBERNETES.folder()?);
        let mut cluster = Self::lay(kubernetes.join("kubectl"))?;
        let started = Instant::now();
        cluster.run(&etcd.join("etcd"), &kubernetes)?;
        eprintln!("cluster: ready after {:.1} s", started.elapsed().as_secs_f64());
        Ok(cluster)
    }

    /// Makes the folder, after those that nobody needs any more are gone. One run at a time does this.
    fn lay(kubectl: PathBuf) -> anyhow::Result<Self> {
        let _alone = tools::exclusive("clusters")?;
        sweep()?;
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos();
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}-{nanos}", std::process::id()));
        // Its files are keys.
        fs::DirBuilder::new().mode(0o700).create(&folder).with_context(|| folder.display().to_string())?;
        process::remove_at_end(&folder);
        let alive = File::create(folder.join("alive"))?;
        alive.lock()?;
        Ok(Self { folder, _alive: alive, servers: Vec::new(), kubectl })
    }

    /// The administrator's kubeconfig. Its context `expired` has a token that has run out.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The kubectl of the cluster's version.
    pub(crate) fn kubectl(&self) -> &Path {
        &self.kubectl
    }

    fn run(&mut self, etcd: &Path, kubernetes: &Path) -> anyhow::Result<()> {
        let [client, peer, secure, manager] = ports()?;
        let pki = Pki::new(&self.folder)?;
        pki.write_kubeconfig(&self.kubeconfig(), &format!("https://127.0.0.1:{secure}"))?;
        let folder = self.folder.display().to_string();
        let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let flags = [
            "--name=test".to_owned(),
            format!("--data-dir={folder}/etcd"),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=test={peer}"),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        self.server("etcd", etcd, &flags)?;
        let flags = [
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={secure}"),
            "--advertise-address=127.0.0.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--etcd-servers={client}"),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            format!("--tls-cert-file={folder}/server.crt"),
            format!("--tls-private-key-file={folder}/server.key"),
            format!("--client-ca-file={folder}/ca.crt"),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={folder}/sa.pub"),
            format!("--service-account-signing-key-file={folder}/sa.key"),
            "--authorization-mode=RBAC".to_owned(),
            "--allow-privileged=true".to_owned(),
            "--profiling=false".to_owned(),
        ];
        self.server("kube-apiserver", &kubernetes.join("kube-apiserver"), &flags)?;
        self.until("/readyz", &["get", "--raw=/readyz"])?;
        let kubeconfig = self.kubeconfig().display().to_string();
        let flags = [
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={manager}"),
            format!("--cert-dir={folder}/manager"),
            "--leader-elect=false".to_owned(),
            "--controllers=*".to_owned(),
            format!("--service-account-private-key-file={folder}/sa.key"),
            format!("--root-ca-file={folder}/ca.crt"),
        ];
        self.server("kube-controller-manager", &kubernetes.join("kube-controller-manager"), &flags)?;
        self.until("the default ServiceAccount", &["get", "serviceaccount", "default"])
    }

    fn server(&mut self, name: &str, program: &Path, flags: &[String]) -> anyhow::Result<()> {
        let log = File::create(self.folder.join(format!("{name}.log")))?;
        let mut command = Command::new(program);
        command.args(flags).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.servers.push(Started::new(&mut command).with_context(|| name.to_owned())?);
        Ok(())
    }

    /// Asks until there is an answer; a server that ended is an error with the end of its log.
    fn until(&mut self, what: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            // First, for an API server may have found the etcd of others under its port.
            if self.servers.iter_mut().any(Started::has_ended) || started.elapsed() > LONGEST {
                bail!("the cluster has no {what}\n{}", self.logs());
            }
            let mut command = Command::new(&self.kubectl);
            command.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments);
            if command.output()?.status.success() {
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
    }

    fn logs(&self) -> String {
        let mut text = String::new();
        for name in ["etcd", "kube-apiserver", "kube-controller-manager"] {
            let log = fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines.get(lines.len().saturating_sub(10)..).unwrap_or_default();
            text.push_str(&format!("{name}:\n{}\n", end.join("\n")));
        }
        text
    }
}

/// Keeps a cluster running until a signal comes.
pub(crate) fn run() -> anyhow::Result<()> {
    let cluster = Cluster::start()?;
    println!("export LATHE_TEST_KUBECONFIG={}", cluster.kubeconfig().display());
    println!("export LATHE_TEST_KUBECTL={}", cluster.kubectl().display());
    eprintln!("cluster: Ctrl-C ends it");
    loop {
        std::thread::park();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The last started first, so that nobody misses what it needs.
        while self.servers.pop().is_some() {}
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Free ports, all held until all are known.
fn ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let held: Vec<TcpListener> =
        (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

/// Ends what runs left that were killed before they could: in folders of this user whose run holds them no more, the
/// programs that have the folder in their command line.
fn sweep() -> anyhow::Result<()> {
    let own = fs::metadata(tools::cache()?)?.uid();
    for entry in fs::read_dir(std::env::temp_dir())?.flatten() {
        let path = entry.path();
        let ours = fs::symlink_metadata(&path)
            .is_ok_and(|meta| meta.is_dir() && meta.uid() == own && meta.mode() & 0o777 == 0o700);
        if !ours || !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // Without the file, a run was killed before it made it: runs are laid one at a time.
        if File::open(path.join("alive")).is_ok_and(|alive| alive.try_lock().is_err()) {
            continue;
        }
        let text = path.display().to_string();
        for pid in process::with_argument(&text) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        let started = Instant::now();
        while !process::with_argument(&text).is_empty() && started.elapsed() < LONGEST {
            sleep(Duration::from_millis(20));
        }
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).context(text),
            _ => {}
        }
    }
    Ok(())
}
