# SPDX-License-Identifier: Apache-2.0
"""Shipped policy packs, as data: `baseline` to build upon, `demo` and `upstream` for a first look,
`prompt-screen` to see what screening would refuse.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

PACKS: Final = ("baseline", "demo", "prompt-screen", "upstream")


def pack(name: str) -> Mapping[str, bytes]:
    """Return the documents of a pack, by file name. A file of one pack takes the place of its namesake in another.

    Raises LookupError where there is no such pack.
    """
    if name not in PACKS:
        raise LookupError(f"there is no pack {name!r}; there are {', '.join(PACKS)}")
    folder = files(__name__).joinpath(name)
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir(), key=str) if file.name.endswith(".yaml")}
