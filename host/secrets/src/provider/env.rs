//! Variables of the process environment, by an allow-list.

use crate::bytes::SecretBytes;
use crate::error::Why;

/// The variable's value if the list allows it.
pub(super) fn read(
    allow: &[String],
    name: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<SecretBytes, Why> {
    if !allow.iter().any(|allowed| allowed == name) {
        return Err(Why::Policy(format!("`{name}` is not in the provider's `allow`")));
    }
    variable(name)
        .map(SecretBytes::from)
        .ok_or_else(|| Why::NotFound(format!("the variable `{name}` is not set")))
}
