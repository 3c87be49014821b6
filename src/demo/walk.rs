//! The walk: one member's points through three brands, over HTTP, as a partner's engineer would do
//! it: tokens, award, quotes, conversions C1 to C3 of the worked month, trial balance, positions,
//! close.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use uuid::Uuid;

use super::credentials::Credentials;
use crate::cli;
use crate::web::client;

/// One call of the walk.
pub struct Step {
    title: String,
    method: Method,
    path: String,
    request: Option<Value>,
    status: u16,
    response: Value,
}

/// What the walk did, in order, and its figures by name.
pub struct Walk {
    http: Client,
    base_url: String,
    steps: Vec<Step>,
}

/// As long as an authenticator shows one code.
const CODE_LIFE: Duration = Duration::from_secs(30);

/// What a member got, and what was expected of it.
const EXPECTED: [(&str, &str); 3] = [("C1", "12187"), ("C2", "2281"), ("C3", "14285")];

/// Walks, and answers everything that was said as one document.
pub async fn walk(credentials: &Credentials, tell: bool) -> anyhow::Result<Value> {
    let mut walk = Walk {
        http: client::builder().build()?,
        base_url: credentials.base_url.clone(),
        steps: Vec::new(),
    };
    let aero = walk.token(credentials, "AERO").await?;
    let bayview = walk.token(credentials, "BAYVIEW").await?;
    let citymart = walk.token(credentials, "CITYMART").await?;
    let finance = walk.sign_in(credentials, "finance").await?;
    let run = Uuid::new_v4().simple().to_string();

    let member = walk
        .post(
            "AERO enrols a member",
            &aero,
            "/v1/members",
            json!({"number": format!("AE{run}")}),
        )
        .await?;
    let member = text(&member, "/id")?;
    for (who, token, prefix) in [("BAYVIEW", &bayview, "BV"), ("CITYMART", &citymart, "CM")] {
        let path = format!("/v1/members/{member}/link-tokens");
        let link = walk
            .post(
                &format!("AERO gives the member a link for {who}"),
                &aero,
                &path,
                json!({"partner": who}),
            )
            .await?;
        let body =
            json!({"link_token": text(&link, "/link_token")?, "number": format!("{prefix}{run}")});
        walk.post(
            &format!("{who} links the same member"),
            token,
            "/v1/memberships",
            body,
        )
        .await?;
    }

    walk.award("AERO awards 10,000 miles", &aero, &member, "10000", "MILE")
        .await?;
    let c1 = walk
        .convert("C1", &aero, &member, ("10000", "MILE"), "HPT")
        .await?;
    let c2 = walk
        .convert("C2", &bayview, &member, ("5000", "HPT"), "STAR")
        .await?;
    walk.award(
        "CITYMART awards 20,000 stars",
        &citymart,
        &member,
        "20000",
        "STAR",
    )
    .await?;
    let c3 = walk
        .convert("C3", &citymart, &member, ("20000", "STAR"), "MILE")
        .await?;

    let balance = walk
        .get(
            "Finance reads the trial balance",
            &finance,
            "/v1/trial-balance",
        )
        .await?;
    let positions = walk
        .get(
            "Finance reads the positions",
            &finance,
            "/v1/reports/positions",
        )
        .await?;
    let windows = walk
        .get(
            "Finance looks for the open window",
            &finance,
            "/v1/settlement/windows?limit=1",
        )
        .await?;
    let close = format!(
        "/v1/settlement/windows/{}/close",
        text(&windows, "/items/0/id")?
    );
    let closing = walk
        .post("Finance closes it", &finance, &close, json!({}))
        .await?;

    if tell {
        walk.steps.iter().for_each(Step::tell);
    }
    check(&[&c1, &c2, &c3], &balance)?;
    Ok(json!({
        "member": member,
        "conversions": {"C1": c1, "C2": c2, "C3": c3},
        "trial_balance": balance,
        "positions": positions["positions"],
        "closed": closing["closed"],
        "opened": closing["opened"],
        "steps": walk.steps.iter().map(Step::json).collect::<Vec<_>>(),
    }))
}

/// The figures of the worked month to the last digit, and books that balance.
fn check(conversions: &[&Value], balance: &Value) -> anyhow::Result<()> {
    for ((name, expected), conversion) in EXPECTED.iter().zip(conversions) {
        let gained = text(conversion, "/gains/amount")?;
        if gained != *expected {
            bail!("{name} gave {gained} and should have given {expected}");
        }
    }
    for asset in balance["assets"].as_array().into_iter().flatten() {
        let sum = text(asset, "/sum")?;
        if sum
            .bytes()
            .any(|byte| byte.is_ascii_digit() && byte != b'0')
        {
            bail!("the books of {} sum to {sum}", asset["asset"]);
        }
    }
    Ok(())
}

