//! A campaign as a quote promises it to one wallet, and as its conversion keeps it.
//!
//! ```text
//! campaigns of the route ─▶ promises ─settle─▶ what each gives ─▶ token ─▶ memo of the conversion
//! ```
//!
//! A campaign that gives nothing is left out, but not an experiment: its arm is kept with every
//! conversion, also where the arm, or what is left of the campaign, gives nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::conversions::Fixed;
use crate::conversions::quote::Promised;
use crate::id::{Ids, Kind};
use crate::ledger::budget::Given;
use crate::ledger::tally::{Kept, Mark, TallyKey, Wanted};
use crate::points::account::{Account, Asset};
use crate::points::amount::Scales;
use crate::rates::PublishedCampaign;
use crate::rates::campaigns::campaign::{JudgedAt, Sponsor};
use crate::rates::campaigns::limits::{Exhausted, Standing};
use crate::rates::card::{self, Card, Evaluated};
use crate::rates::funding::{Funder, Gift, Grant, Share};
use crate::rates::refusal::Refusal;
use crate::rates::settlement::Exchange;

#[derive(Debug, Clone)]
pub struct Promise {
    pub campaign: Arc<PublishedCampaign>,
    /// The wallet's arm of an experiment.
    pub arm: Option<String>,
    /// Who pays, and in which money.
    pub shares: Vec<Share>,
    /// Whether it adds its bonus.
    pub gives: bool,
    /// How much that is, in smallest units of what is gained; zero when it does not.
    pub units: i64,
}

/// What a conversion remembers of a campaign, by its internal id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    pub id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    pub units: i64,
}

impl Promise {
    /// The bonus that it adds, if it does.
    pub fn gift(&self) -> Option<Gift<'_>> {
        let terms = &self.campaign.campaign.terms;
        let bonus = terms.bonus_of(self.arm.as_deref())?;
        self.gives.then_some(Gift {
            bonus,
            shares: &self.shares,
        })
    }

    /// The campaign, where it has a budget.
    pub fn budget(&self) -> Option<i64> {
        let budget = self.campaign.limits.budget;
        budget.map(|_| self.campaign.id)
    }

    /// The tally of what a wallet has of it.
    pub fn tally(&self, wallet: Account) -> TallyKey {
        let key = -self.campaign.id;
        TallyKey { wallet, key }
    }

    /// What has to be read of that to decide at `now` or later.
    pub fn wanted(&self, wallet: Account, now: Timestamp) -> impl Iterator<Item = Wanted> {
        let limits = &self.campaign.limits;
        limits.each.iter().map(move |allowance| Wanted {
            of: self.tally(wallet),
            since: allowance.begins(limits.zone, now),
        })
    }

    /// What the campaign has given so far, in all and by the marks of the wallet.
    pub fn standing(&self, given: i64, marks: &[Mark]) -> Standing {
        let used = marks.to_vec();
        Standing { given, used }
    }

    /// Refuses when it may no longer give what it promises.
    pub fn keep(&self, so_far: &Standing, now: Timestamp) -> Result<(), Exhausted> {
        match self.gives {
            true => self.campaign.limits.admit(so_far, self.units, now),
            false => Ok(()),
        }
    }

    /// Whether a quote names it: it adds something, or is an experiment.
    pub fn is_told(&self) -> bool {
        self.gives || self.arm.is_some()
    }

    /// When a quote that it prices has to end, if it does not last as long as others.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let campaign = &self.campaign.campaign;
        let by_credit = campaign.terms.judged_at == JudgedAt::Credit;
        (self.gives && by_credit).then_some(campaign.ends_at)
    }

    /// As the token of a quote says it.
    pub fn promised(&self, ids: &Ids) -> Promised {
        Promised {
            id: ids.show(Kind::Campaign, self.campaign.id),
            arm: self.arm.clone(),
            units: self.units,
        }
    }

    pub fn remembered(&self) -> Remembered {
        Remembered {
            id: self.campaign.id,
            arm: self.arm.clone(),
            units: self.units,
        }
    }
}

