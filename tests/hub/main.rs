//! The hub, through HTTP, against real PostgreSQL. One binary, so that it links once and starts one
//! cluster.

mod faults;
mod laws;
mod postgres;
mod proof;
mod races;
mod sql;
mod walkthrough;
mod world;
