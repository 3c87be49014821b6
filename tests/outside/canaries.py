"""Secrets that are known by heart go in by every way there is; then the dump of the databases, the logs at
debug level, the exports, the feed, the webhooks and every answer are searched for them.

What names somebody (a member's number and claims, a person's login and name, a bank account) is in its own table,
and in an answer that is kept to be given again under its key; it is looked for everywhere else.
"""

import base64
import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub import PROGRAM, Hub, demo, pg, told
from receiver import Receiver

# By their kinds, what may be in no place at all.
SECRETS: dict[str, list[str]] = {}
# What may be in these tables of a dump.
PERSONAL: list[str] = []
HOMES = ("memberships in", "people in", "bank_accounts in", "answers in")


def secret(kind: str, text: str) -> str:
    SECRETS.setdefault(kind, []).append(text)
    return text


def canary(kind: str) -> str:
    return secret(kind, f"canary-{uuid.uuid4().hex}")


def main() -> None:
    os.environ["RUST_LOG"] = "debug"
    with demo() as (hub, sandbox):
        receiver = Receiver()
        places: dict[str, bytes] = {}
        for name, place in (("hub", hub), ("sandbox", sandbox)):
            places |= {f"answers of the {name}": send(place, receiver)}
        time.sleep(2)  # The seals come up.
        for name, database in (("hub", "interline"), ("sandbox", "interline_sandbox")):
            for table, rows in dump(hub, database).items():
                places[f"{table} in the dump of the {name}"] = rows
        for name, place in (("hub", hub), ("sandbox", sandbox)):
            places |= {f"{what} of the {name}": text for what, text in read(place).items()}
        export = [PROGRAM, "audit", "export", "--data-dir", hub.data]
        places["audit export"] = subprocess.run(export, check=True, stdout=subprocess.PIPE).stdout
        places["log"] = hub.log.read_bytes()
        places["PostgreSQL's log"] = (hub.data / "postgres.log").read_bytes()
        places["webhooks"] = b"\n".join(f"{headers}".encode() + body for headers, body in receiver.came.queue)
        search(places)


