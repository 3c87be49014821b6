//! A caller who does not give up: a write is sent under its key, through either hub, until it has a
//! definite answer.
//!
//! Now and then it is sent to both hubs at once, or the caller hangs up before the answer. Nothing
//! may come of that but one effect. A hub may ask to come again; it may not break, and not be silent.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::tally::{Answer, Tally, Wallet, Write};
use crate::demo::credentials::Credentials;
use crate::web::client;

/// No hub is silent for longer, whatever was done to it.
const SILENCE: Duration = Duration::from_secs(30);

/// As long as an authenticator shows one code.
const CODE_LIFE: Duration = Duration::from_secs(30);

/// Tokens live 15 minutes.
const TOKEN_LIFE: Duration = Duration::from_secs(8 * 60);

pub struct Caller {
    pub tally: Tally,
    http: Client,
    hubs: [String; 2],
    credentials: Credentials,
    tokens: tokio::sync::Mutex<HashMap<&'static str, (Instant, String)>>,
    random: Mutex<SmallRng>,
    is_over: AtomicBool,
}

impl Caller {
    pub fn new(hubs: [String; 2], credentials: Credentials, seed: u64) -> anyhow::Result<Caller> {
        Ok(Caller {
            tally: Tally::new(),
            http: client::builder().timeout(SILENCE).build()?,
            hubs,
            credentials,
            tokens: tokio::sync::Mutex::default(),
            random: Mutex::new(SmallRng::seed_from_u64(seed)),
            is_over: AtomicBool::new(false),
        })
    }

    /// Begin nothing new.
    pub fn finish(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    pub fn below(&self, limit: usize) -> usize {
        let mut random = self.random.lock().unwrap_or_else(|e| e.into_inner());
        random.random_range(0..limit)
    }

    pub async fn pause(&self, longest_ms: usize) {
        let pause = Duration::from_millis(self.below(longest_ms) as u64);
        tokio::time::sleep(pause).await;
    }

    /// Sends a write until its answer is definite.
    pub async fn insist(&self, write: Write) -> Answer {
        let number = self.tally.begins(&write);
        let answer = loop {
            let said = match self.below(12) {
                0 | 1 => self.post_to_both(&write).await,
                2 => self.post_and_leave(&write).await,
                _ => self.post(self.below(2), &write).await,
            };
            if let Some(answer) = said {
                break answer;
            }
            self.pause(150).await;
        };
        self.tally.ends(number, &answer);
        answer
    }

    /// Sends a write once more whose answer is known.
    pub async fn again(&self, write: &Write) -> Answer {
        loop {
            if let Some(answer) = self.post(self.below(2), write).await {
                return answer;
            }
            self.pause(150).await;
        }
    }

    /// Sends a write that nothing may refuse until it is done.
    pub async fn done(&self, write: Write) -> Option<Value> {
        let what = format!("{} {}", write.path, write.key);
        match self.insist(write).await {
            Answer::Done(body) => Some(body),
            Answer::Refused(code) => {
                self.tally.wrong(format!("{what} was refused: {code}"));
                None
            }
        }
    }

    /// Asks for something that is not written, until there is a definite answer.
    pub async fn ask(&self, who: &'static str, path: &str, body: Option<&Value>) -> Answer {
        loop {
            let url = format!("{}{path}", self.hubs[self.below(2)]);
            let request = match body {
                Some(body) => self.http.post(url).json(body),
                None => self.http.get(url),
            };
            let token = self.token(who).await;
            if let Some(answer) = self.judge(request.bearer_auth(token), path).await {
                return answer;
            }
            self.pause(150).await;
        }
    }

    /// What a wallet's owner can use. None when that was refused, which is wrong.
    pub async fn balance(&self, wallet: &Wallet) -> Option<i64> {
        let path = format!("/v1/members/{}/wallets", wallet.member);
        let answer = self.ask(wallet.who, &path, None).await;
        let balance = match &answer {
            Answer::Done(body) => balance_in(body, wallet.currency),
            Answer::Refused(_) => None,
        };
        if balance.is_none() {
            self.tally
                .wrong(format!("{path} has no balance: {answer:?}"));
        }
        balance
    }

    async fn post(&self, hub: usize, write: &Write) -> Option<Answer> {
        let token = self.token(write.who).await;
        self.tally.sent.fetch_add(1, Ordering::SeqCst);
        let request = self
            .http
            .post(format!("{}{}", self.hubs[hub], write.path))
            .bearer_auth(token)
            .header("idempotency-key", &write.key)
            .json(&write.body);
        self.judge(request, &write.path).await
    }

    async fn post_to_both(&self, write: &Write) -> Option<Answer> {
        let (one, other) = tokio::join!(self.post(0, write), self.post(1, write));
        if let (Some(one), Some(other)) = (&one, &other)
            && one != other
        {
            let Write { path, key, .. } = write;
            let what = format!("{path} {key} was answered {one:?} and {other:?} at once");
            self.tally.wrong(what);
        }
        one.or(other)
    }

    async fn post_and_leave(&self, write: &Write) -> Option<Answer> {
        let patience = Duration::from_millis(self.below(30) as u64);
        let answer = self.post(self.below(2), write);
        tokio::time::timeout(patience, answer).await.ok().flatten()
    }

    /// The answer when it is definite: none when none came whole, or when it says to come again.
    async fn judge(&self, request: RequestBuilder, what: &str) -> Option<Answer> {
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => {
                self.tally.wrong(format!("{what}: silence for {SILENCE:?}"));
                return None;
            }
            Err(_) => return None,
        };
        let status = response.status().as_u16();
        let says_when = response.headers().contains_key("retry-after");
        let body: Value = response.json().await.ok()?;
        match status {
            200..=299 => Some(Answer::Done(body)),
            429 | 503 if says_when => None,
            400..=499 => {
                let code = body["code"].as_str().unwrap_or("a problem without a code");
                Some(Answer::Refused(code.to_owned()))
            }
            _ => {
                self.tally.wrong(format!("{what}: {status} {body}"));
                None
            }
        }
    }

