//! Pages of a provider, as far as a login form goes: cookies, forms and fields.

use std::collections::BTreeMap;

use reqwest::{Method, Url};

use crate::error::AaiError;
use crate::http::{Answer, Ask, Body, Http, Login};

/// A provider's cookies (RFC 6265). All of its pages are of one origin, so name and value are all there is to keep.
#[derive(Default)]
pub(super) struct Cookies(BTreeMap<String, String>);

impl Cookies {
    pub(super) fn take(&mut self, answer: &Answer) {
        for line in answer.headers.get_all("Set-Cookie").iter().filter_map(|line| line.to_str().ok()) {
            let pair = line.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                let ends = line.to_ascii_lowercase().contains("max-age=0");
                if ends || value.is_empty() {
                    self.0.remove(name.trim());
                } else {
                    self.0.insert(name.trim().to_owned(), value.trim().to_owned());
                }
            }
        }
    }

    fn header(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}

/// Gets a page, or sends a form.
pub(super) async fn fetch(
    http: &Http,
    url: &Url,
    cookies: &Cookies,
    body: Option<String>,
) -> Result<Answer, AaiError> {
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let header = cookies.header();
    let body = body.as_deref().map_or(Body::None, Body::Encoded);
    let ask = Ask { method, url: url.as_str(), what: "a page", login: Login::None, body };
    http.send_with(&ask, &header).await
}

/// What is read of a page.
const LARGEST: usize = 256 << 10;

/// One page.
pub(super) struct Page {
    forms: Vec<Form>,
    told: String,
}

struct Form {
    action: String,
    fields: Vec<(String, Field)>,
}

/// A field of a form.
pub(super) enum Field {
    /// The user's name goes here.
    User,
    /// The password goes here.
    Password,
    /// What is sent as it stands there.
    Other(String),
}

impl Field {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::User | Self::Password => "",
            Self::Other(text) => text,
        }
    }
}

impl Page {
    /// Reads what matters of HTML: forms, their fields, and what is marked as a message.
    pub(super) fn read(html: &str) -> Self {
        let mut forms: Vec<Form> = Vec::new();
        let mut told = String::new();
        let (mut open, mut read) = (false, 0);
        // A login page is no longer.
        let html = html.get(..html.floor_char_boundary(LARGEST)).unwrap_or_default();
        for (at, _) in html.match_indices('<') {
            if at < read {
                continue;
            }
            let Some(end) = html.get(at..).and_then(|rest| rest.find('>')) else { break };
            read = at + end;
            let tag = html.get(at + 1..at + end).unwrap_or_default();
            let name = tag
                .split(|c: char| c.is_whitespace() || c == '/')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            let text =
                || html.get(at + end + 1..).unwrap_or_default().split('<').next().unwrap_or_default().trim();
            match name.as_str() {
                "form" => {
                    let action = attribute(tag, "action").unwrap_or_default();
                    forms.push(Form { action, fields: Vec::new() });
                    open = true;
                }
                "" if tag.eq_ignore_ascii_case("/form") => open = false,
                "input" => {
                    if let (true, Some(form), Some(name)) = (open, forms.last_mut(), attribute(tag, "name")) {
                        let kind =
                            attribute(tag, "type").unwrap_or_else(|| "text".to_owned()).to_ascii_lowercase();
                        let field = match kind.as_str() {
                            "password" => Field::Password,
                            "text" | "email" => Field::User,
                            "checkbox" | "radio" | "submit" | "button" | "image" | "reset" => continue,
                            _ => Field::Other(attribute(tag, "value").unwrap_or_default()),
                        };
                        form.fields.push((name, field));
                    }
                }
                _ => {
                    let class = attribute(tag, "class").unwrap_or_default()
                        + &attribute(tag, "id").unwrap_or_default();
                    if told.is_empty() && (class.contains("error") || class.contains("instruction")) {
                        text()
                            .chars()
                            .filter(|c| !c.is_control())
                            .take(200)
                            .collect::<String>()
                            .clone_into(&mut told);
                    }
                }
            }
        }
        Self { forms, told: unescape(&told) }
    }

    /// Where the form with a password is sent to, and its fields.
    pub(super) fn login(self) -> Option<(String, Vec<(String, Field)>)> {
        let has = |form: &Form| form.fields.iter().any(|(_, field)| matches!(field, Field::Password));
        let form = self.forms.into_iter().find(has)?;
        Some((form.action, form.fields))
    }

    /// What the page says, as the end of a sentence.
    pub(super) fn told(&self) -> String {
        if self.told.is_empty() { String::new() } else { format!(": {}", self.told) }
    }
}

/// An attribute of a tag, unescaped.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let mut from = 0;
    loop {
        let at = lower.get(from..)?.find(name)? + from;
        from = at + name.len();
        let before = tag.get(..at)?.chars().next_back();
        let rest = tag.get(from..)?.trim_start();
        let Some(value) = rest.strip_prefix('=').filter(|_| before.is_some_and(char::is_whitespace)) else {
            continue;
        };
        let value = value.trim_start();
        let text = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value.get(1..)?.split(quote).next()?,
            _ => value.split(char::is_whitespace).next()?,
        };
        return Some(unescape(text));
    }
}

fn unescape(text: &str) -> String {
    let pairs = [
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#61;", "="),
        ("&amp;", "&"),
    ];
    pairs.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_form_is_found() {
        let html = r#"<html><form action="/search"><input name=q></form><span id="input-error-username" class="x">Invalid &lt;name&gt;</span>
            <form id="f" method="post" data-action="/no" action="/auth?a=1&amp;b=2"><input name="username" type="text" value="">
            <input type='password' name='password'/><input type="hidden" name="credentialId" value="7"><input type=submit name=login></form>"#;
        let page = Page::read(html);
        assert_eq!(page.told(), ": Invalid <name>");
        let (action, fields) = page.login().unwrap();
        assert_eq!(action, "/auth?a=1&b=2");
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["username", "password", "credentialId"]);
        assert!(Page::read("<form><input").login().is_none());
    }
}
