# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from policies.bundle.pack import pack
from policies.contracts.decision import Effect
from proxy_addons.node.messages import ActivateBundle
from proxy_addons.node.posture import Found, Outcome
from proxy_addons.node.posture_canaries import check_canaries
from proxy_addons.prepared_policy import prepare
from tests.signing import PEPPER, SNAPSHOT, Signer, verified
from tests.unit.policies.evaluation.test_canaries import ALICE, PLAIN

CAPPED = replace(ALICE, facts=replace(ALICE.facts, max_tokens=513))


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    signer = Signer.make(tmp_path)
    for name, content in (("token", "t"), ("pepper", PEPPER.hex()), ("pseudonym", "ab" * 32)):
        (tmp_path / name).write_text(content)
    for name, value in {
        "NODE_DIR": tmp_path / "node",
        "PROXY_PORT": 1,
        "HEALTH_PORT": 2,
        "API_URL": "http://127.0.0.1:3",
        "UPSTREAM_URL": "http://127.0.0.1:4",
        "AGENT_TOKEN_FILE": tmp_path / "token",
        "BUNDLE_KEY_FILE": signer.public_file,
        "KEY_PEPPER_FILE": tmp_path / "pepper",
        "PSEUDONYM_KEY_FILE": tmp_path / "pseudonym",
        "GUARD_ENGINE": "embedded",
    }.items():
        monkeypatch.setenv(f"GATEHOUSE_{name}", str(value))
    (tmp_path / "patterns").mkdir()

    def packed(*canaries):
        path = tmp_path / "bundle.tar.gz"
        content = pack(replace(SNAPSHOT, canaries=canaries), serial=5, signer=signer.key).content
        path.write_bytes(content)
        prepare(path, verified(content, signer))
        return ActivateBundle(serial=5, path=str(path), guard_socket="", patterns=str(tmp_path / "patterns"))

    return packed


@pytest.mark.parametrize(
    ("canaries", "want"),
    [
        pytest.param((PLAIN, ALICE), Found(Outcome.PASSED, "as-expected"), id="answered-as-expected"),
        pytest.param(
            (replace(CAPPED, effect=Effect.DENY, reasons=("max-tokens-over-cap",)),),
            Found(Outcome.PASSED, "as-expected"),
            id="the-guard-itself-is-asked",
        ),
        pytest.param((CAPPED,), Found(Outcome.FAILED, "canary-failed"), id="answered-otherwise"),
        pytest.param((), Found(Outcome.SKIPPED, "no-canaries"), id="none"),
    ],
)
async def test_canaries_are_tried_by_the_policy_of_the_bundle(bundle, canaries, want):
    assert await check_canaries(bundle(*canaries)) == want


async def test_a_bundle_that_is_gone_says_nothing_of_canaries(bundle):
    gone = replace(bundle(ALICE), path="gone.tar.gz")
    assert await check_canaries(gone) == Found(Outcome.SKIPPED, "not-checked")
