//! Line breaks within text, which fold: one reads as a space, more as one less.

/// The line breaks passed since the last character of a text.
#[derive(Default)]
pub(super) struct Folds {
    first: Option<&'static str>,
    more: String,
}

impl Folds {
    /// Whether there was one.
    pub(super) fn any(&self) -> bool {
        self.first.is_some()
    }

    /// One more break, as [`line_break`](super::cursor::Cursor::line_break) tells it.
    pub(super) fn push(&mut self, line_break: &'static str) {
        if self.first.is_none() {
            self.first = Some(line_break);
        } else {
            self.more.push_str(line_break);
        }
    }

    /// Appends what they read as, and forgets them. Only breaks that read as LF fold.
    pub(super) fn join(&mut self, text: &mut String) {
        match self.first.take() {
            Some("\n") if self.more.is_empty() => text.push(' '),
            Some("\n") | None => text.push_str(&self.more),
            Some(first) => {
                text.push_str(first);
                text.push_str(&self.more);
            }
        }
        self.more.clear();
    }
}
