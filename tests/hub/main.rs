//! The hub, through HTTP, against real PostgreSQL. One binary, so that it links once and starts one
//! cluster.

mod access;
mod approvals;
mod hostile;
mod members;
mod office;
mod openapi;
mod partners;
mod races;
mod refusals;
mod sql;
mod walkthrough;
mod wire;
mod world;
