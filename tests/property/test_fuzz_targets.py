# SPDX-License-Identifier: Apache-2.0
"""Some hundred mutations for each fuzz target, always the same; `python -m tests.fuzz` goes on from there."""

import itertools

import pytest

from tests.fuzz.mutate import mutations
from tests.fuzz.targets import TARGETS

COUNT = 300


@pytest.mark.parametrize("name", TARGETS)
def test_holds_for_bytes_that_nobody_foresaw(name):
    target, seeds = TARGETS[name]
    for data in itertools.islice(mutations(seeds, seed=1), COUNT):
        target(data)
