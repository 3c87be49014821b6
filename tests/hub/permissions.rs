//! The walk: every operation of the document, with every kind of token, on what is the caller's own,
//! somebody else's, ended, and nobody's. What happens is what `GET /permissions` says, and what belongs
//! to others looks the same as what does not exist.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use interline::access::permission::{self, Permission};
use interline::access::scope::SCOPES;
use interline::access::{AnyRole, Role, Roles, people};
use interline::id::Kind;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::deliveries::{by_code, present};
use crate::hostile::writes;
use crate::office::{Office, PASSWORD};
use crate::openapi::document;
use crate::world::{Answer, Member, World, send};

/// What every partner may look up, whoever it belongs to.
const SHARED: [&str; 5] = [
    "getCurrency",
    "getPartner",
    "readAwardLimits",
    "readLinkTerms",
    "readWindow",
];

/// What of a path can be a member's own.
const OF_MEMBERS: [&str; 4] = ["{conversion}", "{member}", "{membership}", "{wallet}"];

/// What of it is a member's at one brand, and not there for the same member at another.
const OF_ONE_BRAND: [&str; 2] = ["{conversion}", "{wallet}"];

/// Something with an id that can stand in a path: whose it is, one that is in use, one that has ended.
struct Thing {
    owner: &'static str,
    live: String,
    ended: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Caller {
    Nobody,
    /// A partner whose token has this scope and no other.
    Scope(&'static str),
    /// A member, with a token that has this scope and no other.
    Member(&'static str),
    Staff(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Own,
    Foreign,
    /// The same member's, of another brand than the one that acts.
    Beside,
    Ended,
    Random,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    WhoAreYou,
    NotYou,
    In,
}

/// What the table says will happen.
fn expected(row: &Permission, caller: &Caller) -> Verdict {
    let admits = match caller {
        Caller::Nobody => return Verdict::WhoAreYou,
        Caller::Scope(scope) => {
            row.partner && row.scope.as_deref().is_none_or(|needed| needed == *scope)
        }
        Caller::Member(scope) => {
            row.member && row.scope.as_deref().is_none_or(|needed| needed == *scope)
        }
        Caller::Staff(role) => row.roles.iter().any(|admitted| admitted.name() == *role),
    };
    if admits { Verdict::In } else { Verdict::NotYou }
}

/// What happened.
fn verdict(answer: &Answer) -> Verdict {
    let says = |text: &str| {
        answer.body["detail"]
            .as_str()
            .is_some_and(|detail| detail.starts_with(text))
    };
    match answer.status.as_u16() {
        401 => Verdict::WhoAreYou,
        403 if says("this needs ") => Verdict::NotYou,
        _ => Verdict::In,
    }
}

/// The ids in a text.
fn ids_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_id = |word: &&str| {
        word.split_once('_').is_some_and(|(prefix, digits)| {
            !prefix.is_empty()
                && digits.len() == 16
                && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    words.filter(is_id).collect()
}

/// An id of the same kind that nothing has.
fn random(id: &str) -> String {
    let prefix = id.split('_').next().expect("a prefix");
    let digits = Uuid::new_v4().simple().to_string();
    format!("{prefix}_{}", &digits[..16])
}

/// Each id of a text replaced by one that nothing has.
fn randomised(text: &str) -> String {
    ids_in(text)
        .into_iter()
        .fold(text.to_owned(), |text, id| text.replace(id, &random(id)))
}

/// What the caller reads, but for the ids it sent and the number of its request.
fn shown(answer: &Answer, sent: &str) -> String {
    let mut body = answer.body.clone();
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
    }
    let text = format!("{} {body}", answer.status);
    ids_in(sent)
        .into_iter()
        .fold(text, |text, id| text.replace(id, "ID"))
}

struct Walk {
    office: Office,
    /// Tokens of single scopes, by the partner and the scope.
    scoped: BTreeMap<(&'static str, &'static str), String>,
    /// Tokens of single scopes of the partner's member, by the partner and the scope.
    members: BTreeMap<(&'static str, &'static str), String>,
    staff: BTreeMap<&'static str, String>,
    things: BTreeMap<&'static str, Thing>,
    /// The id of the partner that has nothing to do with anybody.
    stranger: String,
    stranger_token: String,
    /// A member of that partner, with all scopes.
    stranger_member: String,
}

const STRANGER: &str = "ZULU";

impl Walk {
    async fn prepare() -> Walk {
        let office = Office::open().await;
        let stranger = office.partner(STRANGER, "ZUL").await;
        let every: Vec<&str> = SCOPES.iter().map(|(name, _)| *name).collect();
        let (id, secret) = office.credential(&stranger, &every).await;
        let things = things(&office).await;
        let mut scoped = BTreeMap::new();
        for owner in [STRANGER, "AERO", "BAYVIEW", "CITYMART"] {
            let (id, secret) = match office.credentials.partner(owner) {
                Ok(known) => (known.client_id.clone(), known.client_secret.clone()),
                Err(_) => (id.clone(), secret.clone()),
            };
            for scope in &every {
                let form = [
                    ("grant_type", "client_credentials"),
                    ("client_id", &*id),
                    ("client_secret", &*secret),
                    ("scope", scope),
                ];
                let token = office.token_form(&form).await.ok()["access_token"].clone();
                scoped.insert((owner, *scope), text(&token));
            }
        }
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &*id),
            ("client_secret", &*secret),
        ];
        let stranger_token = text(&office.token_form(&form).await.ok()["access_token"]);
        let enrolled = office
            .post(&stranger_token, "/v1/members", json!({"number": "Z-1"}))
            .await;
        let enrolled = text(&enrolled.ok()["membership"]);
        let mut members = BTreeMap::new();
        for scope in of_members() {
            let narrowed = [("scope", scope)];
            let owner = Member {
                id: things["member"].live.clone(),
            };
            for partner in ["AERO", "BAYVIEW", "CITYMART"] {
                let own = office.membership(partner, &owner).await;
                let token = office.exchange(partner, &own, &narrowed).await.ok();
                members.insert((partner, scope), text(&token["access_token"]));
            }
            let form = [&exchanging(&id, &secret, &enrolled)[..], &narrowed].concat();
            let token = office.token_form(&form).await.ok();
            members.insert((STRANGER, scope), text(&token["access_token"]));
        }
        let form = exchanging(&id, &secret, &enrolled);
        let stranger_member = text(&office.token_form(&form).await.ok()["access_token"]);
        let mut staff = BTreeMap::new();
        for role in AnyRole::ANY_OF {
            let login = format!("walk.{}", role.name());
            people::create(&mut *office.conn().await, &login, "W", *role, PASSWORD)
                .await
                .expect("a person");
            staff.insert(role.name(), office.sign_in(&login).await);
        }
        Walk {
            office,
            scoped,
            members,
            staff,
            things,
            stranger,
            stranger_token,
            stranger_member,
        }
    }

    fn token(&self, caller: &Caller, partner: &'static str) -> Option<&String> {
        match caller {
            Caller::Nobody => None,
            Caller::Scope(scope) => self.scoped.get(&(partner, *scope)),
            Caller::Member(scope) => self.members.get(&(partner, *scope)),
            Caller::Staff(role) => self.staff.get(role),
        }
    }

    /// The path with the ids of a target, and who asks when a partner does: the owner for its own, the
    /// stranger for the rest.
    fn aim(&self, path: &str, target: Target) -> (String, &'static str) {
        let mut partner = "AERO";
        let segment = |part: &str| {
            let Some(name) = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
            else {
                return part.to_owned();
            };
            let thing = self
                .things
                .get(name)
                .unwrap_or_else(|| panic!("{path}: give {{{name}}} an id here"));
            partner = if name == "partner" {
                partner
            } else {
                thing.owner
            };
            match target {
                Target::Own | Target::Foreign | Target::Beside => thing.live.clone(),
                Target::Ended => thing.ended.clone(),
                Target::Random if ids_in(&thing.live).is_empty() => "NONE".to_owned(),
                Target::Random => random(&thing.live),
            }
        };
        let path: Vec<String> = path.split('/').map(segment).collect();
        (
            path.join("/"),
            match target {
                Target::Own => partner,
                Target::Beside => "BAYVIEW",
                Target::Foreign | Target::Ended | Target::Random => STRANGER,
            },
        )
    }

    /// Without a body that any write takes, so that whoever comes in changes nothing.
    async fn call(&self, method: &str, path: &str, token: Option<&String>) -> Answer {
        let method: Method = method.parse().expect("a method");
        let mut request = self.office.request(method.clone(), path);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if method != Method::GET && method != Method::DELETE {
            let key = Uuid::new_v4().to_string();
            request = request
                .header("idempotency-key", key)
                .header("content-type", "application/json")
                .body("[]");
        }
        send(request).await
    }
}

fn of_members() -> impl Iterator<Item = &'static str> {
    let all = SCOPES.iter().map(|(name, _)| *name);
    all.filter(|name| interline::access::scope::OF_MEMBERS.contains(name))
}

/// The form of an exchange for a member's token.
fn exchanging<'a>(id: &'a str, secret: &'a str, membership: &'a str) -> [(&'a str, &'a str); 5] {
    [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("client_id", id),
        ("client_secret", secret),
        ("subject_token", membership),
        ("subject_token_type", "urn:interline:token-type:membership"),
    ]
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text, not {value}"))
        .to_owned()
}

/// One of each kind that stands in a path.
async fn things(office: &Office) -> BTreeMap<&'static str, Thing> {
    let world: &World = office;
    let (aero, citymart) = (world.token("AERO").await, world.token("CITYMART").await);
    let operator = &office.operator_token;
    let member = office.member().await;
    let miles = |amount: &str| json!({"member": member.id, "amount": {"amount": amount, "currency": "MILE"}});
    let made = async |token: &str, path: &str, body: Value| {
        text(&office.post(token, path, body).await.ok()["id"])
    };
    let undone =
        async |operation: &str| made(&aero, "/v1/reversals", json!({"operation": operation})).await;