    /// An access token. One caller gets it for all.
    async fn token(&self, who: &'static str) -> String {
        let mut tokens = self.tokens.lock().await;
        if let Some((since, token)) = tokens.get(who)
            && since.elapsed() < TOKEN_LIFE
        {
            return token.clone();
        }
        // A person's code is good once, and may have been taken by a hub that then fell silent.
        let mut may_be_used = false;
        let token = loop {
            let url = &self.hubs[self.below(2)];
            let answer = match self.sign_in(url, who) {
                Ok(request) => self.judge(request, "signing in").await,
                Err(error) => Some(Answer::Refused(error.to_string())),
            };
            match answer {
                Some(Answer::Done(body)) => {
                    break body["access_token"].as_str().unwrap_or_default().to_owned();
                }
                Some(Answer::Refused(_)) if may_be_used => {
                    tokio::time::sleep(CODE_LIFE).await;
                    may_be_used = false;
                }
                Some(Answer::Refused(code)) => {
                    self.tally.wrong(format!("{who} cannot sign in: {code}"));
                }
                None => may_be_used = self.credentials.person(who).is_ok(),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        tokens.insert(who, (Instant::now(), token.clone()));
        token
    }

    fn sign_in(&self, url: &str, who: &str) -> anyhow::Result<RequestBuilder> {
        if let Ok(person) = self.credentials.person(who) {
            let body = person.sign_in();
            return Ok(self.http.post(format!("{url}/v1/sessions")).json(&body));
        }
        let partner = self.credentials.partner(who)?;
        Ok(self
            .http
            .post(format!("{url}/oauth/token"))
            .basic_auth(&partner.client_id, Some(&partner.client_secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials"))
    }
}

fn balance_in(wallets: &Value, currency: &str) -> Option<i64> {
    let mut wallets = wallets["items"].as_array()?.iter();
    let wallet = wallets.find(|wallet| wallet["currency"] == currency)?;
    wallet["available"]["amount"].as_str()?.parse().ok()
}
