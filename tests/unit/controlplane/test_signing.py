# SPDX-License-Identifier: Apache-2.0
"""During a rotation discovery is signed by the key that OPAs were booted with, and tells of the other."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec

from controlplane.signing import BundlePublisher
from policies.bundle.archive import read_members
from policies.bundle.jws import SigningKey, public_pem
from policies.bundle.members import DATA, SIGNATURES
from tests.records import NOON

OLD, NEW = (SigningKey(id=name, key=ec.generate_private_key(ec.SECP256R1())) for name in ("k-1", "k-2"))


def discovery(signer, earlier=None):
    publisher = BundlePublisher(signer=signer, earlier=earlier, pepper=b"p", clock=lambda: NOON)
    return dict(read_members(publisher.discovery().content))


def test_who_signs_alone_tells_of_no_key():
    assert "keys" not in json.loads(discovery(NEW)[DATA])


def test_the_earlier_key_signs_discovery_and_tells_of_the_key_of_now():
    members = discovery(NEW, OLD)
    (key_id,) = json.loads(members[DATA])["keys"]
    assert (key_id, json.loads(members[DATA])["keys"][key_id]["key"]) == ("k-2", public_pem(NEW))
    assert header(members) == "k-1"


def header(members) -> str:
    (token,) = json.loads(members[SIGNATURES])["signatures"]
    encoded = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))["kid"]
