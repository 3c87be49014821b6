//! The sample coalition: fictional brands, one of each kind that must be able to join.
//!
//! Each card takes its rate, or where money decides the rate its amount rules, from a named row of
//! the table of published rules in `tests/published_rates.csv`. Routes into and out of the coalition
//! currency wait for its reserve.

use serde_json::{Value, json};

use crate::partners::expiry::ExpiryPolicy;

/// A brand and its one currency.
pub struct Brand {
    pub code: &'static str,
    pub name: &'static str,
    pub name_zh: &'static str,
    pub kind: &'static str,
    pub currency: &'static str,
    pub currency_name: &'static str,
    pub currency_zh: &'static str,
    pub scale: u8,
    pub money: &'static str,
    pub zone: &'static str,
    /// Of one printed unit, to a member, in the brand's money.
    pub display_value: &'static str,
    /// As JSON.
    pub expiry: &'static str,
}

const HONG_KONG: &str = "Asia/Hong_Kong";
const TAIPEI: &str = "Asia/Taipei";

const fn brand(code: &'static str, name: [&'static str; 2], kind: &'static str) -> Brand {
    Brand {
        code,
        name: name[0],
        name_zh: name[1],
        kind,
        currency: "",
        currency_name: "",
        currency_zh: "",
        scale: 0,
        money: "HKD",
        zone: HONG_KONG,
        display_value: "0",
        expiry: r#"{"policy":"none"}"#,
    }
}

pub const BRANDS: [Brand; 10] = [
    Brand {
        currency: "MILE",
        currency_name: "Aero miles",
        currency_zh: "航翼里數",
        money: "USD",
        display_value: "0.012",
        expiry: r#"{"policy":"activity","months":18}"#,
        ..brand("AERO", ["Aero", "航翼航空"], "airline")
    },
    Brand {
        currency: "HPT",
        currency_name: "Bayview points",
        currency_zh: "灣景積分",
        money: "USD",
        display_value: "0.007",
        expiry: r#"{"policy":"rolling","months":24}"#,
        ..brand("BAYVIEW", ["Bayview", "灣景酒店"], "hotel")
    },
    Brand {
        currency: "STAR",
        currency_name: "Citymart stars",
        currency_zh: "城市之星",
        display_value: "0.09",
        expiry: r#"{"policy":"end_of_period","period":"year","after":1}"#,
        ..brand("CITYMART", ["Citymart", "城市超級市場"], "supermarket")
    },
    Brand {
        currency: "EDOLLAR",
        currency_name: "Harbour eDollar",
        currency_zh: "海港電子幣",
        scale: 2,
        display_value: "1",
        expiry: r#"{"policy":"end_of_period","period":"quarter","after":2}"#,
        ..brand("HARBOUR", ["Harbour Place", "海港坊"], "mall")
    },
    Brand {
        currency: "KPOINT",
        currency_name: "Kwun points",
        currency_zh: "觀信積分",
        display_value: "0.03",
        ..brand("KWUN", ["Kwun Bank", "觀信銀行"], "bank")
    },
    Brand {
        currency: "LEAF",
        currency_name: "Green leaves",
        currency_zh: "綠葉",
        money: "TWD",
        zone: TAIPEI,
        display_value: "0.2",
        expiry: r#"{"policy":"rolling","months":12}"#,
        ..brand("GREEN", ["Green Steps", "綠步"], "app")
    },
    Brand {
        currency: "NAMI",
        currency_name: "Nami points",
        currency_zh: "波點",
        money: "TWD",
        zone: TAIPEI,
        display_value: "0.5",
        expiry: r#"{"policy":"end_of_period","period":"year","after":0}"#,
        ..brand("NAMI", ["Nami Home", "波家居"], "single_brand")
    },
    Brand {
        currency: "JIAN",
        currency_name: "Jianhe points",
        currency_zh: "健禾點數",
        money: "TWD",
        zone: TAIPEI,
        display_value: "0.25",
        ..brand("JIANHE", ["Jianhe", "健禾"], "retail_brand")
    },
    Brand {
        currency: "COIN",
        currency_name: "Interline Coin",
        currency_zh: "聯匯分",
        display_value: "0.01",
        ..brand("INTERLINE", ["Interline Coin", "聯匯分"], "coalition")
    },
    Brand {
        currency: "GIVE",
        currency_name: "Gifts",
        currency_zh: "善心",
        display_value: "0",
        ..brand("OPENHANDS", ["Open Hands", "開手基金"], "charity")
    },
];

/// A rate card and the row it is taken from.
pub struct Route {
    pub from: &'static str,
    pub to: &'static str,
    pub row: &'static str,
    pub terms: Value,
    pub settlement: Value,
}

