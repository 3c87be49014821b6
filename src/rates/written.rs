//! The JSON of a card's terms: one flat object, the same as the published table's column.
//!
//! | `kind`                | needs            |
//! |-----------------------|------------------|
//! | `ratio`               | `give`, `get`    |
//! | `slab`, `marginal`    | `bands`          |
//! | `table`               | `table`          |
//! | `priced`, `unpriced`  |                  |
//!
//! A field of another kind is refused like an unknown one, because a rate that is written and
//! not used would be read as if it were.

use serde::{Deserialize, Serialize};

use super::allowance::Allowance;
use super::block::BlockBonus;
use super::bonus::Bonus;
use super::fee::Fee;
use super::onward::{Delivery, Onward};
use super::printed::Printed;
use super::refusal::{BadTerms, Reason};
use super::terms::{Band, Denomination, Excluded, Limits, Rate, Remainder, Terms};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    give: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    get: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bands: Option<Vec<Band>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<Vec<Denomination>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<Printed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Printed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<Printed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_origin: Option<Printed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_min: Option<Printed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_max: Option<Printed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_step: Option<Printed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block_bonus: Option<BlockBonus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bonuses: Vec<Bonus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<Fee>,
    #[serde(skip_serializing_if = "is_absorb")]
    remainder: Remainder,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowances: Vec<Allowance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<Printed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    excludes: Vec<Excluded>,
    #[serde(skip_serializing_if = "Option::is_none")]
    onward: Option<Onward>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<Delivery>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Ratio,
    Slab,
    Marginal,
    Table,
    Priced,
    Unpriced,
}

fn is_absorb(remainder: &Remainder) -> bool {
    *remainder == Remainder::Absorb
}

impl TryFrom<Written> for Terms {
    type Error = BadTerms;

    fn try_from(mut written: Written) -> Result<Terms, BadTerms> {
        let rate = written.take_rate()?;
        written.refuse_leftovers()?;
        let (source, destination) = (written.source(), written.destination());
        Ok(Terms {
            rate,
            source,
            destination,
            block_bonus: written.block_bonus,
            bonuses: written.bonuses,
            fee: written.fee,
            remainder: written.remainder,
            allowances: written.allowances,
            keep: written.keep,
            excludes: written.excludes,
            onward: written.onward,
            delivery: written.delivery,
        })
    }
}

impl Written {
    fn take_rate(&mut self) -> Result<Rate, BadTerms> {
        Ok(match needed(self.kind, "kind")? {
            Kind::Ratio => Rate::Ratio {
                give: needed(self.give.take(), "give")?,
                get: needed(self.get.take(), "get")?,
            },
            Kind::Slab => Rate::Slab(needed(self.bands.take(), "bands")?),
            Kind::Marginal => Rate::Marginal(needed(self.bands.take(), "bands")?),
            Kind::Table => Rate::Table(needed(self.table.take(), "table")?),
            Kind::Priced => Rate::Priced,
            Kind::Unpriced => Rate::Unpriced,
        })
    }

    fn refuse_leftovers(&self) -> Result<(), BadTerms> {
        let leftovers = [
            ("give", self.give.is_some()),
            ("get", self.get.is_some()),
            ("bands", self.bands.is_some()),
            ("table", self.table.is_some()),
        ];
        match leftovers.into_iter().find(|(_, is_left)| *is_left) {
            Some((field, _)) => Err(BadTerms::new(field, Reason::NotOfThisKind)),
            None => Ok(()),
        }
    }

    fn source(&self) -> Limits {
        Limits {
            min: self.min,
            max: self.max,
            step: self.step,
            step_origin: self.step_origin,
        }
    }

    fn destination(&self) -> Limits {
        Limits {
            min: self.dest_min,
            max: self.dest_max,
            step: self.dest_step,
            step_origin: None,
        }
    }
}

impl From<Terms> for Written {
    fn from(terms: Terms) -> Written {
        let limits = Written {
            min: terms.source.min,
            max: terms.source.max,
            step: terms.source.step,
            step_origin: terms.source.step_origin,
            dest_min: terms.destination.min,
            dest_max: terms.destination.max,
            dest_step: terms.destination.step,
            block_bonus: terms.block_bonus,
            bonuses: terms.bonuses,
            fee: terms.fee,
            remainder: terms.remainder,
            allowances: terms.allowances,
            keep: terms.keep,
            excludes: terms.excludes,
            onward: terms.onward,
            delivery: terms.delivery,
            ..Written::default()
        };
        limits.with(terms.rate)
    }
}

impl Written {
    fn with(mut self, rate: Rate) -> Written {
        self.kind = Some(match rate {
            Rate::Ratio { give, get } => {
                (self.give, self.get) = (Some(give), Some(get));
                Kind::Ratio
            }
            Rate::Slab(bands) => {
                self.bands = Some(bands);
                Kind::Slab
            }
            Rate::Marginal(bands) => {
                self.bands = Some(bands);
                Kind::Marginal
            }
            Rate::Table(table) => {
                self.table = Some(table);
                Kind::Table
            }
            Rate::Priced => Kind::Priced,
            Rate::Unpriced => Kind::Unpriced,
        });
        self
    }
}

pub(super) fn needed<T>(part: Option<T>, field: &str) -> Result<T, BadTerms> {
    part.ok_or_else(|| BadTerms::new(field, Reason::Missing))
}
