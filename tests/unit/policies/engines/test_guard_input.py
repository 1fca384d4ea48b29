# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from policies.contracts.codec import JSON
from policies.contracts.request import Properties
from policies.engines.groups import groups_of
from policies.engines.guard_input import FIELDS, differs_each_time, guard_input, overlap
from tests.contract.guards import ALLOWED, request_of, snapshot_of


def _leaves(value: Mapping[str, JSON], at: str = "") -> Iterator[tuple[str, JSON]]:
    for name, member in value.items():
        if isinstance(member, Mapping) and name != "properties":
            yield from _leaves(member, f"{at}{name}.")
        else:
            yield f"{at}{name}", member


PROPERTIES = Properties(subject={"role": "admin"}, action={"soft": True}, resource={"size": 1.5}, context={})


@pytest.mark.parametrize("properties", [None, PROPERTIES], ids=["proxy", "another-enforcement-point"])
def test_every_field_stands_by_itself_but_for_the_time(properties) -> None:
    snapshot = snapshot_of()
    asked = request_of(stream=True, max_tokens=3, n=2, message_count=4, roles=("user",), tools=("t",), text_chars=5)
    asked = replace(asked, properties=properties)
    given = guard_input(asked, groups=groups_of(snapshot, asked.subject), access=ALLOWED)
    want = {at: value for at, value in _leaves(given) if at != "context.time"}
    fields = {at: field(asked, ALLOWED, snapshot) for at, field in FIELDS.items()}
    unsaid = {at for at in FIELDS if at.endswith(".properties") and properties is None}
    assert want == {at: value for at, value in fields.items() if at not in unsaid}
    assert all(fields[at] is None for at in unsaid)


@pytest.mark.parametrize(
    ("path", "want"),
    [
        pytest.param("", True, id="all-of-input"),
        pytest.param("context", True, id="what-has-the-time"),
        pytest.param("context.time", True, id="the-time"),
        pytest.param("context.time.year", True, id="within-the-time"),
        pytest.param("context.tenant", False, id="beside-the-time"),
        pytest.param("context.times", False, id="a-longer-name"),
        pytest.param("request", False, id="the-request"),
    ],
)
def test_the_time_is_another_each_time(path, want) -> None:
    assert want is differs_each_time(path)


@pytest.mark.parametrize(
    ("one", "other", "want"),
    [
        pytest.param("request", "request.n", True, id="above"),
        pytest.param("request.n", "request", True, id="below"),
        pytest.param("request.n", "request.n", True, id="the-same"),
        pytest.param("request.n", "request.name", False, id="a-longer-name"),
    ],
)
def test_paths_overlap_where_one_leads_to_the_other(one, other, want) -> None:
    assert want is overlap(one, other)
