# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest

from policies.contracts.snapshot import Encoding, Modality, PolicySnapshot, Route, UnknownFields
from tests.contract.guards import guard, snapshot_of
from tests.unit.proxy_addons.harness import snapshot

PLAIN = snapshot().routes[0]
FULL = replace(
    PLAIN,
    unknown_fields=UnknownFields.STRIP,
    allow_fields=("guided_json",),
    encodings=(Encoding.GZIP,),
    allow_uncovered=(Modality.IMAGE,),
)


def read_back(written: PolicySnapshot) -> PolicySnapshot:
    return PolicySnapshot.from_json(json.loads(json.dumps(written.to_json())))


@pytest.mark.parametrize("route", [PLAIN, FULL], ids=["defaults", "every-option"])
def test_json_reads_back_as_the_snapshot(route: Route):
    want = snapshot(routes=(route,))
    got = read_back(want)
    assert (got, got.revision) == (want, want.revision)


def test_options_of_routes_that_have_their_defaults_are_not_written():
    (written,) = snapshot(routes=(PLAIN,)).to_json()["routes"]
    assert set(written) == {"id", "policy", "method", "path", "operation", "dialect"}


@pytest.mark.parametrize("change", [{"marzipan": 1}, {"path": None}], ids=["unknown-member", "missing-member"])
def test_other_members_are_refused(change):
    raw = json.loads(json.dumps(snapshot().to_json()))
    route = raw["routes"][0] | change
    raw["routes"][0] = {name: value for name, value in route.items() if value is not None}
    with pytest.raises(ValueError, match="Route has members"):
        PolicySnapshot.from_json(raw)


@pytest.mark.parametrize("option", ["unknown_fields", "encodings", "allow_uncovered"])
def test_option_with_an_unknown_word_is_refused(option):
    raw = json.loads(json.dumps(snapshot(routes=(FULL,)).to_json()))
    raw["routes"][0][option] = ["zstd"]
    with pytest.raises(ValueError, match="zstd"):
        PolicySnapshot.from_json(raw)


@pytest.mark.parametrize(
    ("reads", "written"),
    [
        pytest.param(None, [], id="not-to-be-reused"),
        pytest.param((), ["reads"], id="nothing-is-read"),
        pytest.param(("request.max_tokens", "subject"), ["reads"], id="two-fields"),
    ],
)
def test_reads_of_a_guard_read_back_and_are_written_where_there_are_any(reads, written):
    """A release made before there were any keeps its bytes, and so its revision."""
    want = snapshot_of(replace(guard(), reads=reads))
    (one,) = want.to_json()["guards"]
    assert set(one) == {"id", "version", "mode", "module", "data", "reasons", *written}
    assert read_back(want) == want


@pytest.mark.parametrize("reads", ["request", [1], [""], ["request..n"], ["request.n\n"], 7])
def test_refuses_reads_that_are_no_list_of_paths(reads):
    raw = json.loads(json.dumps(snapshot_of(replace(guard(), reads=())).to_json()))
    raw["guards"][0]["reads"] = reads
    with pytest.raises(ValueError, match="reads"):
        PolicySnapshot.from_json(raw)