    let award = text(&office.award(&member, "50000", "MILE").await["id"]);
    let taken_back = text(&office.award(&member, "1", "MILE").await["id"]);
    let reversal = undone(&taken_back).await;
    let redemptions = [
        made(&aero, "/v1/redemptions", miles("1")).await,
        made(&aero, "/v1/redemptions", miles("1")).await,
    ];
    undone(&redemptions[1]).await;
    let holds = [
        made(&aero, "/v1/holds", miles("1")).await,
        made(&aero, "/v1/holds", miles("1")).await,
    ];
    office
        .post(&aero, &format!("/v1/holds/{}/release", holds[1]), json!({}))
        .await
        .ok();
    let convert = async || text(&office.convert(&member, "10000", "MILE", "HPT").await["id"]);
    let conversions = [convert().await, convert().await];
    undone(&conversions[1]).await;
    office.sky().await;
    let credits = [
        office.asked_for(&member).await,
        office.asked_for(&member).await,
    ];
    let rejected = json!({"reason": "Closed"});
    let path = format!("/v1/credits/{}/reject", credits[1]);
    office.post(&aero, &path, rejected).await.ok();
    let request = office
        .request(Method::PUT, "/v1/currencies/SKY/matches/2026-01-01")
        .bearer_auth(&aero)
        .header("content-type", "text/csv");
    send(request.body("kind,reference,amount\n")).await.ok();
    let (bearer, by_code) = by_code(office, 30).await;
    let delivery = text(
        &present(office, &by_code["delivery"]["code"], &bearer)
            .await
            .ok()["id"],
    );

