//! The name part that a review environment's namespace and hosts are made of.

use lathe_manifest::digest;

/// Digits of the hash at the end, and the dash before them.
const SUFFIX: usize = 9;

/// The shortest room that leaves a readable letter before the hash.
const LEAST: usize = SUFFIX + 1;

/// The slug of review `id` of `environment` of `project`, at most `max` bytes.
///
/// Lower-case letters, digits and single dashes of `environment-id`, started by a letter, then a dash and 40 bits of
/// SHA-256 over the identity in base 32: two projects' review 42, and ids that only look alike, do not meet.
/// `None` where `max` leaves no room.
pub(crate) fn slug(project: &str, environment: &str, id: &str, max: usize) -> Option<String> {
    if max < LEAST {
        return None;
    }
    let mut name = String::new();
    for c in format!("{environment}-{id}").chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_matches('-');
    let name = if name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name.to_owned()
    } else {
        format!("r-{name}")
    };
    let cut = &name[..name.len().min(max - SUFFIX)];
    let identity = ["v1", project, environment, id].join("\0");
    let hash = digest::base32(&digest::sha256(identity.as_bytes()), SUFFIX - 1);
    Some(format!("{}-{hash}", cut.trim_end_matches('-')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_short_valid_and_tell_identities_apart() {
        let one = slug("portal", "review", "42", 40).unwrap();
        // base32(sha256("v1\0portal\0review\042")), worked out by another program.
        assert_eq!(one, "review-42-6nfgbktw");
        assert_ne!(slug("other", "review", "42", 40).unwrap(), one);
        assert_ne!(slug("portal", "review-4", "2", 40), slug("portal", "review", "4-2", 40));
        assert_ne!(slug("portal", "review", "a/b", 40), slug("portal", "review", "a-b", 40));
        let long = slug("portal", "review", &"Feature/Ünter-".repeat(20), 24).unwrap();
        assert!(long.len() <= 24 && !long.contains("--"), "{long}");
        assert!(slug("p", "42", "7", 30).unwrap().starts_with("r-42-7-"));
        assert_eq!(slug("p", "e", "1", 9), None);
    }
}
