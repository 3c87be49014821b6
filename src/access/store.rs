//! Whether the bearer of a good token is still welcome: one row by primary key, asked for all
//! requests of the same instant together.

use tokio_postgres::{Client, Row, Statement};

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

/// Is the credential live that acts for a member, and the membership one that its partner may act for? Each
/// question is a credential and a membership.
pub(super) struct Acting;

/// The member and the partner whose membership it is, where both are so.
impl Batch for Acting {
    type Question = (i64, i64);
    type Answer = (Moment, Option<(i64, i64)>);

    const SQL: &'static str = "select c.version, clock_timestamp() + c.clock_offset, m.member_id, m.partner_id \
         from unnest($1::bigint[], $2::bigint[]) with ordinality as q (credential, membership, nth) \
         cross join control c left join live_memberships m on m.id = q.membership and exists ( \
           select from live_principals l where l.id = q.credential and l.partner_id = m.partner_id) order by q.nth";

    async fn ask(
        client: &Client,
        statement: &Statement,
        asked: &[(i64, i64)],
    ) -> Result<Vec<Self::Answer>, tokio_postgres::Error> {
        let (credentials, memberships): (Vec<i64>, Vec<i64>) = asked.iter().copied().unzip();
        let rows = client
            .query(statement, &[&credentials, &memberships])
            .await?;
        let answer = |row: &Row| {
            let moment = Moment {
                version: row.get(0),
                now: row.get(1),
            };
            let (member, partner): (Option<i64>, Option<i64>) = (row.get(2), row.get(3));
            (moment, member.zip(partner))
        };
        Ok(rows.iter().map(answer).collect())
    }
}
