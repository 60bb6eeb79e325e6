//! What is told while something happens: a line on a terminal that changes, plain lines elsewhere, or JSON for programs.

use std::cell::{Cell, RefCell};

use indicatif::{ProgressBar, ProgressStyle};
use lathe_cluster::status::State;
use lathe_cluster::{Action, Event, Outcome};
use serde_json::json;

use crate::console;

/// Tells events.
pub(crate) struct Progress {
    /// JSON on standard output, a line for each event.
    json: bool,
    bar: Option<ProgressBar>,
    done: Cell<usize>,
    /// Why standard output could not be written.
    failed: RefCell<Option<anyhow::Error>>,
}

impl Progress {
    pub(crate) fn new(json: bool) -> Self {
        let bar = console::is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { json, bar, done: Cell::new(0), failed: RefCell::default() }
    }

    /// Tells what happens.
    pub(crate) fn tell(&self, event: Event<'_>) {
        if self.json {
            self.print(&match event {
                Event::Waits { holder } => json!({"event": "waits", "holder": holder}),
                Event::Did { object, action } => {
                    json!({"event": "object", "object": object, "action": name(action)})
                }
                Event::Health { object, health } => {
                    let state = state(health.state);
                    json!({"event": "health", "object": object, "state": state, "message": health.message})
                }
            });
        }
        match event {
            Event::Waits { holder } => {
                self.line(&format!("another run changes this set, and is waited for: {holder}"), true);
            }
            Event::Did { object, action } => {
                self.done.set(self.done.get() + 1);
                self.line(&format!("{}: {object} {}", self.done.get(), name(action)), false);
            }
            Event::Health { object, health } => {
                let told = health.state != State::Current;
                self.line(&format!("{object}: {}", health.message), told && !self.json);
            }
        }
    }

    /// Takes the changing line away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Tells how it ended, and whether all could be told.
    pub(crate) fn result(&self, outcome: &Outcome, hide: impl Fn(&str) -> String) -> anyhow::Result<()> {
        let objects = outcome.entries.iter();
        let objects: Vec<_> =
            objects.map(|entry| json!({"object": entry.object, "action": name(entry.action)})).collect();
        let failures = outcome.failures.iter();
        let failures: Vec<_> = failures
            .map(|failure| json!({"object": failure.object, "message": hide(&failure.message)}))
            .collect();
        let ended = outcome.lost.as_ref().map(|error| hide(&error.to_string()));
        self.print(&json!({
            "event": "end", "changed": outcome.changed, "objects": objects, "failures": failures, "ended": ended,
        }));
        self.failed.take().map_or(Ok(()), Err)
    }

    fn line(&self, text: &str, plain: bool) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(console::plain(text));
                bar.tick();
            }
            None if plain => console::note(text),
            None => {}
        }
    }

    fn print(&self, line: &serde_json::Value) {
        if let Err(error) = console::print(&format!("{line}\n")) {
            self.failed.borrow_mut().get_or_insert(error);
        }
    }
}

/// An action's name for programs.
pub(crate) fn name(action: Action) -> &'static str {
    match action {
        Action::Created => "created",
        Action::Changed => "changed",
        Action::Replaced => "replaced",
        Action::Unchanged => "unchanged",
        Action::Deleted => "deleted",
        Action::Left => "left",
        Action::Ignored => "ignored",
        Action::Ran => "ran",
        Action::NoHook => "no-hook",
        Action::Planned => "planned",
        Action::NotApplied => "not-applied",
        Action::Unknown => "unknown",
    }
}

/// A state's name for programs.
pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::InProgress => "in-progress",
        State::Failed => "failed",
        State::Current => "current",
        State::Terminating => "terminating",
    }
}
