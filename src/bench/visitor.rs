//! One client of a brand over HTTP: real access tokens, JSON, every answer looked at.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::ground::Ground;
use super::in_process::Turn;
use super::line::{Answer, Line};
use super::measured::Tally;
use crate::conversions::quote::Quote;
use crate::id::Kind;

/// What a visitor comes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// Takes a quote that was signed before the request: conversions alone are measured.
    Convert,
    /// Asks for a quote and takes it: two requests.
    QuoteAndConvert,
    Quote,
    /// Reads a wallet: balance and lots.
    ReadWallet,
}

#[derive(Deserialize)]
struct Quoted {
    quote: String,
}

#[derive(Deserialize)]
struct Converted {
    status: String,
}

/// A conversion that can be sent, and sent again.
#[derive(Clone)]
pub struct Intent {
    quote: String,
    brand: usize,
    key: String,
}

/// What came of a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Done,
    Refused,
    /// 503: the hub had too much to do.
    TurnedAway,
}

pub struct Visitor<'a> {
    ground: &'a Ground,
    tokens: &'a [String],
    line: Line,
    random: SmallRng,
    last: Option<Intent>,
    pub tally: Tally,
}

impl<'a> Visitor<'a> {
    pub async fn new(ground: &'a Ground, tokens: &'a [String]) -> anyhow::Result<Visitor<'a>> {
        Ok(Visitor {
            ground,
            tokens,
            line: Line::open(ground.address).await?,
            random: SmallRng::from_rng(&mut rand::rng()),
            last: None,
            tally: Tally::default(),
        })
    }

    /// Runs an errand once.
    pub async fn run(&mut self, errand: Errand) -> anyhow::Result<()> {
        match errand {
            Errand::Convert | Errand::QuoteAndConvert => self.convert(errand).await,
            Errand::Quote => {
                let (route, member) = self.somebody();
                let began = Instant::now();
                self.ask(route, member, false).await?;
                self.tally.waited_since(began);
                self.tally.done += 1;
                Ok(())
            }
            Errand::ReadWallet => {
                let (route, member) = self.somebody();
                let brand = self.ground.coalition.routes[route].from;
                let began = Instant::now();
                self.read_wallet(brand, member, "").await?;
                self.tally.waited_since(began);
                self.tally.done += 1;
                Ok(())
            }
        }
    }

    fn somebody(&mut self) -> (usize, usize) {
        let coalition = &self.ground.coalition;
        let route = self.random.random_range(0..coalition.routes.len());
        (route, self.random.random_range(0..coalition.members))
    }

    async fn convert(&mut self, errand: Errand) -> anyhow::Result<()> {
        let turn = Turn::next(&mut self.random);
        let (route, member) = self.somebody();
        let too_much = turn == Turn::TooMuch;
        let mut began = Instant::now();
        let is_again = turn == Turn::Again && self.last.is_some();
        let intent = match (self.last.take(), errand) {
            (Some(last), _) if is_again => last,
            (_, Errand::QuoteAndConvert) => {
                let quote = self.ask(route, member, too_much).await?;
                self.intent(route, quote)
            }
            _ => {
                let signed = self.sign(route, member, too_much)?;
                began = Instant::now();
                signed
            }
        };
        let taken = self.take(&intent).await?;
        self.tally.waited_since(began);
        match taken {
            Taken::Done if is_again => self.tally.repeated += 1,
            Taken::Done => self.tally.done += 1,
            Taken::Refused => self.tally.refused += 1,
            Taken::TurnedAway => bail!("the hub turned a client away that it can serve"),
        }
        self.last = Some(intent);
        Ok(())
    }

    /// A conversion of anybody's, its quote signed here.
    pub fn any_intent(&mut self) -> anyhow::Result<Intent> {
        let (route, member) = self.somebody();
        self.sign(route, member, false)
    }

    fn sign(&self, route: usize, member: usize, too_much: bool) -> anyhow::Result<Intent> {
        let (hub, coalition) = (&self.ground.hub, &self.ground.coalition);
        let it = &coalition.routes[route];
        let (given, gained) = it.amounts(too_much);
        let wallet = |brand: usize| hub.ids.show(Kind::Wallet, coalition.wallets[brand][member]);
        let signed = hub.quotes.sign(&Quote {
            jti: Uuid::now_v7(),
            given,
            gained,
            from_wallet: wallet(it.from),
            to_wallet: wallet(it.to),
            ..it.order.quote.clone()
        })?;
        Ok(self.intent(route, signed))
    }

    fn intent(&self, route: usize, quote: String) -> Intent {
        Intent {
            quote,
            brand: self.ground.coalition.routes[route].from,
            key: Uuid::new_v4().to_string(),
        }
    }

    async fn ask(&mut self, route: usize, member: usize, too_much: bool) -> anyhow::Result<String> {
        let coalition = &self.ground.coalition;
        let route = &coalition.routes[route];
        let (given, _) = route.amounts(too_much);
        let member = coalition.member_ids[member];
        let body = json!({
            "member": self.ground.hub.ids.show(Kind::Member, member),
            "gives": {"amount": given.to_string(), "currency": coalition.codes[route.from]},
            "to": coalition.codes[route.to],
        });
        let token = &self.tokens[route.from];
        let answer = self
            .line
            .post("/v1/quotes", token, None, &body.to_string())
            .await?;
        answer.must_be_ok("a quote")?;
        Ok(serde_json::from_slice::<Quoted>(answer.body)?.quote)
    }

    /// Sends a conversion.
    pub async fn take(&mut self, intent: &Intent) -> anyhow::Result<Taken> {
        let token = &self.tokens[intent.brand];
        let body = json!({"quote": intent.quote}).to_string();
        let key = Some(intent.key.as_str());
        let answer = self.line.post("/v1/conversions", token, key, &body).await?;
        match answer.status {
            201 => must_be_completed(&answer).map(|()| Taken::Done),
            422 => Ok(Taken::Refused),
            503 => Ok(Taken::TurnedAway),
            status => bail!(
                "a conversion failed: {status} {}",
                String::from_utf8_lossy(answer.body)
            ),
        }
    }

    /// Reads a wallet, or what is below it.
    pub async fn read_wallet(
        &mut self,
        brand: usize,
        member: usize,
        below: &str,
    ) -> anyhow::Result<()> {
        let wallet = self.ground.coalition.wallets[brand][member];
        let wallet = self.ground.hub.ids.show(Kind::Wallet, wallet);
        let path = format!("/v1/wallets/{wallet}{below}");
        let answer = self.line.get(&path, &self.tokens[brand]).await?;
        answer.must_be_ok("a wallet")?;
        ensure!(
            answer.body.starts_with(b"{"),
            "a wallet that is no JSON object"
        );
        Ok(())
    }
}

fn must_be_completed(answer: &Answer<'_>) -> anyhow::Result<()> {
    let converted: Converted =
        serde_json::from_slice(answer.body).context("a conversion without a status")?;
    ensure!(
        converted.status == "completed",
        "a conversion is {}",
        converted.status
    );
    Ok(())
}
