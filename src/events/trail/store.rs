//! Changes with who made them, a page at a time.

use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;

#[derive(Debug, diesel::QueryableByName)]
pub struct Entry {
    #[diesel(sql_type = BigInt)]
    pub position: i64,
    #[diesel(sql_type = Timestamptz)]
    pub at: Timestamp,
    #[diesel(sql_type = BigInt)]
    pub principal_id: i64,
    /// Of the credential; none when it was a person, or the hub by itself.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub partner_id: Option<i64>,
    #[diesel(sql_type = SqlUuid)]
    pub request_id: Uuid,
    #[diesel(sql_type = Text)]
    pub origin: String,
    #[diesel(sql_type = Text)]
    pub subject: String,
    #[diesel(sql_type = BigInt)]
    pub subject_id: i64,
    #[diesel(sql_type = Nullable<Text>)]
    pub before: Option<String>,
    #[diesel(sql_type = Text)]
    pub after: String,
}

/// Behind a place and below another, of all subjects or of one.
pub async fn list(
    conn: &mut Connection,
    (after, horizon): (i64, i64),
    subject: Option<&str>,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    let sql = "select a.position, a.at, a.principal_id, c.partner_id, a.request_id, a.origin, a.subject, \
                      a.subject_id, a.before, a.after \
                 from audit a left join credentials c on c.id = a.principal_id \
                where a.position > $1 and a.position < $2 and ($3 is null or a.subject = $3) \
                order by a.position limit $4";
    Ok(diesel::sql_query(sql)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(horizon)
        .bind::<Nullable<Text>, _>(subject)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?)
}
