//! Texts made up, and texts damaged.

/// A small generator (xorshift) with a fixed start, so that every run sees the same texts.
pub(crate) struct Random(u64);

impl Random {
    /// Starts with a number, changed by `LATHE_SEED`, so that longer runs by hand see other texts.
    pub(crate) fn from(start: u64) -> Self {
        let seed = std::env::var("LATHE_SEED").ok().and_then(|seed| seed.parse().ok());
        Self(start ^ seed.unwrap_or(0_u64).wrapping_mul(0x9e37_79b9))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// One to four words of the kind that readers take for something else than text.
pub(crate) fn scalar(random: &mut Random) -> String {
    const WORDS: &[&str] = &[
        "y",
        "No",
        "on",
        "TRUE",
        "tRue",
        "null",
        "~",
        "Null",
        ".nan",
        ".inf",
        "-.INF",
        "<<",
        "=",
        "0x",
        "0o",
        "0b",
        "1e",
        "e5",
        "2001-01-01",
        "2001-1-1t1:2:3",
        "T10:00:00Z",
        "a",
        "b c",
        "x:y",
        "-",
        "--",
        "+",
        ".",
        "_",
        "0",
        "00",
        "01",
        "07",
        "08",
        "1",
        "9",
        "12",
        "123456789",
        "9007199254740993",
        "18446744073709551616",
        "1.5",
        "1e400",
        "é",
        "日本",
        "/",
        "@",
        "&",
        "*",
        "!",
        "%",
    ];
    (0..=random.below(3)).map(|_| random.pick(WORDS)).collect()
}

/// A map in every style, nested.
pub(crate) fn document(random: &mut Random, depth: usize, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    for entry in 0..=random.below(3) {
        let key = format!("k{entry}");
        match random.below(if depth == 0 { 6 } else { 8 }) {
            0 => out.push_str(&format!("{pad}{key}: {}\n", scalar(random))),
            1 => out.push_str(&format!("{pad}{key}: '{}'\n", scalar(random))),
            2 => out.push_str(&format!("{pad}{key}: \"{}\"  # c\n", scalar(random))),
            3 => {
                let header = random.pick(&["|", "|-", "|+", ">", ">-", ">+", "|2", "|1-"]);
                out.push_str(&format!("{pad}{key}: {header}\n"));
                for _ in 0..=random.below(4) {
                    let line = random.pick(&[
                        "text",
                        " more",
                        "",
                        "# no comment",
                        "---x",
                        "  deep",
                        "a\tb",
                        "trail  ",
                    ]);
                    out.push_str(&if line.is_empty() { "\n".to_owned() } else { format!("{pad}  {line}\n") });
                }
            }
            4 => out.push_str(&format!("{pad}{key}: [{}, {{a: {}}}]\n", scalar(random), scalar(random))),
            5 => out.push_str(&format!("{pad}{key}: &a{entry} {}\n{pad}{key}r: *a{entry}\n", scalar(random))),
            6 => {
                out.push_str(&format!("{pad}{key}:\n"));
                document(random, depth - 1, indent + 2, out);
            }
            _ => {
                out.push_str(&format!(
                    "{pad}{key}:\n{pad}- {}\n{pad}- x: 1\n{pad}  <<: {{y: {}}}\n",
                    scalar(random),
                    scalar(random)
                ));
            }
        }
    }
}

/// Damages a text in one or two places.
pub(crate) fn mutant(random: &mut Random, text: &[u8]) -> Vec<u8> {
    const RARE: &[&[u8]] = &[
        b"\n\n",
        b"---\n",
        b"...\n",
        b" #",
        b": ",
        b"- ",
        b"\\\n",
        b"!!str ",
        b"&a ",
        b"*a",
        b"<<: ",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\xc3\xa9",
        b"\xff",
        b"\0",
    ];
    let mut bytes = text.to_vec();
    for _ in 0..=random.below(2) {
        let at = random.below(bytes.len().max(1));
        let byte = INTERESTING[random.below(INTERESTING.len())];
        match random.below(16) {
            0..6 if at < bytes.len() => bytes[at] = byte,
            6..10 if at < bytes.len() => drop(bytes.remove(at)),
            10 if at < bytes.len() => {
                drop(bytes.splice(at..at, RARE[random.below(RARE.len())].iter().copied()));
            }
            _ => bytes.insert(at, byte),
        }
    }
    bytes
}

const INTERESTING: &[u8] = b"\n\t :-,[]{}#&*!|>'\"%@`?~=<0y.\r\\";

/// Short text of characters that mean something to YAML.
pub(crate) fn syntax(random: &mut Random) -> Vec<u8> {
    const PIECES: &[&str] = &[
        "a",
        "b",
        "1",
        " ",
        " ",
        "  ",
        "\n",
        "\n",
        "\n  ",
        "\t",
        ":",
        ": ",
        ",",
        ", ",
        "-",
        "- ",
        "? ",
        "?",
        "[",
        "]",
        "{",
        "}",
        "#",
        " # ",
        "&a ",
        "*a",
        "!",
        "!!str ",
        "!!int ",
        "|",
        ">",
        "|-\n",
        ">+\n",
        "|1",
        "'",
        "\"",
        "''",
        "\\",
        "\\n",
        "\\\n",
        "%",
        "@",
        "`",
        "~",
        "<<",
        "<<: ",
        "null",
        "yes",
        "0x1",
        "--- ",
        "...",
        "\r",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "---",
        "!!timestamp ",
        "!!timestamp 2001-1-1T1:2:3",
        "2001-01-01",
        "+07:00",
        "T",
        "---\r",
        "---\n",
        "1: ",
        "\"1\": ",
        "é",
    ];
    (0..=random.below(14)).flat_map(|_| random.pick(PIECES).bytes()).collect()
}
