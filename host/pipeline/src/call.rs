//! One transform's call, or its calls: a plugin that looks at one object at a time is called for a part of them at once, on
//! every core.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lathe_runtime::capability::Capabilities;
use lathe_runtime::types::{Edit, Finding, Object, Outcome, Request};
use lathe_runtime::{Limits, Plugin, PluginError, PluginErrorKind, Runtime, Transformed};

use crate::connect;

/// How many objects one of several calls gets in a render. Fixed, so that fuel and order do not depend on how many cores there are.
pub(crate) const PART: usize = 256;

/// One call of a plugin, or the calls that it is split into.
pub struct Call<'a> {
    /// The sandbox.
    pub runtime: &'a Runtime,
    /// What is called.
    pub plugin: &'a Plugin,
    /// What one call may use; fuel and deadline hold for all of them together.
    pub limits: &'a Limits,
    /// How many objects each of several calls gets; `None` where all of them belong into one.
    pub part: Option<usize>,
    /// What a call for the objects from this position, so many, may use.
    pub granted: &'a (dyn Fn(usize, usize) -> Capabilities + Sync),
}

impl Call<'_> {
    /// Calls the plugin: outcome and fuel. Positions in the outcome are those in the request, however it was split.
    pub fn run(&self, request: Request) -> Result<(Outcome, u64), PluginError> {
        let plugin = self.plugin;
        let Some(part) = self.part.filter(|part| request.objects.len() > *part) else {
            let granted = (self.granted)(0, request.objects.len());
            let done = self.runtime.transform(plugin, &request, granted, self.limits)?;
            done.tell_log(&plugin.name);
            return Ok((done.outcome, done.fuel));
        };
        self.runtime.prepare(plugin, self.limits)?;
        let mut all = Outcome { edits: Vec::new(), findings: Vec::new() };
        let mut fuel = 0_u64;
        for (first, count, done) in self.parts(request, part.max(1))? {
            done.tell_log(&plugin.name);
            fuel = fuel.saturating_add(done.fuel);
            let shift = |position: &mut u32| {
                let within = usize::try_from(*position).is_ok_and(|position| position < count);
                let moved = u32::try_from(first).ok().and_then(|first| position.checked_add(first));
                *position = moved.filter(|_| within).unwrap_or(u32::MAX);
            };
            all.edits.extend(done.outcome.edits.into_iter().map(|edit| edit_at(edit, &shift)));
            all.findings.extend(done.outcome.findings.into_iter().map(|finding| finding_at(finding, &shift)));
        }
        if fuel > self.limits.fuel {
            return Err(self.plugin.error(PluginErrorKind::Fuel(self.limits.fuel)));
        }
        Ok((all, fuel))
    }

    /// The calls' answers in the order of their objects, or the error of the first that failed.
    fn parts(&self, request: Request, size: usize) -> Result<Vec<(usize, usize, Transformed)>, PluginError> {
        let started = Instant::now();
        let Request { config, environment, objects } = request;
        let parts: Vec<Mutex<Vec<Object>>> = split(objects, size).into_iter().map(Mutex::new).collect();
        let next = AtomicUsize::new(0);
        let failed = AtomicUsize::new(usize::MAX);
        let done = Mutex::new(Vec::with_capacity(parts.len()));
        let work = || loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(index).filter(|_| index < failed.load(Ordering::Relaxed)) else {
                return;
            };
            let objects = std::mem::take(&mut *connect::lock(part));
            let (first, count) = (index * size, objects.len());
            let request = Request { config: config.clone(), environment: environment.clone(), objects };
            let answer = self.part(&request, first, started);
            if answer.is_err() {
                failed.fetch_min(index, Ordering::Relaxed);
            }
            connect::lock(&done).push((first, count, answer));
        };
        let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(parts.len());
        thread::scope(|scope| {
            for _ in 1..workers {
                // With fewer threads it only takes longer.
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        let mut done = done.into_inner().unwrap_or_default();
        done.sort_by_key(|(first, ..)| *first);
        done.into_iter().map(|(first, count, answer)| Ok((first, count, answer?))).collect()
    }

    fn part(&self, request: &Request, first: usize, started: Instant) -> Result<Transformed, PluginError> {
        let deadline = self.limits.deadline();
        let left = deadline.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(self.plugin.error(PluginErrorKind::Deadline(deadline)));
        }
        let limits = Limits { deadline_ms: milliseconds(left), ..self.limits.clone() };
        let granted = (self.granted)(first, request.objects.len());
        self.runtime.transform(self.plugin, request, granted, &limits).map_err(|error| match error.kind {
            PluginErrorKind::Deadline(_) => self.plugin.error(PluginErrorKind::Deadline(deadline)),
            PluginErrorKind::Sleep(_) => self.plugin.error(PluginErrorKind::Sleep(deadline)),
            _ => error,
        })
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn split(objects: Vec<Object>, size: usize) -> Vec<Vec<Object>> {
    let mut parts = Vec::with_capacity(objects.len() / size + 1);
    let mut objects = objects.into_iter();
    loop {
        let part: Vec<Object> = objects.by_ref().take(size).collect();
        if part.is_empty() {
            return parts;
        }
        parts.push(part);
    }
}

fn edit_at(mut edit: Edit, shift: &impl Fn(&mut u32)) -> Edit {
    match &mut edit {
        Edit::Set(write) | Edit::Insert(write) => shift(&mut write.at.object),
        Edit::Remove(at) => shift(&mut at.object),
        Edit::DropObject(object) => shift(object),
        Edit::AddObject(_) => {}
    }
    edit
}

fn finding_at(mut finding: Finding, shift: &impl Fn(&mut u32)) -> Finding {
    if let Some(at) = &mut finding.at {
        shift(&mut at.object);
    }
    finding
}
