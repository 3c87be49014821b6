//! A keep-alive connection to the hub.
//!
//! The client shares the processors with what is measured, so it is a plain one: a socket, a request
//! written in one piece, an answer read by its length.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub struct Line {
    socket: BufReader<TcpStream>,
    answer: Vec<u8>,
}

/// What the hub answered.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Line {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Line> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Line {
            socket: BufReader::new(socket),
            answer: Vec::new(),
        })
    }

    pub async fn get(&mut self, path: &str, token: &str) -> anyhow::Result<Answer<'_>> {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n");
        self.ask(&request).await
    }

    /// Posts a JSON body; under a key when it is a write.
    pub async fn post(
        &mut self,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: &str,
    ) -> anyhow::Result<Answer<'_>> {
        let length = body.len();
        let key = key
            .map(|key| format!("Idempotency-Key: {key}\r\n"))
            .unwrap_or_default();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nAuthorization: Bearer {token}\r\n{key}\r\n{body}"
        );
        self.ask(&request).await
    }

    async fn ask(&mut self, request: &str) -> anyhow::Result<Answer<'_>> {
        self.socket.get_mut().write_all(request.as_bytes()).await?;
        self.answer.clear();
        loop {
            let got = self.socket.read_until(b'\n', &mut self.answer).await?;
            ensure!(got > 0, "the hub closed a connection");
            if self.answer.ends_with(b"\r\n\r\n") {
                break;
            }
        }
        let head = self.answer.len();
        let (status, length) = head_of(&self.answer)?;
        self.answer.resize(head + length, 0);
        self.socket.read_exact(&mut self.answer[head..]).await?;
        Ok(Answer {
            status,
            body: &self.answer[head..],
        })
    }
}

impl Answer<'_> {
    /// Fails on another status than 200.
    pub fn must_be_ok(&self, what: &str) -> anyhow::Result<()> {
        ensure!(
            self.status == 200,
            "{what} failed: {} {}",
            self.status,
            String::from_utf8_lossy(self.body)
        );
        Ok(())
    }
}

/// Status and length of the body.
fn head_of(bytes: &[u8]) -> anyhow::Result<(u16, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    head.parse(bytes)?;
    let length = head
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("an answer without a length")?;
    let length = std::str::from_utf8(length.value)?.parse()?;
    Ok((head.code.context("an answer without a status")?, length))
}
