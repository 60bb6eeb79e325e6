//! What reading, writing and rendering cost with the number of objects.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;

use super::Figures;
use super::subject::{Subject, figures, median, ms};
use crate::process::root;

/// How often each program is run.
const RUNS: usize = 7;
const RUNS_OF_KUSTOMIZE: usize = 3;

/// How often sigs.k8s.io/yaml has to take Lathe's time, what a render may take of reading and writing, what it may take in
/// memory of its input, and how the time of one object may grow from one size to the next.
const TIMES_FASTER: f64 = 3.0;
const OF_READ_AND_WRITE: f64 = 1.3;
const OF_INPUT: f64 = 6.0;
const GROWTH: f64 = 1.2;

/// Numbers of objects.
const SIZES: [u32; 3] = [1_000, 10_000, 100_000];

/// Runs all programs in turns, in a folder of its own.
pub(super) fn measure(
    work: &Path,
    kustomize: &Path,
    oracle: &Path,
    told: &mut Figures,
) -> anyhow::Result<()> {
    fs::create_dir_all(work)?;
    for size in SIZES {
        fs::write(work.join(format!("{size}.yaml")), manifests(size)?)?;
    }
    fs::write(work.join("kustomization.yaml"), format!("resources: [{}.yaml]\n", SIZES[0]))?;
    let subject = |name, program: PathBuf, arguments: &[&str]| Subject {
        name,
        program,
        arguments: arguments.iter().map(ToString::to_string).collect(),
        folder: work.to_owned(),
        home: work.join("home"),
        costs: Vec::new(),
    };
    let lathe = root().join("target/release/kubectl-lathe");
    let mut renders = [
        subject("render `-f`, 1,000 objects", lathe.clone(), &["render", "-f", "1000.yaml"]),
        subject("render `-f`, 10,000 objects", lathe.clone(), &["render", "-f", "10000.yaml"]),
        subject("render `-f`, 100,000 objects", lathe, &["render", "-f", "100000.yaml"]),
    ];
    let mut build = subject("`kustomize build`, 1,000 objects", kustomize.to_owned(), &["build", "."]);
    let own = subject("", root().join("target/release/examples/throughput"), &["10000.yaml"]);
    let theirs = subject("", oracle.to_owned(), &["bench", "10000.yaml"]);
    let (mut ours, mut others) = (Turns::default(), Turns::default());
    for turn in 0..RUNS {
        ours.take(own.command())?;
        others.take(theirs.command())?;
        for render in &mut renders {
            render.run()?;
        }
        if turn < RUNS_OF_KUSTOMIZE {
            build.run()?;
        }
    }
    let input = fs::metadata(work.join("10000.yaml"))?.len();
    tell(&renders, &build, [&ours, &others], input, told);
    Ok(())
}

/// Nanoseconds of reading and of writing, of each turn.
#[derive(Default)]
struct Turns {
    read: Vec<u64>,
    write: Vec<u64>,
}

impl Turns {
    fn take(&mut self, mut command: Command) -> anyhow::Result<()> {
        let output = command.output()?;
        ensure!(output.status.success(), "{}: {}", command.get_program().display(), output.status);
        let [read, write] = figures(&output.stdout)?;
        self.read.push(read);
        self.write.push(write);
        Ok(())
    }

    fn medians(&self) -> (f64, f64) {
        let ms = |all: &Vec<u64>| ms(Duration::from_nanos(median(all.clone())));
        (ms(&self.read), ms(&self.write))
    }
}

/// So many objects made from the portal example: copies under names of their own, with annotations that bring them to about
/// a kilobyte each.
pub(super) fn manifests(count: u32) -> anyhow::Result<String> {
    let text = fs::read_to_string(root().join("examples/portal/manifests/portal.yaml"))?;
    let is_object = |document: &&str| {
        document.contains("\nmetadata:")
            && !["\nkind: List", "generateName"].iter().any(|word| document.contains(word))
    };
    let documents: Vec<&str> = text.split("\n---\n").filter(is_object).collect();
    ensure!(documents.len() > 10, "the portal has lost its objects");
    let mut out = String::new();
    for (document, number) in documents.iter().cycle().zip(0..count as usize) {
        let copy = number / documents.len();
        let more = format!(
            "    example.org/copy: \"{copy}\"\n    example.org/checksum: x{number:064x}\n    example.org/description: one of many copies of an \
             object of the portal, made to measure how long reading and writing take\n"
        );
        let (head, metadata) = document.split_once("\nmetadata:").unwrap_or_default();
        let metadata = metadata.replacen("name: ", &format!("name: copy-{copy}-"), 1);
        let annotated = if metadata.contains("\n  annotations:\n") {
            metadata.replacen("\n  annotations:\n", &format!("\n  annotations:\n{more}"), 1)
        } else if metadata.starts_with('\n') {
            format!("\n  annotations:\n{more}{}", metadata.trim_start_matches('\n'))
        } else {
            metadata
        };
        out.push_str("---\n");
        out.push_str(head.trim_start_matches('\n'));
        out.push_str("\nmetadata:");
        out.push_str(annotated.trim_end_matches('\n'));
        out.push('\n');
    }
    Ok(out)
}

fn tell(renders: &[Subject; 3], build: &Subject, turns: [&Turns; 2], input: u64, told: &mut Figures) {
    let [ours, theirs] = turns.map(Turns::medians);
    told.text.push_str(&format!(
        "\n## Many objects\n\nMade from the portal example; 10,000 of them are {:.1} MB. {RUNS} runs each, of `kustomize build` \
         {RUNS_OF_KUSTOMIZE}.\n\n| | wall | processor | memory |\n|---|---:|---:|---:|\n",
        mb(input)
    ));
    for subject in renders.iter().chain([build]) {
        let (wall, cpu) = (ms(subject.median(|cost| cost.wall)), ms(subject.median(|cost| cost.cpu)));
        let memory = mb(subject.median(|cost| cost.memory));
        told.text.push_str(&format!("| {} | {wall:.0} ms | {cpu:.0} ms | {memory:.0} MB |\n", subject.name));
    }
    told.text.push_str("\n10,000 objects | read | write\n---|---:|---:\n");
    for (name, (read, write)) in [("Lathe", ours), ("sigs.k8s.io/yaml", theirs)] {
        told.text.push_str(&format!("{name} | {read:.0} ms | {write:.0} ms\n"));
    }
    let wall = renders.each_ref().map(|render| ms(render.median(|cost| cost.wall)));
    let memory = renders[1].median(|cost| cost.memory);
    told.text.push_str("\n| 10,000 objects | | limit |\n|---|---:|---:|\n");
    told.row("read / read of sigs.k8s.io/yaml", &[ours.0 / theirs.0], 1.0 / TIMES_FASTER, "");
    told.row("write / write of sigs.k8s.io/yaml", &[ours.1 / theirs.1], 1.0 / TIMES_FASTER, "");
    told.row("render / (read + write)", &[wall[1] / (ours.0 + ours.1)], OF_READ_AND_WRITE, "");
    told.row("memory of render / input", &[mb(memory) / mb(input)], OF_INPUT, "");
    for (pair, sizes) in wall.windows(2).zip(SIZES.windows(2)) {
        let [(less, few), (more, many)] =
            [(pair[0], sizes[0]), (pair[1], sizes[1])].map(|(time, size)| (time, f64::from(size)));
        told.row(&format!("an object of {many} / one of {few}"), &[more / many / (less / few)], GROWTH, "");
    }
}

#[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
