# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from policies.bundle.archive import pack_members, read_members
from policies.bundle.pack import pack
from tests.unit.policies.bundle.bundles import SIGNER, make_snapshot, new_signer, public_pem

pytestmark = pytest.mark.opa


@pytest.fixture
def serve(opa_binary, free_port, tmp_path):
    running = []

    def start(raw: bytes, signer=SIGNER):
        (tmp_path / "bundle.tar.gz").write_bytes(raw)
        (tmp_path / "key.pem").write_bytes(public_pem(signer))
        arguments = ["--verification-key", "key.pem", "--verification-key-id", "gatehouse-1", "--signing-alg", "ES256"]
        process = subprocess.Popen(
            [
                str(opa_binary),
                "run",
                "--server",
                "--addr",
                f"127.0.0.1:{free_port}",
                "--disable-telemetry",
                *arguments,
                "--scope",
                "read",
                "--bundle",
                "bundle.tar.gz",
            ],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        running.append(process)
        for _ in range(100):
            if process.poll() is not None:
                return None
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{free_port}/health", timeout=1).close()
            except urllib.error.URLError:
                time.sleep(0.1)
            else:
                return f"http://127.0.0.1:{free_port}/v1/data/gatehouse/main?provenance=true&strict-builtin-errors=true"
        return None

    yield start
    for process in running:
        process.kill()
        process.wait()


def test_opa_takes_it_and_answers_by_its_revision(serve):
    bundle = pack(make_snapshot(), serial=7, signer=SIGNER)
    url = serve(bundle.content)
    question = urllib.request.Request(
        url, json.dumps({"input": {"request": {"max_tokens": 513}}}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(question, timeout=5) as answered:
        answer = json.load(answered)
    assert answer["result"] == {
        "guards": {"request-caps": {"allow": False, "deny": ["max-tokens-over-cap"], "obligations": []}}
    }
    assert [each["revision"] for each in answer["provenance"]["bundles"].values()] == [bundle.manifest_revision]


def test_opa_takes_data_that_it_hashes_in_its_own_form(serve):
    guard = make_snapshot().guards[0]
    odd = {"max_tokens": 1, "\U0001f600": "\u2028<&>\u2029\x08\x0c\x1f\x7f", "\ufffd": 2}
    changed = type(guard)(**{name: getattr(guard, name) for name in guard.__slots__} | {"data": odd})
    assert serve(pack(make_snapshot(guards=(changed,)), serial=7, signer=SIGNER).content)


def test_opa_refuses_another_key(serve):
    assert serve(pack(make_snapshot(), serial=7, signer=SIGNER).content, signer=new_signer()) is None


def test_opa_refuses_an_altered_member(serve):
    members = read_members(pack(make_snapshot(), serial=7, signer=SIGNER).content)
    altered = {**members, "data.json": members["data.json"].replace(b"512", b"513")}
    assert serve(pack_members(altered)) is None
