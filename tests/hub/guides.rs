//! The guides: their calls are run in their order, by a shell with the five values that a guide lets a reader
//! have, and the answers are as they show them.
//!
//! A block of `sh` is run; a block of `json` after it is what it prints. What is shown has to come, with the
//! same type; more may. A null and a text that is cut by dots stand for anything.

use std::path::{Path, PathBuf};
use std::process::Command;

use interline::docs::deprecation::Deprecated;
use interline::docs::page::{GUIDES, Guide};
use serde_json::{Value, json};

use crate::world::{Member, World};

/// A folder for one guide's files, gone in the end.
struct Desk(PathBuf);

impl Desk {
    fn new() -> Desk {
        let desk = std::env::temp_dir().join(format!("interline-guide-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&desk).expect("a folder");
        Desk(desk)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A guide's blocks of code with their languages, in their order.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("\n```") {
        let (language, code) = after.split_once('\n').expect("a block");
        let (code, after) = code.split_once("\n```").expect("an end of the block");
        blocks.push((language, code));
        rest = after;
    }
    blocks
}

/// One script of all calls: what each prints goes to a file of its number.
fn script(blocks: &[(&str, &str)]) -> String {
    let mut script = "set -eu\n".to_owned();
    for (nth, (language, code)) in blocks.iter().enumerate() {
        if *language == "sh" {
            script += &format!("exec > out.{nth}\n{code}\n");
        }
    }
    script
}

fn run(desk: &Path, script: &str, given: &[(&str, &str)]) {
    let path = std::env::var_os("PATH").expect("a PATH");
    let ended = Command::new("bash")
        .args(["-c", script])
        .current_dir(desk)
        .env_clear()
        .env("PATH", path)
        .env("HOME", std::env::var_os("HOME").unwrap_or_default())
        .envs(given.iter().copied())
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "the guide's calls fail: {said}");
}

/// Whether everything that is shown came.
fn is_as_shown(shown: &Value, came: &Value) -> Result<(), String> {
    match (shown, came) {
        (Value::Null, _) => Ok(()),
        (Value::Object(shown), Value::Object(came)) => {
            shown.iter().try_for_each(|(name, shown)| {
                let came = came
                    .get(name)
                    .ok_or_else(|| format!("{name} did not come"))?;
                is_as_shown(shown, came).map_err(|why| format!("{name}: {why}"))
            })
        }
        (Value::Array(shown), Value::Array(came)) => match (shown.first(), came.first()) {
            (Some(shown), Some(came)) => is_as_shown(shown, came),
            (None, _) => Ok(()),
            (Some(_), None) => Err("the list is empty".to_owned()),
        },
        (Value::String(_), Value::String(_)) => Ok(()),
        (shown, came) if shown == came => Ok(()),
        (shown, came) => Err(format!("{shown} is shown, {came} came")),
    }
}

/// The values that tell what the calls are about: they are as shown, to the letter.
const TELLING: [&str; 6] = ["status", "code", "amount", "currency", "state", "verified"];

fn is_told(shown: &Value, came: &Value) -> bool {
    let Value::Object(shown) = shown else {
        return true;
    };
    shown.iter().all(|(name, shown)| match shown {
        Value::Object(_) => is_told(shown, &came[name]),
        _ if TELLING.contains(&name.as_str()) => *shown == came[name],
        _ => true,
    })
}

/// What is there before the guide of that begins: a currency, and a transfer that was undone in part.
async fn keep_own_balances(world: &World, member: &str) {
    world.sky().await;
    let member = Member {
        id: member.to_owned(),
    };
    let quote = world.quote(&member, "500", "SKY", "HPT").await;
    let made = world.transfer(&member, &quote, "500", json!({})).await.ok();
    let part = json!({"operation": made["id"], "amount": {"amount": "200", "currency": "SKY"}});
    let aero = world.token("AERO").await;
    world.post(&aero, "/v1/reversals", part).await.ok();
}

async fn follow(guide: &Guide) {
    for program in ["bash", "curl", "python3"] {
        let found = Command::new(program).arg("--version").output();
        assert!(found.is_ok(), "the guides need {program}: install it");
    }
    let world = World::new().await;
    world.hub.seal_all_along(None);
    world.hub.deliver_all_along().expect("webhooks");
    let aero = world.credentials.partner("AERO").expect("AERO").clone();
    let members = &world.credentials.members;
    let of_bayview = |id: &str| {
        members
            .iter()
            .any(|it| it.partner == "BAYVIEW" && it.id == id)
    };
    let member = members
        .iter()
        .find(|it| it.partner == "AERO" && of_bayview(&it.id));
    // Free again at the end of the statement.
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = port.expect("a port").port().to_string();
    let given = [
        ("BASE", world.base_url.clone()),
        ("ID", aero.client_id),
        ("SECRET", aero.client_secret),
        ("PARTNER", aero.id),
        ("MEMBER", member.expect("a member of both").id.clone()),
        ("PORT", port),
    ];
    if guide.slug == "keeping-your-own-balances" {
        keep_own_balances(&world, &given[4].1).await;
    }
    let blocks = blocks(guide.text);
    let (desk, script) = (Desk::new(), script(&blocks));
    let folder = desk.0.clone();
    let ran = tokio::task::spawn_blocking(move || {
        let given: Vec<(&str, &str)> = given
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        run(&folder, &script, &given);
    });
    ran.await.expect("the guide's calls work");

    for (nth, pair) in blocks.windows(2).enumerate() {
        let [("sh", code), ("json", shown)] = pair else {
            continue;
        };
        let came =
            std::fs::read_to_string(desk.0.join(format!("out.{nth}"))).expect("what it printed");
        let shown: Value = serde_json::from_str(shown).expect("JSON is shown");
        let came: Value =
            serde_json::from_str(&came).unwrap_or_else(|_| panic!("{code}\nprinted {came}"));
        if let Err(why) = is_as_shown(&shown, &came) {
            panic!("{code}\n{why}\n{came}");
        }
        assert!(
            is_told(&shown, &came),
            "{code}\n{shown} is shown\n{came} came"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn getting_started_reaches_a_conversion_and_a_verified_webhook() {
    follow(Guide::find("getting-started").expect("a guide")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_other_guides_show_is_what_happens() {
    for guide in GUIDES
        .iter()
        .filter(|guide| guide.slug != "getting-started")
    {
        follow(guide).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_served_and_leads_nowhere_that_is_not_there() {
    let world = World::new().await;
    let index = world.get("", "/docs/guides").await;
    let mut pages = vec!["/docs/guides".to_owned(), "/docs/changelog".to_owned()];
    pages.extend(
        GUIDES
            .iter()
            .map(|guide| format!("/docs/guides/{}", guide.slug)),
    );
    for page in &pages {
        let answer = world.get("", page).await;
        let policy = answer.headers["content-security-policy"]
            .to_str()
            .expect("ASCII")
            .to_owned();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'"),
            "{page}"
        );
        let html = answer.ok();
        for link in html.as_str().expect("a page").split("href=\"").skip(1) {
            let link = link.split(['"', '#']).next().expect("an address");
            if link.starts_with('/') {
                world.get("", link).await.ok();
            }
        }
    }
    let index = index.ok();
    for page in &pages[1..] {
        assert!(index.as_str().expect("a page").contains(page), "{page}");
    }
    assert_eq!(
        world.get("", "/docs/guides/nowhere").await.problem(),
        "not-found"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_go_is_announced_in_every_answer_of_it_and_of_nothing_else() {
    let mut world = World::new().await;
    let announced: &[Deprecated] = Box::leak(Box::new([Deprecated {
        method: "GET",
        path: "/v1/currencies/{code}",
        since: "2027-01-01".parse().expect("a day"),
        sunset: "2027-06-30".parse().expect("a day"),
        instead: "/docs/changelog",
    }]));
    world.hub.announced = actix_web::web::Data::new(interline::docs::api::Announced(announced));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    world.base_url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(world.hub.serve(listener).expect("a server"));
    let aero = world.token("AERO").await;
    for path in ["/v1/currencies/MILE", "/v1/currencies/NONE"] {
        let answer = world.get(&aero, path).await;
        assert_eq!(answer.headers["deprecation"], "@1798761600", "{path}");
        assert_eq!(answer.headers["sunset"], "Wed, 30 Jun 2027 00:00:00 GMT");
        let link = "</docs/changelog>; rel=\"deprecation\"; type=\"text/html\"";
        assert_eq!(answer.headers["link"], link);
    }
    let other = world.get(&aero, "/v1/currencies").await;
    assert!(!other.headers.contains_key("deprecation"));
}

/// What the webhooks guide gives readers to verify with, in a language, and what follows it in a test.
fn verifier(language: &str, after: &str) -> String {
    let guide = Guide::find("webhooks").expect("a guide");
    let blocks = blocks(guide.text);
    let code = blocks
        .iter()
        .find(|(of, _)| *of == language)
        .expect(language)
        .1;
    format!("{code}\n{after}")
}

/// The example that the specification publishes, and what is wrong in one place.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SENT: i64 = 1_614_265_330;
const BODY: &str = r#"{"test": 2432232314}"#;

/// Signatures, body, seconds since it was sent, and whether it is genuine.
fn cases() -> [(String, &'static str, i64, bool); 6] {
    [
        (SIGNATURE.to_owned(), BODY, 0, true),
        (format!("v1,AAAA {SIGNATURE}"), BODY, 299, true),
        (SIGNATURE.to_owned(), BODY, 301, false),
        (SIGNATURE.to_owned(), r#"{"test":2432232314}"#, 0, false),
        (SIGNATURE.replace("g0h", "g0i"), BODY, 0, false),
        (String::new(), BODY, 0, false),
    ]
}

/// Runs a program that prints true or false for each case.
fn assert_verifies(program: &str, flag: &str, code: &str) {
    let ended = Command::new(program)
        .args([flag, code])
        .output()
        .expect(program);
    let said = String::from_utf8_lossy(&ended.stdout).to_lowercase();
    let expected: String = cases()
        .iter()
        .map(|(.., right)| format!("{right}\n"))
        .collect();
    assert_eq!(said, expected, "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn the_verifying_code_in_python_takes_what_is_genuine_and_nothing_else() {
    let calls: String = cases()
        .iter()
        .map(|(signatures, body, since, _)| {
            format!(
                "print(is_genuine('{SECRET}', {{'webhook-id': '{ID}', 'webhook-timestamp': '{SENT}', \
                 'webhook-signature': '{signatures}'}}, b'{body}', {}))\n",
                SENT + since
            )
        })
        .collect();
    assert_verifies("python3", "-c", &verifier("python", &calls));
}

/// Node is not needed to build the hub; where it is missing its code is not run.
#[test]
fn the_verifying_code_in_javascript_takes_what_is_genuine_and_nothing_else() {
    let calls: String = cases()
        .iter()
        .map(|(signatures, body, since, _)| {
            format!(
                "console.log(isGenuine('{SECRET}', {{'webhook-id': '{ID}', 'webhook-timestamp': '{SENT}', \
                 'webhook-signature': '{signatures}'}}, '{body}', {}));\n",
                SENT + since
            )
        })
        .collect();
    let code = verifier("js", &calls);
    match Command::new("node").arg("--version").output() {
        Ok(_) => assert_verifies("node", "-e", &code),
        Err(_) => eprintln!("there is no node here: the guide's JavaScript was not run"),
    }
}

/// The code of the guide, to the letter.
mod in_rust {
    include!("guides/verify.rs");

    pub fn check(
        secret: &str,
        id: &str,
        timestamp: &str,
        signatures: &str,
        body: &[u8],
        now: i64,
    ) -> bool {
        is_genuine(secret, id, timestamp, signatures, body, now)
    }
}

#[test]
fn the_verifying_code_in_rust_takes_what_is_genuine_and_nothing_else() {
    let shown = verifier("rust", "");
    let squeezed = |text: &str| {
        text.split_whitespace()
            .collect::<String>()
            .replace(",)", ")")
    };
    assert_eq!(squeezed(&shown), squeezed(include_str!("guides/verify.rs")));
    for (signatures, body, since, is_right) in cases() {
        let now = SENT + since;
        let taken = in_rust::check(
            SECRET,
            ID,
            &SENT.to_string(),
            &signatures,
            body.as_bytes(),
            now,
        );
        assert_eq!(taken, is_right, "{signatures} {body} {since}");
    }
}
