//! Fills an empty hub with the sample coalition, through the same use cases as everybody.

use chrono::Utc;
use futures_util::{StreamExt, TryStreamExt};
use rand::RngExt;
use rand::distr::Alphanumeric;
use uuid::Uuid;

use super::coalition::{self, BRANDS, Brand, EXCHANGE_RATES, PEOPLE};
use super::credentials::{Credentials, MemberId, PartnerCredential, PersonCredential};
use crate::access::request_limits::{self, Policy};
use crate::access::scope::SCOPES;
use crate::access::{Party, Role, ScopeSet, Who, credentials, people, second_factor};
use crate::db::{self, Connection};
use crate::error::Error;
use crate::id::Kind;
use crate::ledger;
use crate::ledger::awards::{Award, Place, Reason};
use crate::ledger::programme::Programme;
use crate::members::{self, Enrolment};
use crate::partners::{self, Directory, Keeper, NewCurrency, NewPartner, Partner};
use crate::points::account::{Account, Asset};
use crate::points::agreed::Price;
use crate::points::amount::Scale;
use crate::rates::draft::Draft;
use crate::rates::exchange::{self, NewExchangeRate};
use crate::rates::{self, Speakers};
use crate::server::Hub;
use crate::web::once::Claim;

/// How often a brand of the sample may ask: as often as anybody would want to see it answered.
const REQUESTS: Policy = Policy {
    per_second: 20_000,
    burst: 40_000,
};

/// How many awards wait for the ledger at once.
const AWARDS_AT_ONCE: usize = 1024;

/// Makes brands, people, cards and members. Answers how to use them.
pub async fn fill(hub: &Hub, base_url: &str, members: usize) -> anyhow::Result<Credentials> {
    let mut conn = hub.pool.get().await?;
    let people = employ(&mut conn, hub).await?;
    let [operator, checker, finance] =
        [&people[0], &people[1], &people[2]].map(|(id, role, _)| Who::at_the_console(*id, *role));

    let mut brands = Vec::new();
    for brand in &BRANDS {
        let admitted = db::transaction(&mut conn, async |conn| {
            admit(conn, hub, [&operator, &checker], brand).await
        })
        .await?;
        brands.push(admitted);
    }
    for (base, quote, rate) in EXCHANGE_RATES {
        db::transaction(&mut conn, async |conn| {
            publish_rate(conn, hub, &finance, base, quote, rate).await
        })
        .await?;
    }
    for route in coalition::routes() {
        db::transaction(&mut conn, async |conn| {
            publish_card(conn, hub, &brands, &checker, route).await
        })
        .await?;
    }
    let members = enrol(&mut conn, &operator, &brands, members).await?;
    drop(conn);
    award(hub, &operator, &members).await?;

    let ids = &hub.ids;
    Ok(Credentials {
        base_url: base_url.to_owned(),
        partners: brands
            .iter()
            .map(|brand| brand.credential.clone())
            .collect(),
        people: people.into_iter().map(|(_, _, person)| person).collect(),
        members: members
            .iter()
            .flat_map(|member| {
                member.memberships.iter().map(|(place, number)| MemberId {
                    id: ids.show(Kind::Member, member.id),
                    partner: BRANDS[*place].code.to_owned(),
                    number: number.clone(),
                })
            })
            .collect(),
    })
}

/// A brand as it was admitted.
struct Admitted {
    partner: Partner,
    credential: PartnerCredential,
    /// The brand's own program, for what brands do themselves.
    who: Who,
}

/// A member as it was enrolled: places of its brands, with its numbers there.
struct Enrolled {
    id: i64,
    nth: usize,
    memberships: Vec<(usize, String)>,
}

async fn employ(
    conn: &mut Connection,
    hub: &Hub,
) -> anyhow::Result<Vec<(i64, Role, PersonCredential)>> {
    let mut employed = Vec::new();
    for (login, name, role) in PEOPLE {
        let known = Role::named(role).ok_or_else(|| anyhow::anyhow!("{role} is no role"))?;
        let password: String = rand::rng()
            .sample_iter(Alphanumeric)
            .take(16)
            .map(char::from)
            .collect();
        let id = people::create(conn, login, name, known, &password).await?;
        let secret = second_factor::enrol_at_once(conn, &hub.secrets, id).await?;
        let person = PersonCredential {
            role: role.to_owned(),
            login: login.to_owned(),
            password,
            totp_secret: secret.show(),
        };
        employed.push((id, known, person));
    }
    Ok(employed)
}

