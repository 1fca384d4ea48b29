# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from policies.bundle.archive import read_members
from policies.bundle.discovery import pack_discovery
from policies.bundle.jws import SigningKey, open_signed
from policies.bundle.members import DATA, MANIFEST, SIGNATURES, signature_payload
from policies.contracts.errors import BundleRejected

SIGNER = SigningKey(id="gatehouse-1", key=ec.generate_private_key(ec.SECP256R1()))
PEM = SIGNER.key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def packed(**further_keys: str) -> dict[str, bytes]:
    return dict(read_members(pack_discovery(SIGNER, further_keys=further_keys)))


def test_the_same_is_the_same_bytes_and_its_signature_covers_them():
    assert pack_discovery(SIGNER, further_keys={}) == pack_discovery(SIGNER, further_keys={})
    members = packed()
    (token,) = json.loads(members[SIGNATURES])["signatures"]
    assert open_signed(token, {SIGNER.id: PEM}) == signature_payload(members)
    with pytest.raises(BundleRejected):
        open_signed(token, {"gatehouse-2": PEM})


def test_it_tells_what_to_fetch_and_names_neither_the_service_nor_the_key_it_came_by():
    config = json.loads(packed()[DATA])
    assert config["bundles"]["gatehouse"]["resource"] == "bundles/gatehouse.tar.gz"
    assert config["bundles"]["gatehouse"]["signing"] == {"scope": "read"}
    assert config["decision_logs"]["service"] == config["status"]["service"] == "gatehouse"
    assert not {"services", "keys", "discovery", "labels"} & config.keys()


def test_a_second_key_is_told_beside_and_is_another_revision():
    members = packed(**{"gatehouse-2": PEM.decode()})
    want = {"gatehouse-2": {"algorithm": "ES256", "key": PEM.decode(), "scope": "read"}}
    assert json.loads(members[DATA])["keys"] == want
    assert json.loads(members[MANIFEST])["revision"] != json.loads(packed()[MANIFEST])["revision"]
