"""Corpora of what programs stumble over, through every operation: a test suite of JSON parsers, the big list of
naughty strings, and requests that no HTTP client sends. No answer says that the hub broke, each is one that the
document describes, and every refusal has the shape of a problem.

    corpora.py TOOLS [ALL]

TOOLS is the folder where .ci/outside has put the tools. Each text goes to a few operations, or to all of them
with ALL.
"""

import copy
import json
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import quote, urlsplit

import requests

from fuzz import things
from hub import Hub, demo

# How many operations meet a text, and how many oddities of HTTP an operation.
FEW, FEW_ODD = 2, 6
MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}
# Texts that are no UTF-8 do not survive as JSON themselves.
BYTES = [b'"\xff"', b'{"\xe5":1}', b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b'"\xed\xa0\x80"', b"{}\x00", b"\x1f\x8b\x08"]


class Operation:
    def __init__(self, hub: Hub, path: str, method: str, said: dict, there: dict):
        self.hub, self.path, self.method, self.said, self.there = hub, path, method.upper(), said, there
        content = said.get("requestBody", {}).get("content", {})
        self.kind, self.body = next(((kind, one["example"]) for kind, one in content.items()), (None, None))
        # A text that is no id finds nothing; one that is gets further.
        if isinstance(self.body, dict):
            known = {name: there[name][0] for name in self.body.keys() & there.keys()}
            self.body = self.body | known
        self.names = [one["name"] for one in said.get("parameters", []) if one["in"] == "path"]
        self.queries = [one["name"] for one in said.get("parameters", []) if one["in"] == "query"]

    def headers(self) -> dict:
        ways = {kind for way in self.said["security"] for kind in way}
        who = "AERO" if "partner" in ways else "operator" if ways else None
        roles = self.said.get("x-roles", [])
        if who == "operator" and roles and who not in roles:
            who = roles[0]
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        if self.kind:
            headers["Content-Type"] = self.kind
        if who:
            headers["Authorization"] = f"Bearer {self.hub.token(who)}"
        return headers

    def target(self, **named) -> str:
        path = self.path
        for name in self.names:
            value = named.get(name, self.there.get(name, ["x"])[0])
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        return path

    def written(self) -> bytes:
        if self.kind == "application/x-www-form-urlencoded":
            return b"grant_type=client_credentials"
        return json.dumps(self.body).encode() if self.kind else b""

    def judge(self, status: int, kind: str, body: bytes, what: str) -> None:
        """Says what is wrong with an answer."""
        what = f"{self.method} {self.path} {what}: {status} {body[:300]!r}"
        if status >= 500:
            COMPLAINTS.append(what)
        elif status >= 400:
            told = json.loads(body) if kind == "application/problem+json" else {}
            here = self.said["responses"].get(str(status), {}).get("x-problems", [])
            elsewhere = ("route-unknown", "method-not-allowed")
            if not MEMBERS <= told.keys() or told["code"] not in [*here, *elsewhere]:
                COMPLAINTS.append(what)

    def send(self, what: str, target=None, body=None, query=None) -> None:
        answer = SESSION.request(
            self.method,
            f"{self.hub.base}{target or self.target()}",
            params=query,
            headers=self.headers(),
            data=self.written() if body is None else body,
            allow_redirects=False,
        )
        self.judge(answer.status_code, answer.headers.get("content-type", ""), answer.content, what)
        COUNT[0] += 1


COMPLAINTS: list[str] = []
COUNT = [0]
SESSION = requests.Session()


def main() -> int:
    tools, few = Path(sys.argv[1]).resolve(), None if sys.argv[2:] else FEW
    program = ["node", tools / "client" / "corpora.mjs"]
    corpora = json.loads(subprocess.run(program, check=True, stdout=subprocess.PIPE).stdout)
    with demo() as (hub, _):
        # No limit of requests is to hide what is behind it.
        aero = hub.partner("AERO")["id"]
        hub.ask("operator", "PUT", f"/v1/partners/{aero}/request-limit", {"per_second": 20000, "burst": 40000})
        there = things(hub)
        document = requests.get(f"{hub.base}/openapi.json").json()
        operations = [
            Operation(hub, path, method, said, there)
            for path, ways in document["paths"].items()
            for method, said in ways.items()
        ]
        texts = [(one["name"], one["text"].encode(errors="surrogatepass")) for one in corpora["json"]]
        texts += [(repr(one), one) for one in BYTES]
        parse(operations, texts, few)
        spell(operations, corpora["strings"], few)
        for at, operation in enumerate(operations):
            for what, head, body in some(list(odd(operation)), few and FEW_ODD, at):
                talk(operation, what, head, body)
                COUNT[0] += 1
        assert requests.get(f"{hub.base}/healthz").ok
    print(f"{COUNT[0]} requests to {len(operations)} operations.")
    print("\n".join(COMPLAINTS[:50]) or "Nothing found.")
    return 1 if COMPLAINTS else 0


def some(of: list, few, at: int) -> list:
    """All of them, or the next few."""
    return of if few is None else [of[(at * few + i) % len(of)] for i in range(min(few, len(of)))]


def parse(operations, texts, few) -> None:
    """Each text as a body."""
    writes = [one for one in operations if one.kind]
    for at, (name, text) in enumerate(texts):
        for operation in some(writes, few, at):
            operation.send(name, body=text)


def spell(operations, strings, few) -> None:
    """Each string as each text of a body, in the path and in the query."""
    places = [(one, place) for one in operations for place in where(one)]
    for at, string in enumerate(strings):
        for operation, place in some(places, few, at):
            what, *path = place
            told = f"{string!r} as {place}"
            match what:
                case "path":
                    operation.send(told, target=operation.target(**{path[0]: string}))
                case "query":
                    operation.send(told, query={path[0]: string})
                case "body":
                    body = copy.deepcopy(operation.body)
                    holder = body
                    for step in path[:-1]:
                        holder = holder[step]
                    holder[path[-1]] = string
                    operation.send(told, body=json.dumps(body))


