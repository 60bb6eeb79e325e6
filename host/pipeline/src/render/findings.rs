//! What plugins found and declared.

use std::collections::HashSet;

use lathe_runtime::types;

use crate::connect;
use crate::problem::Problem;
use crate::render::Run;
use crate::report::Finding;

impl Run<'_> {
    pub(super) fn take_findings(&mut self, plugin: &str, keys: &[u32], findings: Vec<types::Finding>) {
        const LONGEST: usize = 4096;
        const MOST: usize = 10_000;
        let labels = self.tree.labels();
        if findings.len() > MOST {
            let told = format!("the plugin has {} findings, and {MOST} are told", findings.len());
            self.found.push((None, Problem::new("too-many-findings", told).by(plugin)));
        }
        for finding in findings.into_iter().take(MOST) {
            let position = finding.at.as_ref().and_then(|at| usize::try_from(at.object).ok());
            let key = position.and_then(|at| keys.get(at)).copied();
            let mut pointer = finding.at.map(|at| at.pointer).unwrap_or_default();
            pointer.truncate(pointer.floor_char_boundary(LONGEST));
            let mut message = finding.message;
            message.truncate(message.floor_char_boundary(LONGEST));
            let kebab = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            let sound = finding.code.len() <= 64 && finding.code.bytes().all(kebab);
            let code = if sound { finding.code.as_str() } else { "malformed-code" };
            let object = key.and_then(|key| labels.get(&key)).cloned().unwrap_or_default();
            let problem = Problem::new(code, message).at(object, pointer).by(plugin);
            let severity = match finding.severity {
                types::Severity::Error => {
                    self.found.push((key, problem));
                    continue;
                }
                types::Severity::Warning => {
                    self.report.warnings.push(problem.to_string());
                    "warning"
                }
                types::Severity::Info => "info",
            };
            self.report.findings.push(Finding { severity, problem });
        }
    }

    pub(super) fn settle_intents(&mut self) {
        let mut intents = connect::lock(&self.intents);
        intents.declared.sort_by(|a, b| a.intent.name.cmp(&b.intent.name));
        for error in &intents.refused {
            self.report.problems.push(Problem::new("client", error.to_string()));
        }
        let (mut keys, mut secrets) = (HashSet::new(), HashSet::new());
        let environment = self.of.environment;
        for declared in &intents.declared {
            let (name, secret) = (&declared.intent.name, &declared.intent.secret_name);
            if !keys.insert(&declared.key) || !secrets.insert(secret) {
                let told = format!(
                    "login client `{name}` is declared twice, or shares Secret `{secret}` with another"
                );
                self.report.problems.push(Problem::new("client", told));
            }
            let own = |host: &String| {
                environment.review.is_none() || environment.hosts.values().any(|target| target == host)
            };
            for host in declared.intent.hosts.iter().filter(|host| !own(host)) {
                let told = format!("login client `{name}`: `{host}` is no host of this review");
                self.report.problems.push(Problem::new("client", told));
            }
        }
        self.report.clients.clone_from(&intents.declared);
    }
}
