//! Whether the bearer of a good token is still welcome: one row by primary key, asked for all
//! requests of the same instant together.

use tokio_postgres::{Client, Statement};

use super::{Party, Role};
use crate::clock::Timestamp;
use crate::db::Moment;
use crate::gather::Batch;

/// Is this credential neither revoked nor expired, this person still employed? And what is the
/// publication and the time, for the request that asks?
pub(super) struct Presence;

/// The ids of those among `$1` who are live.
pub const LIVE: &str = "select id from live_principals where id = any($1)";

/// Credentials and people have their ids from one sequence. A principal that is not live any more
/// has no row.
impl Batch for Presence {
    type Question = i64;
    type Answer = (Moment, Option<Party>);

    const SQL: &'static str = "select c.version, clock_timestamp() + c.clock_offset, l.id, l.partner_id, l.role \
         from control c left join (select id, partner_id, role from live_principals where id = any($1)) l on true";

    async fn ask(
        client: &Client,
        statement: &Statement,
        principals: &[i64],
    ) -> Result<Vec<Self::Answer>, tokio_postgres::Error> {
        let rows = client.query(statement, &[&principals]).await?;
        let moment = rows.first().map(|row| Moment {
            version: row.get(0),
            now: row.get(1),
        });
        let party = |wanted: i64| {
            let row = rows
                .iter()
                .find(|row| row.get::<_, Option<i64>>(2) == Some(wanted))?;
            match (row.get::<_, Option<i64>>(3), row.get::<_, Option<&str>>(4)) {
                (Some(partner), _) => Some(Party::Partner(partner)),
                (None, role) => Role::named(role?).map(Party::Person),
            }
        };
        // The control row is always there; without it nobody is welcome.
        let moment = moment.unwrap_or(Moment {
            version: 0,
            now: Timestamp::default(),
        });
        Ok(principals
            .iter()
            .map(|principal| (moment, party(*principal)))
            .collect())
    }
}
