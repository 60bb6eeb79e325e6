//! HTTP as a proxy of tests needs it: one request per connection, so that each can be read to its end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// A request, as it came.
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    /// Reads one; `None` where the client went away.
    pub fn read(client: &mut TcpStream) -> Option<Self> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            client.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        client.read_exact(&mut body).ok()?;
        Some(Self { head, body })
    }

    /// Hands it to a server, and gives the whole answer.
    pub fn forward(&self, upstream: &str) -> Option<Vec<u8>> {
        let mut server = TcpStream::connect(upstream).ok()?;
        let keep = |line: &&str| !line.to_ascii_lowercase().starts_with("connection:");
        let head: String =
            self.head.trim_end().lines().filter(keep).map(|line| format!("{line}\r\n")).collect();
        server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).ok()?;
        server.write_all(&self.body).ok()?;
        let mut whole = Vec::new();
        server.read_to_end(&mut whole).ok()?;
        Some(whole)
    }
}

/// Answers with JSON of the proxy's own.
pub fn answer(client: &mut TcpStream, code: u16, json: &str) -> Option<()> {
    let length = json.len();
    write!(client, "HTTP/1.1 {code} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{json}").ok()
}
