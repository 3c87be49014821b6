//! Credits in the database.

use chrono::NaiveDate;
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Date, Integer, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::Which;
use super::credit::{Answer, Answered, Credit, PATIENCE, State};
use crate::clock::Timestamp;
use crate::db::{self, Connection};
use crate::error::Error;
use crate::ledger::operation::{Kind, Leg};
use crate::points::account::{Account, Asset};

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    operation_id: i64,
    #[diesel(sql_type = SmallInt)]
    kind: i16,
    #[diesel(sql_type = BigInt)]
    wallet: i64,
    #[diesel(sql_type = BigInt)]
    amount: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    member_id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    number: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    at: Timestamp,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Nullable<Text>)]
    reference: Option<String>,
    #[diesel(sql_type = Nullable<Date>)]
    credited_on: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    answered_by: Option<i64>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    answered_at: Option<Timestamp>,
    #[diesel(sql_type = Nullable<BigInt>)]
    reversal_id: Option<i64>,
}

const SELECT: &str = "select c.operation_id, o.kind, o.in_wallet as wallet, o.in_amount as amount, w.member_id, m.number, \
            c.at, c.state, c.reference, c.credited_on, c.reason, c.answered_by, c.answered_at, c.reversal_id \
       from credits c join operations o on o.id = c.operation_id join currencies y on y.no = c.currency_no \
       left join member_wallets w on w.wallet_id = o.in_wallet \
       left join memberships m on m.member_id = w.member_id and m.partner_id = y.issuer_id";

fn credit(row: Row) -> Result<Credit, Error> {
    let id = row.operation_id;
    let broken = || anyhow::anyhow!("credit {id} says what no credit can be");
    let state = State::named(&row.state).ok_or_else(broken)?;
    let what = match (state, row.reference, row.credited_on, row.reason) {
        (State::Pending, None, None, None) => None,
        (State::Acknowledged, Some(reference), Some(credited_on), None) => Some(Answered::Made {
            reference,
            credited_on,
        }),
        (State::Rejected, None, None, Some(reason)) => Some(Answered::Rejected { reason }),
        _ => return Err(broken().into()),
    };
    let answer = what
        .map(|what| {
            let (by, at) = row.answered_by.zip(row.answered_at).ok_or_else(broken)?;
            Ok::<_, Error>(Answer { what, by, at })
        })
        .transpose()?;
    Ok(Credit {
        operation: id,
        kind: Kind::of_number(row.kind).ok_or_else(broken)?,
        leg: Leg {
            wallet: Account(row.wallet),
            amount: row.amount,
        },
        member: row.member_id,
        number: row.number,
        at: row.at,
        state,
        answer,
        reversal: row.reversal_id,
    })
}

fn credits(rows: Vec<Row>) -> Result<Vec<Credit>, Error> {
    rows.into_iter().map(credit).collect()
}

pub async fn find(conn: &mut Connection, id: i64) -> Result<Option<Credit>, Error> {
    let row: Option<Row> = diesel::sql_query(format!("{SELECT} where c.operation_id = $1"))
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    row.map(credit).transpose()
}

/// The same, and nobody else answers it until the transaction ends.
pub(super) async fn lock(conn: &mut Connection, id: i64) -> Result<Option<Credit>, Error> {
    diesel::sql_query("select from credits where operation_id = $1 for update")
        .bind::<BigInt, _>(id)
        .execute(conn)
        .await?;
    find(conn, id).await
}

/// What became of what an operation asks for; none when it asks for nothing.
pub async fn state_of(conn: &mut Connection, operation: i64) -> Result<Option<State>, Error> {
    Ok(find(conn, operation).await?.map(|credit| credit.state))
}

/// A page of credits in some currencies, in all when none, oldest first: one more than `limit` when there are
/// more.
pub async fn list(
    conn: &mut Connection,
    currencies: Option<&[Asset]>,
    which: Which,
    after: i64,
    limit: i64,
) -> Result<Vec<Credit>, Error> {
    let (state, before) = match which {
        Which::All => (None, None),
        Which::In(state) => (Some(state), None),
        Which::Overdue => {
            let before = db::now(conn).await? - PATIENCE;
            (Some(State::Pending), Some(before))
        }
    };
    let currencies = currencies.map(|all| all.iter().map(|no| i32::from(*no)).collect::<Vec<_>>());
    let rows: Vec<Row> = diesel::sql_query(format!(
        "{SELECT} where c.operation_id > $1 and ($2 is null or c.currency_no = any($2)) \
            and ($3 is null or c.state = $3) and ($4 is null or c.at <= $4) \
          order by c.operation_id limit $5"
    ))
    .bind::<BigInt, _>(after)
    .bind::<Nullable<Array<Integer>>, _>(currencies)
    .bind::<Nullable<Text>, _>(state.map(State::name))
    .bind::<Nullable<Timestamptz>, _>(before)
    .bind::<BigInt, _>(limit + 1)
    .load(conn)
    .await?;
    credits(rows)
}

/// Everything that was asked for in a currency from one instant to before another, in its order.
pub async fn of_day(
    conn: &mut Connection,
    currency: Asset,
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<Credit>, Error> {
    let rows: Vec<Row> = diesel::sql_query(format!(
        "{SELECT} where c.currency_no = $1 and c.at >= $2 and c.at < $3 order by c.operation_id"
    ))
    .bind::<SmallInt, _>(currency)
    .bind::<Timestamptz, _>(from)
    .bind::<Timestamptz, _>(until)
    .load(conn)
    .await?;
    credits(rows)
}

pub(super) async fn answer(
    conn: &mut Connection,
    id: i64,
    answered: &Answered,
    by: i64,
) -> Result<(), Error> {
    let (reference, credited_on, reason) = match answered {
        Answered::Made {
            reference,
            credited_on,
        } => (Some(reference), Some(*credited_on), None),
        Answered::Rejected { reason } => (None, None, Some(reason)),
    };
    diesel::sql_query(
        "update credits set state = $2, reference = $3, credited_on = $4, reason = $5, answered_by = $6, \
                answered_at = hub_now() where operation_id = $1",
    )
    .bind::<BigInt, _>(id)
    .bind::<Text, _>(answered.state().name())
    .bind::<Nullable<Text>, _>(reference)
    .bind::<Nullable<Date>, _>(credited_on)
    .bind::<Nullable<Text>, _>(reason)
    .bind::<BigInt, _>(by)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn mark_undone(
    conn: &mut Connection,
    id: i64,
    reversal: i64,
) -> Result<(), Error> {
    diesel::sql_query("update credits set reversal_id = $2 where operation_id = $1")
        .bind::<BigInt, _>(id)
        .bind::<BigInt, _>(reversal)
        .execute(conn)
        .await?;
    Ok(())
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// What was rejected and is to be undone.
pub(super) async fn rejected(conn: &mut Connection, limit: i64) -> Result<Vec<i64>, Error> {
    let rows: Vec<Id> = diesel::sql_query(
        "select operation_id as id from credits where state = 'rejected' and reversal_id is null \
          order by operation_id limit $1",
    )
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The issuers of what the operation of a credit gave and got.
pub(super) async fn concerned(conn: &mut Connection, id: i64) -> Result<Vec<i64>, Error> {
    let rows: Vec<Id> = diesel::sql_query(
        "select distinct c.issuer_id as id from operations o \
           join currencies c on c.no = asset_of(o.in_wallet) or c.no = asset_of(o.out_wallet) \
          where o.id = $1 order by 1",
    )
    .bind::<BigInt, _>(id)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