def send(hub: Hub, receiver) -> bytes:
    """Sends each kind of secret, where it is right and where it is wrong; answers with what was said."""
    said = []

    def ask(method, path, token=None, key=None, **more):
        headers = more.pop("headers", {}) | {"Idempotency-Key": key or canary("idempotency key")}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = requests.request(method, f"{hub.base}{path}", headers=headers, **more)
        said.append(answer.content)
        return answer

    for partner in hub.credentials["partners"]:
        secret("client secret", partner["client_secret"])
    for person in hub.credentials["people"]:
        secret("password", person["password"])
    aero, operator = (secret("token", hub.token(who)) for who in ("AERO", "operator"))
    id = hub.partner("AERO")["id"]

    # Who is nobody.
    client = hub.partner("AERO")["client_id"]
    grant = {"grant_type": "client_credentials"}
    ask("POST", "/oauth/token", data=grant, auth=(client, canary("client secret")))
    ask("POST", "/oauth/token", data=grant | {"client_id": client, "client_secret": canary("client secret")})
    ask("POST", "/v1/sessions", json={"login": "olivia", "password": canary("password")})
    ask("POST", "/v1/sessions", data='{"login":"olivia","password":"%s' % canary("password"))
    ask("GET", "/v1/members", token=canary("token"))
    ask("GET", f"/v1/events?access_token={canary('token')}")

    # A program with a key of its own.
    key = Ed25519PrivateKey.generate()
    public = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    scopes = {"scopes": ["ledger:read"]}
    keys = {"public_keys": [{"kty": "OKP", "crv": "Ed25519", "x": public}]}
    made = told_of(ask("POST", f"/v1/partners/{id}/credentials", aero, json=scopes | keys), said)
    secret("private key", base64.urlsafe_b64encode(key.private_bytes_raw()).rstrip(b"=").decode())
    issuer = requests.get(f"{hub.base}/.well-known/oauth-authorization-server").json()["issuer"]
    now = int(time.time())
    for subject in (made["client_id"], "crd_0000000000000000"):
        facts = {"iss": subject, "sub": subject, "aud": issuer, "jti": canary("assertion's id")}
        signed = jwt.encode(facts | {"iat": now, "exp": now + 60}, key, "EdDSA")
        assertion = {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": secret("assertion", signed),
        }
        answer = ask("POST", "/oauth/token", data=grant | assertion)
        if answer.ok:
            secret("token", told_of(answer, said)["access_token"])

    # A member, who is proved to another brand.
    number = f"canary-{uuid.uuid4().hex}"
    PERSONAL.append(number)
    member = told_of(ask("POST", "/v1/members", aero, json={"number": number}), said)["id"]
    ask("POST", "/v1/members", aero, json={"number": number})
    ask("GET", f"/v1/members?number={number}", operator)
    link = told_of(ask("POST", f"/v1/members/{member}/link-tokens", aero, json={"partner": "BAYVIEW"}), said)["link_token"]
    bayview = secret("token", hub.token("BAYVIEW"))
    ask("POST", "/v1/memberships", bayview, json={"link_token": secret("link token", link), "number": "1"})
    ask("POST", "/v1/memberships", bayview, json={"link_token": canary("link token"), "number": "2"})
    value = f"canary_{uuid.uuid4().hex[:20]}"
    PERSONAL.append(value)
    claims = {"claims": {"tier": {"value": value}}}
    ask("PUT", f"/v1/members/{member}/claims", aero, json=claims).raise_for_status()

    # Somebody who is hired, with a second factor.
    login = f"canary.{uuid.uuid4().hex[:20]}"
    name = f"Canary {uuid.uuid4().hex[:20]}"
    PERSONAL.extend([login, name])
    person = told_of(ask("POST", "/v1/people", operator, json={"login": login, "name": name, "role": "support"}), said)
    invited = told_of(ask("POST", f"/v1/people/{person['id']}/invitation", operator, json={}), said)
    password = canary("password")
    invitation = {"invitation": secret("invitation", invited["invitation"]), "password": password}
    ask("POST", "/v1/invitations/accept", json=invitation).raise_for_status()
    ask("POST", "/v1/invitations/accept", json=invitation)
    way_in = {"login": login, "password": password}
    signed_in = told_of(ask("POST", "/v1/sessions", json=way_in), said)
    session = secret("session", signed_in["access_token"])
    offered = told_of(ask("POST", "/v1/me/second-factor", session, json={}), said)
    seed = secret("second factor", offered["secret"])
    SECRETS["second factor"].append(base64.b32decode(seed + "=" * (-len(seed) % 8)).hex())
    code = {"code": hub.code(seed)}
    kept = told_of(ask("POST", "/v1/me/second-factor/confirm", session, json=code), said)
    for recovery in kept["recovery_codes"]:
        secret("recovery code", recovery)
        SECRETS["recovery code"].append(recovery.replace("-", ""))
    ask("POST", "/v1/sessions", json=way_in | {"code": "000000"})
    again = told_of(ask("POST", "/v1/sessions", json=way_in | {"code": kept["recovery_codes"][0]}), said)
    ask("DELETE", "/v1/sessions/current", secret("session", again["access_token"])).raise_for_status()

    # An account that a partner is paid into.
    number = str(uuid.uuid4().int)[:20]
    PERSONAL.append(number)
    account = {"holder": f"Canary {number}", "currency": "USD", "bic": "HSBCHKHH", "account_number": number}
    path = f"/v1/partners/{id}/bank-account"
    proposed = told_of(ask("POST", f"{path}/propose", aero, json=account), said)
    read = {"content_hash": proposed["proposed"]["content_hash"]}
    finance = secret("token", hub.token("finance"))
    told_of(ask("POST", f"{path}/approve", finance, json=read), said)
    ask("GET", path, operator)

    # An endpoint, which is told what happened.
    endpoint = told_of(ask("POST", "/v1/webhook-endpoints", aero, json={"url": receiver.url}), said)
    secret("webhook secret", endpoint["secret"])
    path = f"/v1/webhook-endpoints/{endpoint['id']}"
    rotated = told_of(ask("POST", f"{path}/rotate-secret", aero, json={}), said)
    secret("webhook secret", rotated["secret"])
    amount = {"amount": "5", "currency": "MILE"}
    award = {"member": member, "amount": amount, "reason": "event"}
    for _ in range(2):
        ask("POST", "/v1/awards", aero, key=SECRETS["idempotency key"][-1], json=award)
    until = time.monotonic() + 60
    while not receiver.came.qsize():
        assert time.monotonic() < until, "no webhook came"
        time.sleep(0.1)
    return b"\n".join(said)