    let ratio = json!({"kind": "ratio", "give": 2, "get": 1, "min": 2, "step": 2});
    let settlement = json!({"kind": "cost_plus", "price": "0.01", "commission": "0.025"});
    let card = json!({"from": "MILE", "to": "STAR", "terms": ratio, "settlement": settlement, "notice_days": 30,
        "priority": 7, "valid_from": "2100-01-01T00:00:00Z"});
    let cards = [
        made(&aero, "/v1/rate-cards", card.clone()).await,
        made(&aero, "/v1/rate-cards", card.clone()).await,
    ];
    office
        .post(
            &aero,
            &format!("/v1/rate-cards/{}/withdraw", cards[1]),
            json!({}),
        )
        .await
        .ok();
    let drafted = office
        .get(&aero, &format!("/v1/rate-cards/{}", cards[0]))
        .await
        .ok();
    let lints = drafted["lints"].as_array().expect("lints").iter();
    let known: Vec<&Value> = lints.map(|lint| &lint["code"]).collect();
    let propose = format!("/v1/rate-cards/{}/propose", cards[0]);
    office
        .post(&aero, &propose, json!({"acknowledges": known}))
        .await
        .ok();
    let approvals = office.get(&aero, "/v1/approvals").await.ok();
    let approval = text(&approvals["items"][0]["id"]);

