//! What can go wrong with a plugin. Messages name the plugin and its digest, never a value.

use std::time::Duration;

/// A plugin that could not be used or did not end well.
#[derive(Debug, thiserror::Error)]
#[error("plugin `{plugin}` ({digest}) {kind}")]
pub struct PluginError {
    /// How the pipeline names it.
    pub plugin: String,
    /// The sha256 of its bytes.
    pub digest: String,
    /// What happened.
    pub kind: PluginErrorKind,
}

/// What happened to a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginErrorKind {
    /// The bytes are no component and no command.
    #[error("is no WebAssembly component, and no command for wasm32-wasip1: {0}")]
    NotAPlugin(String),
    /// Imports that no Lathe answers.
    #[error("imports what no plugin may have: {}", .0.join(", "))]
    UnknownImports(Vec<String>),
    /// A capability that the component imports and that was not granted.
    #[error("was not granted what it imports: {}", .0.join(", "))]
    NotGranted(Vec<String>),
    /// It does not export the plugin interfaces, or exports them otherwise than this version knows them.
    #[error("does not fit the world lathe:transform@0.1: {0}")]
    World(String),
    /// Compiling failed.
    #[error("could not be compiled: {0}")]
    Compile(String),
    /// Compiling took too long.
    #[error("takes longer to compile than the {} ms of `compileMs`", .0.as_millis())]
    CompileTime(Duration),
    /// This machine does not give what it takes to run it.
    #[error("cannot be run here: {0}")]
    Host(String),
    /// It used more instructions than it may.
    #[error("used up its fuel of {0}; `limits.fuel` of the transform can raise it")]
    Fuel(u64),
    /// It took too long.
    #[error("did not finish within its deadline of {} ms (`deadlineMs`)", .0.as_millis())]
    Deadline(Duration),
    /// It asked for more memory than it may have.
    #[error("asked for more than its {0} bytes of memory (`memoryBytes`)")]
    Memory(u64),
    /// It asked for too large a table.
    #[error(
        "asked for a table of more than {0} elements (`tableElements`), or for more than its memory has room for"
    )]
    Table(u64),
    /// It called the host too often.
    #[error("called the host more than {0} times (`hostCalls`)")]
    HostCalls(u64),
    /// It asked to sleep longer than its deadline.
    #[error("asked to sleep longer than its deadline of {} ms (`deadlineMs`)", .0.as_millis())]
    Sleep(Duration),
    /// It handed over more than it may.
    #[error("handed over more than {0} bytes (`outputBytes`)")]
    Output(u64),
    /// It ended itself as a program would.
    #[error("ended itself instead of answering{}", told(.0))]
    Exit(String),
    /// It used a capability while it was only asked what it is.
    #[error("calls the host while it is only asked what it is")]
    Describing,
    /// It recursed too deep.
    #[error("ran out of stack")]
    Stack,
    /// It trapped, as by a panic.
    #[error("trapped: {trap}{}", told(.said))]
    Trap {
        /// The trap's own words.
        trap: String,
        /// The last line that the plugin wrote, if any.
        said: String,
    },
    /// It answered with something that is no answer.
    #[error("answers with what is no {0}")]
    Answer(String),
    /// It answered with an error.
    #[error("refuses: {0}")]
    Refused(String),
}

fn told(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("; it said: {text}") }
}

/// What is no plugin that could be compiled.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CompileError(pub(crate) String);

/// The sandbox itself could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine could not be set up: {0}")]
pub struct RuntimeError(pub(crate) String);
