//! The only door to the books: commands gather in a bounded queue, and a few writers carry them
//! out in groups, one transaction each.
//!
//! A writer takes whatever waits, without waiting for more: while one group is being written the
//! next gathers by itself. Whoever sent a command may go away; the group does not notice.
//!
//! A group is first tried with little care, as if nobody else were at its wallets: within a hub
//! nobody is. When it fails it is tried again with locks, and then its commands one by one, so that
//! none is refused for another's fault. Trying again is always safe, also when the reply to a commit
//! was lost: the key of a command that took effect is found, and its operation is the answer.
//!
//! A group stays within the slices of caps that its writer was granted. When one is too small the
//! group is folded again with all the room there is, so a cap refuses nothing that fits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::error::Elapsed;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::asked::Care;
use super::command::{Command, Decided, Failed, Seen, Stamp, Touches};
use super::group::{self, Outcome, Queued};
use super::operation::{LARGEST_GROUP, Operation};
use super::queue::{Group, Queue, Taken};
use super::slot::Slot;
use super::statements::{self, Caps, Frame, Statements};
use crate::clock::Timestamp;

const GROUP: usize = 512;
const WRITERS: usize = 2;
const TRIES: u32 = 6;

/// After another hub was met at a wallet, so many groups lock theirs first.
const WARY: u32 = 64;

/// How long a caller waits for its command. Nothing the database does for a group takes longer,
/// so a writer that has waited as long has lost its connection.
const PATIENCE: Duration = Duration::from_secs(10);

const _: () = assert!(GROUP <= LARGEST_GROUP);

/// The way to the writers.
#[derive(Clone)]
pub struct Writers {
    handle: Arc<Handle>,
}

