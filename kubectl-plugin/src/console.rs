//! What the user sees when something is wrong: `error:`, the problems, a `hint:`, an exit code.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use anyhow::Context as _;
use lathe_pipeline::Problem;

/// Usage, or something unexpected.
pub(crate) const USAGE: u8 = 2;
/// Refused: input, policy, leak, plugin, secret.
pub(crate) const REFUSED: u8 = 3;
/// It waits for somebody's approval.
pub(crate) const PENDING: u8 = 4;
/// Some of it is on the cluster, some of it is not.
pub(crate) const PARTLY: u8 = 5;

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    summary: String,
    problems: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    /// The command line, or a file it names, makes no sense.
    pub(crate) fn usage(summary: impl Into<String>) -> Self {
        Self { code: USAGE, summary: summary.into(), problems: Vec::new(), hint: None }
    }

    /// Everything that is wrong has been told already.
    pub(crate) fn told(code: u8) -> Self {
        Self { code, summary: String::new(), problems: Vec::new(), hint: None }
    }

    /// Refused for these reasons.
    pub(crate) fn refused(summary: impl Into<String>, problems: &[Problem]) -> Self {
        let problems = problems.iter().map(ToString::to_string).collect();
        Self { code: REFUSED, summary: summary.into(), problems, hint: None }
    }

    /// Some was done and some was not.
    pub(crate) fn partly(summary: impl Into<String>) -> Self {
        Self { code: PARTLY, summary: summary.into(), problems: Vec::new(), hint: None }
    }

    /// It waits for somebody's approval.
    pub(crate) fn pending(summary: impl Into<String>) -> Self {
        Self { code: PENDING, summary: summary.into(), problems: Vec::new(), hint: None }
    }

    pub(crate) fn with_problems(self, problems: Vec<String>) -> Self {
        Self { problems, ..self }
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary)
    }
}

impl std::error::Error for Failure {}

/// The reader of standard output went away, as `head` does.
#[derive(Debug)]
struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl std::error::Error for ReaderGone {}

/// Tells an error and gives its exit code. A reader that went away is no error.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<ReaderGone>() {
        return ExitCode::SUCCESS;
    }
    let Some(failure) = error.downcast_ref::<Failure>() else {
        tell(format_args!("error: {error:#}"));
        return ExitCode::from(USAGE);
    };
    if !failure.summary.is_empty() {
        tell(format_args!("error: {}", failure.summary.replace('\n', "\n    ")));
    }
    for problem in &failure.problems {
        tell(format_args!("  {}", problem.replace('\n', "\n    ")));
    }
    if let Some(hint) = &failure.hint {
        tell(format_args!("hint: {hint}"));
    }
    ExitCode::from(failure.code)
}

/// A line on standard error; where that cannot be written, there is nobody to tell.
fn tell(line: fmt::Arguments<'_>) {
    // What plugins and manifests say may hold control characters, which are for no terminal to obey.
    let line: String = line.to_string().chars().flat_map(shown).collect();
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The character, or its escape if a terminal could take it for a command.
fn shown(c: char) -> impl Iterator<Item = char> {
    let control = c.is_control() && c != '\n' && c != '\t';
    let bidi = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let escaped = (control || bidi).then(|| c.escape_unicode());
    let plain = if escaped.is_none() { Some(c) } else { None };
    escaped.into_iter().flatten().chain(plain)
}

/// Something the user should look at.
pub(crate) fn warn(message: &str) {
    tell(format_args!("warning: {message}"));
}

/// What was done, where it has no output of its own.
pub(crate) fn note(message: &str) {
    tell(format_args!("{message}"));
}

/// Text that no terminal takes for commands.
pub(crate) fn plain(text: &str) -> String {
    text.replace('\n', " ").chars().flat_map(shown).collect()
}

/// Whether a person looks on, and may answer.
pub(crate) fn is_terminal() -> bool {
    io::stderr().is_terminal() && io::stdin().is_terminal()
}

/// Asks a question that yes or no answers; `None` where there is nobody to ask.
pub(crate) fn ask(question: &str) -> Option<bool> {
    if !is_terminal() {
        return None;
    }
    tell(format_args!("{question}"));
    let _ = write!(io::stderr().lock(), "go on? [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer).unwrap_or_default();
    Some(read > 0 && matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Ends the process at once, whatever is under way.
#[allow(clippy::exit, reason = "who asked twice wants no more to be waited for")]
pub(crate) fn end_now(code: u8) {
    tell(format_args!("error: ended at once; the next run finds what was done"));
    std::process::exit(code.into());
}

/// Writes to standard output, all at once.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    // As a file, because the standard library takes standard output that cannot be written for one that nobody wants.
    let out = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    match out.and_then(|mut out| out.write_all(text.as_bytes())) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.context("standard output cannot be written"),
    }
}