def told_of(answer: requests.Response, said: list):
    """What is told once, to whom it belongs: that answer is not searched."""
    said.remove(answer.content)
    return told(answer)


def dump(hub: Hub, database: str) -> dict[str, bytes]:
    """What pg_dump writes of each table; bytes also as what they are."""
    pg_dump = subprocess.run(
        [pg("pg_dump"), "--host", hub.data / "run", "--username", "interline", "--no-owner", database],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    tables: dict[str, bytes] = {}
    for found in re.finditer(rb"^COPY public\.(\w+) .*?\n(.*?)^\\\.$", pg_dump, re.M | re.S):
        rows = found[2]
        plain = [bytes.fromhex(text.decode()) for text in re.findall(rb"\\\\x([0-9a-f]+)", rows)]
        tables[found[1].decode()] = b"\n".join([rows, *plain])
    assert len(tables) > 30, f"{database} has {len(tables)} tables"
    return tables


def read(hub: Hub) -> dict[str, bytes]:
    """What the hub tells to those who may read the most."""

    def pages(who, path):
        items, cursor = [], ""
        while True:
            page = hub.get(who, f"{path}?limit=200{cursor}")
            items += page["items"]
            after = page["next_cursor"]
            if not after or not page["items"]:
                return json.dumps(items).encode()
            cursor = f"&{'after' if 'events' in path else 'cursor'}={after}"

    return {
        "events": pages("operator", "/v1/events"),
        "audit": pages("auditor", "/v1/audit"),
        "approvals": pages("operator", "/v1/approvals"),
        "endpoints": pages("operator", "/v1/webhook-endpoints"),
        "problems": requests.get(f"{hub.base}/problems").content,
    }


def search(places: dict[str, bytes]) -> None:
    kinds = SECRETS | {"what names a member": PERSONAL}
    found = [
        f"{kind} in {place}"
        for kind, texts in kinds.items()
        for place, content in places.items()
        if not (texts is PERSONAL and place.startswith(HOMES))
        and any(form in content for text in texts for form in forms(text))
    ]
    # The search finds what is there.
    homes = [content for place, content in places.items() if place.startswith(HOMES[:-1])]
    assert all(any(text.encode() in home for home in homes) for text in PERSONAL), "somebody is lost"
    size = sum(map(len, places.values()))
    count = sum(map(len, kinds.values()))
    print(f"{count} canaries of {len(kinds)} kinds, {len(places)} places, {size / 1e6:.0f} MB.")
    if found:
        sys.exit("Found: " + "; ".join(sorted(found)))
    print("None was found where it must not be.")


def forms(text: str) -> list[bytes]:
    """A text as it may be written: plain, in hexadecimal, in base64, as numbers in a list."""
    plain = text.encode()
    numbers = ", ".join(str(byte) for byte in plain).encode()
    return [plain, plain.hex().encode(), base64.b64encode(plain).rstrip(b"="), numbers]


if __name__ == "__main__":
    main()
