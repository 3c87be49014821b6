//! People of the hub over HTTP: hired, changed and dismissed, and by how many.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sql;
use crate::world::{Answer, World, send};

const NEW_PASSWORD: &str = "a new horse battery";

/// Both operators of the sample, signed in.
struct Desk {
    world: World,
    olivia: String,
    oscar: String,
}

impl Desk {
    async fn open() -> Desk {
        let world = World::new().await;
        let (olivia, oscar) = (world.sign_in("olivia").await, world.sign_in("oscar").await);
        Desk {
            world,
            olivia,
            oscar,
        }
    }

    async fn hire(&self, by: &str, login: &str, role: &str) -> Value {
        let body = json!({"login": login, "name": login.to_uppercase(), "role": role});
        self.world.post(by, "/v1/people", body).await.ok()
    }

    async fn step(&self, by: &str, person: &Value, step: &str, body: Value) -> Answer {
        self.world
            .post(by, &format!("{}/{step}", path(person)), body)
            .await
    }

    /// What was proposed is agreed to by somebody.
    async fn approve(&self, by: &str, person: &Value) -> Answer {
        let person = self.world.get(&self.olivia, &path(person)).await.ok();
        let body = json!({"content_hash": person["proposed"]["content_hash"]});
        self.step(by, &person, "approve", body).await
    }

    async fn accept(&self, invitation: &Value, password: &str) -> Answer {
        let body = json!({"invitation": invitation, "password": password});
        let path = "/v1/invitations/accept";
        send(self.world.request(Method::POST, path).json(&body)).await
    }

    /// Hired by two, let in, and signed in with a second factor.
    async fn employ(&self, login: &str, role: &str) -> (Value, String) {
        let person = self.hire(&self.olivia, login, role).await;
        if person["state"] == "proposed" {
            self.approve(&self.oscar, &person).await.ok();
        }
        (person.clone(), self.let_in(login, &person).await)
    }

    async fn let_in(&self, login: &str, person: &Value) -> String {
        let invited = self
            .step(&self.olivia, person, "invitation", json!({}))
            .await
            .ok();
        let accepted = self.accept(&invited["invitation"], NEW_PASSWORD).await;
        assert_eq!(accepted.status, StatusCode::NO_CONTENT, "{}", accepted.body);
        self.world.sign_in_with(login, NEW_PASSWORD).await
    }

    async fn is_in(&self, token: &str) -> bool {
        self.world.get(token, "/v1/partners").await.status == StatusCode::OK
    }
}

fn path(person: &Value) -> String {
    format!("/v1/people/{}", person["id"].as_str().expect("an id"))
}

