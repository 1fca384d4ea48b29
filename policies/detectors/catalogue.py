# SPDX-License-Identifier: Apache-2.0
"""The names that a rule may say: detectors, groups of them, what its own policy defines, and `all`."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

ALL: Final = "all"

# The group of detectors that `all` does not have: they need what may not be installed, and cost much.
PRESIDIO: Final = "presidio"
ON_REQUEST: Final = "on-request"
OPT_IN: Final = frozenset({PRESIDIO, ON_REQUEST})

# Between a policy's id and that of its own detector. No name of ours has it, so that a detector that comes with a
# later release is never taken for one that a policy defines.
OWN: Final = "/"

_SUGGESTED: Final = 3


class Named(Protocol):
    """A detector, as far as names go."""

    @property
    def name(self) -> str: ...
    @property
    def group(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A name by itself."""

    name: str
    group: str = ""


def own_name(policy: str, detector: str) -> str:
    """Return the name of the detector or literal list `detector` that `policy` defines."""
    return f"{policy}{OWN}{detector}"


class Catalogue:
    """Every detector of a snapshot, by what a rule may call it. Immutable; the order is that of the detectors."""

    __slots__ = ("_groups", "_opt_in", "names")

    def __init__(self, detectors: Iterable[Named]) -> None:
        known = tuple(detectors)
        self.names = tuple(detector.name for detector in known)
        self._opt_in = frozenset(detector.name for detector in known if detector.group in OPT_IN)
        # A group's name says all of it, and so does what it begins with, word by word: `secrets` says `secrets-cloud`.
        self._groups: dict[str, list[str]] = {}
        for detector in known:
            words = detector.group.split("-") if detector.group else []
            for count in range(1, len(words) + 1):
                self._groups.setdefault("-".join(words[:count]), []).append(detector.name)

    def named(self, said: str, *, policy: str) -> tuple[str, ...]:
        """Return the names of the detectors that a rule of `policy` means by `said`; none where it is no name.

        What a policy defines is its own alone, and goes before ours; a detector goes before a group of that name.
        """
        if said == ALL:
            own = own_name(policy, "")
            every = (name for name in self.names if name not in self._opt_in)
            return tuple(name for name in every if OWN not in name or name.startswith(own))
        for name in (own_name(policy, said), said):
            if name in self.names and (name != said or OWN not in said):
                return (name,)
        return tuple(self._groups.get(said, ()))

    def sayable(self, *, policy: str) -> tuple[str, ...]:
        """Return everything that a rule of `policy` may say, in the order of the alphabet."""
        own = own_name(policy, "")
        names = {name.removeprefix(own) for name in self.names if OWN not in name or name.startswith(own)}
        return tuple(sorted({ALL, *names, *self._groups}))

    def nearest(self, said: str, *, policy: str) -> tuple[str, ...]:
        """Return up to three names that are much like `said`, the nearest first."""
        return tuple(difflib.get_close_matches(said, self.sayable(policy=policy), n=_SUGGESTED))
