//! Assignments in a `jupyterhub_config.py`, one line each.

use crate::hub::{CLASS, Reading, Trait};
use crate::login::Login;

/// Makes plain assignments of the login's traits read the client's variables.
pub(crate) fn read(text: &str, login: &Login<'_>) -> Reading {
    let mut reading = Reading::default();
    let mut out = String::with_capacity(text.len());
    let mut changed = false;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        match one(line, login) {
            Line::Unread => {
                reading.unread.push(index + 1);
                out.push_str(line);
            }
            Line::Other | Line::Right => out.push_str(line),
            Line::New { before, value, after, taken } => {
                changed = true;
                reading.taken.extend(taken);
                out.push_str(before);
                out.push_str(&value);
                out.push_str(after);
            }
        }
    }
    reading.text = changed.then_some(out);
    reading
}

/// What a line is.
enum Line<'t> {
    /// No assignment of the login's.
    Other,
    /// One that is right already.
    Right,
    /// One that cannot be followed.
    Unread,
    /// One with another value: what stays around it.
    New { before: &'t str, value: String, after: &'t str, taken: Option<(crate::literal::What, String)> },
}

fn one<'t>(line: &'t str, login: &Login<'_>) -> Line<'t> {
    if !line.contains(CLASS) || line.trim_start().starts_with('#') {
        return Line::Other;
    }
    let mut from = 0;
    while let Some(found) = line[from..].find(CLASS) {
        let class = from + found;
        from = class + CLASS.len();
        let Some((name, value)) = assigned(line, from) else { continue };
        let Some(wanted) = Trait::of(name, login) else { continue };
        let Some((read, end)) = simple(&line[value..]).filter(|_| begins(&line[..class])) else {
            return Line::Unread;
        };
        let (right, literal) = match (&wanted, &read) {
            (_, Right::Text(text)) => (wanted.is_right(text, login), Some(*text)),
            (Trait::Variable(variable, _), Right::Variable(name, default)) => {
                (variable == name && default.is_none(), *default)
            }
            (Trait::Empty, Right::Variable(_, default)) => (false, *default),
        };
        if right {
            return Line::Right;
        }
        let new = match &wanted {
            Trait::Variable(variable, _) => format!(r#"__import__("os").environ["{variable}"]"#),
            Trait::Empty => r#""""#.to_owned(),
        };
        return Line::New {
            before: &line[..value],
            value: new,
            after: &line[value + end..],
            taken: literal.map(|text| (wanted.what(), text.to_owned())),
        };
    }
    Line::Other
}

/// Whether a line begins as an assignment does: `c.Generic`, `c["Generic`.
fn begins(before: &str) -> bool {
    let part = before.trim_start();
    let word = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_');
    let split = ["[\"", "['", "."].iter().find_map(|mark| part.split_once(mark));
    split.is_some_and(|(object, class)| !object.is_empty() && word(object) && word(class))
}

/// The trait that is assigned behind the class's name, and where its value begins.
fn assigned(line: &str, from: usize) -> Option<(&str, usize)> {
    let rest = &line[from..];
    let opened = rest.trim_start_matches(['"', '\'', ']', '[', '.']);
    let length = opened.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(opened.len());
    let (name, rest) = opened.split_at(length);
    let rest = rest.trim_start_matches(['"', '\'', ']']).trim_start_matches([' ', '\t']);
    // `: str = "x"` has a type.
    let rest = match rest.strip_prefix(':') {
        Some(typed) => {
            typed.trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '.'))
        }
        None => rest,
    };
    let value = rest.strip_prefix('=').filter(|value| !value.starts_with('='))?;
    let value = value.trim_start_matches([' ', '\t']);
    Some((name, line.len() - value.len()))
}

/// A right-hand side that can be followed.
enum Right<'t> {
    /// A text.
    Text(&'t str),
    /// A variable, and what counts where there is none.
    Variable(&'t str, Option<&'t str>),
}

/// The expression, if it is simple and alone on its line, and where it ends.
fn simple(text: &str) -> Option<(Right<'_>, usize)> {
    let (read, rest) = match string(text) {
        Some((text, rest)) => (Right::Text(text), rest),
        None => variable(text)?,
    };
    let after = rest.trim_start_matches([' ', '\t']).trim_end_matches(['\r', '\n']);
    (after.is_empty() || after.starts_with('#')).then_some((read, text.len() - rest.len()))
}

/// A string of one line, without its quotes, and what follows.
fn string(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix(['r', 'R', 'u', 'U']).unwrap_or(text);
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = &text[1..];
    let mut escaped = false;
    for (index, c) in inner.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            let rest = &inner[index + 1..];
            // Three quotes begin a text of several lines.
            return (index > 0 || !rest.starts_with(quote)).then_some((&inner[..index], rest));
        }
    }
    None
}

fn variable(text: &str) -> Option<(Right<'_>, &str)> {
    let mut rest = text;
    for module in [r#"__import__("os")."#, "__import__('os').", "os."] {
        rest = rest.strip_prefix(module).unwrap_or(rest);
    }
    if let Some(index) = rest.strip_prefix("environ[") {
        let (name, rest) = string(index.trim_start())?;
        return Some((Right::Variable(name, None), rest.trim_start().strip_prefix(']')?));
    }
    let call = ["environ.get(", "getenv("].iter().find_map(|call| rest.strip_prefix(call))?;
    let (name, rest) = string(call.trim_start())?;
    let rest = rest.trim_start();
    let Some(default) = rest.strip_prefix(',') else {
        return Some((Right::Variable(name, None), rest.strip_prefix(')')?));
    };
    let default = default.trim_start();
    let (default, rest) = match default.strip_prefix("None") {
        Some(rest) => (None, rest),
        None => string(default).map(|(text, rest)| (Some(text), rest))?,
    };
    Some((Right::Variable(name, default), rest.trim_start().strip_prefix(')')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_expressions_are_read() {
        for (text, want) in [
            (r#""a b""#, Some(("a b", ""))),
            (r"r'a'  # told", Some(("a", "  # told"))),
            (r#"os.environ["A"]"#, Some(("A", ""))),
            (r#"os.environ.get("A", 'd')"#, Some(("A", ""))),
            (r#"__import__("os").environ["A"]"#, Some(("A", ""))),
            (r#"getenv("A", None)"#, Some(("A", ""))),
            (r#"f"a""#, None),
            (r#""""a""""#, None),
            (r#""a" "b""#, None),
            ("(", None),
            (r#"open("a").read()"#, None),
            (r#"os.environ["A"].strip()"#, None),
        ] {
            let found = simple(text).map(|(read, end)| {
                let (Right::Text(inner) | Right::Variable(inner, _)) = read;
                (inner, &text[end..])
            });
            assert_eq!(found, want, "{text}");
        }
    }
}
