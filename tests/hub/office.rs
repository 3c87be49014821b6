//! An operator's office in the sample coalition: admits further partners and gives them credentials
//! of chosen scopes, for what the brands of the sample, who may do everything, cannot show.

use std::ops::Deref;

use interline::access::{self, Role, Who};
use interline::db::Connection;
use interline::id::Kind;
use interline::points::account::Asset;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, send};

pub const PASSWORD: &str = "correct horse battery";

/// What a program needs to enrol and look up members.
pub const MEMBERS: &[&str] = &["members:read", "members:write"];

pub struct Office {
    world: World,
    pub operator: Who,
    pub operator_token: String,
}

impl Deref for Office {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Office {
    pub async fn open() -> Office {
        let world = World::new().await;
        let mut conn = world.hub.pool.get().await.expect("a connection");
        let id = access::people::create(&mut conn, "op", "Op", Role::Operator, PASSWORD)
            .await
            .expect("an operator");
        drop(conn);
        let operator = Who::at_the_console(id, Role::Operator);
        let mut office = Office {
            world,
            operator,
            operator_token: String::new(),
        };
        office.operator_token = office.sign_in("op").await;
        office
    }

    /// Another connection of the hub's.
    pub async fn conn(&self) -> impl std::ops::DerefMut<Target = Connection> + use<> {
        self.hub.pool.get().await.expect("a connection")
    }

    pub async fn sign_in(&self, login: &str) -> String {
        self.sign_in_with(login, PASSWORD).await
    }

    /// Without token and key.
    pub async fn post_bare(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// The bytes as they are.
    pub async fn post_keyed(&self, token: &str, path: &str, key: &str, body: &str) -> Answer {
        let request = self
            .request(Method::POST, path)
            .bearer_auth(token)
            .header("idempotency-key", key)
            .header("content-type", "application/json");
        send(request.body(body.to_owned())).await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Answer {
        send(self.request(Method::DELETE, path).bearer_auth(token)).await
    }

    pub async fn token_form(&self, form: &[(&str, &str)]) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = self
            .request(Method::POST, "/oauth/token")
            .header("content-type", "application/x-www-form-urlencoded");
        send(request.body(form)).await
    }

    /// A new partner with a currency; its id.
    pub async fn partner(&self, code: &str, currency: &str) -> String {
        let body = json!({"code": code, "name": code, "kind": "airline", "money": "USD", "zone": "Asia/Hong_Kong"});
        let partner = self.post(&self.operator_token, "/v1/partners", body).await;
        let id = partner.ok()["id"].as_str().expect("an id").to_owned();
        self.bring_live(&id).await;
        let path = format!("/v1/partners/{id}/request-limit");
        let often = json!({"per_second": 20_000, "burst": 40_000});
        self.put(&self.operator_token, &path, often).await.ok();
        self.currency(&id, currency).await;
        id
    }

    pub async fn currency(&self, issuer: &str, code: &str) {
        let body = json!({"code": code, "name": code, "scale": 0, "issuer": issuer,
            "expiry": {"policy": "rolling", "months": 36}, "display_value": "0.014"});
        self.post(&self.operator_token, "/v1/currencies", body)
            .await
            .ok();
    }

    /// The number of a currency among assets.
    pub async fn asset(&self, code: &str) -> Asset {
        let directory = self.hub.directories.current(&mut *self.conn().await).await;
        let (_, directory) = directory.expect("a directory");
        directory.currency(code).expect(code).no
    }

    pub async fn credential(&self, partner: &str, scopes: &[&str]) -> (String, String) {
        let path = format!("/v1/partners/{partner}/credentials");
        let made = self
            .post(&self.operator_token, &path, json!({"scopes": scopes}))
            .await
            .ok();
        let text = |name: &str| made[name].as_str().expect(name).to_owned();
        (text("client_id"), text("client_secret"))
    }

    pub async fn token(&self, partner: &str, scopes: &[&str]) -> String {
        let (id, secret) = self.credential(partner, scopes).await;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &*id),
            ("client_secret", &*secret),
        ];
        let token = self.token_form(&form).await.ok();
        token["access_token"].as_str().expect("a token").to_owned()
    }

    pub fn internal(&self, kind: Kind, shown: &str) -> i64 {
        self.hub.ids.read(kind, shown).expect(shown)
    }
}

/// The code of a problem, or nothing.
pub fn code(answer: &Answer) -> &str {
    answer.body["code"].as_str().unwrap_or("none")
}
