//! Questions that many requests ask at the same time, asked of the database together.
//!
//! Whoever asks gets an answer that was read after the asking. Without load a question waits for
//! nobody. Under load the next batch gathers while one is being answered, and for two
//! milliseconds at least, so that a question costs a small fraction of a statement.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls, Statement};

use crate::db;
use crate::error::{Error, Problem, Slug};

/// A kind of question.
pub trait Batch: Send + 'static {
    type Question: Send + Sync + 'static;
    type Answer: Send + 'static;

    /// What is prepared, once per connection.
    const SQL: &'static str;

    /// An answer for each question, in their order.
    fn ask(
        client: &Client,
        statement: &Statement,
        questions: &[Self::Question],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, tokio_postgres::Error>> + Send;
}

/// The most questions in one statement.
const MOST: usize = 512;

/// From the beginning of one batch to that of the next.
const PACE: Duration = Duration::from_millis(2);

/// How long one waits for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

type Asked<B> = (
    <B as Batch>::Question,
    oneshot::Sender<<B as Batch>::Answer>,
);

/// Where questions of one kind gather.
pub struct Gather<B: Batch> {
    queue: mpsc::Sender<Asked<B>>,
}

impl<B: Batch> Gather<B> {
    /// Starts answering, on the running tokio runtime, until the gather is dropped.
    pub fn start(url: &str) -> Gather<B> {
        let (queue, questions) = mpsc::channel(MOST * 8);
        tokio::spawn(answer::<B>(url.to_owned(), questions));
        Gather { queue }
    }

    pub async fn ask(&self, question: B::Question) -> Result<B::Answer, Error> {
        let (reply, answer) = oneshot::channel();
        let busy = || Problem::new(Slug::TooBusy, "more is asked than can be answered soon");
        self.queue.try_send((question, reply)).map_err(|_| busy())?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => {
                Err(Problem::new(Slug::Unavailable, "the database does not answer").into())
            }
            Err(_) => Err(busy().into()),
        }
    }
}

/// Answers what waits, batch by batch. An error drops the replies, which tells who asked.
async fn answer<B: Batch>(url: String, mut questions: mpsc::Receiver<Asked<B>>) {
    let mut open: Option<(Client, Statement)> = None;
    let mut next = Instant::now();
    loop {
        let mut batch = Vec::new();
        if questions.recv_many(&mut batch, MOST).await == 0 {
            return;
        }
        if Instant::now() < next {
            tokio::time::sleep_until(next).await;
            while batch.len() < MOST
                && let Ok(question) = questions.try_recv()
            {
                batch.push(question);
            }
        }
        next = Instant::now() + PACE;
        let (asked, replies): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        // A link that is silent that long is given up, like one that broke.
        let answers = tokio::time::timeout(PATIENCE, attempt::<B>(&url, &mut open, &asked)).await;
        match answers.map_err(anyhow::Error::from).and_then(|it| Ok(it?)) {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    // Who asked may have gone away.
                    let _ = reply.send(answer);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "questions went unanswered");
                open = None;
            }
        }
    }
}

async fn attempt<B: Batch>(
    url: &str,
    open: &mut Option<(Client, Statement)>,
    asked: &[B::Question],
) -> Result<Vec<B::Answer>, tokio_postgres::Error> {
    // A connection that broke while nobody asked is noticed by the first who does.
    for _ in 0..2 {
        let (client, statement) = match open.take() {
            Some(ready) if !ready.0.is_closed() => open.insert(ready),
            _ => open.insert(connect::<B>(url).await?),
        };
        match B::ask(client, statement, asked).await {
            Err(error) if error.is_closed() => *open = None,
            answered => return answered,
        }
    }
    let (client, statement) = open.insert(connect::<B>(url).await?);
    B::ask(client, statement, asked).await
}

async fn connect<B: Batch>(url: &str) -> Result<(Client, Statement), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection for questions ended");
        }
    });
    client.batch_execute(db::SESSION).await?;
    client.batch_execute(db::ONE_PLAN).await?;
    let statement = client.prepare(B::SQL).await?;
    Ok((client, statement))
}
