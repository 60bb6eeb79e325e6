//! The `JSONPath` templates of kubectl, as far as values of stores need them.
//!
//! Text stands beside `{…}`; in braces stand paths (`.a.b[0]`, `['a b']`, `[*]`, `[from:to:step]`, `@`, `$`), quoted text, and
//! `range PATH` … `end`. Filters and recursive descent are refused when they are read.

use crate::bytes::SecretBytes;
use crate::error::Why;
use crate::node::Node;

/// A template that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// From the document's top.
    Root,
    Member(String),
    All,
    Slice {
        from: Option<i64>,
        to: Option<i64>,
        step: usize,
    },
    Item(i64),
}

impl Template {
    /// Reads a template. kubectl takes `a.b` for `{.a.b}`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("`jsonPath` takes a template such as {.a.b}".to_owned());
        }
        if !text.contains('{') {
            let path = text.strip_prefix("$.").or_else(|| text.strip_prefix('.')).unwrap_or(text);
            return Ok(Self(vec![Part::Path(steps(&format!(".{path}"))?)]));
        }
        let mut open: Vec<(Vec<Step>, Vec<Part>)> = Vec::new();
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            let end = closing(&rest[at..]).ok_or("a `{` of its template is not closed")?;
            let inner = rest[at + 1..at + end].trim();
            rest = &rest[at + end + 1..];
            if let Some(path) = inner.strip_prefix("range ") {
                open.push((steps(path.trim())?, std::mem::take(&mut parts)));
            } else if inner == "end" {
                let (path, before) = open.pop().ok_or("an `{end}` of its template ends nothing")?;
                let body = std::mem::replace(&mut parts, before);
                parts.push(Part::Range(path, body));
            } else if let Some(quoted) = quoted(inner) {
                parts.push(Part::Text(quoted?));
            } else {
                parts.push(Part::Path(steps(inner)?));
            }
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if open.is_empty() {
            Ok(Self(parts))
        } else {
            Err("a `{range}` of its template has no `{end}`".to_owned())
        }
    }

    /// What the template makes of a value. A value that is text is read as JSON first.
    pub(crate) fn apply(&self, node: &Node) -> Result<Node, Why> {
        let read;
        let root = match node {
            Node::Text(text) => {
                read = Node::json(text.expose())?;
                &read
            }
            other => other,
        };
        // A template that is one path keeps what it finds, so that a map stays one.
        if let [Part::Path(path)] = self.0.as_slice() {
            let mut found = select(root, root, path)?;
            if found.len() == 1 {
                return Ok(found.remove(0).clone());
            }
        }
        let mut out = SecretBytes::default();
        write(&self.0, root, root, &mut out, &mut 0)?;
        Ok(Node::Text(out))
    }
}

/// No template takes more steps, or writes more bytes.
const MOST_STEPS: usize = 1 << 17;
const LARGEST: usize = 4 << 20;