    let campaign = crate::campaigns::campaign(
        office,
        json!({"bonus": {"kind": "percent", "num": 10, "den": 100}, "budget": 500}),
    );
    let campaigns = [
        made(&citymart, "/v1/campaigns", campaign.clone()).await,
        made(&citymart, "/v1/campaigns", campaign).await,
    ];
    office
        .post(
            &citymart,
            &format!("/v1/campaigns/{}/withdraw", campaigns[1]),
            json!({}),
        )
        .await
        .ok();

    let wanted = crate::mandates::wanted(office, "KWUN", crate::mandates::purchased(), &[]);
    let mandates = [
        made(&aero, "/v1/mandates", wanted.clone()).await,
        made(&aero, "/v1/mandates", wanted).await,
    ];
    let path = format!("/v1/mandates/{}/end", mandates[1]);
    office.post(&aero, &path, json!({})).await.ok();

    let hook = json!({"url": "https://hooks.example.com/interline"});
    let endpoints = [
        made(&aero, "/v1/webhook-endpoints", hook.clone()).await,
        made(&aero, "/v1/webhook-endpoints", hook).await,
    ];
    office
        .delete(&aero, &format!("/v1/webhook-endpoints/{}", endpoints[1]))
        .await;

    let imports = [
        crate::bulk::begin(office, "awards", "csv").await,
        crate::bulk::begin(office, "members", "csv").await,
    ];
    crate::bulk::lines(office, &imports[1], 1, "number\nW-1\n")
        .await
        .ok();
    crate::bulk::finish(office, &imports[1], 2).await.ok();

    let mut adjustments = Vec::new();
    for _ in 0..2 {
        let mut body = miles("1");
        body["direction"] = json!("debit");
        body["reason"] = json!("Counted twice");
        adjustments.push(office.post(operator, "/v1/adjustments", body).await.ok());
    }
    let finance = office
        .credentials
        .person("finance")
        .expect("finance")
        .login
        .clone();
    let finance = world.sign_in(&finance).await;
    let reject = format!("/v1/adjustments/{}/reject", text(&adjustments[1]["id"]));
    let hash = json!({"content_hash": adjustments[1]["content_hash"]});
    office.post(&finance, &reject, hash).await.ok();

    let mut people = Vec::new();
    for login in ["stays", "leaves"] {
        let mut conn = office.conn().await;
        let id = people::create(&mut conn, login, "P", Role::Support, PASSWORD).await;
        people.push(id.expect("a person"));
    }
    let gone = people::dismiss(&mut *office.conn().await, &office.operator, people[1]).await;
    gone.expect("a dismissal");
    let [stays, leaves] = [0, 1].map(|nth| office.hub.ids.show(Kind::Person, people[nth]));
    let sessions = office.get(operator, "/v1/sessions").await.ok();
    let session = text(&sessions["items"][0]["id"]);

    let partner = office.credentials.partner("AERO").expect("AERO").id.clone();
    let (ended, _) = office.credential(&partner, &["ledger:read"]).await;
    office
        .delete(
            operator,
            &format!("/v1/partners/{partner}/credentials/{ended}"),
        )
        .await;
    let (spare, _) = office.credential(&partner, &["ledger:read"]).await;
    let wallets = office
        .get(&aero, &format!("/v1/members/{}/wallets", member.id))
        .await
        .ok();
    let wallet = text(&wallets["items"][0]["id"]);
    let windows = office.get(&finance, "/v1/settlement/windows").await.ok();
    let window = text(&windows["items"][0]["id"]);

