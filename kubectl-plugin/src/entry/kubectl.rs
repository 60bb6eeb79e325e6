//! `kubectl lathe`: kubectl finds the binary as `kubectl-lathe` and passes the arguments on as they are.

/// How help and hints name the command.
pub(crate) const NAME: &str = "kubectl lathe";
