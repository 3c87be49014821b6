//! A body of any length, taken line by line as it comes: never more of it is in memory than one line and
//! what came with its end.
//!
//! It has no end by the clock as long as it comes: at least 8 KiB in every ten seconds that the hub waits
//! for it. While the hub works on what it has, nothing is read, and the sender waits.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use tokio::time::Instant;

use super::request::Deadline;
use crate::error::{Error, Problem, Slug};

/// The most bytes of a line.
pub const LONGEST_LINE: usize = 16 * 1024;

/// How long the hub waits for the next [`STRETCH`] of a body.
const PATIENCE: Duration = Duration::from_secs(10);
const STRETCH: usize = 8 * 1024;

/// A body on its way.
pub struct LineBody {
    payload: Payload,
    kind: String,
    deadline: Option<Deadline>,
    /// What came and is no whole line yet.
    rest: BytesMut,
    /// How much of the rest has no end of a line in it.
    looked_at: usize,
    is_over: bool,
    /// The beginning of the line was thrown away.
    is_too_long: bool,
    patience: Duration,
    came: usize,
}

/// A line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawLine {
    Whole(Bytes),
    TooLong,
}

impl FromRequest for LineBody {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let headers = request.headers();
        let mut kinds = headers.get_all(header::CONTENT_TYPE);
        let kind = kinds.next().and_then(|kind| kind.to_str().ok());
        let essence = kind.unwrap_or_default().split(';').next();
        let is_one = kinds.next().is_none();
        if headers.contains_key(header::CONTENT_ENCODING) {
            let plain = "send the body without a Content-Encoding";
            return ready(Err(Problem::new(Slug::UnsupportedMediaType, plain).into()));
        }
        ready(Ok(LineBody {
            payload: payload.take(),
            kind: match is_one {
                true => essence.unwrap_or_default().trim().to_ascii_lowercase(),
                false => String::new(),
            },
            deadline: Deadline::of(request),
            rest: BytesMut::new(),
            looked_at: 0,
            is_over: false,
            is_too_long: false,
            patience: PATIENCE,
            came: 0,
        }))
    }
}

impl LineBody {
    /// Refuses a body of another kind.
    pub fn must_be(&self, kind: &str) -> Result<(), Problem> {
        match self.kind == kind {
            true => Ok(()),
            false => Err(Problem::new(
                Slug::UnsupportedMediaType,
                format!("send one Content-Type: {kind}"),
            )),
        }
    }

    /// The next line; none when the body is over. A line ends with LF or CR LF, the last one also with the
    /// body.
    pub async fn next(&mut self) -> Result<Option<RawLine>, Error> {
        loop {
            let end = self.rest[self.looked_at..]
                .iter()
                .position(|byte| *byte == b'\n');
            if let Some(at) = end {
                let line = self.rest.split_to(self.looked_at + at + 1).freeze();
                self.looked_at = 0;
                return Ok(Some(self.line(line.slice(..line.len() - 1))));
            }
            self.looked_at = self.rest.len();
            if self.looked_at > LONGEST_LINE {
                self.rest.clear();
                (self.looked_at, self.is_too_long) = (0, true);
            }
            if self.is_over {
                let line = self.rest.split().freeze();
                self.looked_at = 0;
                let is_one = !line.is_empty() || self.is_too_long;
                return Ok(is_one.then(|| self.line(line)));
            }
            match self.chunk().await? {
                Some(chunk) => self.rest.extend_from_slice(&chunk),
                None => self.is_over = true,
            }
        }
    }

    fn line(&mut self, bytes: Bytes) -> RawLine {
        let bytes = match bytes.last() {
            Some(b'\r') => bytes.slice(..bytes.len() - 1),
            _ => bytes,
        };
        let is_too_long = std::mem::take(&mut self.is_too_long) || bytes.len() > LONGEST_LINE;
        match is_too_long {
            true => RawLine::TooLong,
            false => RawLine::Whole(bytes),
        }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let since = Instant::now();
        let chunk = tokio::time::timeout(self.patience, self.payload.next()).await;
        let cut = |why: String| Problem::new(Slug::BodyIncomplete, why);
        let chunk = chunk.map_err(|_| cut("less than 8 KiB came within 10 seconds".into()))?;
        if let Some(deadline) = &self.deadline {
            deadline.put_off();
        }
        let Some(chunk) = chunk else {
            return Ok(None);
        };
        let chunk = chunk.map_err(|error| cut(format!("the body ends too early: {error}")))?;
        self.patience = self.patience.saturating_sub(since.elapsed());
        self.came += chunk.len();
        if self.came >= STRETCH {
            (self.came, self.patience) = (0, PATIENCE);
        }
        Ok(Some(chunk))
    }

    /// Gives the work on what came its time.
    pub fn put_off(&self) {
        if let Some(deadline) = &self.deadline {
            deadline.put_off();
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    async fn lines(body: &[u8]) -> Vec<RawLine> {
        let (request, mut payload) = TestRequest::default()
            .set_payload(body.to_vec())
            .to_http_parts();
        let mut body = LineBody::from_request(&request, &mut payload)
            .await
            .expect("a body");
        let mut lines = Vec::new();
        while let Some(line) = body.next().await.expect("a line") {
            lines.push(line);
        }
        lines
    }

    fn whole(text: &str) -> RawLine {
        RawLine::Whole(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[tokio::test]
    async fn a_line_ends_with_a_line_feed_or_the_body() {
        assert_eq!(lines(b"").await, []);
        assert_eq!(lines(b"\n").await, [whole("")]);
        assert_eq!(
            lines(b"a\r\nb\n\nc").await,
            [whole("a"), whole("b"), whole(""), whole("c")]
        );
        assert_eq!(lines(b"a\rb\r").await, [whole("a\rb")]);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_passed_over() {
        let longest = "x".repeat(LONGEST_LINE);
        let body = format!("{longest}\n{longest}x\ny\n{}", "z".repeat(5 * LONGEST_LINE));
        assert_eq!(
            lines(body.as_bytes()).await,
            [
                whole(&longest),
                RawLine::TooLong,
                whole("y"),
                RawLine::TooLong
            ]
        );
    }
}
