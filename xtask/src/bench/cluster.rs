//! A thousand objects on a real API server: new, and as they are, beside `kubectl apply --server-side` and Helm.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Figures;
use super::subject::{Subject, ms};
use crate::cluster::Cluster;
use crate::process::{self, root};
use crate::tools::{self, Tool as _};

/// How many objects.
const COUNT: usize = 1000;

/// How often, each time in namespaces of its own.
const ROUNDS: usize = 3;

/// How many times as fast as the faster of the others an apply of what is there has to be, at least.
const UNCHANGED: f64 = 0.5;

const MEGA: f64 = 1_048_576.0;

/// Config of some size, accounts and services: nothing that makes a controller start pods.
fn objects() -> String {
    let one = |number: usize| match number % 4 {
        0 => format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: o{number}}}\nspec: {{selector: {{app: a}}, ports: [{{port: 80}}]}}\n"
        ),
        1 => format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: o{number}}}\n"),
        _ => format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: o{number}, labels: {{app: a, part: of}}}}\ndata:\n  file: |\n{}",
            "    a line of config that a program reads\n".repeat(40)
        ),
    };
    (0..COUNT).map(one).collect::<Vec<_>>().join("---\n")
}

pub(super) fn measure(work: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let cluster = Cluster::start()?;
    let helm = tools::HELM.folder()?.join("helm");
    let kubeconfig = cluster.kubeconfig().display().to_string();
    fs::create_dir_all(work.join("chart/templates"))?;
    fs::create_dir_all(work.join("home"))?;
    fs::write(work.join("set.yaml"), objects())?;
    fs::write(work.join("chart/templates/set.yaml"), objects())?;
    fs::write(work.join("chart/Chart.yaml"), "apiVersion: v2\nname: set\nversion: 0.1.0\n")?;
    let environments: String =
        (0..ROUNDS).map(|round| format!("  e{round}: {{namespace: lathe-{round}}}\n")).collect();
    fs::write(
        work.join("lathe.yaml"),
        format!(
            "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: bench}}\ninputs: [set.yaml]\nenvironments:\n{environments}"
        ),
    )?;
    let lathe = root().join("target/release/kubectl-lathe");
    let mut lock = Command::new(&lathe);
    lock.arg("lock").current_dir(work);
    process::run(lock)?;
    let subject = |name: &'static str, program: &Path| Subject {
        name,
        program: program.to_owned(),
        arguments: Vec::new(),
        folder: work.to_owned(),
        home: work.join("home"),
        costs: Vec::new(),
    };
    let mut tables = Vec::new();
    for what in ["new", "unchanged"] {
        let mut subjects =
            [subject("lathe", &lathe), subject("kubectl", cluster.kubectl()), subject("helm", &helm)];
        for round in 0..ROUNDS {
            for subject in &mut subjects {
                let namespace = format!("{}-{round}", subject.name);
                if what == "new" {
                    let mut create = Command::new(cluster.kubectl());
                    create.args(["--kubeconfig", &kubeconfig, "create", "namespace", &namespace]);
                    process::run(create)?;
                }
                let environment = format!("e{round}");
                let words: Vec<&str> = match subject.name {
                    "lathe" => vec!["apply", "--env", &environment],
                    "kubectl" => vec!["apply", "--server-side", "-f", "set.yaml", "-n", &namespace],
                    _ => vec!["upgrade", "--install", "--server-side=true", "set", "chart", "-n", &namespace],
                };
                subject.arguments =
                    words.into_iter().chain(["--kubeconfig", &kubeconfig]).map(ToOwned::to_owned).collect();
                subject.run()?;
            }
        }
        tables.push((what, subjects));
    }
    let heads = "| | Lathe | kubectl | Helm |\n|---|---|---|---|\n";
    figures.text.push_str(&format!("\n## {COUNT} objects on an API server\n\n{heads}"));
    let mut ratios = Vec::new();
    for (what, subjects) in &tables {
        let walls = subjects.each_ref().map(|subject| ms(subject.median(|cost| cost.wall)) / 1000.0);
        let memory = subjects
            .each_ref()
            .map(|subject| subject.costs.iter().map(|cost| cost.memory).max().unwrap_or_default());
        #[allow(clippy::cast_precision_loss, reason = "no memory is that large")]
        let memory = memory.map(|bytes| bytes as f64 / MEGA);
        let row = |values: [f64; 3], unit: &str| values.map(|value| format!("{value:.1} {unit}")).join(" | ");
        figures.text.push_str(&format!("| {what} | {} |\n", row(walls, "s")));
        figures.text.push_str(&format!("| {what}, memory | {} |\n", row(memory, "MiB")));
        let limit = if *what == "new" { 1.0 } else { UNCHANGED };
        ratios.push((
            format!("{what}: Lathe / the faster of the others"),
            walls[0] / walls[1].min(walls[2]),
            limit,
        ));
        ratios.push((format!("{what}: memory, Lathe / kubectl"), memory[0] / memory[1], 1.0));
    }
    figures.text.push_str("\n| | ratio | limit |\n|---|---|---|\n");
    for (name, ratio, limit) in ratios {
        figures.row(&name, &[ratio], limit, "");
    }
    Ok(())
}
