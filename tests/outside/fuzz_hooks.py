"""What schemathesis does not know of the hub: who is asking, ids of things that are there, and that a
problem's code is part of the document."""

import json
import os
import uuid
from zlib import crc32

import schemathesis

from hub import Hub

HUB = Hub(os.environ["INTERLINE_CREDENTIALS"])
ROLE = os.environ["INTERLINE_ROLE"]
WHO = {"partner": "AERO", "none": None}.get(ROLE, ROLE)


@schemathesis.auth()
class Bearer:
    def get(self, case, context):
        return WHO and f"Bearer {HUB.token(WHO)}"

    def set(self, case, data, context):
        case.headers["Authorization"] = data


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """A file of lines is a text in the document."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.check
def documented_problem(context, response, case):
    """The code of a problem is one of those that the document gives this answer."""
    if "problem+json" not in response.headers.get("content-type", [""])[0]:
        return
    code = response.json()["code"]
    # The address or the method is that of no operation.
    if code in ("route-unknown", "method-not-allowed"):
        return
    described = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    assert code in described.get("x-problems", []), f"{case.operation.label} does not say {code}"


# Ids by the names that parameters and fields give them, made by fuzz.py.
THINGS = json.loads(os.environ["INTERLINE_THINGS"])


def known(name: str, given):
    """Three of four times something that is there instead of what was made up: which, follows from that."""
    choice = crc32(repr((name, given)).encode())
    there = THINGS.get(name)
    return there[choice % len(there)] if there and choice % 4 else given


def meant(value):
    if isinstance(value, list):
        return [meant(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: known(name, one) if isinstance(one, str) else meant(one) for name, one in value.items()
    }


def map_named(context, values):
    return meant(values) if values else values


schemathesis.hook("map_path_parameters")(map_named)
schemathesis.hook("map_query")(map_named)
schemathesis.hook("map_body")(map_named)


@schemathesis.hook
def map_headers(context, headers):
    """A key that was used before would hide what the hub says to the body."""
    if headers and crc32(repr(headers).encode()) % 4:
        return {**headers, "Idempotency-Key": str(uuid.uuid4())}
    return headers