impl Walk {
    async fn token(&mut self, credentials: &Credentials, code: &str) -> anyhow::Result<String> {
        let partner = credentials.partner(code)?;
        let form = "grant_type=client_credentials";
        let request = self
            .http
            .post(format!("{}/oauth/token", self.base_url))
            .basic_auth(&partner.client_id, Some(&partner.client_secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let (status, response) = send(request).await?;
        let token = text(&response, "/access_token");
        let title = format!("{code} gets an access token");
        let hidden = json!({"access_token": "(hidden)", "expires_in": response["expires_in"], "scope": response["scope"]});
        self.note(
            title,
            Method::POST,
            "/oauth/token",
            Some(json!(form)),
            status,
            hidden,
        )?;
        token
    }

    async fn sign_in(&mut self, credentials: &Credentials, role: &str) -> anyhow::Result<String> {
        let person = credentials.person(role)?;
        let url = format!("{}/v1/sessions", self.base_url);
        let sign_in = || send(self.http.post(&url).json(&person.sign_in()));
        let (mut status, mut response) = sign_in().await?;
        if response["code"] == "sign-in-failed" {
            // Somebody used the code of this half minute.
            tokio::time::sleep(CODE_LIFE).await;
            (status, response) = sign_in().await?;
        }
        let token = text(&response, "/access_token");
        let shown = json!({"login": person.login, "password": "(hidden)", "code": "(hidden)"});
        let title = format!("{} of {role} signs in", person.login);
        let hidden = json!({"access_token": "(hidden)", "role": response["role"]});
        self.note(
            title,
            Method::POST,
            "/v1/sessions",
            Some(shown),
            status,
            hidden,
        )?;
        token
    }

    async fn award(
        &mut self,
        title: &str,
        token: &str,
        member: &str,
        amount: &str,
        currency: &str,
    ) -> anyhow::Result<Value> {
        let amount = json!({"amount": amount, "currency": currency});
        self.post(
            title,
            token,
            "/v1/awards",
            json!({"member": member, "amount": amount, "reason": "purchase"}),
        )
        .await
    }

    async fn convert(
        &mut self,
        name: &str,
        token: &str,
        member: &str,
        (amount, from): (&str, &str),
        to: &str,
    ) -> anyhow::Result<Value> {
        let gives = json!({"amount": amount, "currency": from});
        let asked = json!({"member": member, "gives": gives, "to": to});
        let quote = self
            .post(
                &format!("{name}: what are {amount} {from} in {to}?"),
                token,
                "/v1/quotes",
                asked,
            )
            .await?;
        let taken = json!({"quote": text(&quote, "/quote")?});
        self.post(
            &format!("{name}: the member takes the quote"),
            token,
            "/v1/conversions",
            taken,
        )
        .await
    }

    async fn get(&mut self, title: &str, token: &str, path: &str) -> anyhow::Result<Value> {
        let request = self
            .http
            .get(format!("{}{path}", self.base_url))
            .bearer_auth(token);
        let (status, response) = send(request).await?;
        self.note(
            title.to_owned(),
            Method::GET,
            path,
            None,
            status,
            response.clone(),
        )?;
        Ok(response)
    }

    async fn post(
        &mut self,
        title: &str,
        token: &str,
        path: &str,
        body: Value,
    ) -> anyhow::Result<Value> {
        let request = self
            .http
            .post(format!("{}{path}", self.base_url))
            .bearer_auth(token)
            .header("idempotency-key", Uuid::new_v4().to_string())
            .json(&body);
        let (status, response) = send(request).await?;
        self.note(
            title.to_owned(),
            Method::POST,
            path,
            Some(body),
            status,
            response.clone(),
        )?;
        Ok(response)
    }

    fn note(
        &mut self,
        title: String,
        method: Method,
        path: &str,
        request: Option<Value>,
        status: u16,
        response: Value,
    ) -> anyhow::Result<()> {
        let failed = !(200..300).contains(&status);
        let said = failed.then(|| format!("{title}: {status} {response}"));
        self.steps.push(Step {
            title,
            method,
            path: path.to_owned(),
            request,
            status,
            response,
        });
        match said {
            None => Ok(()),
            Some(said) => bail!(said),
        }
    }
}

async fn send(request: reqwest::RequestBuilder) -> anyhow::Result<(u16, Value)> {
    let response = request.send().await.context("the hub does not answer")?;
    let status = response.status().as_u16();
    Ok((
        status,
        response
            .json()
            .await
            .context("the hub did not answer with JSON")?,
    ))
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .with_context(|| format!("{pointer} is missing in {value}"))
}

impl Step {
    fn json(&self) -> Value {
        json!({
            "title": self.title, "method": self.method.as_str(), "path": self.path, "request": self.request,
            "status": self.status, "response": self.response,
        })
    }

    /// Title, call and answer; long answers by their beginning.
    fn tell(&self) {
        cli::say(format!("\n{}", self.title));
        cli::say(format!("  {} {}", self.method, short(&self.path)));
        if let Some(request) = &self.request {
            cli::say(format!("  {}", short(&request.to_string())));
        }
        cli::say(format!(
            "  {} {}",
            self.status,
            short(&self.response.to_string())
        ));
    }
}

/// At most 300 characters.
fn short(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}