/// The cards. The first three are of the worked month: there the money decides, and the row gives
/// the amount rules.
pub fn routes() -> Vec<Route> {
    let priced = |from, to, row, limits: Value, source: &str, target: &str| {
        let mut terms = limits;
        terms["kind"] = json!("priced");
        let settlement = json!({"kind": "priced", "source_price": source, "target_price": target, "commission": "0.025"});
        Route {
            from,
            to,
            row,
            terms,
            settlement,
        }
    };
    let ratio = |from, to, row, give: i64, get: i64, limits: Value, price: &str| {
        let mut terms = limits;
        terms["kind"] = json!("ratio");
        terms["give"] = json!(give);
        terms["get"] = json!(get);
        let settlement = json!({"kind": "cost_plus", "price": price, "commission": "0.025"});
        Route {
            from,
            to,
            row,
            terms,
            settlement,
        }
    };
    vec![
        priced(
            "MILE",
            "HPT",
            "R210",
            json!({"min": 10000, "step": 10000}),
            "0.010000",
            "0.008000",
        ),
        priced(
            "HPT",
            "STAR",
            "R149",
            json!({"min": 4000}),
            "0.006000",
            "0.100000",
        ),
        priced(
            "STAR",
            "MILE",
            "R218",
            json!({"min": 400, "step": 400}),
            "0.080000",
            "0.014000",
        ),
        ratio(
            "KPOINT",
            "MILE",
            "R185",
            5,
            2,
            json!({"min": 25000, "step": 5}),
            "0.014000",
        ),
        ratio(
            "KPOINT",
            "HPT",
            "R084",
            2,
            1,
            json!({"min": 1000, "step": 1000}),
            "0.008000",
        ),
        ratio(
            "HPT",
            "MILE",
            "R142",
            5,
            1,
            json!({"min": 10000, "step": 10000}),
            "0.014000",
        ),
        ratio("KPOINT", "EDOLLAR", "R165", 100, 1, json!({}), "1.000000"),
        ratio(
            "JIAN",
            "STAR",
            "R199",
            7,
            4,
            json!({"min": 350, "step": 350}),
            "0.100000",
        ),
        ratio(
            "NAMI",
            "MILE",
            "R207",
            17,
            25,
            json!({"min": 68, "step": 68}),
            "0.014000",
        ),
        ratio(
            "LEAF",
            "STAR",
            "R211",
            2,
            1,
            json!({"min": 2, "step": 2}),
            "0.100000",
        ),
        ratio(
            "MILE",
            "GIVE",
            "R225",
            1,
            1,
            json!({"min": 200, "max": 999_999}),
            "0.080000",
        ),
        ratio("STAR", "GIVE", "R150", 1, 1, json!({}), "0.080000"),
    ]
}

/// Exchange rates: base, quote, units of quote for one of base.
pub const EXCHANGE_RATES: [(&str, &str, &str); 3] = [
    ("USD", "HKD", "7.80000000"),
    ("USD", "TWD", "31.50000000"),
    ("HKD", "TWD", "4.04000000"),
];

/// People of the hub who can sign in: login, name, role.
pub const PEOPLE: [(&str, &str, &str); 6] = [
    ("olivia", "Olivia Chan", "operator"),
    ("oscar", "Oscar Lin", "operator"),
    ("fiona", "Fiona Wong", "finance"),
    ("felix", "Felix Huang", "finance"),
    ("sam", "Sam Lee", "support"),
    ("ada", "Ada Ho", "auditor"),
];

impl Brand {
    pub fn expiry_policy(&self) -> anyhow::Result<ExpiryPolicy> {
        Ok(serde_json::from_str(self.expiry)?)
    }
}

/// Whether member number `n` belongs to a brand, the `place`-th of [`BRANDS`]: everybody to three,
/// and to the others by turns.
pub fn joins(n: usize, place: usize) -> bool {
    place < 3 || (n + place).is_multiple_of(3)
}

/// How many printed units a member has to begin with.
pub fn holding(n: usize, place: usize) -> i64 {
    const TYPICAL: [i64; 10] = [
        30_000, 18_000, 4_500, 120, 60_000, 900, 700, 1_400, 5_000, 0,
    ];
    TYPICAL[place] * (20 + (n * 37 + place * 11) as i64 % 81) / 60
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::card::Card;

    #[test]
    fn every_brand_and_card_can_be_read_and_every_card_names_a_row() {
        let table = include_str!("../../tests/published_rates.csv");
        for route in routes() {
            assert!(
                table.contains(&format!("\n{},", route.row)),
                "{}",
                route.row
            );
            let card = json!({"terms": route.terms, "settlement": route.settlement});
            serde_json::from_value::<Card>(card)
                .unwrap_or_else(|bad| panic!("{}: {bad}", route.row));
        }
        assert!(BRANDS.iter().all(|brand| brand.expiry_policy().is_ok()));
    }
}
