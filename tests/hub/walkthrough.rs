//! The walk of one conversion, answer by answer, and what follows from it: who sees what, what time
//! does to a quote and to points, and how an operation is taken back.
//!
//! In the snapshots ids, instants and tokens are replaced by what they are.

use chrono::Duration;
use interline::demo::walk;
use serde_json::{Value, json};

use crate::world::{Member, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_gives_the_figures_of_the_worked_month_and_the_books_prove_right() {
    let world = World::new().await;

    let walked = walk::walk(&world.credentials, false).await.expect("a walk");

    let gained = |name: &str| walked["conversions"][name]["gains"].clone();
    insta::assert_json_snapshot!([gained("C1"), gained("C2"), gained("C3")], @r#"
    [
      {
        "amount": "12187",
        "currency": "HPT"
      },
      {
        "amount": "2281",
        "currency": "STAR"
      },
      {
        "amount": "14285",
        "currency": "MILE"
      }
    ]
    "#);
    insta::assert_json_snapshot!(walked["positions"], @r#"
    [
      {
        "credit": {
          "amount": "228.100000",
          "currency": "HKD"
        },
        "debit": {
          "amount": "1600.000000",
          "currency": "HKD"
        },
        "direction": "owes",
        "net": {
          "amount": "1371.900000",
          "currency": "HKD"
        },
        "partner": "CITYMART"
      },
      {
        "credit": {
          "amount": "199.990000",
          "currency": "USD"
        },
        "debit": {
          "amount": "100.000000",
          "currency": "USD"
        },
        "direction": "is_owed",
        "net": {
          "amount": "-99.990000",
          "currency": "USD"
        },
        "partner": "AERO"
      },
      {
        "credit": {
          "amount": "97.496000",
          "currency": "USD"
        },
        "debit": {
          "amount": "30.000000",
          "currency": "USD"
        },
        "direction": "is_owed",
        "net": {
          "amount": "-67.496000",
          "currency": "USD"
        },
        "partner": "BAYVIEW"
      }
    ]
    "#);
    insta::assert_json_snapshot!(money(&walked["trial_balance"]), @r#"
    [
      {
        "accounts": [
          {
            "account": "position/CITYMART/HKD",
            "balance": "1371.900000",
            "credit": "228.100000",
            "debit": "1600.000000"
          },
          {
            "account": "hub/commission/HKD",
            "balance": "-40.000000",
            "credit": "40.000000",
            "debit": "0.000000"
          },
          {
            "account": "hub/rounding/HKD",
            "balance": "-0.050000",
            "credit": "0.050000",
            "debit": "0.000000"
          },
          {
            "account": "hub/fx_clearing/HKD",
            "balance": "-1331.850000",
            "credit": "1560.000000",
            "debit": "228.150000"
          }
        ],
        "asset": "HKD",
        "book": "value",
        "sum": "0.000000"
      },
      {
        "accounts": [
          {
            "account": "position/AERO/USD",
            "balance": "-99.990000",
            "credit": "199.990000",
            "debit": "100.000000"
          },
          {
            "account": "position/BAYVIEW/USD",
            "balance": "-67.496000",
            "credit": "97.496000",
            "debit": "30.000000"
          },
          {
            "account": "hub/commission/USD",
            "balance": "-3.250000",
            "credit": "3.250000",
            "debit": "0.000000"
          },
          {
            "account": "hub/rounding/USD",
            "balance": "-0.014000",
            "credit": "0.014000",
            "debit": "0.000000"
          },
          {
            "account": "hub/fx_clearing/USD",
            "balance": "170.750000",
            "credit": "29.250000",
            "debit": "200.000000"
          }
        ],
        "asset": "USD",
        "book": "value",
        "sum": "0.000000"
      }
    ]
    "#);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_conversion_step_by_step() {
    let world = World::new().await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);

    let member = world.post(&aero, "/v1/members", json!({"number": "AE-1"}));
    let member = member.await.ok();
    insta::assert_json_snapshot!(masked(&member), @r#"
    {
      "id": "(mem)",
      "joined_at": "(instant)",
      "linked_at": null,
      "membership": "(mbs)",
      "number": "AE-1"
    }
    "#);
    let id = text(&member, "/id");

    let link = format!("/v1/members/{id}/link-tokens");
    let link = world
        .post(&aero, &link, json!({"partner": "BAYVIEW"}))
        .await
        .ok();
    insta::assert_json_snapshot!(masked(&link), @r#"
    {
      "expires_at": "(instant)",
      "link_token": "(token)"
    }
    "#);

    let membership = json!({"link_token": link["link_token"], "number": "BV-1"});
    let membership = world.post(&bayview, "/v1/memberships", membership).await;
    insta::assert_json_snapshot!(masked(&membership.ok()), @r#"
    {
      "id": "(mem)",
      "joined_at": "(instant)",
      "linked_at": "(instant)",
      "membership": "(mbs)",
      "number": "BV-1"
    }
    "#);

    let miles = json!({"amount": "12500", "currency": "MILE"});
    let award = json!({"member": id, "amount": miles, "reason": "purchase", "channel": "app", "reference": "AW-1"});
    let award = world.post(&aero, "/v1/awards", award).await;
    insta::assert_json_snapshot!(masked(&award.ok()), @r#"
    {
      "amount": {
        "amount": "12500",
        "currency": "MILE"
      },
      "at": "(instant)",
      "channel": "app",
      "expires_at": "(instant)",
      "id": "(awd)",
      "location": null,
      "mandate": null,
      "owed": null,
      "owes": null,
      "reason": "purchase",
      "reference": "AW-1",
      "usable_from": null,
      "wallet": "(wal)"
    }
    "#);

    let gives = json!({"amount": "10000", "currency": "MILE"});
    let quote = json!({"member": id, "gives": gives, "to": "HPT"});
    let quote = world.post(&aero, "/v1/quotes", quote).await.ok();
    insta::assert_json_snapshot!(masked(&quote), @r#"
    {
      "arrives": "at_once",
      "base": {
        "amount": "12187",
        "currency": "HPT"
      },
      "bonuses": [],
      "campaigns": [],
      "card": "(card)",
      "cost": {
        "bonuses": null,
        "commission": {
          "amount": "2.500000",
          "currency": "USD"
        },
        "gross": {
          "amount": "100.000000",
          "currency": "USD"
        },
        "sponsored": null
      },
      "expires_at": "(instant)",
      "fee": null,
      "fee_covers": null,
      "fee_points": null,
      "gains": {
        "amount": "12187",
        "currency": "HPT"
      },
      "gives": {
        "amount": "10000",
        "currency": "MILE"
      },
      "id": "(uuid)",
      "left": {
        "amount": "0",
        "currency": "MILE"
      },
      "legs": [],
      "limits": [],
      "quote": "(token)",
      "sentence": {
        "en": "10,000 MILE become 12,187 HPT at once. By what their issuers say that is worth 29 % less. There is no fee. The price holds until (date and time) HKT.",
        "zh-Hant": "10,000 MILE 即時兌換為 12,187 HPT。按發行機構公布的價值計，少 29%。不收手續費。此價格有效至 (date and time) HKT。"
      },
      "worth": {
        "difference": -29,
        "gains": {
          "amount": "85.309000",
          "currency": "USD"
        },
        "gives": {
          "amount": "120.000000",
          "currency": "USD"
        }
      }
    }
    "#);

    let order = json!({"quote": quote["quote"], "reference": "CV-1"});
    let conversion = world.post(&aero, "/v1/conversions", order).await.ok();
    insta::assert_json_snapshot!(masked(&conversion), @r#"
    {
      "at": "(instant)",
      "bonuses": [],
      "campaigns": [],
      "card": "(card)",
      "cost": {
        "bonuses": null,
        "commission": {
          "amount": "2.500000",
          "currency": "USD"
        },
        "gross": {
          "amount": "100.000000",
          "currency": "USD"
        },
        "sponsored": null
      },
      "delivery": null,
      "fee": null,
      "fee_points": null,
      "gains": {
        "amount": "12187",
        "currency": "HPT"
      },
      "gives": {
        "amount": "10000",
        "currency": "MILE"
      },
      "id": "(cnv)",
      "legs": [],
      "quote": "(uuid)",
      "reference": "CV-1",
      "reversed": null,
      "reversed_by": null,
      "status": "completed"
    }
    "#);

    let wallets = format!("/v1/members/{id}/wallets");
    let wallets = world.get(&aero, &wallets).await.ok();
    insta::assert_json_snapshot!(masked(&wallets), @r#"
    {
      "items": [
        {
          "available": {
            "amount": "2500",
            "currency": "MILE"
          },
          "currency": "MILE",
          "frozen": {
            "amount": "0",
            "currency": "MILE"
          },
          "held": {
            "amount": "0",
            "currency": "MILE"
          },
          "id": "(wal)",
          "lots": [
            {
              "amount": {
                "amount": "2500",
                "currency": "MILE"
              },
              "awaits_code": false,
              "expires_at": "(instant)",
              "frozen": false,
              "usable_from": null
            }
          ],
          "owed": {
            "amount": "0",
            "currency": "MILE"
          },
          "pending": {
            "amount": "0",
            "currency": "MILE"
          }
        }
      ]
    }
    "#);

    let statement = text(&wallets, "/items/0/id");
    let statement = world
        .get(&aero, &format!("/v1/wallets/{statement}/statement"))
        .await
        .ok();
    insta::assert_json_snapshot!(masked(&statement), @r#"
    {
      "items": [
        {
          "amount": {
            "amount": "10000",
            "currency": "MILE"
          },
          "at": "(instant)",
          "direction": "out",
          "follows": null,
          "kind": "conversion",
          "operation": "(cnv)"
        },
        {
          "amount": {
            "amount": "12500",
            "currency": "MILE"
          },
          "at": "(instant)",
          "direction": "in",
          "follows": null,
          "kind": "award",
          "operation": "(awd)"
        }
      ],
      "next_cursor": null
    }
    "#);

    let positions = world.get(&aero, "/v1/reports/positions").await.ok();
    insta::assert_json_snapshot!(positions, @r#"
    {
      "positions": [
        {
          "credit": {
            "amount": "0.000000",
            "currency": "USD"
          },
          "debit": {
            "amount": "100.000000",
            "currency": "USD"
          },
          "direction": "owes",
          "net": {
            "amount": "100.000000",
            "currency": "USD"
          },
          "partner": "AERO"
        }
      ]
    }
    "#);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_sees_its_own_money_and_the_member_none() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "10000", "MILE").await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);

    let gives = json!({"amount": "10000", "currency": "MILE"});
    let quote = json!({"member": member.id, "gives": gives, "to": "HPT"});
    let quote = world.post(&aero, "/v1/quotes", quote).await.ok();
    let order = json!({"quote": quote["quote"]});
    let conversion = world.post(&aero, "/v1/conversions", order).await.ok();
    let path = format!("/v1/conversions/{}", text(&conversion, "/id"));
    let source = world.get(&aero, &path).await.ok();
    let target = world.get(&bayview, &path).await.ok();
    let auditor = world.get(&world.sign_in("ada").await, &path).await.ok();

    assert_eq!(source, conversion);
    assert!(source["cost"].is_object() && source["value"].is_null());
    assert!(target["cost"].is_null() && target["value"].is_object());
    assert!(auditor["cost"].is_object() && auditor["value"].is_object());
    let sentence = quote["sentence"].to_string();
    for price in ["/cost/gross/amount", "/cost/commission/amount"] {
        let price = text(&quote, price);
        let short = price.trim_end_matches('0').trim_end_matches('.');
        assert!(!sentence.contains(short), "{sentence} tells {price}");
    }
    for money in ["USD", "HKD", "$"] {
        assert!(!sentence.contains(money), "{sentence} tells of {money}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_between_others_is_not_there() {
    let world = World::new().await;
    let member = world.member().await;
    let award = world.award(&member, "10000", "MILE").await;
    let conversion = world.convert(&member, "10000", "MILE", "HPT").await;
    let kwun = world.token("KWUN").await;

    for path in [
        format!("/v1/conversions/{}", text(&conversion, "/id")),
        format!("/v1/awards/{}", text(&award, "/id")),
        format!("/v1/wallets/{}", text(&award, "/wallet")),
        format!("/v1/wallets/{}/statement", text(&award, "/wallet")),
        format!("/v1/members/{}", member.id),
        format!("/v1/members/{}/wallets", member.id),
    ] {
        let answer = world.get(&kwun, &path).await;
        assert_eq!(answer.problem(), "not-found", "{path}");
    }
    let reversal = json!({"operation": conversion["id"]});
    let reversal = world.post(&kwun, "/v1/reversals", reversal).await;
    assert_eq!(reversal.problem(), "not-found");
    let points = json!({"amount": "1", "currency": "KPOINT"});
    let body = json!({"member": member.id, "amount": points, "reason": "purchase"});
    let refused = world.post(&kwun, "/v1/awards", body).await;
    assert_eq!(refused.problem(), "not-found");

    // The target partner sees the conversion, and not the wallet it came from.
    let wallet = format!("/v1/wallets/{}", text(&award, "/wallet"));
    let bayview = world.token("BAYVIEW").await;
    assert_eq!(world.get(&bayview, &wallet).await.problem(), "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_found_by_its_reference() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "20000", "MILE").await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    let points = json!({"amount": "5", "currency": "MILE"});

    let quote = world.quote(&member, "10000", "MILE", "HPT").await;
    let asked = [
        (
            "/v1/awards",
            json!({"member": member.id, "amount": points, "reason": "survey", "reference": "one"}),
        ),
        (
            "/v1/redemptions",
            json!({"member": member.id, "amount": points, "reference": "one"}),
        ),
        (
            "/v1/conversions",
            json!({"quote": quote, "reference": "one"}),
        ),
    ];
    for (path, body) in asked {
        let made = world.post(&aero, path, body).await.ok();
        let query = format!("{path}?reference=one");
        assert_eq!(world.get(&aero, &query).await.ok(), made, "{path}");
        let elsewhere = world.get(&bayview, &query).await;
        assert_eq!(elsewhere.problem(), "not-found", "{path}");

        let reversal = json!({"operation": made["id"], "reference": path});
        let reversal = world.post(&aero, "/v1/reversals", reversal).await.ok();
        let query = format!("/v1/reversals?reference={path}");
        assert_eq!(world.get(&aero, &query).await.ok(), reversal);
        let shown = format!("/v1/reversals/{}", text(&reversal, "/id"));
        assert_eq!(world.get(&aero, &shown).await.ok(), reversal);
    }
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_restores_lots_and_positions() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "4000", "HPT").await;
    world.forward(Duration::days(40)).await;
    world.award(&member, "6000", "HPT").await;
    let (bayview, finance) = (world.token("BAYVIEW").await, world.sign_in("fiona").await);
    let wallets = format!("/v1/members/{}/wallets", member.id);

    let before = world.get(&bayview, &wallets).await.ok();
    let conversion = world.convert(&member, "5000", "HPT", "STAR").await;
    let during = world.get(&bayview, &wallets).await.ok();
    let reversal = json!({"operation": conversion["id"]});
    world.post(&bayview, "/v1/reversals", reversal).await.ok();

    assert_ne!(before, during);
    assert_eq!(world.get(&bayview, &wallets).await.ok(), before);
    assert_eq!(world.balance(&member, "STAR").await, "0");
    let positions = world.get(&finance, "/v1/reports/positions").await.ok();
    for position in positions["positions"].as_array().expect("positions") {
        assert_eq!(position["net"]["amount"], "0.000000", "{position}");
        assert_eq!(position["direction"], "even");
    }
    let path = format!("/v1/conversions/{}", text(&conversion, "/id"));
    let reversed = world.get(&bayview, &path).await.ok();
    assert_eq!(reversed["status"], "reversed");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_quote_moves_nothing() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "10000", "MILE").await;
    let quote = world.quote(&member, "10000", "MILE", "HPT").await;

    world.forward(Duration::minutes(11)).await;
    let order = json!({"quote": quote});
    let late = world
        .post(&world.token("AERO").await, "/v1/conversions", order)
        .await;

    assert_eq!(late.problem(), "quote-expired");
    assert_eq!(world.balance(&member, "MILE").await, "10000");
    assert_eq!(world.balance(&member, "HPT").await, "0");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_first_is_spent_first_and_what_has_expired_is_gone() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "100", "HPT").await;
    world.forward(Duration::days(60)).await;
    world.award(&member, "50", "HPT").await;

    redeem(&world, &member, "30", "HPT").await;
    assert_eq!(lots(&world, &member, "HPT").await, ["70", "50"]);

    // 24 months after the first award, and not yet after the second.
    world.forward(Duration::days(680)).await;
    assert_eq!(world.balance(&member, "HPT").await, "50");
    assert_eq!(lots(&world, &member, "HPT").await, ["50"]);
    let amount = json!({"amount": "51", "currency": "HPT"});
    let body = json!({"member": member.id, "amount": amount});
    let bayview = world.token("BAYVIEW").await;
    let refused = world.post(&bayview, "/v1/redemptions", body).await;
    assert_eq!(refused.problem(), "balance-too-low");
    World::assert_right(&world.verify().await);

    let swept = world.hub.ledger.sweep(&world.hub.secrets).await;
    assert!(swept.expect("a sweep") >= 1);
    assert_eq!(world.balance(&member, "HPT").await, "50");
    let again = world.hub.ledger.sweep(&world.hub.secrets).await;
    assert_eq!(again.expect("a sweep"), 0);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn activity_keeps_points_alive() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "100", "MILE").await;

    // Each step is less than the 18 months of the policy, both together are more.
    world.forward(Duration::days(500)).await;
    redeem(&world, &member, "1", "MILE").await;
    world.forward(Duration::days(500)).await;
    assert_eq!(world.balance(&member, "MILE").await, "99");
    world.forward(Duration::days(60)).await;
    assert_eq!(world.balance(&member, "MILE").await, "0");

    world
        .hub
        .ledger
        .sweep(&world.hub.secrets)
        .await
        .expect("a sweep");
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redemption_takes_what_it_says_once() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "100", "STAR").await;
    let citymart = world.token("CITYMART").await;
    let amount = json!({"amount": "40", "currency": "STAR"});
    let body = json!({"member": member.id, "amount": amount, "location": "shop-7"});

    let first = world.post_with_key(&citymart, "/v1/redemptions", "k", body.clone());
    let first = first.await.ok();
    let again = world.post_with_key(&citymart, "/v1/redemptions", "k", body);
    assert_eq!(again.await.ok(), first);
    assert_eq!(world.balance(&member, "STAR").await, "60");
    insta::assert_json_snapshot!(masked(&first), @r#"
    {
      "amount": {
        "amount": "40",
        "currency": "STAR"
      },
      "at": "(instant)",
      "channel": null,
      "id": "(red)",
      "location": "shop-7",
      "reference": null,
      "wallet": "(wal)"
    }
    "#);
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_partner_takes_back_and_begins_nothing() {
    let world = World::new().await;
    let member = world.member().await;
    let award = world.award(&member, "20000", "MILE").await;
    let quote = world.quote(&member, "10000", "MILE", "HPT").await;
    let (aero, bayview) = (world.token("AERO").await, world.token("BAYVIEW").await);
    let operator = world.sign_in("olivia").await;
    let id = &world.credentials.partner("AERO").expect("AERO").id;
    let status = format!("/v1/partners/{id}/status");

    let suspended = world.post(&operator, &status, json!({"state": "suspended"}));
    suspended.await.ok();
    let miles = json!({"amount": "10000", "currency": "MILE"});
    let points = json!({"amount": "10000", "currency": "HPT"});
    for (token, path, body) in [
        (&aero, "/v1/conversions", json!({"quote": quote})),
        (
            &aero,
            "/v1/quotes",
            json!({"member": member.id, "gives": miles, "to": "HPT"}),
        ),
        (
            &bayview,
            "/v1/quotes",
            json!({"member": member.id, "gives": points, "to": "MILE"}),
        ),
        (
            &aero,
            "/v1/awards",
            json!({"member": member.id, "amount": miles, "reason": "event"}),
        ),
    ] {
        let refused = world.post(token, path, body).await;
        assert_eq!(refused.problem(), "partner-suspended", "{path}");
    }
    let reversal = json!({"operation": award["id"]});
    world.post(&aero, "/v1/reversals", reversal).await.ok();
    assert_eq!(world.balance(&member, "MILE").await, "0");

    let oscar = world.sign_in("oscar").await;
    let live = json!({"state": "live"});
    let resumed = crate::life::agreed(&world, &status, [&operator, &oscar], live);
    resumed.await.ok();
    world.award(&member, "1", "MILE").await;
    World::assert_right(&world.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_after_a_close_is_in_the_new_window() {
    let world = World::new().await;
    let member = world.member().await;
    world.award(&member, "20000", "MILE").await;
    let finance = world.sign_in("fiona").await;
    world.convert(&member, "10000", "MILE", "HPT").await;

    let windows = world.get(&finance, "/v1/settlement/windows").await.ok();
    let old = text(&windows, "/items/0/id");
    let close = format!("/v1/settlement/windows/{old}/close");
    let closing = world.post(&finance, &close, json!({})).await.ok();
    insta::assert_json_snapshot!(masked(&closing), @r#"
    {
      "closed": {
        "closed_at": "(instant)",
        "content_hash": "(hash)",
        "due_at": null,
        "id": "(win)",
        "opened_at": "(instant)",
        "state": "closed"
      },
      "opened": {
        "closed_at": null,
        "content_hash": null,
        "due_at": null,
        "id": "(win)",
        "opened_at": "(instant)",
        "state": "open"
      }
    }
    "#);
    let new = text(&closing, "/opened/id");
    let positions = async |window: &str| {
        let path = format!("/v1/reports/positions?window={window}");
        world.get(&finance, &path).await.ok()["positions"].clone()
    };
    let closed = positions(&old).await;
    assert_eq!(positions(&new).await, json!([]));
    world.convert(&member, "10000", "MILE", "HPT").await;

    assert_eq!(positions(&old).await, closed);
    assert_eq!(positions(&new).await, closed);
    let path = format!("/v1/settlement/windows/{old}");
    assert_eq!(world.get(&finance, &path).await.ok(), closing["closed"]);
    let trial = format!("/v1/trial-balance?window={new}");
    let trial = world.get(&finance, &trial).await.ok();
    insta::assert_json_snapshot!(money(&trial), @r#"
    [
      {
        "accounts": [
          {
            "account": "position/AERO/USD",
            "balance": "100.000000",
            "credit": "0.000000",
            "debit": "100.000000"
          },
          {
            "account": "position/BAYVIEW/USD",
            "balance": "-97.496000",
            "credit": "97.496000",
            "debit": "0.000000"
          },
          {
            "account": "hub/commission/USD",
            "balance": "-2.500000",
            "credit": "2.500000",
            "debit": "0.000000"
          },
          {
            "account": "hub/rounding/USD",
            "balance": "-0.004000",
            "credit": "0.004000",
            "debit": "0.000000"
          }
        ],
        "asset": "USD",
        "book": "value",
        "sum": "0.000000"
      }
    ]
    "#);
    World::assert_right(&world.verify().await);
}

async fn redeem(world: &World, member: &Member, amount: &str, currency: &str) {
    let amount = json!({"amount": amount, "currency": currency});
    let body = json!({"member": member.id, "amount": amount});
    let token = world.token(crate::world::issuer(currency)).await;
    world.post(&token, "/v1/redemptions", body).await.ok();
}

/// The lots of a wallet in the order in which they are spent.
async fn lots(world: &World, member: &Member, currency: &str) -> Vec<String> {
    let token = world.token(crate::world::issuer(currency)).await;
    let path = format!("/v1/members/{}/wallets", member.id);
    let wallets = world.get(&token, &path).await.ok();
    let wallets = wallets["items"].as_array().expect("wallets").iter();
    let lots = wallets
        .filter(|wallet| wallet["currency"] == currency)
        .flat_map(|wallet| wallet["lots"].as_array().expect("lots"));
    lots.map(|lot| text(lot, "/amount/amount")).collect()
}

fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.expect(pointer).to_owned()
}

/// The part of a trial balance that is money.
fn money(trial: &Value) -> Vec<&Value> {
    let assets = trial["assets"].as_array().expect("assets").iter();
    assets.filter(|asset| asset["book"] == "value").collect()
}

/// The same with ids, instants and tokens replaced by what they are.
fn masked(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), masked(value)))
            .collect(),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::String(text) => json!(masked_text(text)),
        other => other.clone(),
    }
}

fn masked_text(text: &str) -> String {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.split_once('_') {
        Some((kind, digits)) if digits.len() == 16 && is_hex(digits) => return format!("({kind})"),
        _ => {}
    }
    if chrono::DateTime::parse_from_rfc3339(text).is_ok() {
        return "(instant)".to_owned();
    }
    if uuid::Uuid::parse_str(text).is_ok() {
        return "(uuid)".to_owned();
    }
    if text.len() == 64 && is_hex(text) {
        return "(hash)".to_owned();
    }
    if text.starts_with("ey") && text.matches('.').count() == 2 {
        return "(token)".to_owned();
    }
    // What remains may tell a date and a time of day.
    let (mut masked, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let is_told = |told: &&str| {
            told.starts_with('2')
                && chrono::NaiveDateTime::parse_from_str(told, "%Y-%m-%d %H:%M").is_ok()
        };
        let told = rest.get(..16).filter(is_told);
        masked.push_str(told.map_or(&rest[..first.len_utf8()], |_| "(date and time)"));
        rest = &rest[told.map_or(first.len_utf8(), str::len)..];
    }
    masked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_at_cost_across_two_moneys_posts_c4_of_the_worked_month() {
    let world = World::new().await;
    let citymart = world.token("CITYMART").await;
    let terms = json!({
        "from": "STAR", "to": "MILE",
        "terms": {"kind": "ratio", "give": 5, "get": 1},
        "settlement": {"kind": "cost_plus", "price": "0.014000", "commission": "0.025"},
    });
    let card = world.post(&citymart, "/v1/rate-cards", terms).await.ok();
    let path = format!("/v1/rate-cards/{}", card["id"].as_str().unwrap());
    let agreed = json!({"content_hash": card["content_hash"]});
    let propose = format!("{path}/propose");
    world.post(&citymart, &propose, json!({})).await.ok();
    let (aero, operator) = (world.token("AERO").await, world.sign_in("olivia").await);
    let approve = format!("{path}/approve");
    world.post(&aero, &approve, agreed.clone()).await.ok();
    let card = world.post(&operator, &approve, agreed).await.ok();
    assert_eq!(
        (&card["state"], &card["version"]),
        (&json!("active"), &json!(2))
    );

    let member = world.member().await;
    world.award(&member, "20000", "STAR").await;
    let conversion = world.convert(&member, "20000", "STAR", "MILE").await;

    assert_eq!(conversion["gains"]["amount"], "4000");
    assert_eq!(
        conversion["cost"]["gross"],
        json!({"amount": "447.720000", "currency": "HKD"})
    );
    assert_eq!(conversion["cost"]["commission"]["amount"], "10.920000");
    let finance = world.sign_in("fiona").await;
    let balance = world.get(&finance, "/v1/trial-balance").await.ok();
    let accounts: Vec<(&str, &str)> = balance["assets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|asset| asset["book"] == "value")
        .flat_map(|asset| asset["accounts"].as_array().unwrap())
        .map(|line| {
            (
                line["account"].as_str().unwrap(),
                line["balance"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("position/CITYMART/HKD", "447.720000"),
        ("hub/commission/HKD", "-10.920000"),
        ("hub/fx_clearing/HKD", "-436.800000"),
        ("position/AERO/USD", "-56.000000"),
        ("hub/fx_clearing/USD", "56.000000"),
    ];
    assert_eq!(accounts, expected);
    World::assert_right(&world.verify().await);
}
