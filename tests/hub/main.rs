//! The hub, through HTTP, against real PostgreSQL. One binary, so that it links once and starts one
//! cluster.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod adjustments;
mod approvals;
mod award_limits;
mod bonuses;
mod campaigns;
mod caps;
mod claims;
mod conditions;
mod crowd;
mod deliveries;
mod faults;
mod feed;
mod fees;
mod follow_ups;
mod history;
mod holds;
mod hostile;
mod imports;
mod laws;
mod life;
mod limits;
mod members;
mod office;
mod openapi;
mod partners;
mod permissions;
mod postgres;
mod proof;
mod quotes;
mod races;
mod rates;
mod receivables;
mod refusals;
mod schema;
mod seals;
mod sponsors;
mod sql;
mod through;
mod tokens;
mod walkthrough;
mod wire;
mod world;
