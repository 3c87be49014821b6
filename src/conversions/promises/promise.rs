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
use crate::ledger::uses::{Place, Used};
use crate::points::account::{Account, Asset};
use crate::points::amount::Scales;
use crate::rates::PublishedCampaign;
use crate::rates::campaigns::campaign::{JudgedAt, Sponsor};
use crate::rates::campaigns::limits::{Exhausted, Standing};
use crate::rates::card::{self, Card, Evaluated};
use crate::rates::funding::{Funder, Gift, Share};
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

    /// Where the campaign counts what it gives to a wallet.
    pub fn places(&self, wallet: Account) -> Vec<Place> {
        let limits = &self.campaign.limits;
        let place = |wallet| Place {
            campaign: self.campaign.id,
            wallet,
        };
        let all = limits.count_all().then(|| place(None));
        let each = limits.count_each().then(|| place(Some(wallet)));
        all.into_iter().chain(each).collect()
    }

    /// What the campaign has given so far, as those places say.
    pub fn standing(&self, wallet: Account, used: impl Fn(Place) -> Used) -> Standing {
        let at = |wallet| {
            used(Place {
                campaign: self.campaign.id,
                wallet,
            })
        };
        let Used { times, units } = at(Some(wallet));
        Standing {
            given: at(None).units,
            times,
            units,
        }
    }

    /// Refuses when it may no longer give what it promises.
    pub fn keep(&self, wallet: Account, used: impl Fn(Place) -> Used) -> Result<(), Exhausted> {
        match self.gives {
            true => {
                let so_far = self.standing(wallet, used);
                self.campaign.limits.admit(&so_far, self.units)
            }
            false => Ok(()),
        }
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
    fixed: Fixed,
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
            let fits = promise.campaign.limits.admit(so_far, promise.units).is_ok();
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

    fn settled(promises: &mut [Promise], so_far: Standing, fixed: Fixed) -> (i64, i64) {
        let standings = vec![so_far; promises.len()];
        let both = (promises, &standings[..]);
        let (given, evaluated) = settle(&plain(), both, Scales::WHOLE, None, fixed).unwrap();
        (given, evaluated.priced.total)
    }

    #[test]
    fn each_campaign_is_counted_on_the_base() {
        let mut promises = [percent(20), percent(10)];
        let so_far = Standing::default();
        let fixed = Fixed::Given(1_000);
        assert_eq!(settled(&mut promises, so_far, fixed), (1_000, 1_300));
        assert_eq!(promises.map(|it| it.units), [200, 100]);
        let mut promises = [percent(20), percent(10)];
        let wanted = Fixed::Gained(1_300);
        assert_eq!(settled(&mut promises, so_far, wanted), (1_000, 1_300));
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
            let mut promises = [promise(tenth, limits)];
            assert_eq!(settled(&mut promises, so_far, fixed), expected);
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
