//! What moves when a quote is taken.
//!
//! | account                           |   given |  gained |   money |
//! |-----------------------------------|--------:|--------:|--------:|
//! | member, at the giving side        |  −gives |         |         |
//! | giving programme, converted out   |   gives |         |         |
//! | gaining programme, converted in   |         |  −gains |         |
//! | member, at the gaining side       |         |   gains |         |
//! | position of the giving issuer     |         |         |  −gross |
//! | position of the gaining issuer    |         |         |   value |
//! | commission, rounding, fx clearing |         |         | the rest |
//!
//! Each column sums to zero, the last per money (see `ledger::transfer`).

use super::decision::Order;
use crate::clock::Timestamp;
use crate::ledger::command::{Decided, Seen};
use crate::ledger::lot::Short;
use crate::ledger::operation::{Figures, Kind};
use crate::rates::card::Evaluated;
use crate::rates::settlement;

pub fn of(
    order: &Order,
    evaluated: &Evaluated,
    seen: &Seen<'_>,
    now: Timestamp,
) -> Result<Decided, Short> {
    let (from, to) = (&order.from, &order.to);
    let mut decided =
        Decided::new(Kind::Conversion).taking(seen, from.wallet, evaluated.priced.used, now)?;
    if let Some(until) = from.programme.extends_to(now) {
        decided = decided.extending(seen, from.wallet, until, now);
    }
    if let Some(until) = to.programme.extends_to(now) {
        decided = decided.extending(seen, to.wallet, until, now);
    }
    let settlement::Figures {
        gross,
        commission,
        net,
        net_converted,
        value,
        residual,
    } = evaluated.figures;
    Ok(Decided {
        figures: Some(Figures {
            pays: from.position,
            paid: to.position,
            gross,
            commission,
            net,
            converted: net_converted,
            value,
            residual,
        }),
        card_id: Some(order.card_id),
        exchange_rate_id: order.exchange.map(|(id, _)| id),
        quote: Some(order.quote.jti),
        ..decided.giving(
            seen,
            to.wallet,
            evaluated.priced.total,
            to.programme.lot(now),
        )
    })
}
