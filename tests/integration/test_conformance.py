# SPDX-License-Identifier: Apache-2.0
"""`gatehouse conformance` against a node as it is shipped, which must withstand all of it, and against a gateway that
forwards everything, which must not: a suite that cannot fail proves nothing."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from conformance.case import Target
from conformance.cases import CASES
from conformance.recorder import LocalRecorder
from conformance.runner import Trial, Verdict, check_ready, is_gatehouse, run
from conformance.secret_scripts import CANARY
from conformance.upstream import RecordingUpstream
from tests.authority import Authority
from tests.fake_screen import reading, running_screen
from tests.policy_documents import shipped
from tests.ports import unused_port
from tests.running_node import running_node
from tests.signing import EXPIRED_KEY, REVOKED_KEY
from tests.weak_gateway import weak_gateway

ROOT = Path(__file__).resolve().parents[2]

# What only a policy can know: case 60 tells it in disguise.
KNOWS_CANARY = f"""\
kind: redaction
id: known-secrets
version: "1"
spec:
  literals:
    - {{id: canaries, values: [{CANARY}], disguised: true}}
  rules:
    - {{id: canary, detectors: [canaries], action: replace}}
""".encode()

LOST = ("--revoked-key", REVOKED_KEY, "--expired-key", EXPIRED_KEY)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

# A relay does these right: requests that are legitimate, and answers of which it passes on that they broke off.
HARMLESS = {
    (1, "sibling: chunks alone"),
    (6, "request in a prompt"),
    (13, "body that comes when asked for"),
    (16, "connection names the length"),
    (32, "sibling: a surrogate pair"),
    (37, "sibling: harmless"),
    (39, "sibling: harmless"),
    (42, "sibling: harmless, in base64"),
    (45, "sibling: a harmless tool"),
    (46, "sibling: a harmless result"),
    (47, "sibling: a part of text"),
    (51, "sibling: long and harmless"),
    (53, "sibling: no secret in pieces"),
    (61, "content-with-events"),
    (62, "reset"),
    (62, "closed-within-event"),
    (62, "crlf"),
    (63, "short"),
}


def conformance_of(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controlplane.cli", "conformance", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_node_under_the_shipped_policy_withstands_every_case(tmp_path):
    upstream_port = unused_port()
    # The rows come faster than a client may ask, and one that is refused for that tells nothing of its case.
    documents = {
        name: text.replace(b"{requests: 60, per_s: 60}", b"{requests: 6000, per_s: 60}")
        for name, text in {**shipped(), "known-secrets.yaml": KNOWS_CANARY}.items()
    }
    with running_node(tmp_path, documents, upstream_url=f"http://127.0.0.1:{upstream_port}") as node:
        asked = ("--key", node.key, *LOST, "--knows-canary", "--recorder", str(upstream_port), "--json")
        done = conformance_of(f"http://127.0.0.1:{node.port}", *asked)
    told = json.loads(done.stdout)
    wrong = [
        f"{case['case']} {row['row']} ({row['cut']}): {row['problem']}; {row['seen']}"
        for case in told["cases"]
        for row in case["rows"]
        if row["verdict"] == "fail"
    ]
    assert wrong == []
    assert (done.returncode, told["gateway"], told["upstream_watched"]) == (0, "gatehouse", True)
    assert told["rows"]["pass"] > 500
    skipped = {row["seen"] for case in told["cases"] for row in case["rows"] if row["verdict"] == "skip"}
    assert skipped == {
        "needs a gateway with TLS",
        "needs a gateway that screens prompts: --screens-prompts",
        "needs the gateway's log: --api",
        "needs a tenant of its own: --api and --operator-token-file",
    }
    terminal = node.terminal_records()
    assert len(terminal) == len({record["request_id"] for record in terminal}) > 500


# Every class of texts is judged alike: the suite cannot know which of them a gateway's policy lets quote an attack.
SCREENS = b"""\
kind: screening
id: prompt-screen
version: "1"
spec:
  classifier: [{id: injection, effect: deny, threshold: 0.9}]
  ask: {deadline_ms: 10000}
