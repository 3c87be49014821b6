//! Questions and changes put to the database itself, past the hub.

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A session as the owner of the database, whom nothing stops.
pub async fn session(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("a connection");
    tokio::spawn(connection);
    client
}

/// The rows of an answer, column by column, as text.
pub async fn rows(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(sql).await.expect(sql);
    messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|column| row.get(column).map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        })
        .collect()
}

/// The first column of each row.
pub async fn texts(url: &str, sql: &str) -> Vec<String> {
    let rows = rows(&session(url).await, sql).await;
    rows.into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect()
}

/// The one number of an answer.
pub async fn number(url: &str, sql: &str) -> i64 {
    let texts = texts(url, sql).await;
    let [text] = &texts[..] else {
        panic!("{sql}: {texts:?}")
    };
    text.parse().expect(sql)
}
