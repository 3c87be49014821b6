//! Extra points for whole blocks of what is given.
//!
//! ```text
//! per_block    bonus × floor(given / block)      +5 000 per 60 000: 120 000 give 10 000 more
//! once         bonus, when given ≥ block         +5 000 at 50 000, and at 100 000 no more
//! ```

use serde::{Deserialize, Serialize};

use super::limit::positive_units;
use super::printed::Printed;
use super::refusal::BadTerms;
use crate::points::amount::Scales;

/// Extra points for whole blocks of what is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockBonus {
    pub block: Printed,
    pub bonus: Printed,
    pub mode: BlockMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockMode {
    /// For each whole block.
    PerBlock,
    /// Once, when at least one block is given.
    Once,
}

impl BlockBonus {
    /// The block and its bonus in smallest units.
    pub(super) fn units(&self, scales: Scales) -> Result<Block, BadTerms> {
        Ok(Block {
            block: positive_units(self.block, scales.source, "block_bonus.block")?,
            bonus: positive_units(self.bonus, scales.target, "block_bonus.bonus")?,
            mode: self.mode,
        })
    }
}

/// A block bonus checked and in smallest units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    block: i64,
    bonus: i64,
    mode: BlockMode,
}

impl Block {
    /// Where a bonus that is given once begins.
    pub fn threshold(&self) -> Option<i64> {
        (self.mode == BlockMode::Once).then_some(self.block)
    }

    /// At most so many a unit, as a fraction, and so many once, for what is given from `first` up to the
    /// threshold.
    pub fn bound(&self, first: i64) -> ((i64, i64), i64) {
        match self.mode {
            BlockMode::PerBlock => ((self.bonus, self.block), 0),
            BlockMode::Once if first >= self.block => ((0, 1), self.bonus),
            BlockMode::Once => ((0, 1), 0),
        }
    }

    /// What is gained for the blocks given, or nothing when the figure does not fit.
    pub fn gain(&self, given: i64) -> Option<i64> {
        let blocks = given / self.block;
        match self.mode {
            BlockMode::PerBlock => blocks.checked_mul(self.bonus),
            BlockMode::Once => Some(blocks.min(1) * self.bonus),
        }
    }
}
