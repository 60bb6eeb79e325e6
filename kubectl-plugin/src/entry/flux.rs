//! `flux lathe`: the Flux CLI finds the binary as `flux-lathe` (RFC-0013) and passes the arguments on as they are.

/// How help and hints name the command.
pub(crate) const NAME: &str = "flux lathe";