def where(operation: Operation) -> list[tuple]:
    """The places of an operation that take a text."""

    def texts(value, path):
        steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for step, inner in steps:
            if isinstance(inner, str):
                yield ("body", *path, step)
            yield from texts(inner, [*path, step])

    named = [("path", name) for name in operation.names] + [("query", name) for name in operation.queries]
    return named + (list(texts(operation.body, [])) if operation.kind == "application/json" else [])


def odd(operation: Operation):
    """Requests that no client sends: what is odd, the lines of the head, and what follows it."""
    target, body = operation.target(), operation.written()
    host = urlsplit(operation.hub.base).netloc
    lines = [f"{name}: {value}" for name, value in operation.headers().items()]
    start, length = f"{operation.method} {target} HTTP/1.1", f"Content-Length: {len(body)}"
    usual = [start, f"Host: {host}", *lines]
    chunked = "Transfer-Encoding: chunked"
    whole = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    inner = b"0\r\n\r\nGET /problems HTTP/1.1\r\nHost: x\r\n\r\n"
    kinds = [line for line in usual if not line.startswith("Content-Type")]

    yield "two lengths", [*usual, length, f"Content-Length: {len(body) + 1}"], body
    yield "the same length twice", [*usual, length, length], body
    yield "a length and chunks", [*usual, f"Content-Length: {len(inner)}", chunked], inner
    yield "chunks and a length", [*usual, chunked, f"Content-Length: {len(inner)}"], inner
    yield "chunks twice", [*usual, chunked, chunked], whole
    yield "chunks that are none", [*usual, "Transfer-Encoding: xchunked"], whole
    yield "chunks behind a tab", [*usual, "Transfer-Encoding:\tchunked"], whole
    yield "a space before the colon", [*usual, "Transfer-Encoding : chunked", length], body
    yield "a folded line", [*usual, "X-Folded: a", "\tb", length], body
    yield "a bad size of a chunk", [*usual, chunked], b"zz\r\n" + body + b"\r\n0\r\n\r\n"
    yield "a huge size of a chunk", [*usual, chunked], b"ffffffffffffffff\r\n" + body
    yield "a chunk with an extension", [*usual, chunked], whole.replace(b"\r\n", b";a=b\r\n", 1)
    yield "a trailer", [*usual, chunked], whole[:-2] + b"Authorization: Bearer x\r\n\r\n"
    yield "a chunk without an end", [*usual, chunked], b"5\r\nabc"
    yield "a target with a host", [f"{operation.method} http://{host}{target} HTTP/1.1", *usual[1:], length], body
    yield "a target at another host", [f"{operation.method} http://example.com{target} HTTP/1.1", *usual[1:], length], body
    yield "HTTP/0.9", [f"{operation.method} {target}"], b""
    yield "HTTP/1.0", [f"{operation.method} {target} HTTP/1.0", *usual[1:], length], body
    yield "no host", [start, *lines, length], body
    yield "two hosts", [*usual, "Host: example.com", length], body
    yield "a bare line feed", [*usual, f"X-A: b\nX-C: d", length], body
    yield "a null", [*usual, "X-A: \0", length], body
    yield "a small method", [start.replace(operation.method, operation.method.lower(), 1), *usual[1:], length], body
    yield "two tokens", [*usual, "Authorization: Bearer x", length], body
    yield "two keys", [*usual, "Idempotency-Key: another", length], body
    if operation.kind:
        yield "no kind", [*kinds, length], body
        yield "two kinds", [*usual, "Content-Type: text/plain", length], body
        yield "two kinds in one", [*kinds, f"Content-Type: {operation.kind}, text/plain", length], body
        yield "another kind", [*kinds, "Content-Type: application/xml", length], body
        yield "another alphabet", [*kinds, f"Content-Type: {operation.kind}; charset=utf-16", length], body
        for coding in ("gzip", "br", "identity", "gzip, gzip"):
            yield f"a body in {coding}", [*usual, f"Content-Encoding: {coding}", length], body
        yield "a body that is waited for", [*usual, "Expect: 100-continue", length], body
        yield "something else expected", [*usual, "Expect: 200-ok", length], body


def talk(operation: Operation, what: str, head: list[str], body: bytes) -> None:
    """Sends it byte by byte, and judges whatever comes until the hub is silent."""
    at = urlsplit(operation.hub.base)
    with socket.create_connection((at.hostname, at.port)) as line:
        line.settimeout(0.2)
        came = b""
        try:
            line.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)
            while more := line.recv(65536):
                came += more
                if is_whole(came):
                    break
        except (TimeoutError, ConnectionError):
            pass
    answers = came.count(b"HTTP/1.1 ") - came.count(b"HTTP/1.1 100")
    if answers > 1:
        COMPLAINTS.append(f"{operation.method} {operation.path} {what}: {answers} answers")
    for status, kind, told in read(came):
        # What cannot be read as a request has no body to say so.
        if told or status >= 500:
            operation.judge(status, kind, told, what)


def is_whole(came: bytes) -> bool:
    return any(status != 100 and told is not None for status, _, told in read(came)) and b"HTTP/1.1 100" not in came


def read(came: bytes):
    """The answers in what came: status, kind and body."""
    while came.startswith(b"HTTP/1."):
        head, _, rest = came.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        fields = dict(
            line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
        )
        size = int(fields.get(b"content-length", b"0"))
        yield status, fields.get(b"content-type", b"").decode(), rest[:size]
        came = rest[size:]


if __name__ == "__main__":
    sys.exit(main())
