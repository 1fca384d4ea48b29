# SPDX-License-Identifier: Apache-2.0
import gc
import weakref

import pytest

from controlplane.garbage import look_for_circles_less


class Node:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before():
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_what_is_there_is_not_looked_through_again():
    look_for_circles_less()
    assert gc.get_freeze_count() > 10_000


def test_circles_that_are_made_afterwards_still_go():
    look_for_circles_less()
    gone = weakref.ref(Node())
    kept = [[] for _ in range(200_000)]
    assert gone() is None
    assert len(kept) == 200_000
