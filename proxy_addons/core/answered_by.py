# SPDX-License-Identifier: Apache-2.0
"""Which weights gave an answer, as the upstream says it. Only digests are taken: the header can hold nothing else."""

import re
from collections.abc import Iterable
from typing import Final

# What Gatehouse's own inference server puts on each answer; any other may do the same.
HEADER: Final = b"gatehouse-model-digest"
_DIGEST: Final = re.compile(rb"sha256:[0-9a-f]{64}")


def model_digest(fields: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the one digest that the header names, of fields with names in lower case; None for anything else."""
    match [value for name, value in fields if name == HEADER]:
        case [value] if _DIGEST.fullmatch(value):
            return value.decode("ascii")
    return None