    let thing = |owner, live: &str, ended: &str| Thing {
        owner,
        live: live.to_owned(),
        ended: ended.to_owned(),
    };
    let lasting = |owner, live: &str| thing(owner, live, live);
    BTreeMap::from([
        (
            "adjustment",
            thing(
                "AERO",
                &text(&adjustments[0]["id"]),
                &text(&adjustments[1]["id"]),
            ),
        ),
        ("approval", lasting("AERO", &approval)),
        ("award", thing("AERO", &award, &taken_back)),
        ("campaign", thing("CITYMART", &campaigns[0], &campaigns[1])),
        (
            "certification_run",
            lasting("AERO", "crun_0123456789abcdef"),
        ),
        ("code", lasting("AERO", "SKY")),
        (
            "conversion",
            thing("AERO", &conversions[0], &conversions[1]),
        ),
        ("credential", thing("AERO", &spare, &ended)),
        ("credit", thing("AERO", &credits[0], &credits[1])),
        ("day", lasting("AERO", "2026-01-01")),
        ("delivery", lasting("BAYVIEW", &delivery)),
        ("endpoint", thing("AERO", &endpoints[0], &endpoints[1])),
        ("hold", thing("AERO", &holds[0], &holds[1])),
        ("import", thing("AERO", &imports[0], &imports[1])),
        ("mandate", thing("AERO", &mandates[0], &mandates[1])),
        ("member", lasting("AERO", &member.id)),
        (
            "membership",
            lasting("AERO", &office.membership("AERO", &member).await),
        ),
        ("partner", lasting("AERO", &partner)),
        ("person", thing("AERO", &stays, &leaves)),
        ("rate_card", thing("AERO", &cards[0], &cards[1])),
        (
            "redemption",
            thing("AERO", &redemptions[0], &redemptions[1]),
        ),
        ("reversal", lasting("AERO", &reversal)),
        ("session", lasting("AERO", &session)),
        ("wallet", lasting("AERO", &wallet)),
        ("window", lasting("AERO", &window)),
    ])
}

/// A cell of the walk that was gone through.
struct Cell<'a> {
    row: &'a Permission,
    caller: Caller,
    target: Target,
    path: String,
    answer: Answer,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_admits_whom_the_table_says_and_shows_nobody_what_is_not_theirs() {
    let walk = Walk::prepare().await;
    let served = walk.office.get("", "/permissions").await.ok();
    let table = permission::table(&document());
    assert_eq!(
        served["items"],
        json!(table),
        "what is served is not what is tried"
    );

    let scopes = SCOPES.iter().map(|(name, _)| Caller::Scope(name));
    let staff = AnyRole::ANY_OF
        .iter()
        .map(|role: &Role| Caller::Staff(role.name()));
    let callers: Vec<Caller> = [Caller::Nobody]
        .into_iter()
        .chain(scopes)
        .chain(of_members().map(Caller::Member))
        .chain(staff)
        .collect();
    let mut tries = Vec::new();
    for row in table.iter().filter(|row| !row.anybody) {
        // Its own is tried last, because what is ended by it is ended for the others too.
        let targets: &[Target] = match row.path.contains('{') {
            true => &[Target::Foreign, Target::Ended, Target::Random, Target::Own],
            false => &[Target::Own],
        };
        for (target, caller) in targets
            .iter()
            .flat_map(|target| callers.iter().map(move |caller| (*target, caller)))
        {
            tries.push((row, caller.clone(), target));
        }
        if OF_ONE_BRAND.iter().any(|part| row.path.contains(part)) {
            let beside = |scope| (row, Caller::Member(scope), Target::Beside);
            tries.extend(of_members().map(beside));
        }
    }
    // Who signs out comes no more.
    tries.sort_by_key(|(row, _, target)| {
        let is_last = row.operation == "signOut";
        (is_last, *target == Target::Own && row.method != "GET")
    });
    assert!(tries.len() > 1_000, "only {} cells", tries.len());

    let cells = stream::iter(tries).map(async |(row, caller, target)| {
        let (path, partner) = walk.aim(&row.path, target);
        let token = walk.token(&caller, partner);
        let answer = walk.call(&row.method, &path, token).await;
        Cell {
            row,
            caller,
            target,
            path,
            answer,
        }
    });
    let cells: Vec<Cell<'_>> = cells.buffered(8).collect().await;

    let mut complaints = Vec::new();
    let mut seen: BTreeMap<(&str, &Caller), String> = BTreeMap::new();
    for Cell {
        row,
        caller,
        target,
        path,
        answer,
    } in &cells
    {
        let cell = format!(
            "{} {caller:?} {target:?}: {} {}",
            row.operation, answer.status, answer.body
        );
        let (happened, said) = (verdict(answer), expected(row, caller));
        if happened != said {
            complaints.push(format!(
                "the table says {said:?}, and it is {happened:?}: {cell}"
            ));
        }
        if answer.status.is_server_error() {
            complaints.push(format!("it broke: {cell}"));
        }
        let is_partner = matches!(caller, Caller::Scope(_));
        let is_member = matches!(caller, Caller::Member(_));
        let may_be_own = OF_MEMBERS.iter().any(|part| row.path.contains(part));
        if *target == Target::Own {
            if (is_partner || is_member && may_be_own)
                && said == Verdict::In
                && row.method == "GET"
                && row.path.contains('{')
                && !answer.status.is_success()
                // What only a sandbox has is walked there.
                && answer.body["code"] != "not-a-sandbox"
            {
                complaints.push(format!("its own is kept from its owner: {cell}"));
            }
            continue;
        }
        let is_shown = said == Verdict::In
            && (!(is_partner || is_member) || SHARED.contains(&row.operation.as_str()));
        if is_shown {
            continue;
        }
        if answer.status.is_success() {
            complaints.push(format!("what is somebody else's is shown: {cell}"));
        }
        let text = shown(answer, path);
        let first = seen
            .entry((&row.operation, caller))
            .or_insert_with(|| text.clone());
        if *first != text {
            complaints.push(format!(
                "the answer tells that it exists: {cell}, beside {first}"
            ));
        }
    }
    assert!(
        complaints.is_empty(),
        "{} cells\n{}",
        cells.len(),
        complaints.join("\n")
    );
}

