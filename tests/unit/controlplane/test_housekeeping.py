# SPDX-License-Identifier: Apache-2.0
from threading import Event

from controlplane.housekeeping import housekeeping
from controlplane.services.errors import StoreUnavailable


def test_a_task_that_fails_keeps_nobody_from_working_again():
    again, calls = Event(), []

    def busy() -> None:
        raise StoreUnavailable("busy")

    def broken() -> None:
        raise ZeroDivisionError

    def works() -> None:
        calls.append(1)
        if len(calls) == 3:
            again.set()

    with housekeeping({"busy": busy, "broken": broken, "works": works}, every_s=0.01):
        assert again.wait(10)


def test_it_works_at_once_and_ends_with_its_block():
    began = Event()
    with housekeeping({"work": began.set}, every_s=1000):
        assert began.wait(10)
    began.clear()
    assert not began.wait(0.05)
