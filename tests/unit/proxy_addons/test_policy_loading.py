# SPDX-License-Identifier: Apache-2.0
"""What a bundle must show before a worker decides by it. The engines are those of a worker, the guard the embedded."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from policies.bundle.pack import pack
from policies.contracts.decision import Effect
from policies.evaluation.canaries import CanaryFailed
from proxy_addons.node.messages import ActivateBundle
from proxy_addons.policy_loading import load_policy
from proxy_addons.prepared_policy import prepare
from tests.signing import SNAPSHOT, Signer, verified
from tests.unit.policies.evaluation.test_canaries import ALICE, PLAIN


@pytest.fixture
def loaded(tmp_path):
    signer = Signer.make(tmp_path)
    (tmp_path / "pseudonym").write_text("ab" * 32)
    (tmp_path / "patterns").mkdir()
    settings = SimpleNamespace(tenant="default", environment="production", pseudonym_key_file=tmp_path / "pseudonym")

    def load(*canaries):
        path = tmp_path / "bundle.tar.gz"
        content = pack(replace(SNAPSHOT, canaries=canaries), serial=5, signer=signer.key).content
        path.write_bytes(content)
        prepare(path, verified(content, signer))
        order = ActivateBundle(serial=5, path=str(path), guard_socket="", patterns=str(tmp_path / "patterns"))
        return load_policy(order, settings)

    return load


def test_a_policy_whose_canaries_pass_is_loaded(loaded):
    assert loaded(PLAIN, ALICE).serial == 5


def test_the_guard_itself_is_asked(loaded):
    capped = replace(ALICE, facts=replace(ALICE.facts, max_tokens=513))
    loaded(replace(capped, effect=Effect.DENY, reasons=("max-tokens-over-cap",)))
    with pytest.raises(CanaryFailed, match="chat-access/alice may"):
        loaded(capped)
