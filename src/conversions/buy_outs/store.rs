//! Buy-outs in the database: what was agreed to, and what is left of a currency.

use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::{BuyOut, Left};
use crate::clock::Timestamp;
use crate::db::Connection;
use crate::error::Error;
use crate::points::account::{Account, Asset};

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = SmallInt)]
    currency_no: i16,
    #[diesel(sql_type = BigInt)]
    card_id: i64,
    #[diesel(sql_type = Nullable<Text>)]
    waits_for: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    done_at: Option<Timestamp>,
}

impl From<Row> for BuyOut {
    fn from(row: Row) -> BuyOut {
        BuyOut {
            currency: row.currency_no,
            card: row.card_id,
            waits_for: row.waits_for,
            done_at: row.done_at,
        }
    }
}

/// Of a currency, for the last day that its issuer has now.
pub(super) async fn find(conn: &mut Connection, currency: Asset) -> Result<Option<BuyOut>, Error> {
    let row: Option<Row> = diesel::sql_query(
        "select b.* from buy_outs b join currencies c on c.no = b.currency_no
           join partners p on p.id = c.issuer_id and p.ends_at = b.ends_at
          where b.currency_no = $1",
    )
    .bind::<SmallInt, _>(currency)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(BuyOut::from))
}

/// Those whose time has come and that are not done.
pub(super) async fn due(conn: &mut Connection) -> Result<Vec<BuyOut>, Error> {
    let rows: Vec<Row> = diesel::sql_query(
        "select b.* from buy_outs b join currencies c on c.no = b.currency_no
           join partners p on p.id = c.issuer_id and p.ends_at = b.ends_at
          where b.done_at is null and p.state = 'winding_down' and p.ends_at <= hub_now() order by b.currency_no",
    )
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(BuyOut::from).collect())
}

/// Puts a card, or none, in the place of what there is.
pub(super) async fn set(
    conn: &mut Connection,
    currency: Asset,
    card: Option<i64>,
    ends_at: Timestamp,
) -> Result<(), Error> {
    let Some(card) = card else {
        diesel::sql_query("delete from buy_outs where currency_no = $1")
            .bind::<SmallInt, _>(currency)
            .execute(conn)
            .await?;
        return Ok(());
    };
    diesel::sql_query(
        "insert into buy_outs (currency_no, card_id, ends_at) values ($1, $2, $3)
         on conflict (currency_no) do update set card_id = excluded.card_id, ends_at = excluded.ends_at, waits_for = null, done_at = null",
    )
    .bind::<SmallInt, _>(currency)
    .bind::<BigInt, _>(card)
    .bind::<Timestamptz, _>(ends_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes down that nothing is left to convert by this card, or what the hub waits for. Answers whether that is
/// new.
pub(super) async fn keep(
    conn: &mut Connection,
    buy_out: &BuyOut,
    waits_for: Option<&str>,
) -> Result<bool, Error> {
    let kept = diesel::sql_query(
        "update buy_outs set waits_for = $3, done_at = case when $3 is null then hub_now() end
          where currency_no = $1 and card_id = $2 and done_at is null and ($3 is null or waits_for is distinct from $3)",
    )
    .bind::<SmallInt, _>(buy_out.currency)
    .bind::<BigInt, _>(buy_out.card)
    .bind::<Nullable<Text>, _>(waits_for)
    .execute(conn)
    .await?;
    Ok(kept > 0)
}

#[derive(diesel::QueryableByName)]
struct Pair {
    #[diesel(sql_type = BigInt)]
    wallet: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    other: Option<i64>,
}

/// Wallets of a currency that hold something, beyond one, each with that of the same member in another currency.
pub(super) async fn wallets(
    conn: &mut Connection,
    (from, to): (Asset, Asset),
    beyond: i64,
    limit: i64,
) -> Result<Vec<(Account, Option<Account>)>, Error> {
    let pairs: Vec<Pair> = diesel::sql_query(
        "select l.wallet, t.wallet_id as other
           from (select wallet from lots
                  where wallet >= $1::bigint << 44 and wallet < ($1 + 1)::bigint << 44 and wallet > $3 and available > 0
                  group by wallet order by wallet limit $4) l
           left join member_wallets s on s.wallet_id = l.wallet
           left join member_wallets t on t.member_id = s.member_id and t.currency_no = $2
          order by l.wallet",
    )
    .bind::<SmallInt, _>(from)
    .bind::<SmallInt, _>(to)
    .bind::<BigInt, _>(beyond)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    let pair = |pair: Pair| (Account(pair.wallet), pair.other.map(Account));
    Ok(pairs.into_iter().map(pair).collect())
}

#[derive(diesel::QueryableByName)]
struct LeftRow {
    #[diesel(sql_type = BigInt)]
    wallets: i64,
    #[diesel(sql_type = BigInt)]
    units: i64,
    #[diesel(sql_type = BigInt)]
    reached: i64,
    #[diesel(sql_type = BigInt)]
    units_reached: i64,
    #[diesel(sql_type = Bool)]
    is_tied: bool,
}

/// What is left of a currency, and what of it is of members who have a wallet of another.
pub(super) async fn left(
    conn: &mut Connection,
    from: Asset,
    to: Option<Asset>,
) -> Result<Left, Error> {
    let row: LeftRow = diesel::sql_query(
        "with held as (
           select wallet, sum(available) filter (where available > 0)::bigint as units,
                  bool_or(held > 0 or (class >= 1::bigint << 62 and available > 0)) as is_tied
             from lots where wallet >= $1::bigint << 44 and wallet < ($1 + 1)::bigint << 44 group by wallet
         ), told as (
           select coalesce(h.units, 0) as units, h.is_tied, t.wallet_id is not null as is_reached
             from held h left join member_wallets s on s.wallet_id = h.wallet
             left join member_wallets t on t.member_id = s.member_id and t.currency_no = $2
         )
         select count(*) filter (where units > 0) as wallets, coalesce(sum(units), 0)::bigint as units,
                count(*) filter (where units > 0 and is_reached) as reached,
                coalesce(sum(units) filter (where is_reached), 0)::bigint as units_reached,
                coalesce(bool_or(is_tied), false) as is_tied
           from told",
    )
    .bind::<SmallInt, _>(from)
    .bind::<Nullable<SmallInt>, _>(to)
    .get_result(conn)
    .await?;
    Ok(Left {
        wallets: row.wallets,
        units: row.units,
        reached: row.reached,
        units_reached: row.units_reached,
        is_tied: row.is_tied,
    })
}
