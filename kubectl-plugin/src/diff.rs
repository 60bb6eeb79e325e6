//! Two texts, compared line by line.

use std::time::Duration;

use similar::TextDiff;

/// What sets two texts apart, in the unified format of diff(1); empty where they are equal.
pub(crate) fn unified(before_name: &str, after_name: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    // Texts that have little in common are told apart coarsely rather than late.
    let diff = TextDiff::configure().timeout(Duration::from_secs(5)).diff_lines(before, after);
    diff.unified_diff().context_radius(3).header(before_name, after_name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        assert_eq!(unified("a", "b", "x\ny\n", "x\ny\n"), "");
        assert_eq!(unified("a", "b", "x\ny\n", "x\nz\n"), "--- a\n+++ b\n@@ -1,2 +1,2 @@\n x\n-y\n+z\n");
    }
}
