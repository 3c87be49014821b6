"""A demo of the hub for what stands outside of it: started, asked for tokens, stopped."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "interline"
ROLES = ("partner", "operator", "finance", "support", "auditor", "none")
# A token keeps for 15 minutes.
FRESH_S = 600


class Hub:
    """A hub or a sandbox, and whom it knows."""

    def __init__(self, file):
        self.file = str(Path(file).resolve())
        self.credentials = json.loads(Path(file).read_text())
        self.base = self.credentials["base_url"]
        self._tokens: dict[str, tuple[float, str]] = {}

    def partner(self, code: str) -> dict:
        return next(one for one in self.credentials["partners"] if one["code"] == code)

    def member(self, code: str) -> str:
        """A member that this partner knows."""
        return next(one["id"] for one in self.credentials["members"] if one["partner"] == code)

    def token(self, who: str) -> str:
        """The token of a role of the hub's people, or of a partner by its code."""
        made, token = self._tokens.get(who, (0.0, ""))
        if time.monotonic() - made > FRESH_S or not token:
            token = self._person(who) if who.islower() else self._partner(who)
            self._tokens[who] = (time.monotonic(), token)
        return token

    def _partner(self, code: str) -> str:
        known = self.partner(code)
        answer = requests.post(
            f"{self.base}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(known["client_id"], known["client_secret"]),
        )
        return told(answer)["access_token"]

    def _person(self, role: str) -> str:
        """The one place that knows how people sign in."""
        known = next(one for one in self.credentials["people"] if one["role"] == role)
        while True:
            body = {"login": known["login"], "password": known["password"], "code": self.code(known["totp_secret"])}
            answer = requests.post(f"{self.base}/v1/sessions", json=body)
            if answer.status_code != 429:
                return told(answer)["access_token"]
            # Whoever tries wrong passwords of this account uses its attempts up.
            time.sleep(answer.json()["retry_after"])

    @staticmethod
    def code(secret: str) -> str:
        """The present code (RFC 6238)."""
        command = [PROGRAM, "totp", secret]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def ask(self, who: str, method: str, path: str, body=None):
        """A call that has to go well."""
        headers = {"Authorization": f"Bearer {self.token(who)}", "Idempotency-Key": str(uuid.uuid4())}
        return told(requests.request(method, f"{self.base}{path}", headers=headers, json=body))

    def get(self, who: str, path: str):
        return self.ask(who, "GET", path)

    def post(self, who: str, path: str, body):
        return self.ask(who, "POST", path, body)


def told(answer: requests.Response):
    if not answer.ok:
        raise SystemExit(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
    return answer.json() if answer.content else None


@contextmanager
def demo():
    """A hub with the sample coalition, and the sandbox beside it, from nothing."""
    # Started by root, the database runs as somebody else, who has to get at its folder.
    with tempfile.TemporaryDirectory(prefix="interline-outside-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        data, said, log = (Path(folder, name) for name in ("data", "said", "log"))
        with said.open("wb") as out, log.open("wb") as err:
            command = [PROGRAM, "demo", "--port", str(free_port()), "--data-dir", data]
            running = subprocess.Popen(command, stdout=out, stderr=err)
            try:
                wait(lambda: b"Interline is running" in said.read_bytes(), running, log)
                hub, sandbox = (Hub(data / f"{name}-credentials.json") for name in ("demo", "sandbox"))
                hub.data, hub.log = data, log
                yield hub, sandbox
            finally:
                running.terminate()
                running.wait(60)


def wait(is_so, running, log, seconds=180):
    until = time.monotonic() + seconds
    while not is_so():
        if running.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"The demo did not start:\n{log.read_text()}")
        time.sleep(0.2)


def pg(program: str) -> Path:
    """One of PostgreSQL's programs, of the version that the hub takes."""
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda it: float(it.parts[4]))
    named = os.environ.get("INTERLINE_PG_BIN")
    found = [Path(named, program)] if named else beside or [shutil.which(program)]
    return found[-1]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
