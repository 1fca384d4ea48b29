# SPDX-License-Identifier: Apache-2.0
"""What may have become of a record's payload."""

from dataclasses import dataclass
from enum import StrEnum


class PayloadState(StrEnum):
    """What a payload is to whoever asks for it.

    NONE: the record never had one. ERASED: it, or its key, was destroyed. UNREADABLE: its bytes were altered, or the
    key file lacks the key that they are sealed under.
    """

    KEPT = "kept"
    NONE = "none"
    ERASED = "erased"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class OpenedPayload:
    """`content` is None but for KEPT."""

    state: PayloadState
    content: bytes | None
