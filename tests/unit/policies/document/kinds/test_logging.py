# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.compiler.compile import compile_release
from policies.contracts.errors import PolicyRejected
from policies.contracts.recording import ContentMode, LoggingPolicy, RecordsMode
from policies.document.loader import load_documents
from policies.document.model import LoggingSpec
from policies.library import pack

SCOPE = {"tenant": "default", "environment": "production"}


def document(spec: str, more: str = "") -> dict[str, bytes]:
    return {"l.yaml": f'kind: logging\nid: l\nversion: "1"\n{more}spec: {{{spec}}}'.encode()}


def spec_of(spec: str) -> LoggingSpec:
    (loaded,) = load_documents(document(spec))
    return loaded.spec


def test_what_is_left_out_is_not_said():
    assert spec_of("records: best-effort") == LoggingSpec(records=RecordsMode.BEST_EFFORT)
    assert spec_of("content: {answers: sealed}") == LoggingSpec(answers=ContentMode.SEALED)
    assert spec_of("max_bytes: 10") == LoggingSpec(max_bytes=10)


@pytest.mark.parametrize(
    ("spec", "code", "pointer"),
    [
        pytest.param("", "logging-nothing", "/spec", id="nothing"),
        pytest.param("content: {}", "logging-nothing", "/spec", id="empty content"),
        pytest.param("subjects: [user:a]", "logging-nothing", "/spec", id="selectors alone"),
        pytest.param("records: lenient", "unknown-value", "/spec/records", id="another mode"),
        pytest.param("content: {prompts: plain}", "unknown-value", "/spec/content/prompts", id="content in the clear"),
        pytest.param("content: {tools: none}", "unknown-member", "/spec/content", id="another side"),
        pytest.param("content: sealed", "wrong-type", "/spec/content", id="content as a word"),
        pytest.param("max_bytes: 0", "out-of-range", "/spec/max_bytes", id="no byte"),
        pytest.param("max_bytes: 262145", "out-of-range", "/spec/max_bytes", id="a byte too many"),
        pytest.param("records: strict, subjects: [alice]", "bad-subject", "/spec/subjects/0", id="no subject"),
        pytest.param("records: strict, keep: 1", "unknown-member", "/spec", id="an unknown member"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(spec, code, pointer):
    with pytest.raises(PolicyRejected) as caught:
        load_documents(document(spec))
    assert (code, pointer) in {(each.code, each.at.pointer) for each in caught.value.diagnostics}


def test_it_has_no_mode():
    with pytest.raises(PolicyRejected) as caught:
        load_documents(document("records: strict", more="mode: observe\n"))
    assert [each.message for each in caught.value.diagnostics] == ["A logging policy has no mode."]


def test_a_group_that_nobody_defines_is_told():
    files = {**pack("baseline"), **pack("demo"), **document("records: strict, subjects: [group:nobody]")}
    with pytest.raises(PolicyRejected) as caught:
        compile_release(load_documents(files), opa_binary=None, **SCOPE)
    assert [(each.code, each.at.pointer) for each in caught.value.diagnostics] == [
        ("unknown-group", "/spec/subjects/0")
    ]


def test_a_release_has_it_in_its_snapshot():
    files = {**pack("baseline"), **pack("demo"), **document("content: {prompts: sealed}, models: [parrot]")}
    snapshot = compile_release(load_documents(files), opa_binary=None, **SCOPE)
    assert snapshot.logging == (
        LoggingPolicy(
            id="l",
            version="1",
            records=None,
            prompts=ContentMode.SEALED,
            answers=None,
            max_bytes=None,
            operations=(),
            models=("parrot",),
            subjects=(),
        ),
    )
