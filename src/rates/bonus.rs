//! Points of a campaign on top of the base, as a card writes them.
//!
//! | kind       | gains                                         | 2 000 base              |
//! |------------|-----------------------------------------------|------------------------:|
//! | `percent`  | floor(base × num / den)                       | +15 % = 300             |
//! | `fixed`    | `bonus`, once                                 | +500                    |
//! | `slab`     | the band of `on` decides the fraction of the whole base | from 1 000 12 % = 240 |
//! | `marginal` | each band its part of the base, floored once  | 20 % to 1 000, 15 % above = 350 |
//!
//! Every bonus is counted on the base alone and floored by itself, so that +20 % and +10 % of
//! 1 000 are 300 and never 320. `min_given` is the least that must be given for it.

use serde::{Deserialize, Serialize};

use super::printed::Printed;
use crate::web::body::objects;

/// A campaign's bonus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Bonus {
    Percent {
        num: i64,
        den: i64,
        #[serde(default)]
        on: On,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_given: Option<Printed>,
    },
    Fixed {
        bonus: Printed,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_given: Option<Printed>,
    },
    Slab {
        #[serde(default)]
        on: On,
        #[serde(deserialize_with = "objects")]
        bands: Vec<BonusBand>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_given: Option<Printed>,
    },
    Marginal {
        #[serde(default)]
        on: On,
        #[serde(deserialize_with = "objects")]
        bands: Vec<BonusBand>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_given: Option<Printed>,
    },
}

/// The amount a band or a fee is read against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// What is gained before any bonus.
    #[default]
    Base,
    /// What is given.
    Given,
}

/// A fraction that holds from an amount on, up to the next band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BonusBand {
    pub from: Printed,
    pub num: i64,
    pub den: i64,
}