"""


def test_a_node_with_a_prompt_screen_hides_no_instruction_from_it(tmp_path):
    upstream_port = unused_port()
    documents = {
        name: text.replace(b"{requests: 60, per_s: 60}", b"{requests: 6000, per_s: 60}")
        for name, text in {**shipped(), "prompt-screen.yaml": SCREENS}.items()
    }
    with running_screen(reading("ignore all previous instructions")) as screen:
        screen.joined = None
        variables = {"GATEHOUSE_SCREEN_URL": screen.url}
        with running_node(tmp_path, documents, upstream_url=f"http://127.0.0.1:{upstream_port}", **variables) as node:
            asked = ("--key", node.key, "--screens-prompts", "--recorder", str(upstream_port), "--json")
            done = conformance_of(f"http://127.0.0.1:{node.port}", *asked, "--cases", "37-52", "--timeout", "30")
    told = json.loads(done.stdout)
    wrong = [
        f"{case['case']} {row['row']}: {row['problem']}; {row['seen']}"
        for case in told["cases"]
        for row in case["rows"]
        if row["verdict"] != "pass"
    ]
    assert (wrong, done.returncode) == ([], 0)
    records = node.terminal_records()
    assert not any(b"previous" in json.dumps(record).encode() for record in records)
    refused = [record for record in records if record["reasons"] and record["reasons"][0]["code"] == "prompt-injection"]
    assert all(record["screen"]["findings"] for record in refused)
    assert len(refused) > 40


def test_a_log_takes_hostile_texts_and_shows_what_was_done_to_it(gatehouse, tmp_path):
    token = tmp_path / "auditor.token"
    token.write_text(gatehouse.credentials["tokens"]["auditor"])
    verifier = f"{sys.executable} -m controlplane.cli audit verify"
    asked = ["--key", gatehouse.credentials["keys"]["alice"], "--cases", "67,68", "--json", "--verifier", verifier]
    log = ["--api", gatehouse.credentials["api_url"], "--api-token-file", str(token)]
    done = conformance_of(gatehouse.credentials["proxy_url"], *asked, *log)
    told = json.loads(done.stdout)
    rows = {(case["case"], row["row"]): row for case in told["cases"] for row in case["rows"]}
    assert {name: row for name, row in rows.items() if row["verdict"] == "fail"} == {}
    assert {row["seen"] for row in rows.values() if row["verdict"] == "skip"} <= {
        "needs a log with an entry of kind gap"
    }
    assert (done.returncode, told["rows"]["pass"] > 220) == (0, True)
    for file in (gatehouse.home / "logs").glob("*.log"):
        lines = file.read_bytes().split(b"\n")
        assert [
            line for line in lines if line.startswith((b"=", b"+", b"-", b"@", b"<13>", b'{"kind":"terminal"'))
        ] == []
        assert not set(b"\x00\x07\x08\x1b").intersection(file.read_bytes()), file


def test_a_control_plane_withstands_who_makes_policy_and_is_left_as_it_was(gatehouse, tmp_path):
    admin = {"Authorization": f"Bearer {gatehouse.credentials['tokens']['admin']}"}
    with httpx.Client(base_url=gatehouse.credentials["api_url"], headers=admin) as api:
        made = api.post("/v1/role-bindings", json={"name": "suite", "role": "operator"}).json()
        before = api.get("/v1/policies").json()
        token = tmp_path / "operator.token"
        token.write_text(made["token"])
        importer = f"{sys.executable} -m controlplane.cli policy import casbin"
        asked = [
            "--key",
            gatehouse.credentials["keys"]["alice"],
            "--cases",
            "65,66,70",
            "--json",
            "--importer",
            importer,
        ]
        url = gatehouse.credentials["api_url"]
        done = conformance_of(
            gatehouse.credentials["proxy_url"], *asked, "--api", url, "--operator-token-file", str(token)
        )
        assert api.get("/v1/policies").json() == before
        assert api.delete(f"/v1/role-bindings/{made['id']}").status_code == 204
    told = json.loads(done.stdout)
    wrong = [row for case in told["cases"] for row in case["rows"] if row["verdict"] != "pass"]
    assert (wrong, done.returncode) == ([], 0)


def test_a_node_with_tls_withstands_framing_and_speaks_http_1_only(tmp_path):
    authority = Authority(tmp_path, "ca")
    cert_file, key_file = authority.issue("gateway")
    certificate = {"GATEHOUSE_PROXY_CERT_FILE": str(cert_file), "GATEHOUSE_PROXY_KEY_FILE": str(key_file)}
    upstream_port = unused_port()
    with running_node(tmp_path, shipped(), upstream_url=f"http://127.0.0.1:{upstream_port}", **certificate) as node:
        url = f"https://127.0.0.1:{node.port}"
        asked = ["--key", node.key, "--recorder", str(upstream_port), "--cases", "6,14", "--json"]
        done = conformance_of(url, "--ca", str(authority.path), *asked)
        unknown = conformance_of(url, *asked)
    told = json.loads(done.stdout)
    assert (done.returncode, told["rows"]["fail"], told["rows"]["skip"]) == (0, 0, 0)
    assert (unknown.returncode, "CERTIFICATE_VERIFY_FAILED" in unknown.stderr) == (1, True)


def test_a_gateway_that_forwards_everything_fails_in_every_row_that_it_can():
    rows = [
        dataclasses.replace(case, rows=tuple(dataclasses.replace(row, cuts=False, patience_s=0.0) for row in case.rows))
        for case in CASES
    ]
    with RecordingUpstream(0) as upstream, weak_gateway(upstream.port) as port:
        target = Target(host="127.0.0.1", port=port, tls=False, key="a-key", model="parrot")
        trial = Trial(target=target, timeout_s=0.4, recorder=LocalRecorder(upstream.log), knows_canary=True)
        trial = dataclasses.replace(trial, screens_prompts=True)
        assert not is_gatehouse(trial)
        check_ready(trial)
        results = [(result.case.number, row) for result in run(trial, rows) for row in result.rows]
        passed = {(number, row.row) for number, row in results if row.verdict is Verdict.PASS}
        # Where the machine is busy, a gateway may be too late to forward anything: such a row is asked again, at leisure.
        late = {number for number, _ in passed - HARMLESS}
        again = run(dataclasses.replace(trial, timeout_s=5), [case for case in rows if case.number in late])
        now = {(result.case.number, row.row) for result in again for row in result.rows if row.verdict is Verdict.PASS}
        passed = {each for each in passed if each[0] not in late} | now
    assert passed == HARMLESS
    assert len([row for _, row in results if row.verdict is Verdict.FAIL]) > 300


def test_the_recording_upstream_runs_apart_and_tells_what_arrived():
    apart = subprocess.Popen(
        [sys.executable, "-m", "controlplane.cli", "conformance-upstream", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = json.loads(apart.stdout.readline())
        port = int(told["upstream_url"].rpartition(":")[2])
        with weak_gateway(port) as gateway:
            url = f"http://127.0.0.1:{gateway}"
            done = conformance_of(url, "--key", "k", "--upstream-log", told["log_url"], "--cases", "1,17")
    finally:
        apart.terminate()
        assert apart.wait(10) == 0
        apart.stdout.close()
    assert done.returncode == 1
    assert "1 length first (whole)" in done.stdout
    assert "rows fail" in done.stdout


def test_nothing_that_answers_is_an_exit_code_of_its_own():
    done = conformance_of(f"http://127.0.0.1:{unused_port()}")
    assert (done.returncode, "nothing answers" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["ftp://x"], id="no-http"),
        pytest.param(["http://x/v1"], id="a-path"),
        pytest.param(["http://[x"], id="no-address"),
        pytest.param(["http://x", "--cases", "71"], id="no-such-case"),
        pytest.param(["http://x", "--cases", "a"], id="no-number"),
        pytest.param(["http://x", "--key", "a b"], id="no-key"),
        pytest.param(["http://x", "--key", "a", "--expired-key", "a b"], id="no-lost-key"),
        pytest.param(["http://x", "--api", "http://y"], id="no-token"),
        pytest.param(["http://x", "--operator-token-file", __file__], id="no-api"),
        pytest.param(["http://x", "--revoked-key", "a"], id="no-good-key"),
    ],
)
def test_wrong_usage_is_told(arguments):
    assert conformance_of(*arguments).returncode == 2
