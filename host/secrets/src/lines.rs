//! Values of several lines within a text.

use crate::bytes::SecretBytes;
use crate::error::Why;

/// What stands behind a reference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing.
    End,
    /// The end of its line.
    LineEnd,
    /// More of its line.
    Line,
}

/// Appends a value to a text. One of several lines may stand alone on a line, whose indentation all its lines take.
pub(crate) fn place(value: &[u8], rest: Rest, out: &mut SecretBytes) -> Result<(), Why> {
    let before = out.expose();
    if !value.contains(&b'\n') || before.is_empty() && rest == Rest::End {
        out.push(value);
        return Ok(());
    }
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let indent = before[start..].to_vec();
    if rest == Rest::Line || indent.iter().any(|byte| *byte != b' ') {
        let line = before.split(|byte| *byte == b'\n').count();
        return Err(Why::Type(format!(
            "its value has several lines and cannot stand within line {line} of the text; put it on a line of its own, or say `trim=nl` where only its end is a line feed"
        )));
    }
    let (lines, end) = match value.strip_suffix(b"\n") {
        Some(lines) => (lines, true),
        None => (value, false),
    };
    for (index, line) in lines.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            out.push(b"\n");
            // Lines that are empty stay so.
            out.push(if line.is_empty() { b"" } else { &indent });
        }
        out.push(line);
    }
    if end && rest == Rest::End {
        out.push(b"\n");
    }
    Ok(())
}
