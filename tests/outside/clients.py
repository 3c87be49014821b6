"""Programs that others would write, with the tools that others use: generated clients that make a conversion,
and the reference libraries of Standard Webhooks that verify what the hub sends.

    clients.py TOOLS

TOOLS is the folder where .ci/outside has put the tools.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from standardwebhooks import Webhook

from hub import ROOT, Hub, demo
from receiver import Receiver

HERE = Path(__file__).resolve().parent
DOCUMENT = ROOT / "openapi" / "openapi.json"


def main() -> None:
    tools = Path(sys.argv[1]).resolve()
    typescript, python = build_typescript(tools), build_python(tools)
    with demo() as (hub, sandbox):
        for place in (hub, sandbox):
            with_points(place)
            for client in (typescript, python):
                told = json.loads(run(client, env=given(place)))
                assert told["status"] == "completed", told
                print(f"{place.base}: {told['id']}")
        deliver(hub, tools)


def run(command, **more) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **more).stdout


def build_typescript(tools: Path) -> list:
    """Types of the document, and a program that the compiler finds nothing wrong with."""
    to, programs = tools / "client", tools / "node_modules" / ".bin"
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(HERE / "typescript", to)
    run([programs / "openapi-typescript", DOCUMENT, "--output", to / "api.d.ts"])
    run([programs / "tsc", "--project", to])
    return ["node", to / "client.js"]


def build_python(tools: Path) -> list:
    """A whole client made by openapi-generator, and a program that uses it."""
    to = tools / "generated"
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    # For what the hub sends, it writes methods that are no Python: parameters without a type.
    calls = json.loads(DOCUMENT.read_text())
    del calls["webhooks"]
    asked = to / "calls.json"
    asked.write_text(json.dumps(calls))
    generator = Path(sys.executable).with_name("openapi-generator-cli")
    run([generator, "generate", "-g", "python", "-i", asked, "-o", to], stderr=subprocess.STDOUT)
    return [sys.executable, HERE / "generated_client.py", to]


def given(hub: Hub) -> dict:
    """What a program is told."""
    told = {"BASE": hub.base, "TOKEN": hub.token("AERO"), "MEMBER": of_both(hub)}
    return os.environ | told


def of_both(hub: Hub) -> str:
    """A member of the airline and of the hotels."""
    of = lambda code: {one["id"] for one in hub.credentials["members"] if one["partner"] == code}
    return min(of("AERO") & of("BAYVIEW"))


def with_points(hub: Hub) -> None:
    amount = {"amount": "50000", "currency": "MILE"}
    hub.post("AERO", "/v1/awards", {"member": of_both(hub), "amount": amount, "reason": "event"})


def deliver(hub: Hub, tools: Path) -> None:
    """A delivery verifies with both libraries, and while a secret is rotated with the old and the new one."""
    receiver = Receiver()
    made = hub.post("AERO", "/v1/webhook-endpoints", {"url": receiver.url, "types": ["award.completed"]})
    path = f"/v1/webhook-endpoints/{made['id']}"

    with_points(hub)
    headers, body = receiver.came.get(timeout=60)
    assert len(signatures(headers)) == 1, headers
    verify(tools, made["secret"], headers, body)

    rotated = hub.post("AERO", f"{path}/rotate-secret", {"previous_for_hours": 1})
    with_points(hub)
    headers, body = receiver.came.get(timeout=60)
    assert len(signatures(headers)) == 2, headers
    for secret in (made["secret"], rotated["secret"]):
        verify(tools, secret, headers, body)
    refuse(tools, made["secret"], headers, body + b" ")


def signatures(headers: dict) -> list[str]:
    return lower(headers)["webhook-signature"].split(" ")


def lower(headers: dict) -> dict:
    return {name.lower(): value for name, value in headers.items()}


def verify(tools: Path, secret: str, headers: dict, body: bytes) -> None:
    assert Webhook(secret).verify(body, headers)["type"] == "award.completed"
    asked = json.dumps({"secret": secret, "headers": lower(headers), "body": body.decode()})
    told = run(["node", tools / "client" / "webhook.mjs"], input=asked)
    assert json.loads(told)["type"] == "award.completed"
    print("A delivery verifies with the libraries of PyPI and npm.")


def refuse(tools: Path, secret: str, headers: dict, body: bytes) -> None:
    """What was changed on the way does not verify: the test would notice."""
    asked = json.dumps({"secret": secret, "headers": lower(headers), "body": body.decode()})
    program = ["node", tools / "client" / "webhook.mjs"]
    ended = subprocess.run(program, input=asked, text=True, capture_output=True)
    assert ended.returncode != 0 and "No matching signature" in ended.stderr, ended.stderr


if __name__ == "__main__":
    main()