/// The body of each write is right but for the ids in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_on_what_is_somebody_elses_is_answered_as_if_it_were_not_there() {
    let walk = Walk::prepare().await;
    let table = permission::table(&document());
    let mut tried = BTreeSet::new();
    let mut complaints = Vec::new();
    for write in writes(&walk.office).await {
        let row = table
            .iter()
            .find(|row| row.operation == write.id)
            .expect("a row");
        let own = write.body.to_string().replace("\"MILE\"", "\"ZUL\"");
        // Every partner is in a directory for all, so who names one in a body learns nothing.
        let is_named = ids_in(&own).iter().any(|id| !id.starts_with("ptr_"));
        if !row.partner || !is_named && ids_in(&write.path).is_empty() {
            continue;
        }
        let call = async |token: &str, path: &str, body: &str| {
            let request = walk
                .office
                .request(write.method.clone(), path)
                .bearer_auth(token);
            let key = Uuid::new_v4().to_string();
            let request = request
                .header("idempotency-key", key)
                .header("content-type", "application/json");
            shown(
                &send(request.body(body.to_owned())).await,
                &format!("{path} {body}"),
            )
        };
        let tokens = [
            Some(&walk.stranger_token),
            row.member.then_some(&walk.stranger_member),
        ];
        for token in tokens.into_iter().flatten() {
            let foreign = call(token, &write.path, &own).await;
            // Some ids stand for a number that nothing has, and some for none at all.
            for _ in 0..5 {
                let missing = call(token, &randomised(&write.path), &randomised(&own)).await;
                if foreign != missing || !foreign.starts_with('4') {
                    complaints.push(format!("{}: {foreign}, beside {missing}", write.id));
                }
            }
        }
        tried.insert(write.id);
    }
    let credential = &walk.things["credential"].live;
    let revoke = async |id: &str| {
        let path = format!("/v1/partners/{}/credentials/{id}", walk.stranger);
        shown(
            &walk.office.delete(&walk.stranger_token, &path).await,
            &path,
        )
    };
    assert_eq!(revoke(credential).await, revoke(&random(credential)).await);
    assert!(tried.len() > 15, "only {tried:?}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
