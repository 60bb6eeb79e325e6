//! Anchors, aliases and tags.

use std::borrow::Cow;

use super::Fault;
use super::scanner::Scanner;

/// What `!!` stands for.
const CORE: &str = "tag:yaml.org,2002:";

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_uri(byte: u8) -> bool {
    is_name(byte) || b";/?:@&=+$,.!~*'()[]%".contains(&byte)
}

impl<'a> Scanner<'a> {
    /// The name behind `&` or `*`.
    pub(super) fn anchor(&mut self) -> Result<&'a str, Fault> {
        let start = self.cursor.mark();
        self.cursor.skip(1);
        let name = self.run(is_name);
        let ends = self.cursor.is_blank_or_end(0)
            || matches!(self.cursor.byte(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends {
            return Err(start.wrong("the name of an anchor or alias has letters, digits, `-` and `_` only"));
        }
        Ok(name)
    }

    /// A tag in full: `!!str` as `tag:yaml.org,2002:str`, `!x` and `!` as they stand.
    pub(super) fn tag(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.cursor.mark();
        let tag = if self.cursor.byte(1) == b'<' {
            self.cursor.skip(2);
            let tag = self.uri()?;
            if tag.is_empty() || self.cursor.byte(0) != b'>' {
                return Err(start.wrong("a tag that starts with `!<` has to end with `>`"));
            }
            self.cursor.skip(1);
            tag
        } else {
            self.cursor.skip(1);
            let name = self.run(is_name);
            if self.cursor.byte(0) == b'!' {
                if !name.is_empty() {
                    return Err(start.wrong("the tag's handle is not known; only `!` and `!!` are"));
                }
                self.cursor.skip(1);
                let suffix = self.uri()?;
                if suffix.is_empty() {
                    return Err(start.wrong("a tag has no name"));
                }
                format!("{CORE}{suffix}").into()
            } else {
                let rest = self.uri()?;
                match rest {
                    Cow::Borrowed(rest) => {
                        let end = start.offset + 1 + name.len() + rest.len();
                        self.cursor.slice(start.offset, end).into()
                    }
                    Cow::Owned(rest) => format!("!{name}{rest}").into(),
                }
            }
        };
        if !self.cursor.is_blank_or_end(0) {
            return Err(start.wrong("a tag has to end with a blank or with its line"));
        }
        Ok(tag)
    }

    /// Characters of a URI, with `%xx` decoded.
    fn uri(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.cursor.mark();
        let text = self.run(is_uri);
        if !text.contains('%') {
            return Ok(text.into());
        }
        let mut decoded = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            if *first != b'%' {
                decoded.push(*first);
                rest = after;
                continue;
            }
            let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
            let octet = hex.filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
            let Some(octet) = octet.and_then(|hex| u8::from_str_radix(hex, 16).ok()) else {
                return Err(start.wrong("`%` in a tag needs two hexadecimal digits behind it"));
            };
            decoded.push(octet);
            rest = &after[2..];
        }
        let decoded = String::from_utf8(decoded).map_err(|_| start.wrong("a tag holds no UTF-8"))?;
        Ok(decoded.into())
    }

    /// Moves over ASCII characters of one kind.
    fn run(&mut self, is: fn(u8) -> bool) -> &'a str {
        let start = self.cursor.mark().offset;
        self.cursor.skip(self.cursor.rest().iter().take_while(|byte| is(**byte)).count());
        self.cursor.slice(start, self.cursor.mark().offset)
    }
}
