# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.bundle.members import guard_data, rego_modules
from policies.compiler.compile import compile_release
from policies.document.loader import load_documents
from policies.engines.embedded_rego import EmbeddedGuard
from policies.evaluation.policy_tests import run_tests
from policies.library import PACKS, pack

RELEASES = {"demo": {**pack("baseline"), **pack("demo")}, "upstream": {**pack("baseline"), **pack("upstream")}}


async def results_of(files):
    documents = load_documents(files)
    snapshot = compile_release(documents, tenant="default", environment="production", opa_binary=None)
    guard = EmbeddedGuard(snapshot, modules=rego_modules(snapshot), data=guard_data(snapshot))
    try:
        return await run_tests(documents, snapshot, guard_engine=guard)
    finally:
        await guard.close()


@pytest.mark.parametrize("name", RELEASES)
async def test_what_is_shipped_passes_its_own_tests(name):
    results = await results_of(RELEASES[name])
    assert [result for result in results if not result.passed] == []
    assert len(results) >= 8


@pytest.mark.parametrize(
    ("before", "after", "want"),
    [
        pytest.param(b"max_tokens: 512,", b"max_tokens: 9999,", "more tokens than the cap", id="a-cap-that-is-lifted"),
        pytest.param(b"[shell]", b"[other]", "a forbidden tool among others", id="a-tool-that-is-permitted"),
        pytest.param(b": 65536\n", b": 65537\n", "a body of one byte more", id="a-larger-body"),
        pytest.param(b": 65536\n", b": 65535\n", "a body of the largest size", id="a-smaller-body"),
        pytest.param(
            b"operation: completions,",
            b"operation: moderations,",
            "moderations are not listed, so nobody has them",
            id="a-route-that-is-listed",
        ),
    ],
)
async def test_a_policy_that_no_longer_does_it_fails_its_test(before, after, want):
    changed = {name: source.replace(before, after) for name, source in RELEASES["demo"].items()}
    assert changed != RELEASES["demo"]
    assert want in [result.name for result in await results_of(changed) if not result.passed]


@pytest.mark.parametrize("name", PACKS)
def test_every_shipped_policy_has_tests(name):
    untested = [document.id for document in load_documents(pack(name)) if not document.tests]
    assert untested == []


def test_there_is_no_other_pack():
    with pytest.raises(LookupError):
        pack("nothing")
    assert all(pack(name) for name in PACKS)
