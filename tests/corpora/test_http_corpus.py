# SPDX-License-Identifier: Apache-2.0
"""Requests that others found dangerous, or legitimate, through a node under a policy that lists every path of theirs.

So nothing is refused for want of a route: what counts is framing, the firewall, and what arrives upstream.
"""

import base64
import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conformance.upstream import RecordingUpstream
from policies.library import pack
from tests.corpora.http_deviations import FORWARDED_ALTHOUGH_REJECT, REFUSED_ALTHOUGH_SAFE
from tests.corpora.raw_exchange import Outcome, exchange
from tests.policy_documents import alice_may
from tests.running_node import RunningNode, running_node

pytestmark = [pytest.mark.corpus, pytest.mark.slow, pytest.mark.timeout(300)]

CANONICAL = re.compile(r"(/[A-Za-z0-9._~-]+)+")
# All that a request which is forwarded may bring: written by the node, none of it the client's.
OURS = {"host", "user-agent", "accept-encoding", "accept", "x-request-id", "content-type", "content-length"}


def rows_of(corpora: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(corpora / "http" / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def canonical(path: str) -> bool:
    return CANONICAL.fullmatch(path) is not None and not {".", ".."} & set(path.split("/"))


def listing(paths: set[str]) -> dict[str, bytes]:
    """Return documents under which every canonical one of `paths` is a route, for GET and for POST."""
    routes = [
        f"    - {{id: {kind}{number}, method: {method}, path: '{path}', operation: {operation}, dialect: {dialect}}}"
        for number, path in enumerate(sorted(filter(canonical, paths)))
        for kind, method, operation, dialect in (
            ("p", "POST", "chat.completions", "openai.chat"),
            ("g", "GET", "models.list", "openai.models"),
        )
    ]
    text = "\n".join(["kind: routes", "id: every-path", 'version: "1"', "spec:", "  routes:", *routes, ""])
    return {
        "routes.yaml": text.encode(),
        "access.yaml": alice_may("chat.completions", models="*"),
        "redaction.yaml": pack("baseline")["answer-redaction.yaml"],
    }


def sendable(row: dict[str, Any], key: str) -> bytes:
    """Return the row's bytes with our key. The root, which is no path of a route, stands as `/root`."""
    raw = re.sub(rb"\A([A-Z-]+) / (HTTP/)", rb"\1 /root \2", base64.b64decode(row["raw_b64"]))
    line = b"Authorization: Bearer " + key.encode()
    head, end, body = raw.partition(b"\r\n\r\n")
    named, count = re.subn(rb"(?im)^authorization[ \t]*:[^\r\n]*", line, head)
    if count:
        return named + end + body
    first, end, rest = raw.partition(b"\n")
    return first + end + line + (b"\r\n" if first.endswith(b"\r") else b"\n") + rest


def paths_in(rows: list[dict[str, Any]]) -> set[str]:
    targets = (re.match(rb"[A-Za-z-]+ +([^ \r\n?#]+)", base64.b64decode(row["raw_b64"])) for row in rows)
    return {found[1].decode("latin-1") for found in targets if found} | {"/root"}


@pytest.fixture(scope="module")
def outcomes(corpora, tmp_path_factory) -> tuple[list[tuple[dict[str, Any], bytes, Outcome]], RunningNode]:
    rows = rows_of(corpora, "requests.jsonl.gz")
    folder = tmp_path_factory.mktemp("http")
    with (
        RecordingUpstream(0) as upstream,
        running_node(folder, listing(paths_in(rows)), upstream_url=f"http://127.0.0.1:{upstream.port}") as node,
    ):
        sent = [(row, sendable(row, node.key)) for row in rows]
        done = [(row, raw, exchange(node.port, raw, upstream.log)) for row, raw in sent]
    return done, node


def expecting(outcomes, expect: str):
    found = [each for each in outcomes[0] if each[0]["expect"] == expect]
    assert found
    return found


def rule_of(row: dict[str, Any]) -> str:
    return re.split(r"[ -]#?\d+$", row["name"].removeprefix("CRS ").removeprefix("PATT "))[0].strip()


def test_every_connection_ends_and_every_answer_is_ours(outcomes):
    assert [row["id"] for row, _, outcome in outcomes[0] if not outcome.ended] == []
    assert [row["id"] for row, _, outcome in outcomes[0] if any(status >= 500 for status in outcome.statuses)] == []
    with_bodies = [each for each in outcomes[0] if not each[1].startswith(b"HEAD ")]
    assert [row["id"] for row, _, outcome in with_bodies if not all(a.complete for a in outcome.answers)] == []


def test_a_request_without_an_answer_is_one_whose_head_never_ended(outcomes):
    silent = [raw for _, raw, outcome in outcomes[0] if not outcome.answers]
    assert [raw for raw in silent if b"\r\n\r\n" in raw] == []
    assert len(silent) < 10


def test_each_answer_has_one_terminal_record(outcomes):
    done, node = outcomes
    records = Counter(record["request_id"] for record in node.terminal_records())
    told = [dict(answer.headers)[b"x-request-id"].decode() for _, _, outcome in done for answer in outcome.answers]
    assert Counter(told) == records
    assert set(records.values()) == {1}


def test_what_is_to_be_refused_is_refused_with_nothing_upstream_or_its_deviation_is_stated(outcomes):
    differing = [(row, outcome) for row, _, outcome in expecting(outcomes, "reject") if outcome.forwarded]
    assert [row["name"] for row, _ in differing if rule_of(row) not in FORWARDED_ALTHOUGH_REJECT] == []
    assert {rule_of(row) for row, _ in differing} == set(FORWARDED_ALTHOUGH_REJECT)
    refused = [outcome for _, _, outcome in expecting(outcomes, "reject") if not outcome.forwarded]
    assert [outcome.statuses for outcome in refused if any(status < 400 for status in outcome.statuses)] == []


def test_what_is_forwarded_is_the_path_and_nothing_else_of_the_client(outcomes):
    forwarded = [(raw, outcome.arrived) for _, raw, outcome in outcomes[0] if outcome.forwarded]
    for raw, arrived in forwarded:
        head = arrived.partition(b"\r\n\r\n")[0].decode("ascii")
        line, *fields = head.split("\r\n")
        assert {field.partition(":")[0].lower() for field in fields} <= OURS
        assert line.encode() == b" ".join([*raw.split(b"\r\n", 1)[0].split(b" ")[:2], b"HTTP/1.1"])
        assert arrived.count(b" HTTP/1.1\r\n") == 1
    assert len(forwarded) > 150


def test_what_is_safe_is_forwarded_or_its_deviation_is_stated(outcomes):
    safe = expecting(outcomes, "safe-forward")
    refused = [(row, raw, outcome) for row, raw, outcome in safe if not outcome.forwarded]
    unstated = [
        (row["name"], outcome.code)
        for row, raw, outcome in refused
        if outcome.code not in REFUSED_ALTHOUGH_SAFE or not REFUSED_ALTHOUGH_SAFE[outcome.code].holds(raw)
    ]
    assert unstated == []
    assert all(outcome.statuses[0] == 200 for _, _, outcome in safe if outcome.forwarded)
    assert len(safe) - len(refused) >= 85


def test_every_legitimate_chat_request_is_forwarded(outcomes):
    chats = [
        outcome
        for row, raw, outcome in expecting(outcomes, "safe-forward")
        if row.get("family") == "legit-post" and raw.startswith(b"POST /v1/chat/completions ")
    ]
    assert [outcome.code for outcome in chats if not outcome.forwarded] == []
    assert len(chats) > 10


def path_of(row: dict[str, Any]) -> str:
    return (row["pathname"] or "/") if not row["failure"] else row["input"]


def test_urls_that_need_normalising_are_refused_and_others_pass_unchanged(corpora, tmp_path):
    rows = rows_of(corpora, "url_normalisation.jsonl.gz")
    spellings = {row["input"] for row in rows} | {f"/{row['input']}" for row in rows} | {path_of(row) for row in rows}
    documents = listing(spellings)
    counts: Counter[str] = Counter()
    with (
        RecordingUpstream(0) as upstream,
        running_node(tmp_path, documents, upstream_url=f"http://127.0.0.1:{upstream.port}") as node,
    ):
        for spelling in sorted(spellings):
            target = spelling.encode("utf-8", "surrogatepass")
            head = b"GET %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n" % (target, node.key.encode())
            outcome = exchange(node.port, head, upstream.log)
            if canonical(spelling):
                assert outcome.arrived.startswith(b"GET " + target + b" HTTP/1.1\r\n"), spelling
                counts["forwarded"] += 1
            else:
                assert (outcome.arrived, outcome.statuses[:1]) == (b"", [400]), spelling
                counts["refused"] += 1
    assert counts["forwarded"] > 10
    assert counts["refused"] > 200


def test_http_2_is_refused_in_clear(corpora, tmp_path):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings = b"\0\0\0\4\0\0\0\0\0"
    assert len(rows_of(corpora, "h2spec_cases.jsonl.gz")) > 100  # a list of sentences: each begins with this preface
    with (
        RecordingUpstream(0) as upstream,
        running_node(tmp_path, listing({"/v1/x"}), upstream_url=f"http://127.0.0.1:{upstream.port}") as node,
    ):
        for raw in (preface, preface + settings, preface + settings + b"\0\0\1\1\4\0\0\0\1\x82"):
            outcome = exchange(node.port, raw, upstream.log)
            assert (outcome.statuses, outcome.code) == ([400], "protocol-not-permitted")
            assert outcome.arrived == b""