fn write(
    parts: &[Part],
    root: &Node,
    here: &Node,
    out: &mut SecretBytes,
    steps: &mut usize,
) -> Result<(), Why> {
    for part in parts {
        *steps += 1;
        if *steps > MOST_STEPS || out.expose().len() > LARGEST {
            return Err(Why::Size("its template makes too much of it".to_owned()));
        }
        match part {
            Part::Text(text) => out.push(text.as_bytes()),
            Part::Path(path) => {
                for (index, node) in select(root, here, path)?.into_iter().enumerate() {
                    out.push(if index > 0 { b" " } else { b"" });
                    out.push(node.clone().into_bytes(true)?.expose());
                }
            }
            Part::Range(path, body) => {
                for node in select(root, here, path)? {
                    // A list itself is what is gone through.
                    let items =
                        if let Node::List(items) = node { items.iter().collect() } else { vec![node] };
                    for item in items {
                        write(body, root, item, out, steps)?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn select<'a>(root: &'a Node, here: &'a Node, path: &[Step]) -> Result<Vec<&'a Node>, Why> {
    let mut found = vec![here];
    for step in path {
        let mut next = Vec::new();
        for node in found {
            match (step, node) {
                (Step::Root, _) => next.push(root),
                (Step::Member(name), node) => {
                    next.push(
                        node.get(name).ok_or_else(|| Why::KeyMissing(format!("there is no `{name}`")))?,
                    );
                }
                (Step::All, Node::List(items)) => next.extend(items),
                (Step::All, Node::Map(members)) => next.extend(members.iter().map(|(_, node)| node)),
                (Step::Item(index), Node::List(items)) => {
                    let at = absolute(*index, items.len());
                    let item = usize::try_from(at).ok().and_then(|at| items.get(at));
                    next.push(item.ok_or_else(|| Why::KeyMissing(format!("there is no item {index}")))?);
                }
                (Step::Slice { from, to, step }, Node::List(items)) => {
                    let bound = |index: Option<i64>, default: usize| {
                        let at = index.map_or(default, |index| {
                            usize::try_from(absolute(index, items.len())).unwrap_or(0)
                        });
                        at.min(items.len())
                    };
                    let (from, to) = (bound(*from, 0), bound(*to, items.len()));
                    next.extend(items.get(from..to.max(from)).unwrap_or_default().iter().step_by(*step));
                }
                _ => return Err(Why::Type("its path goes through what is no list".to_owned())),
            }
        }
        found = next;
    }
    Ok(found)
}

fn absolute(index: i64, length: usize) -> i64 {
    if index < 0 { i64::try_from(length).unwrap_or(i64::MAX).saturating_add(index) } else { index }
}

/// Where the brace that starts the text is closed; braces in quotes do not count.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices().skip(1) {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

/// The text in quotes; `None` where there are none.
fn quoted(text: &str) -> Option<Result<String, String>> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote);
    Some(
        inner
            .map(|text| text.replace("\\n", "\n").replace("\\t", "\t"))
            .ok_or_else(|| "a quote of its template is not closed".to_owned()),
    )
}

fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    if let Some(behind) = rest.strip_prefix('$') {
        steps.push(Step::Root);
        rest = behind;
    } else if let Some(behind) = rest.strip_prefix('@') {
        rest = behind;
    } else if !rest.starts_with(['.', '[']) {
        return Err(
            "its template holds a word that is no path; paths start with `.`, `[`, `@` or `$`".to_owned()
        );
    }
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('.') {
            if behind.starts_with('.') {
                return Err("`..` in its template is not followed".to_owned());
            }
            let length = behind.find(['.', '[']).unwrap_or(behind.len());
            match &behind[..length] {
                "" => {}
                "*" => steps.push(Step::All),
                name => steps.push(Step::Member(name.replace('\\', ""))),
            }
            rest = &behind[length..];
        } else {
            let end = rest.find(']').ok_or("a `[` of its template is not closed")?;
            steps.push(subscript(rest[1..end].trim())?);
            rest = &rest[end + 1..];
            if !rest.is_empty() && !rest.starts_with(['.', '[']) {
                return Err("its template goes on behind `]`".to_owned());
            }
        }
    }
    Ok(steps)
}

fn subscript(text: &str) -> Result<Step, String> {
    if let Some(name) = quoted(text) {
        return name.map(Step::Member);
    }
    if text == "*" {
        return Ok(Step::All);
    }
    let number = |text: &str| {
        text.trim().parse::<i64>().map_err(|_| format!("`[{text}]` of its template is no index"))
    };
    if !text.contains(':') {
        return number(text).map(Step::Item);
    }
    let parts: Vec<&str> = text.split(':').collect();
    let bound =
        |at: usize| parts.get(at).filter(|part| !part.trim().is_empty()).map(|part| number(part)).transpose();
    let step = bound(2)?.unwrap_or(1);
    let step = usize::try_from(step).ok().filter(|step| *step > 0 && parts.len() <= 3);
    let step = step.ok_or("a slice of its template goes in steps of one or more")?;
    Ok(Step::Slice { from: bound(0)?, to: bound(1)?, step })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(template: &str, json: &str) -> String {
        let node = Template::parse(template).unwrap().apply(&Node::Text(json.into()));
        node.and_then(|node| node.into_bytes(true)).ok().unwrap().text().unwrap().to_owned()
    }

    #[test]
    fn templates_are_kubectls() {
        let json = r#"{"a":{"b":"x","c d":1},"l":[80,81,82,83]}"#;
        assert_eq!(apply("{.a.b}", json), "x");
        assert_eq!(apply("{$.a['c d']}", json), "1");
        assert_eq!(apply("a.b", json), "x");
        assert_eq!(apply("{.a}", json), r#"{"b":"x","c d":1}"#);
        assert_eq!(apply("{.l[*]}", json), "80 81 82 83");
        assert_eq!(apply("{.l[1:-1]}-{.l[-1]}", json), "81 82-83");
        let all = "{'['}{range .l[0:-1:1]}{'{\"port\":'}{@}{'},'}{end}{.l[-1]}{']'}";
        assert_eq!(apply(all, json), r#"[{"port":80},{"port":81},{"port":82},83]"#);
    }

    #[test]
    fn what_is_no_template_is_told() {
        for text in [
            "",
            "{.a",
            "{end}",
            "{range .a}",
            "{.a[?(@.b)]}",
            "{..a}",
            "{.l[x]}",
            "{.l[0:1:0]}",
            "{a}",
            "{'x}",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        let missing = Template::parse("{.x}").unwrap().apply(&Node::Text("{}".into()));
        assert!(matches!(missing, Err(Why::KeyMissing(_))));
    }
}
