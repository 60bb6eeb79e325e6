//! Texts to be found in other texts, where they stand alone.

use std::collections::{BTreeMap, BTreeSet};

/// Texts by their first run of characters that names are made of, so that a text is gone through once, however many are
/// looked for.
pub(crate) struct Needles<'a>(BTreeMap<&'a str, Vec<Needle<'a>>>);

struct Needle<'a> {
    text: &'a str,
    /// Where in it the run begins.
    run: usize,
}

impl<'a> Needles<'a> {
    /// What is made of other characters alone is not looked for.
    pub(crate) fn new(texts: &'a BTreeSet<String>) -> Self {
        let mut by_run: BTreeMap<&str, Vec<Needle<'_>>> = BTreeMap::new();
        for text in texts {
            if let Some((start, end)) = runs(text).next() {
                by_run.entry(&text[start..end]).or_default().push(Needle { text, run: start });
            }
        }
        Self(by_run)
    }

    /// Where one of them begins and ends, with no part of a name beside it.
    pub(crate) fn find<'t>(&'t self, text: &'t str) -> impl Iterator<Item = (usize, usize)> + 't {
        runs(if self.0.is_empty() { "" } else { text }).flat_map(move |(start, end)| {
            let needles = self.0.get(&text[start..end]).map_or(&[][..], Vec::as_slice);
            needles.iter().filter_map(move |needle| {
                let from = start.checked_sub(needle.run)?;
                let to = from + needle.text.len();
                // Elsewhere these need not be where a character begins.
                if text.get(from..to) != Some(needle.text) {
                    return None;
                }
                let alone = !text[..from].ends_with(is_part) && !text[to..].starts_with(is_part);
                alone.then_some((from, to))
            })
        })
    }
}

/// Whether a character may be part of a name.
pub(crate) fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn runs(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_part)?;
        let length = text[start..].find(|c| !is_part(c)).unwrap_or(text.len() - start);
        at = start + length;
        Some((start, at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_alone_is_found() {
        let texts: BTreeSet<String> = ["shop-prod", "+a/b=", "geheim"].map(ToOwned::to_owned).into();
        let needles = Needles::new(&texts);
        for (text, want) in [
            ("shop-prod", vec![(0, 9)]),
            ("x=shop-prod, my-shop-prod shop-prod.example", vec![(2, 11)]),
            ("é+a/b=é", vec![]),
            ("(+a/b=)", vec![(1, 6)]),
            ("éa b", vec![]),
            ("é a/b", vec![]),
            ("+a/bb", vec![]),
            ("geheimnis", vec![]),
            ("„geheim“", vec![(3, 9)]),
        ] {
            assert_eq!(needles.find(text).collect::<Vec<_>>(), want, "{text}");
        }
    }
}
