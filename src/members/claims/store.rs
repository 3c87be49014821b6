//! Claims in the database: a column of the membership that they are about.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Jsonb};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use tokio_postgres::types::Json;
use tokio_postgres::{Client, Row, Statement};

use super::claim::Claims;
use crate::db::Connection;
use crate::error::Error;
use crate::gather::Batch;

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[derive(diesel::QueryableByName)]
struct Kept {
    #[diesel(sql_type = Jsonb)]
    claims: Value,
}

/// Asks for many at once: wallet and partner.
pub(super) struct Attestations;

impl Batch for Attestations {
    type Question = (i64, i64);
    type Answer = Option<Value>;

    const SQL: &'static str = "select m.claims \
         from unnest($1::bigint[], $2::bigint[]) with ordinality as q (wallet, partner, nth) \
         left join member_wallets w on w.wallet_id = q.wallet \
         left join memberships m on m.member_id = w.member_id and m.partner_id = q.partner order by q.nth";

    async fn ask(
        client: &Client,
        statement: &Statement,
        wanted: &[(i64, i64)],
    ) -> Result<Vec<Option<Value>>, tokio_postgres::Error> {
        let (wallets, partners): (Vec<i64>, Vec<i64>) = wanted.iter().copied().unzip();
        let rows = client.query(statement, &[&wallets, &partners]).await?;
        let claims = |row: &Row| {
            row.get::<_, Option<Json<Value>>>(0)
                .map(|Json(claims)| claims)
        };
        Ok(rows.iter().map(claims).collect())
    }
}

/// Claims as they were kept. The cause of a failure would quote a value, which no log may have.
pub(super) fn read(kept: Value) -> Result<Claims, Error> {
    let unread = |_| anyhow::anyhow!("the claims of a membership cannot be read");
    Ok(serde_json::from_value(kept).map_err(unread)?)
}

/// What a partner attests of a member; none when it is no member of its.
pub(super) async fn find(
    conn: &mut Connection,
    member: i64,
    partner: i64,
) -> Result<Option<Claims>, Error> {
    let row: Option<Kept> = diesel::sql_query(
        "select claims from memberships where member_id = $1 and partner_id = $2",
    )
    .bind::<BigInt, _>(member)
    .bind::<BigInt, _>(partner)
    .get_result(conn)
    .await
    .optional()?;
    row.map(|row| read(row.claims)).transpose()
}

/// The membership whose claims were replaced, if there is one.
pub(super) async fn replace(
    conn: &mut Connection,
    member: i64,
    partner: i64,
    claims: &Claims,
) -> Result<Option<i64>, Error> {
    let claims = serde_json::to_value(claims).map_err(anyhow::Error::from)?;
    let replaced: Option<Id> = diesel::sql_query(
        "update memberships set claims = $3 where member_id = $1 and partner_id = $2 returning id",
    )
    .bind::<BigInt, _>(member)
    .bind::<BigInt, _>(partner)
    .bind::<Jsonb, _>(claims)
    .get_result(conn)
    .await
    .optional()?;
    Ok(replaced.map(|row| row.id))
}
