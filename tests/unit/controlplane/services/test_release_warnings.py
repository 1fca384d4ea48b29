# SPDX-License-Identifier: Apache-2.0
import hashlib
from datetime import UTC, datetime

from controlplane.services.release_warnings import ReleaseWarning, warnings_of
from policies.compiler.compile import compile_release
from policies.contracts.codec import canonical_bytes
from policies.document.loader import load_documents
from policies.library import pack

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def snapshot_of(**prompts: str) -> bytes:
    files = {**pack("baseline"), **pack("demo")}
    for name, kept in prompts.items():
        text = f'kind: logging\nid: {name}\nversion: "1"\nspec: {{content: {{prompts: {kept}}}}}'
        files[f"{name}.yaml"] = text.encode()
    compiled = compile_release(load_documents(files), opa_binary=None, tenant="default", environment="production")
    return canonical_bytes(compiled.to_json())


def told_of(snapshot: bytes) -> tuple[ReleaseWarning, ...]:
    return warnings_of("sha256:" + hashlib.sha256(snapshot).hexdigest(), snapshot, NOW)


def test_a_policy_that_a_stricter_one_leaves_without_effect_is_named():
    assert told_of(snapshot_of(one="sealed", other="none")) == (
        ReleaseWarning(
            code="logging-contradicted",
            policy="one",
            message="What 'one' says of prompts has no effect: 'other' is stricter.",
        ),
    )


def test_policies_that_agree_are_not_worth_a_word():
    assert told_of(snapshot_of(one="sealed", other="sealed")) == ()
    assert told_of(snapshot_of()) == ()


def test_what_is_hardly_meant_is_told_with_its_place():
    ended = """kind: access
id: exception
version: "1"
spec:
  grants:
    - {id: a, effect: allow, subjects: [user:x], models: [m], operations: [completions], expires: "2026-11-20T00:00:00Z"}
"""
    files = {**pack("baseline"), "access.yaml": ended.encode()}
    compiled = compile_release(load_documents(files), opa_binary=None, tenant="default", environment="production")
    (told,) = told_of(canonical_bytes(compiled.to_json()))
    assert (told.code, told.policy, told.pointer) == ("expired", "exception", "/spec/grants/0/expires")
