//! The connections of a hub, and how long each may keep it waiting.
//!
//! | what is slow                             | ends after | by whom       |
//! |------------------------------------------|------------|---------------|
//! | the head of the first request            | 5 s        | the framework |
//! | nothing at all after an answer           | 15 s       | the framework |
//! | the head of a later request, the body of one that was answered already, an answer that nobody reads | 20 s after the answer | [`Lines`] |
//! | a body that is waited for                | 10 s       | [`super::body`] |
//!
//! The framework times the head of the first request of a connection only: whoever sends a letter of the
//! second now and then would stay for ever. Each connection is therefore known here by a second handle on its
//! socket, with when it was left to its client; one that has been for too long is shut down from outside.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

/// How often the connections are looked through, at most.
const LOOK: Duration = Duration::from_millis(500);

/// Every open connection of a hub.
pub struct Lines {
    open: Mutex<Vec<Weak<Line>>>,
    /// How long the head of a request may take.
    pub head: Duration,
    /// How long a connection may be silent between two requests.
    pub silence: Duration,
}

/// A connection.
struct Line {
    socket: TcpStream,
    /// Since when it is the client's turn; none while a request is worked on.
    waits_since: Mutex<Option<Instant>>,
}

impl Default for Lines {
    fn default() -> Self {
        Lines::of(Duration::from_secs(5), Duration::from_secs(15))
    }
}

impl Lines {
    pub fn of(head: Duration, silence: Duration) -> Lines {
        Lines {
            open: Mutex::default(),
            head,
            silence,
        }
    }

    /// Knows a connection from its beginning, for the server's `on_connect`.
    pub fn welcome(&self, io: &dyn Any, extensions: &mut Extensions) {
        let socket = io.downcast_ref::<actix_web::rt::net::TcpStream>();
        let handle = socket.and_then(|socket| socket.as_fd().try_clone_to_owned().ok());
        let Some(handle) = handle else {
            tracing::warn!("a connection is not known, and not timed between its requests");
            return;
        };
        let line = Arc::new(Line {
            socket: TcpStream::from(handle),
            waits_since: Mutex::new(Some(Instant::now())),
        });
        self.lock().push(Arc::downgrade(&line));
        extensions.insert(line);
    }

    /// Shuts down what has waited too long, now and then, as long as the hub lives.
    pub async fn watch(self: Arc<Self>) {
        let longest = self.head + self.silence;
        loop {
            tokio::time::sleep(LOOK.min(longest / 4)).await;
            let overdue = |line: &Line| line.waits_for() > longest;
            self.lock().retain(|line| match line.upgrade() {
                Some(line) if overdue(&line) => {
                    // It may have ended by itself meanwhile.
                    let _ = line.socket.shutdown(Shutdown::Both);
                    false
                }
                open => open.is_some(),
            });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Line>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn waits_for(&self) -> Duration {
        let since = self
            .waits_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn turn(&self, waits_since: Option<Instant>) {
        *self
            .waits_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = waits_since;
    }
}

/// Wraps the application: from the end of a request's head to its answer it is the hub's turn.
pub async fn take_turns(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let line = request.conn_data::<Arc<Line>>().cloned();
    if let Some(line) = &line {
        line.turn(None);
    }
    let answer = next.call(request).await;
    if let Some(line) = &line {
        line.turn(Some(Instant::now()));
    }
    Ok(answer?.map_into_boxed_body())
}
