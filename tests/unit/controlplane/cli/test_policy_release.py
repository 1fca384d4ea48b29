# SPDX-License-Identifier: Apache-2.0
"""What is compiled here is what the control plane compiles."""

import hashlib
import json


def test_the_directory_and_the_api_give_the_same_bytes(gatehouse, documents, under_test, tmp_path):
    assert gatehouse("policy", "apply", documents).exit_code == 0
    made = under_test.call("POST", "/v1/policy-sets/default/releases", "author", json={}).json
    snapshot = tmp_path / "snapshot.json"
    here = json.loads(
        gatehouse("policy", "compile", documents, "-o", snapshot, "--engine", "embedded", "--json").stdout
    )
    assert here["revision"] == made["revision"] == "sha256:" + hashlib.sha256(snapshot.read_bytes()).hexdigest()
    with under_test.plane.store.read() as session:
        assert session.releases.get("default", made["id"]).snapshot == snapshot.read_bytes()
