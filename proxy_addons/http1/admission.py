# SPDX-License-Identifier: Apache-2.0
"""How many requests of a worker are in flight, and whether one more is taken."""


class Admission:
    """Counts up to `most`. Whoever took a place gives it back once."""

    def __init__(self, most: int) -> None:
        self.in_flight = 0
        self._most = most

    def take(self) -> bool:
        """Return whether there was a place, which is now taken."""
        if self.in_flight >= self._most:
            return False
        self.in_flight += 1
        return True

    def give_back(self) -> None:
        self.in_flight -= 1
