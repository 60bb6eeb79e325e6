//! Variables of the process environment, by an allow-list.

use zeroize::Zeroizing;

use super::Secret;

/// The variable's value if the list allows it.
pub(super) fn read(
    allow: &[String],
    name: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Secret, String> {
    if !allow.iter().any(|allowed| allowed == name) {
        return Err(format!("`{name}` is not in the provider's `allow`"));
    }
    variable(name).map(Zeroizing::new).ok_or_else(|| format!("the variable `{name}` is not set"))
}
