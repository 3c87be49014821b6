"""Schemathesis over the whole OpenAPI document, with each role: no answer that the document does not
describe, and none that says the hub broke.

    fuzz.py [CASES] [--role ROLE] [--hub FILE]

CASES is about how many requests each role sends (300 when left out). --hub names the credentials of a
hub that runs already; without it a demo is started.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import requests

from hub import ROLES, Hub, demo

HERE = Path(__file__).resolve().parent
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
    "documented_problem",
]


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("cases", type=int, nargs="?", default=300)
    arguments.add_argument("--role", choices=ROLES, action="append")
    arguments.add_argument("--hub", type=Path)
    asked = arguments.parse_args()

    running = nullcontext((Hub(asked.hub), None)) if asked.hub else demo()
    with running as (hub, _):
        operations = sum(len(ways) for ways in document(hub)["paths"].values())
        each = max(1, round(asked.cases / operations))
        there = things(hub)
        failed = [role for role in asked.role or ROLES if not fuzz(hub, there, role, each)]
    print(f"Found with: {', '.join(failed)}" if failed else "Nothing found.")
    return 1 if failed else 0


def document(hub: Hub) -> dict:
    return requests.get(f"{hub.base}/openapi.json").json()


def things(hub: Hub) -> dict[str, list[str]]:
    """Ids of things that are there, by the names that parameters and fields give them."""

    def made(path, body):
        return hub.post("AERO", path, body)["id"]

    member = hub.member("AERO")
    miles = {"member": member, "amount": {"amount": "50", "currency": "MILE"}}
    award = made("/v1/awards", miles | {"reason": "event", "amount": {"amount": "90000", "currency": "MILE"}})
    give = {"member": member, "gives": {"amount": "10000", "currency": "MILE"}, "to": "HPT"}
    quotes = [hub.post("AERO", "/v1/quotes", give)["quote"] for _ in range(2)]
    conversion = made("/v1/conversions", {"quote": quotes[0]})
    redemption = made("/v1/redemptions", miles)
    adjustment = miles | {"direction": "credit", "reason": "Counted twice"}
    lets = {"currency": "MILE", "partner": hub.partner("BAYVIEW")["id"], "funding": {"kind": "mandated", "fee": "0.5"},
            "reasons": ["purchase"], "first_day": "2020-01-01", "last_day": "2199-12-31"}
    mandates = [hub.post("AERO", "/v1/mandates", lets) for _ in range(2)]
    agreed = {"content_hash": mandates[0]["content_hash"]}
    hub.post("BAYVIEW", f"/v1/mandates/{mandates[0]['id']}/approve", agreed)
    credentials = f"/v1/partners/{hub.partner('AERO')['id']}/credentials"
    spare = [one["client_id"] for one in hub.get("AERO", credentials)["items"]]
    spare.remove(hub.partner("AERO")["client_id"])
    spare = spare or [hub.post("AERO", credentials, {"scopes": ["ledger:read"]})["client_id"]]

    def listed(who, path):
        return [one["id"] for one in hub.get(who, path)["items"]]

    wallets = listed("AERO", f"/v1/members/{member}/wallets")
    codes = [one["currency"] for one in hub.credentials["partners"]]
    return {
        "partner": [hub.partner(code)["id"] for code in ("AERO", "BAYVIEW")],
        "member": [member],
        "wallet": wallets,
        "award": [award],
        "operation": [award, redemption, conversion],
        "redemption": [redemption],
        "conversion": [conversion],
        "quote": quotes,
        "hold": [made("/v1/holds", miles) for _ in range(2)],
        "mandate": [one["id"] for one in mandates],
        "adjustment": [hub.post("operator", "/v1/adjustments", adjustment)["id"]],
        "endpoint": [made("/v1/webhook-endpoints", {"url": f"{hub.base}/healthz"})],
        "credential": spare,
        "window": listed("finance", "/v1/settlement/windows"),
        "rate_card": listed("operator", "/v1/rate-cards"),
        "approval": listed("operator", "/v1/approvals"),
        "slug": ["not-found"],
        "page": ["errors"],
        "code": codes,
        "currency": codes,
        "from": codes,
        "to": codes,
        "issuer": [hub.partner("AERO")["id"]],
    }


def fuzz(hub: Hub, there: dict, role: str, each: int) -> bool:
    """Sends so many cases to each operation."""
    print(f"\n=== {role}: {each} for each operation", flush=True)
    command = [
        Path(sys.executable).with_name("schemathesis"),
        *("run", f"{hub.base}/openapi.json"),
        *("--checks", ",".join(CHECKS)),
        # The coverage of boundaries sends some dozens of requests to each operation by itself.
        *("--phases", "examples,coverage,fuzzing" if each >= 20 else "examples,fuzzing"),
        *("--max-examples", str(each)),
        *("--continue-on-failure", "--no-shrink", "--suppress-health-check", "all"),
        *("--warnings", "off", "--seed", "1"),
    ]
    told = {
        "INTERLINE_CREDENTIALS": hub.file,
        "INTERLINE_THINGS": json.dumps(there),
        "INTERLINE_ROLE": role,
        "SCHEMATHESIS_HOOKS": "fuzz_hooks",
        "PYTHONPATH": str(HERE),
    }
    # It keeps notes where it runs, which another run would go by.
    with tempfile.TemporaryDirectory() as elsewhere:
        return subprocess.run(command, cwd=elsewhere, env=os.environ | told).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