async fn admit(
    conn: &mut Connection,
    hub: &Hub,
    people: [&Who; 2],
    brand: &Brand,
) -> Result<Admitted, Error> {
    let text = |text: &str| text.to_owned();
    let (_, directory) = hub.directories.current(conn).await?;
    let money = directory
        .money_by_code(brand.money)
        .ok_or_else(|| broken("no such money"))?
        .no;
    let new = NewPartner {
        code: text(brand.code).try_into().map_err(broken)?,
        name: text(brand.name).try_into().map_err(broken)?,
        name_zh: Some(text(brand.name_zh).try_into().map_err(broken)?),
        kind: text(brand.kind).try_into().map_err(broken)?,
        money,
        zone: brand.zone.parse().map_err(broken)?,
    };
    let operator = people[0];
    let partner = partners::steps::admit_live(conn, people, &hub.ids, new).await?;
    let currency = NewCurrency {
        code: text(brand.currency).try_into().map_err(broken)?,
        name: text(brand.currency_name).try_into().map_err(broken)?,
        name_zh: Some(text(brand.currency_zh).try_into().map_err(broken)?),
        scale: Scale::new(brand.scale).ok_or_else(|| broken("no such scale"))?,
        issuer: partner.id,
        expiry: brand.expiry_policy()?,
        notice_days: Default::default(),
        display_value: text(brand.display_value).try_into().map_err(broken)?,
        kept_by: Keeper::Hub,
    };
    partners::currencies::issue(conn, operator, &partner, currency).await?;
    request_limits::set(conn, operator, partner.id, REQUESTS).await?;
    let scopes: Vec<String> = SCOPES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let scopes = ScopeSet::try_from(scopes).map_err(broken)?;
    let (credential, secret) =
        credentials::create(conn, operator, &hub.ids, partner.id, scopes, None).await?;
    let who = Who {
        party: Party::Partner(partner.id),
        ..Who::at_the_console(credential.id, Role::Operator)
    };
    let credential = PartnerCredential {
        code: brand.code.to_owned(),
        id: hub.ids.show(Kind::Partner, partner.id),
        currency: brand.currency.to_owned(),
        client_id: hub.ids.show(Kind::Credential, credential.id),
        client_secret: secret,
    };
    Ok(Admitted {
        partner,
        credential,
        who,
    })
}

async fn publish_rate(
    conn: &mut Connection,
    hub: &Hub,
    finance: &Who,
    base: &str,
    quote: &str,
    rate: &str,
) -> Result<(), Error> {
    let (_, directory) = hub.directories.current(conn).await?;
    let money = |code: &str| {
        directory
            .money_by_code(code)
            .map(|money| money.no)
            .ok_or_else(|| broken("no such money"))
    };
    let rate: Price = rate.to_owned().try_into().map_err(broken)?;
    let new = NewExchangeRate {
        base: money(base)?,
        quote: money(quote)?,
        rate,
        source: "sample".to_owned().try_into().map_err(broken)?,
        quoted_at: Utc::now(),
    };
    exchange::publish(conn, finance, new).await?;
    Ok(())
}

async fn publish_card(
    conn: &mut Connection,
    hub: &Hub,
    brands: &[Admitted],
    checker: &Who,
    route: coalition::Route,
) -> Result<(), Error> {
    let (_, directory) = hub.directories.current(conn).await?;
    let issuer = |code: &str| {
        let currency = directory
            .currency(code)
            .ok_or_else(|| broken("no such currency"))?;
        let issuer = brands
            .iter()
            .find(|brand| brand.partner.id == currency.issuer);
        Ok::<_, Error>((
            currency.clone(),
            &issuer.ok_or_else(|| broken("no issuer"))?.who,
        ))
    };
    let ((from, source), (to, target)) = (issuer(route.from)?, issuer(route.to)?);
    let card = serde_json::json!({"terms": route.terms, "settlement": route.settlement});
    let draft = Draft {
        from: from.no,
        to: to.no,
        card: serde_json::from_value(card).map_err(broken)?,
        valid_from: None,
        valid_to: None,
        origin: Some(route.row.to_owned().try_into().map_err(broken)?),
    };
    let speakers = Speakers {
        source,
        target,
        hub: checker,
    };
    rates::publish_agreed(conn, &hub.ids, &hub.secrets, &directory, speakers, &draft).await?;
    Ok(())
}

