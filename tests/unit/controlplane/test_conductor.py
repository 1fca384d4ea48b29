# SPDX-License-Identifier: Apache-2.0
import threading

from controlplane.conductor import conductor
from controlplane.services.errors import StoreUnavailable


class FakeConducting:
    """Does `steps` steps, then says that nothing is due; the first look of all fails as it is told to."""

    def __init__(self, *, steps: int = 0, error: Exception | None = None) -> None:
        self._left = steps
        self._error = error
        self.looks = 0
        self.adopted = 0
        self.idle = threading.Event()

    def adopt(self) -> None:
        self.adopted += 1

    def go_on(self) -> bool:
        self.looks += 1
        error, self._error = self._error, None
        if error is not None:
            raise error
        self._left -= 1
        if self._left < 0:
            self.idle.set()
        return self._left >= 0


def test_takes_every_step_that_is_due_without_a_pause():
    fake = FakeConducting(steps=5)
    with conductor(fake, every_s=3600):
        assert fake.idle.wait(10)
    assert (fake.looks, fake.adopted) == (6, 1)


def test_goes_on_after_the_store_did_not_answer():
    fake = FakeConducting(error=StoreUnavailable("gone"))
    with conductor(fake, every_s=0.01):
        assert fake.idle.wait(10)


def test_goes_on_after_any_failure():
    fake = FakeConducting(error=ZeroDivisionError("prompt text"))
    with conductor(fake, every_s=0.01):
        assert fake.idle.wait(10)


def test_ends_with_the_block():
    fake = FakeConducting()
    with conductor(fake, every_s=0.01):
        assert fake.idle.wait(10)
    looks = fake.looks
    assert not any(thread.name == "conductor" for thread in threading.enumerate())
    assert fake.looks == looks
