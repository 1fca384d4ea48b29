# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from typing import Any

import pytest

from policies.contracts.recording import (
    MOST_BYTES,
    USUAL_TERMS,
    ContentMode,
    LoggingPolicy,
    RecordingTerms,
    RecordsMode,
    united,
)
from policies.contracts.snapshot import PolicySnapshot

POLICY = LoggingPolicy(
    id="log",
    version="1",
    records=RecordsMode.BEST_EFFORT,
    prompts=ContentMode.HASHED,
    answers=None,
    max_bytes=1024,
    operations=("chat.completions",),
    models=(),
    subjects=("group:staff",),
)
EMPTY = PolicySnapshot(tenant="default", environment="production", groups={})


def saying(**said: Any) -> LoggingPolicy:
    nothing = {"records": None, "prompts": None, "answers": None, "max_bytes": None}
    return replace(POLICY, **(nothing | said))


def test_a_snapshot_gives_its_logging_back():
    stated = replace(EMPTY, logging=(POLICY, saying()))
    got = PolicySnapshot.from_json(json.loads(json.dumps(stated.to_json())))
    assert (got.logging, got.revision) == (stated.logging, stated.revision)


def test_without_logging_a_snapshot_has_the_bytes_it_had():
    assert "logging" not in EMPTY.to_json()


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("records", "lenient"),
        ("prompts", "plain"),
        ("answers", 1),
        ("max_bytes", 0),
        ("max_bytes", True),
        ("max_bytes", MOST_BYTES + 1),
        ("more", 1),
    ],
)
def test_what_is_no_logging_policy_is_refused(member, value):
    raw = json.loads(json.dumps(replace(EMPTY, logging=(POLICY,)).to_json()))
    raw["logging"][0][member] = value
    with pytest.raises(ValueError, match=r"."):
        PolicySnapshot.from_json(raw)


@pytest.mark.parametrize(
    ("policies", "want"),
    [
        pytest.param([], USUAL_TERMS, id="none: strict, and no content"),
        pytest.param([saying()], USUAL_TERMS, id="one that says nothing"),
        pytest.param(
            [saying(records=RecordsMode.BEST_EFFORT), saying(records=RecordsMode.STRICT)],
            USUAL_TERMS,
            id="strict over best effort",
        ),
        pytest.param(
            [saying(records=RecordsMode.BEST_EFFORT), saying()],
            RecordingTerms(records=RecordsMode.BEST_EFFORT),
            id="one that says nothing takes nothing back",
        ),
        pytest.param(
            [saying(prompts=ContentMode.SEALED), saying(prompts=ContentMode.HASHED, answers=ContentMode.SEALED)],
            RecordingTerms(prompts=ContentMode.HASHED, answers=ContentMode.SEALED),
            id="hashed over sealed, each side by itself",
        ),
        pytest.param(
            [saying(prompts=ContentMode.HASHED), saying(prompts=ContentMode.NONE)], USUAL_TERMS, id="none over hashed"
        ),
        pytest.param([saying(max_bytes=10), saying(max_bytes=20)], RecordingTerms(max_bytes=10), id="the fewer bytes"),
    ],
)
def test_where_several_select_a_request_the_stricter_holds(policies, want):
    assert united(policies) == want
    assert united(reversed(policies)) == want