/// The id of a login of the sample.
async fn person_of(desk: &Desk, login: &str) -> Value {
    let people = desk.world.get(&desk.olivia, "/v1/people").await.ok();
    let mut people = people["items"].as_array().expect("a list").iter();
    people.find(|it| it["login"] == login).expect(login).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn power_takes_two_operators_and_the_rest_one() {
    let desk = Desk::open().await;
    let clerk = desk.hire(&desk.olivia, "clerk", "support").await;
    assert_eq!(
        (&clerk["state"], &clerk["has_password"]),
        (&json!("active"), &json!(false))
    );

    for role in ["operator", "finance"] {
        let login = format!("new.{role}");
        let hired = desk.hire(&desk.olivia, &login, role).await;
        assert_eq!(
            (&hired["state"], &hired["proposed"]["role"]),
            (&json!("proposed"), &json!(role))
        );
        let early = desk
            .step(&desk.olivia, &hired, "invitation", json!({}))
            .await;
        assert_eq!(early.problem(), "not-employed");
        assert_eq!(
            desk.approve(&desk.olivia, &hired).await.problem(),
            "maker-is-checker"
        );
        let approved = desk.approve(&desk.oscar, &hired).await.ok();
        assert_eq!(
            (&approved["state"], &approved["role"]),
            (&json!("active"), &json!(role))
        );
    }

    let to = json!({"role": "operator"});
    let raised = desk
        .step(&desk.olivia, &clerk, "role", to.clone())
        .await
        .ok();
    assert_eq!(
        (&raised["role"], &raised["proposed"]["role"]),
        (&json!("support"), &json!("operator"))
    );
    // What is proposed of a person is that person as it was read.
    let lowered = desk
        .step(&desk.oscar, &clerk, "role", json!({"role": "auditor"}))
        .await
        .ok();
    assert_eq!(
        (&lowered["role"], &lowered["proposed"]),
        (&json!("auditor"), &Value::Null)
    );
    let body = json!({"content_hash": raised["proposed"]["content_hash"]});
    let late = desk.step(&desk.oscar, &clerk, "approve", body).await;
    assert_eq!(late.problem(), "approval-closed");

    let raised = desk.step(&desk.olivia, &clerk, "role", to).await.ok();
    let body = json!({"content_hash": raised["proposed"]["content_hash"]});
    let rejected = desk.step(&desk.oscar, &clerk, "reject", body).await.ok();
    assert_eq!(
        (&rejected["role"], &rejected["proposed"]),
        (&json!("auditor"), &Value::Null)
    );
    let nothing = desk.step(&desk.oscar, &clerk, "withdraw", json!({})).await;
    assert_eq!(nothing.problem(), "approval-closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_hired_gets_in_with_an_invitation_once() {
    let desk = Desk::open().await;
    let person = desk.hire(&desk.olivia, "clerk", "support").await;
    let invite = async || {
        let invited = desk
            .step(&desk.olivia, &person, "invitation", json!({}))
            .await;
        invited.ok()["invitation"].clone()
    };
    let (first, second) = (invite().await, invite().await);
    assert_eq!(
        desk.accept(&first, NEW_PASSWORD).await.problem(),
        "invitation-invalid"
    );
    let short = desk.accept(&second, "short").await;
    assert_eq!(short.body["errors"][0]["pointer"], "/password");
    let tries = (0..4).map(|_| desk.accept(&second, NEW_PASSWORD));
    let answers = join_all(tries).await;
    let accepted = answers.iter().filter(|it| it.status.is_success()).count();
    assert_eq!(accepted, 1);
    let again = desk
        .step(&desk.olivia, &person, "invitation", json!({}))
        .await;
    assert_eq!(again.problem(), "password-set");
    let token = desk.world.sign_in_with("clerk", NEW_PASSWORD).await;
    assert!(desk.is_in(&token).await);

    // A lost way in: of who has no power at once, of who has by two.
    desk.step(&desk.olivia, &person, "renew", json!({}))
        .await
        .ok();
    assert!(!desk.is_in(&token).await);
    let old = json!({"login": "clerk", "password": NEW_PASSWORD});
    let old = send(desk.world.request(Method::POST, "/v1/sessions").json(&old)).await;
    assert_eq!(old.problem(), "sign-in-failed");
    let fiona = person_of(&desk, "fiona").await;
    let in_finance = desk.world.sign_in("fiona").await;
    let renewed = desk
        .step(&desk.olivia, &fiona, "renew", json!({}))
        .await
        .ok();
    assert_eq!(renewed["proposed"]["role"], Value::Null);
    assert!(
        desk.is_in(&in_finance).await,
        "until a second operator agrees"
    );
    assert_eq!(
        desk.approve(&desk.olivia, &fiona).await.problem(),
        "maker-is-checker"
    );
    desk.approve(&desk.oscar, &fiona).await.ok();
    assert!(!desk.is_in(&in_finance).await);
    let back = desk.let_in("fiona", &fiona).await;
    assert!(desk.is_in(&back).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_themselves_and_the_last_operator_stays() {
    let desk = Desk::open().await;
    let (olivia, oscar) = (
        person_of(&desk, "olivia").await,
        person_of(&desk, "oscar").await,
    );
    for (step, body) in [
        ("role", json!({"role": "auditor"})),
        ("renew", json!({})),
        ("dismiss", json!({})),
        ("invitation", json!({})),
        ("approve", json!({"content_hash": "00"})),
    ] {
        let answer = desk.step(&desk.olivia, &olivia, step, body).await;
        assert_eq!(answer.problem(), "not-yourself", "{step}");
    }
    let before = desk
        .step(&desk.olivia, &oscar, "renew", json!({}))
        .await
        .ok();
    let body = json!({"content_hash": before["proposed"]["content_hash"]});
    let own = desk.step(&desk.oscar, &oscar, "approve", body).await;
    assert_eq!(own.problem(), "not-yourself");

    // Each dismisses the other at the same time, at another hub: one of them stays.
    let other = desk.world.second().await;
    let paths = [&oscar, &olivia].map(|it| format!("{}/dismiss", path(it)));
    let (one, two) = tokio::join!(
        desk.world.post(&desk.olivia, &paths[0], json!({})),
        other.post(&desk.oscar, &paths[1], json!({})),
    );
    let dismissed = [&one, &two]
        .iter()
        .filter(|it| it.status.is_success())
        .count();
    assert_eq!(dismissed, 1, "{} {}", one.body, two.body);
    let left = "select count(*) from people where role = 'operator' and active";
    assert_eq!(sql::number(&desk.world.url, left).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn maker_is_not_checker_by_another_role_or_another_employment() {
    let desk = Desk::open().await;
    let (eve, as_operator) = desk.employ("eve", "operator").await;
    let member = desk.world.member().await;
    desk.world.award(&member, "50", "MILE").await;
    let body = json!({"member": member.id, "amount": {"amount": "1", "currency": "MILE"},
        "direction": "debit", "reason": "Counted twice"});
    let made = desk
        .world
        .post(&as_operator, "/v1/adjustments", body)
        .await
        .ok();
    let approve = format!("/v1/adjustments/{}/approve", made["id"].as_str().unwrap());
    let agreed = json!({"content_hash": made["content_hash"]});

    // Another role, that may approve adjustments, too.
    desk.step(&desk.olivia, &eve, "role", json!({"role": "finance"}))
        .await
        .ok();
    desk.approve(&desk.oscar, &eve).await.ok();
    assert!(!desk.is_in(&as_operator).await, "another role signs out");
    let as_finance = desk.world.sign_in_with("eve", NEW_PASSWORD).await;
    let refused = desk.world.post(&as_finance, &approve, agreed.clone()).await;
    assert_eq!(refused.problem(), "maker-is-checker");

    // Dismissed, and hired again under the login: the same person.
    desk.step(&desk.oscar, &eve, "dismiss", json!({}))
        .await
        .ok();
    assert!(!desk.is_in(&as_finance).await);
    let again = desk.hire(&desk.olivia, "eve", "finance").await;
    assert_eq!(
        (&again["id"], &again["state"]),
        (&eve["id"], &json!("proposed"))
    );
    assert_eq!(
        again["has_password"], false,
        "the old password opens nothing"
    );
    desk.approve(&desk.oscar, &again).await.ok();
    let once_more = desk.let_in("eve", &again).await;
    let refused = desk.world.post(&once_more, &approve, agreed.clone()).await;
    assert_eq!(refused.problem(), "maker-is-checker");
    desk.world.post(&desk.oscar, &approve, agreed).await.ok();

    // Nor does who proposed somebody approve it after losing and getting back the role.
    let hired = desk.hire(&desk.oscar, "mallory", "operator").await;
    let oscar = person_of(&desk, "oscar").await;
    desk.step(&desk.olivia, &oscar, "role", json!({"role": "support"}))
        .await
        .ok();
    let gone = desk.approve(&desk.oscar, &hired).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED, "{}", gone.body);
    let back = desk.world.sign_in_anew("oscar").await;
    assert_eq!(desk.approve(&back, &hired).await.problem(), "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_every_other_session() {
    let desk = Desk::open().await;
    let other = desk.world.sign_in_anew("olivia").await;
    let password = desk.world.credentials.people[0].password.clone();
    let change = async |old: &str, new: &str, code: &str| {
        let body = json!({"password": old, "new_password": new, "code": code});
        let request = desk.world.request(Method::POST, "/v1/me/password");
        send(request.bearer_auth(&desk.olivia).json(&body)).await
    };
    let code = desk.world.code_of("olivia").await;
    assert_eq!(
        change("not this one", NEW_PASSWORD, &code).await.problem(),
        "code-refused"
    );
    let short = change(&password, "short", &code).await;
    assert_eq!(short.body["errors"][0]["pointer"], "/new_password");
    assert!(desk.is_in(&other).await);
    let changed = change(&password, NEW_PASSWORD, &code).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{}", changed.body);

    assert!(desk.is_in(&desk.olivia).await && !desk.is_in(&other).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_trail_tells_what_became_of_people_and_not_who_they_are() {
    let desk = Desk::open().await;
    let (person, _) = desk.employ("canary.login", "finance").await;
    desk.step(&desk.oscar, &person, "dismiss", json!({}))
        .await
        .ok();
    let told = "select coalesce(before, '-') || ' ' || after from audit where subject = 'person' order by position";
    assert_eq!(
        sql::texts(&desk.world.url, told).await,
        [
            "- finance",
            "finance invited",
            "finance password set",
            "finance dismissed"
        ]
    );
    let whole = "select string_agg(a::text, ' ') from audit a";
    let whole = sql::texts(&desk.world.url, whole)
        .await
        .remove(0)
        .to_lowercase();
    assert!(!whole.contains("canary"), "{whole}");
}