/// Closes the queue when the last handle is gone.
struct Handle(Arc<Queue>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What a command that was carried out, now or before, came to.
#[derive(Debug)]
pub enum Done {
    Now(Box<Operation>),
    Before(i64),
}

impl Writers {
    /// Starts the writers on the running tokio runtime. They end when the last handle is dropped.
    pub fn start(url: &str) -> Writers {
        let queue = Arc::new(Queue::default());
        for _ in 0..WRITERS {
            tokio::spawn(write(url.to_owned(), queue.clone()));
        }
        Writers {
            handle: Arc::new(Handle(queue)),
        }
    }

    /// Hands in a command and waits until it is durable, or refused.
    pub async fn execute<C: Command>(
        &self,
        command: C,
        stamp: Stamp,
    ) -> Result<Done, Failed<C::Refusal>> {
        let (reply, answer) = oneshot::channel();
        let touches = command.touches();
        let ticket = Ticket {
            command,
            touches,
            stamp,
            refusal: None,
            reply,
        };
        let Handle(queue) = &*self.handle;
        queue.put(Box::new(ticket)).map_err(|_| Failed::Busy)?;
        // Whether it takes effect is then told by its key.
        let Ok(answer) = tokio::time::timeout(PATIENCE, answer).await else {
            return Err(Failed::Unavailable);
        };
        answer.unwrap_or_else(|_| Err(Failed::Broken(anyhow::anyhow!("the writers have stopped"))))
    }
}

/// A command in the queue with the way back to who sent it.
struct Ticket<C: Command> {
    command: C,
    touches: Touches,
    stamp: Stamp,
    refusal: Option<C::Refusal>,
    reply: oneshot::Sender<Result<Done, Failed<C::Refusal>>>,
}

impl<C: Command> Queued for Ticket<C> {
    fn touches(&self) -> &Touches {
        &self.touches
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn decide(&mut self, seen: &Seen<'_>, now: Timestamp) -> Option<Decided> {
        match self.command.decide(seen, now) {
            Ok(decided) => Some(decided),
            Err(refusal) => {
                self.refusal = Some(refusal);
                None
            }
        }
    }

    fn answer(self: Box<Self>, outcome: Outcome) {
        let answer = match outcome {
            Outcome::Done(operation) => Ok(Done::Now(operation)),
            Outcome::Known(operation) => Ok(Done::Before(operation)),
            Outcome::Refused => Err(match self.refusal {
                Some(refusal) => Failed::Refused(refusal),
                None => Failed::Broken(anyhow::anyhow!("refused without a refusal")),
            }),
            Outcome::Unwelcome => Err(Failed::Unwelcome),
            Outcome::KeyReused => Err(Failed::KeyReused),
            Outcome::ReferenceTaken(operation) => Err(Failed::ReferenceTaken(operation)),
            Outcome::Stale => Err(Failed::Stale),
            Outcome::NoWallet(wallet) => Err(Failed::NoWallet(wallet)),
            Outcome::CapReached(reached) => Err(Failed::CapReached(reached)),
            Outcome::Again | Outcome::Busy => Err(Failed::Busy),
            Outcome::Unavailable => Err(Failed::Unavailable),
            Outcome::Broken(cause) => Err(Failed::Broken(anyhow::anyhow!(cause))),
        };
        // Nobody is waiting any more when the client went away.
        let _ = self.reply.send(answer);
    }
}

/// The life of a writer: take what waits, write it, answer.
async fn write(url: String, queue: Arc<Queue>) {
    let mut line = Line {
        url,
        open: None,
        wary: 0,
    };
    while let Some(Taken { group, at: _at }) = queue.take(GROUP).await {
        line.carry_out_somehow(group).await;
    }
}

/// A writer's connection, made when needed.
struct Line {
    url: String,
    open: Option<(Client, Statements, Slot)>,
    /// How many groups are still to lock their wallets first.
    wary: u32,
}

impl Line {
    /// A group with little care, with full care, or one by one.
    async fn carry_out_somehow(&mut self, group: Group) {
        let mut left = group;
        if self.wary == 0 {
            let Err((group, error)) = self.carry_out(left, Care::Light).await else {
                return;
            };
            tracing::debug!(%error, size = group.len(), "a group failed; it is tried with locks");
            if error.is::<Elapsed>() {
                // Whoever sent these has been told so already.
                group
                    .into_iter()
                    .for_each(|command| command.answer(Outcome::Unavailable));
                return;
            }
            if was_met(&error) {
                self.wary = WARY;
            }
            left = group;
        }
        self.wary = self.wary.saturating_sub(1);
        let Err((group, error)) = self.carry_out(left, Care::Full).await else {
            return;
        };
        tracing::debug!(%error, size = group.len(), "a group failed; its commands are tried one by one");
        let mut is_away = false;
        for command in group {
            match is_away {
                false => is_away = self.insist(command).await,
                true => command.answer(Outcome::Unavailable),
            }
        }
    }

    /// One command alone, several times if need be. Returns whether the database is away, so that
    /// the next one need not find out again.
    async fn insist(&mut self, command: Box<dyn Queued>) -> bool {
        let mut group = vec![command];
        for attempt in 1..=TRIES {
            let error = match self.carry_out(group, Care::Full).await {
                Ok(()) => return false,
                Err((back, error)) => {
                    group = back;
                    error
                }
            };
            if !may_pass(&error) || attempt == TRIES {
                let outcome = outcome_of(&error);
                let is_away = matches!(outcome, Outcome::Unavailable);
                group
                    .into_iter()
                    .for_each(|command| command.answer(outcome_again(&outcome)));
                return is_away;
            }
            tokio::time::sleep(Duration::from_millis(5 << attempt)).await;
        }
        false
    }

    /// One group in one transaction. On an error nothing was answered, and the commands come back.
    async fn carry_out(
        &mut self,
        mut group: Group,
        care: Care,
    ) -> Result<(), (Group, anyhow::Error)> {
        match tokio::time::timeout(PATIENCE, Box::pin(self.attempt(&mut group, care))).await {
            Ok(Ok(outcomes)) => {
                group
                    .into_iter()
                    .zip(outcomes)
                    .for_each(|(command, outcome)| command.answer(outcome));
                Ok(())
            }
            Ok(Err(error)) => {
                self.recover().await;
                Err((group, error))
            }
            Err(late) => {
                self.open = None;
                Err((group, late.into()))
            }
        }
    }

    async fn attempt(&mut self, group: &mut Group, care: Care) -> anyhow::Result<Vec<Outcome>> {
        if self
            .open
            .as_ref()
            .is_none_or(|(client, _, _)| client.is_closed())
        {
            self.open = Some(statements::connect(&self.url).await?);
        }
        let Some((client, statements, slot)) = &mut self.open else {
            anyhow::bail!("no connection")
        };

        let mut read = statements
            .begin(client, group, care, Caps::InSlices, slot)
            .await?;
        let (mut frame, mut folded) = (Frame::of(&read), group::fold(read, group));
        if group::is_short(&folded.1) {
            client.batch_execute("rollback").await?;
            read = statements
                .begin(client, group, care, Caps::Whole, slot)
                .await?;
            (frame, folded) = (Frame::of(&read), group::fold(read, group));
        }

        let (written, outcomes) = folded;
        match written.operations.is_empty() {
            true => client.batch_execute("rollback").await?,
            false => statements.commit(client, &frame, &written, slot).await?,
        }
        Ok(outcomes)
    }

    /// Leaves the failed transaction, or the connection if that is not possible.
    async fn recover(&mut self) {
        let Some((client, _, slot)) = &mut self.open else {
            return;
        };
        slot.caps.forget();
        let left = tokio::time::timeout(PATIENCE, client.batch_execute("rollback")).await;
        if client.is_closed() || !matches!(left, Ok(Ok(()))) {
            self.open = None;
        }
    }
}

fn state(error: &anyhow::Error) -> Option<&SqlState> {
    error
        .downcast_ref::<tokio_postgres::Error>()
        .and_then(tokio_postgres::Error::code)
}

/// Whether another group was at the same wallets. One at the same cap is no reason to lock wallets.
fn was_met(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<tokio_postgres::Error>();
    let cause = cause.and_then(tokio_postgres::Error::as_db_error);
    cause.is_some_and(|cause| {
        *cause.code() == SqlState::T_R_SERIALIZATION_FAILURE
            && cause.constraint() != Some(statements::AS_GRANTED)
    })
}

/// Somebody else was in the way.
const IN_THE_WAY: [SqlState; 5] = [
    SqlState::T_R_DEADLOCK_DETECTED,
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::UNIQUE_VIOLATION,
    SqlState::LOCK_NOT_AVAILABLE,
    SqlState::QUERY_CANCELED,
];

/// The database is not there for now, or cannot take anything.
const AWAY: [SqlState; 7] = [
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    SqlState::TOO_MANY_CONNECTIONS,
    SqlState::DISK_FULL,
    SqlState::READ_ONLY_SQL_TRANSACTION,
];

/// Whether trying again may help.
fn may_pass(error: &anyhow::Error) -> bool {
    match state(error) {
        Some(code) => IN_THE_WAY.contains(code) || AWAY.contains(code),
        // Who waited that long for the database does not wait as long again.
        None => !error.is::<Elapsed>(),
    }
}

fn outcome_of(error: &anyhow::Error) -> Outcome {
    match state(error) {
        Some(code) if IN_THE_WAY.contains(code) => {
            tracing::warn!(%error, code = code.code(), "a command could not be carried out for now");
            Outcome::Busy
        }
        Some(code) if !AWAY.contains(code) => {
            Outcome::Broken(format!("{error:#}: {:?}", error.root_cause()))
        }
        Some(_) | None => Outcome::Unavailable,
    }
}

/// The same outcome for another command. Only failures are shared.
fn outcome_again(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Unavailable => Outcome::Unavailable,
        Outcome::Broken(cause) => Outcome::Broken(cause.clone()),
        _ => Outcome::Busy,
    }
}
