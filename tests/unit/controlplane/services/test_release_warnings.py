# SPDX-License-Identifier: Apache-2.0
from controlplane.services.release_warnings import ReleaseWarning, warnings_of
from policies.compiler.compile import compile_release
from policies.contracts.codec import canonical_bytes
from policies.document.loader import load_documents
from policies.library import pack


def snapshot_of(**prompts: str) -> bytes:
    files = {**pack("baseline"), **pack("demo")}
    for name, kept in prompts.items():
        text = f'kind: logging\nid: {name}\nversion: "1"\nspec: {{content: {{prompts: {kept}}}}}'
        files[f"{name}.yaml"] = text.encode()
    compiled = compile_release(load_documents(files), opa_binary=None, tenant="default", environment="production")
    return canonical_bytes(compiled.to_json())


def test_a_policy_that_a_stricter_one_leaves_without_effect_is_named():
    assert warnings_of(snapshot_of(one="sealed", other="none")) == (
        ReleaseWarning(
            code="logging-contradicted",
            policy="one",
            message="What 'one' says of prompts has no effect: 'other' is stricter.",
        ),
    )


def test_policies_that_agree_are_not_worth_a_word():
    assert warnings_of(snapshot_of(one="sealed", other="sealed")) == ()
    assert warnings_of(snapshot_of()) == ()