/// Where what campaigns give to a wallet is counted, with its parts: in tallies and in budgets.
pub fn counted(promises: &[Promise], grants: &[Grant], wallet: Account) -> (Vec<Kept>, Vec<Given>) {
    let units: Vec<i64> = grants.iter().map(|grant| grant.units).collect();
    let remembered: Vec<_> = promises.iter().map(Promise::remembered).collect();
    let of = campaigns_of(&units, &remembered);
    let parts = |promise: &Promise| -> Vec<i64> {
        let is_its = |(_, of): &(&i64, &Option<i64>)| **of == Some(promise.campaign.id);
        let parts = units.iter().zip(&of).filter(is_its);
        parts.map(|(units, _)| *units).collect()
    };
    let giving = || promises.iter().filter(|promise| promise.gives);
    let limited = giving().filter(|promise| !promise.campaign.limits.each.is_empty());
    let kept = limited.map(|promise| Kept {
        of: promise.tally(wallet),
        parts: Some(parts(promise)),
    });
    let given = giving().filter_map(|promise| {
        let owner = promise.budget()?;
        let parts = parts(promise);
        Some(Given { owner, parts })
    });
    (kept.collect(), given.collect())
}

/// The bonuses that some promises add, in their order.
pub fn gifts(promises: &[Promise]) -> Vec<Gift<'_>> {
    promises.iter().filter_map(Promise::gift).collect()
}

/// Who pays for a campaign on a route, each by its position and from its money. None when a money cannot
/// be turned into the target's.
pub fn shares(
    funders: &[Sponsor],
    (source, target): (Account, Account),
    position: impl Fn(i64) -> Option<Account>,
    exchange: impl Fn(Asset) -> Option<Exchange>,
) -> Option<Vec<Share>> {
    let share = |sponsor: &Sponsor| {
        let pays = position(sponsor.partner)?;
        let funder = match pays {
            pays if pays == target => Funder::Target,
            pays if pays == source => Funder::Source,
            pays => Funder::Partner(pays),
        };
        let exchange = match pays.asset() == target.asset() {
            true => None,
            false => Some(exchange(pays.asset())?),
        };
        Some(Share {
            funder,
            weight: sponsor.weight,
            exchange,
        })
    };
    funders.iter().map(share).collect()
}

/// What a wish becomes with the campaigns that give, and how much each does. One that would give nothing,
/// or more than it may, gives nothing: then the others are counted again, because an amount that is to
/// gain something changes with them.
pub(in crate::conversions) fn settle(
    card: &Card,
    (promises, standings): (&mut [Promise], &[Standing]),
    scales: Scales,
    exchange: Option<Exchange>,
    (fixed, now): (Fixed, Timestamp),
) -> Result<(i64, Evaluated), Refusal> {
    loop {
        let gifts = gifts(promises);
        let given = match fixed {
            Fixed::Given(given) => given,
            Fixed::Gained(wanted) => card::smallest_for(card, &gifts, scales, exchange, wanted)?,
        };
        let evaluated = card::evaluate_with(card, &gifts, scales, exchange, given)?;

        let mut units = evaluated.gifts.iter();
        let mut is_settled = true;
        for (promise, so_far) in promises
            .iter_mut()
            .zip(standings)
            .filter(|(it, _)| it.gift().is_some())
        {
            promise.units = units.next().copied().unwrap_or(0);
            let limits = &promise.campaign.limits;
            let fits = limits.admit(so_far, promise.units, now).is_ok();
            if promise.units == 0 || !fits {
                (promise.gives, promise.units, is_settled) = (false, 0, false);
            }
        }
        if is_settled {
            return Ok((given, evaluated));
        }
    }
}

/// What an operation remembers of campaigns.
pub fn remembered(memo: Option<&Value>) -> Vec<Remembered> {
    let kept = memo.and_then(|memo| memo.get("campaigns"));
    let read = |kept: &Value| Vec::<Remembered>::deserialize(kept).ok();
    kept.and_then(read).unwrap_or_default()
}