async fn enrol(
    conn: &mut Connection,
    operator: &Who,
    brands: &[Admitted],
    count: usize,
) -> anyhow::Result<Vec<Enrolled>> {
    let plans: Vec<Vec<(usize, String)>> = (0..count)
        .map(|nth| {
            let joined = (0..BRANDS.len()).filter(|place| coalition::joins(nth, *place));
            joined
                .map(|place| (place, format!("{}-{:06}", BRANDS[place].code, nth + 1)))
                .collect()
        })
        .collect();
    let enrolments = plans
        .iter()
        .map(|plan| {
            let membership = |(place, number): &(usize, String)| {
                Ok((
                    brands[*place].partner.id,
                    number.clone().try_into().map_err(broken)?,
                ))
            };
            Ok(Enrolment {
                memberships: plan.iter().map(membership).collect::<Result<_, Error>>()?,
            })
        })
        .collect::<Result<Vec<Enrolment>, Error>>()?;

    let mut ids = Vec::new();
    for crowd in enrolments.chunks(members::MOST / BRANDS.len()) {
        let enrolled = db::transaction(conn, async |conn| {
            members::enrol_many(conn, operator, crowd).await
        });
        ids.extend(enrolled.await?);
    }

    let enrolled = ids.into_iter().zip(plans).enumerate();
    Ok(enrolled
        .map(|(nth, (id, memberships))| Enrolled {
            id,
            nth,
            memberships,
        })
        .collect())
}

/// Gives every wallet something to begin with.
async fn award(hub: &Hub, operator: &Who, enrolled: &[Enrolled]) -> anyhow::Result<()> {
    let mut conn = hub.pool.get().await?;
    let (version, directory) = hub.directories.current(&mut conn).await?;
    let no = |place: &usize| {
        directory
            .currency(BRANDS[*place].currency)
            .map(|currency| currency.no)
    };
    let owners: Vec<(i64, Asset)> = enrolled
        .iter()
        .flat_map(|member| {
            member
                .memberships
                .iter()
                .filter_map(|(place, _)| Some((member.id, no(place)?)))
        })
        .collect();
    let wallets = members::wallets_of(&mut conn, &owners).await?;
    drop(conn);

    let directory: &Directory = &directory;
    let awards = enrolled.iter().flat_map(|member| {
        let wallets = &wallets;
        member.memberships.iter().filter_map(move |(place, _)| {
            let currency = directory.currency(BRANDS[*place].currency)?;
            let wallet = *wallets.get(&(member.id, currency.no))?;
            let amount = coalition::holding(member.nth, *place) * currency.scale.factor();
            let programme = Programme::of(directory, currency);
            let reason = [Reason::Purchase, Reason::CheckIn, Reason::Referral][member.nth % 3];
            (amount > 0).then_some(Award {
                wallet: Account(wallet),
                amount,
                programme,
                reason,
                imported: None,
                usable_from: None,
                place: Place::default(),
                at: crate::clock::Timestamp::default(),
            })
        })
    });
    futures_util::stream::iter(awards)
        .map(|award| {
            let claim = Claim {
                key_hash: Uuid::new_v4(),
                body_hash: Uuid::nil(),
            };
            let stamp = ledger::stamp(operator, claim, version, None);
            async move {
                let done = hub.ledger.hand_in(award, stamp).await;
                done.map_err(|failed| anyhow::anyhow!("an award failed: {failed:?}"))
            }
        })
        .buffer_unordered(AWARDS_AT_ONCE)
        .try_for_each(async |_| Ok(()))
        .await?;
    Ok(())
}

/// Whether the hub has anything in it yet.
pub async fn is_empty(hub: &Hub) -> Result<bool, Error> {
    let (_, directory) = hub.directories.current(&mut *hub.pool.get().await?).await?;
    Ok(directory.partners().is_empty())
}

fn broken(cause: impl std::fmt::Display) -> Error {
    anyhow::anyhow!("the sample coalition: {cause}").into()
}
