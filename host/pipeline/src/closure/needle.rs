//! Many names looked for in one pass.

use aho_corasick::AhoCorasick;

/// Names that are looked for as substrings.
pub(super) struct Needles {
    names: Vec<(String, bool)>,
    /// `None` where it could not be built, for there are too many names; then they are looked for one by one.
    automaton: Option<AhoCorasick>,
}

impl Needles {
    /// Names in lower case, each with a mark that comes back with its finds.
    pub(super) fn new(names: Vec<(String, bool)>) -> Self {
        let automaton = AhoCorasick::new(names.iter().map(|(name, _)| name)).ok();
        Self { names, automaton }
    }

    /// Start, end, name and mark of each place in the text, in the order in which they end.
    pub(super) fn find(&self, text: &str) -> Vec<(usize, usize, String, bool)> {
        let found = |start: usize, end: usize, index: usize| {
            let (name, mark) = self.names.get(index)?;
            Some((start, end, name.clone(), *mark))
        };
        match &self.automaton {
            Some(automaton) => automaton
                .find_overlapping_iter(text)
                .filter_map(|hit| found(hit.start(), hit.end(), hit.pattern().as_usize()))
                .collect(),
            None => (self.names.iter().enumerate())
                .flat_map(|(index, (name, _))| {
                    let starts = text.match_indices(name.as_str());
                    starts.filter_map(move |(start, _)| found(start, start + name.len(), index))
                })
                .collect(),
        }
    }
}
