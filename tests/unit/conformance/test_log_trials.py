# SPDX-License-Identifier: Apache-2.0
"""Cases on the log against a log that does all of it wrong, and one that does it right: told by a fake control plane."""

import io
import json
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from conformance.alterations import Alteration, dropped
from conformance.case import ANSWERED, Ask, Case, Target, row
from conformance.cases.log import LOG_CASES
from conformance.log_api import LogApi
from conformance.log_trials import run_on_log
from conformance.runner import Trial, Verdict
from tests.unit.conformance.test_alterations import FILES, LATER

RECORDED, ALTERED = LOG_CASES


class Gateway(BaseHTTPRequestHandler):
    """Answers every request with what it said, and names it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("x-request-id", "req_1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def target():
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Target(host="127.0.0.1", port=server.server_address[1], tls=False, key="k", model="parrot")
        server.shutdown()


def packed(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def log_that_says(*, cell="parrot", kinds=("terminal",), rows=1, lines=1, summary="", policy="default-src 'none'"):
    line = json.dumps({"envelope": {"request_id": "req_1"}}).encode() + b"\n"
    table = b'"request_id","model"\r\n' + b'"req_1","%s"\r\n' % cell.encode() * rows
    exports = {
        "csv": table,
        "ndjson": line * lines,
        "archive": packed(FILES),
        "pack": packed({"summary.html": summary}),
    }
    records = [{"envelope": {"kind": kind}} for kind in kinds]

    def answer(request):
        path = request.url.path
        if path.startswith("/v1/decisions/"):
            return httpx.Response(200, json={"complete": True, "records": records})
        if path in ("/v1/exports", "/v1/evidence-packs"):
            return httpx.Response(202, json={"id": json.loads(request.content).get("format", "pack")})
        if path.startswith("/v1/operations/"):
            href = f"/content/{path.rpartition('/')[2]}"
            return httpx.Response(200, json={"state": "succeeded", "result": {"href": href}})
        if path.startswith("/content/"):
            return httpx.Response(200, content=exports[path.rpartition("/")[2]])
        if path == "/v1/audit/checkpoint":
            size = len(LATER.leaves)
            return httpx.Response(200, json={"size": size, "note": LATER.note(size).to_bytes().decode()})
        return httpx.Response(200, text="docs", headers={"content-security-policy": policy})

    return LogApi(httpx.Client(transport=httpx.MockTransport(answer), base_url="http://log"), within_s=1)


def results(target, log, cases, *, verify=("true",)):
    trial = Trial(target=target, timeout_s=5, log=log, verify=verify)
    return [each for result in run_on_log(trial, cases) for each in result.rows]


def recorded(target, *, expected="", **said):
    case = Case(number=67, title="x", rows=(row("a row", ANSWERED, Ask(), recorded=True, cell=expected),))
    (result,) = results(target, log_that_says(**said), [case])
    return result.verdict, result.problem


def test_without_a_log_all_of_it_is_skipped(target):
    told = results(target, None, LOG_CASES)
    assert len(told) == RECORDED.count + ALTERED.count
    assert {(each.verdict, each.seen) for each in told} == {(Verdict.SKIP, "needs the gateway's log: --api")}


def test_a_harmless_log_passes(target):
    assert recorded(target) == (Verdict.PASS, None)
    assert recorded(target, expected="parrot") == (Verdict.PASS, None)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"cell": "=1+1"}, "a formula in the table's column model"),
        ({"cell": "a\x1b[31m"}, "a character that controls or hides in the table's column model"),
        ({"rows": 2}, "the table has 2 rows of it, and NDJSON 1 lines"),
        ({"lines": 0}, "the table has 1 rows of it, and NDJSON 0 lines"),
        ({"kinds": ("terminal", "terminal")}, "it has 2 terminal records"),
        ({"kinds": ("admission",)}, "it has 0 terminal records"),
        ({"policy": "script-src *"}, "the log cannot be had: /docs has no Content-Security-Policy"),
    ],
)
def test_harm_is_told(target, said, problem):
    assert recorded(target, **said) == (Verdict.FAIL, problem)


def test_a_harmless_text_that_is_changed_is_told(target):
    assert recorded(target, expected="another")[1] == "the table does not show a harmless text as it is"


def verifier(tmp_path, integrity, completeness, code):
    told = json.dumps({"integrity": {"verdict": integrity}, "completeness": {"verdict": completeness}})
    script = tmp_path / "verifier.py"
    script.write_text(f"print({told!r}); raise SystemExit({code})")
    return (sys.executable, "-S", str(script))


@pytest.mark.parametrize(("integrity", "completeness", "code"), [("holds", "holds", 0), ("violated", "violated", 1)])
def test_a_verifier_that_always_says_the_same_fails(target, tmp_path, integrity, completeness, code):
    told = results(target, log_that_says(), [ALTERED], verify=verifier(tmp_path, integrity, completeness, code))
    right = {
        each.slug
        for each in ALTERED.alterations
        if each.integrity == integrity and each.completeness in (None, completeness)
    }
    assert {each.row for each in told if each.verdict is Verdict.PASS} == right
    assert (code == 0) == (right == {"sibling: as it is"})


def test_a_verifier_that_is_none_fails_every_row(target):
    assert {each.verdict for each in results(target, log_that_says(), [ALTERED], verify=("/nothing/there",))} == {
        Verdict.FAIL
    }


def test_what_an_archive_lacks_is_skipped(target, tmp_path):
    case = Case(number=68, title="x", alterations=(Alteration(slug="a stop dropped", alter=dropped("stop")),))
    told = results(target, log_that_says(), [case], verify=verifier(tmp_path, "violated", "violated", 1))
    assert [(each.verdict, each.seen) for each in told] == [(Verdict.SKIP, "needs a log with an entry of kind stop")]
