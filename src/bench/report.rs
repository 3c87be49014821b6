//! What a bench found, as one JSON object. Names and units stay what they are.

use serde::Serialize;

use super::closes::Closes;
use super::drain::Drain;
use super::growth::Growth;
use super::measured::{Measured, median, middle};
use super::overload::Overload;
use super::steady::Beside;
use crate::verify;

/// What is measured in turn, round by round.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Rounds {
    pub tpcb_tps: Vec<f64>,
    pub simple_update_tps: Vec<f64>,
    pub in_process: Vec<Measured>,
    pub http: Vec<Measured>,
    pub http_with_quote: Vec<Measured>,
}

/// What is measured once, and for a shorter time.
#[derive(Debug, Clone, Serialize)]
pub struct Once {
    /// Conversions in process, members chosen by a Zipf law.
    pub zipf: Measured,
    /// Per award, in batches; the waits are those of whole batches.
    pub awards: Measured,
    pub quotes: Measured,
    pub balance_reads: Measured,
    pub overload: Overload,
    pub closes: Closes,
    pub slow_connections: Beside,
    pub webhooks: Drain,
}

/// How the bench was run.
#[derive(Debug, Clone, Serialize)]
pub struct Setup {
    pub members: usize,
    pub seconds: u64,
    pub rounds: usize,
    /// Of pgbench: the number that gives the TPC-B-like script its best rate.
    pub tpcb_clients: u32,
}

#[derive(Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub setup: Setup,
    pub tpcb_tps: f64,
    pub simple_update_tps: f64,
    pub conversions_in_process_per_s: f64,
    pub conversions_http_per_s: f64,
    pub quote_and_conversion_http_per_s: f64,
    pub conversions_zipf_in_process_per_s: f64,
    pub awards_in_process_per_s: f64,
    pub quotes_http_per_s: f64,
    pub balance_reads_http_per_s: f64,
    pub ratio_in_process: f64,
    pub ratio_http: f64,
    pub ratio_http_with_quote: f64,
    /// In process, like p50_ms and p99_ms.
    pub wal_bytes_per_conversion: f64,
    pub wal_full_page_bytes_per_conversion: f64,
    pub fsyncs_per_conversion: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub http_p50_ms: f64,
    pub http_p99_ms: f64,
    /// The rounds in the middle, whole.
    pub in_process: Measured,
    pub http: Measured,
    pub http_with_quote: Measured,
    #[serde(flatten)]
    pub once: Once,
    pub all_rounds: Rounds,
    pub growth: Option<Growth>,
    pub proved: verify::Report,
}

impl Report {
    pub fn of(
        setup: Setup,
        all_rounds: Rounds,
        once: Once,
        growth: Option<Growth>,
        proved: verify::Report,
    ) -> Report {
        let tpcb_tps = median(&all_rounds.tpcb_tps);
        let in_process = middle(&all_rounds.in_process);
        let http = middle(&all_rounds.http);
        let http_with_quote = middle(&all_rounds.http_with_quote);
        Report {
            setup,
            tpcb_tps,
            simple_update_tps: median(&all_rounds.simple_update_tps),
            conversions_in_process_per_s: in_process.per_s,
            conversions_http_per_s: http.per_s,
            quote_and_conversion_http_per_s: http_with_quote.per_s,
            conversions_zipf_in_process_per_s: once.zipf.per_s,
            awards_in_process_per_s: once.awards.per_s,
            quotes_http_per_s: once.quotes.per_s,
            balance_reads_http_per_s: once.balance_reads.per_s,
            ratio_in_process: in_process.per_s / tpcb_tps,
            ratio_http: http.per_s / tpcb_tps,
            ratio_http_with_quote: http_with_quote.per_s / tpcb_tps,
            wal_bytes_per_conversion: in_process.spent.wal_bytes,
            wal_full_page_bytes_per_conversion: in_process.spent.wal_full_page_bytes,
            fsyncs_per_conversion: in_process.spent.fsyncs,
            p50_ms: in_process.p50_ms,
            p99_ms: in_process.p99_ms,
            http_p50_ms: http.p50_ms,
            http_p99_ms: http.p99_ms,
            in_process,
            http,
            http_with_quote,
            once,
            all_rounds,
            growth,
            proved,
        }
    }

    /// Whether all books that were used are right.
    pub fn is_right(&self) -> bool {
        let growth = self.growth.as_ref();
        self.proved.difference.is_none() && growth.is_none_or(|it| it.difference.is_none())
    }
}