/// The exchange rates between the moneys of sponsors and the target's that an operation remembers.
pub fn rates_remembered(memo: Option<&Value>) -> Vec<i64> {
    let kept = memo.and_then(|memo| memo.get("rates"));
    let read = |kept: &Value| Vec::<i64>::deserialize(kept).ok();
    kept.and_then(read).unwrap_or_default()
}

/// Which of some parts of bonuses, in the order in which they were posted, are of which campaign: those of
/// the card come first, and each campaign's sum to its units.
pub fn campaigns_of(parts: &[i64], campaigns: &[Remembered]) -> Vec<Option<i64>> {
    let given: i64 = campaigns.iter().map(|it| it.units).sum();
    let mut own = parts.iter().sum::<i64>() - given;
    let mut campaigns = campaigns.iter().filter(|it| it.units > 0);
    let (mut here, mut left) = (None, 0);
    let of_part = |part: &i64| {
        if own > 0 {
            own -= part;
            return None;
        }
        if left == 0 {
            let next = campaigns.next();
            (here, left) = (next.map(|it| it.id), next.map_or(0, |it| it.units));
        }
        left -= part;
        here
    };
    parts.iter().map(of_part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::campaigns::Campaign;
    use crate::rates::campaigns::limits::Limits;
    use proptest::prelude::*;

    fn promise(bonus: &str, limits: Limits) -> Promise {
        let terms = format!(
            r#"{{"zone":"UTC","judged_at":"request","bonus":{bonus},"funders":[{{"partner":7,"weight":1}}]}}"#
        );
        let campaign = Campaign {
            name: "N".into(),
            name_zh: "名".into(),
            sources: vec![1001],
            target: 1002,
            starts_at: Timestamp::default(),
            ends_at: Timestamp::default(),
            terms: serde_json::from_str(&terms).unwrap(),
        };
        let share = Share {
            funder: Funder::Target,
            weight: 1,
            exchange: None,
        };
        Promise {
            campaign: Arc::new(PublishedCampaign {
                id: 7,
                campaign,
                limits,
                halted: vec![],
            }),
            arm: None,
            shares: vec![share],
            gives: true,
            units: 0,
        }
    }

    fn percent(num: i64) -> Promise {
        promise(
            &format!(r#"{{"kind":"percent","num":{num},"den":100}}"#),
            Limits::default(),
        )
    }

    fn plain() -> Card {
        serde_json::from_str(
            r#"{"terms":{"kind":"ratio","give":1,"get":1},
                "settlement":{"kind":"cost_plus","price":"0.01","commission":"0"}}"#,
        )
        .unwrap()
    }

    fn settled(promises: &mut [Promise], so_far: &Standing, fixed: Fixed) -> (i64, i64) {
        let standings = vec![so_far.clone(); promises.len()];
        let both = (promises, &standings[..]);
        let at = (fixed, Timestamp::default());
        let (given, evaluated) = settle(&plain(), both, Scales::WHOLE, None, at).unwrap();
        (given, evaluated.priced.total)
    }

    #[test]
    fn each_campaign_is_counted_on_the_base() {
        let mut promises = [percent(20), percent(10)];
        let so_far = Standing::default();
        let fixed = Fixed::Given(1_000);
        assert_eq!(settled(&mut promises, &so_far, fixed), (1_000, 1_300));
        assert_eq!(promises.map(|it| it.units), [200, 100]);
        let mut promises = [percent(20), percent(10)];
        let wanted = Fixed::Gained(1_300);
        assert_eq!(settled(&mut promises, &so_far, wanted), (1_000, 1_300));
    }

    #[test]
    fn a_bonus_is_given_whole_or_not_at_all() {
        let tenth = r#"{"kind":"percent","num":1,"den":10}"#;
        let limits = Limits {
            budget: Some(500),
            ..Limits::default()
        };
        let given = |given| Standing {
            given,
            ..Standing::default()
        };
        for (so_far, fixed, expected) in [
            (given(400), Fixed::Given(1_000), (1_000, 1_100)),
            (given(401), Fixed::Given(1_000), (1_000, 1_000)),
            (given(400), Fixed::Gained(1_100), (1_000, 1_100)),
            // Without the bonus, all of it has to be paid for.
            (given(401), Fixed::Gained(1_100), (1_100, 1_100)),
            (given(0), Fixed::Given(9), (9, 9)),
        ] {
            let mut promises = [promise(tenth, limits.clone())];
            assert_eq!(settled(&mut promises, &so_far, fixed), expected);
            let bonus = expected.1 - expected.0;
            assert_eq!((promises[0].units, promises[0].gives), (bonus, bonus > 0));
        }
    }

    #[test]
    fn who_pays_is_known_by_its_position_and_its_money() {
        let position = |partner| {
            Some(Account::position(
                partner,
                if partner == 3 { 901 } else { 840 },
            ))
        };
        let sponsors = [1, 2, 3].map(|partner| Sponsor {
            partner,
            weight: partner,
        });
        let route = (Account::position(1, 840), Account::position(2, 840));
        assert_eq!(shares(&sponsors, route, position, |_| None), None);
        let rate = Exchange {
            rate: crate::points::agreed::Price::try_from("32".to_owned()).unwrap(),
            source_is_base: false,
        };
        let shares = shares(&sponsors, route, position, |_| Some(rate)).unwrap();
        let third = Funder::Partner(Account::position(3, 901));
        let told: Vec<_> = shares.iter().map(|it| (it.funder, it.exchange)).collect();
        assert_eq!(
            told,
            [
                (Funder::Source, None),
                (Funder::Target, None),
                (third, Some(rate))
            ]
        );
    }

    #[test]
    fn what_is_limited_is_counted_with_its_parts() {
        let tenth = r#"{"kind":"percent","num":1,"den":10}"#;
        let budget = Limits {
            budget: Some(500),
            ..Limits::default()
        };
        let once = r#"{"period":"day","times":1}"#;
        let each = Limits {
            each: vec![serde_json::from_str(once).unwrap()],
            ..Limits::default()
        };
        let giving = |id, units, limits| {
            let mut promise = promise(tenth, limits);
            let campaign = Arc::make_mut(&mut promise.campaign);
            campaign.id = id;
            Promise {
                gives: units > 0,
                units,
                ..promise
            }
        };
        let promises = [
            giving(5, 70, Limits::default()),
            giving(6, 100, budget.clone()),
            giving(7, 30, each.clone()),
            giving(8, 0, each),
            giving(9, 0, budget),
        ];
        // The card's own bonus, and two sponsors of the second campaign.
        let grants = [9, 70, 60, 40, 30].map(|units| Grant {
            funder: Funder::Target,
            units,
            cost: Default::default(),
            charge: Default::default(),
        });
        let wallet = Account::wallet(1001, 3);
        let kept = Kept {
            of: TallyKey { wallet, key: -7 },
            parts: Some(vec![30]),
        };
        let given = Given {
            owner: 6,
            parts: vec![60, 40],
        };
        assert_eq!(
            counted(&promises, &grants, wallet),
            (vec![kept], vec![given])
        );
    }

    proptest! {
        #[test]
        fn each_part_is_of_its_campaign(
            own in prop::collection::vec(1..50_i64, 0..4),
            campaigns in prop::collection::vec(prop::collection::vec(1..50_i64, 0..4), 0..4),
        ) {
            let (mut parts, mut expected) = (own.clone(), vec![None; own.len()]);
            let mut remembered = Vec::new();
            for (id, of_campaign) in (1..).zip(&campaigns) {
                parts.extend(of_campaign);
                expected.extend(vec![Some(id); of_campaign.len()]);
                let units = of_campaign.iter().sum();
                remembered.push(Remembered { id, arm: None, units });
            }
            prop_assert_eq!(campaigns_of(&parts, &remembered), expected);
        }
    }
}
