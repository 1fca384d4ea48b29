# SPDX-License-Identifier: Apache-2.0
"""`If-Match`: a change says which state it starts from, so that no change overwrites one its author never saw."""

import re
from dataclasses import dataclass
from typing import Final, Self

from controlplane.services.errors import Invalid, PreconditionFailed, PreconditionMissing

_ENTITY_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_LIST: Final = re.compile(r'\s*(?:W/)?"[\x21\x23-\x7e]*"\s*(?:,\s*(?:W/)?"[\x21\x23-\x7e]*"\s*)*')


@dataclass(frozen=True, slots=True)
class IfMatch:
    """The strong entity tags of an `If-Match` header. None is `*`: whatever there is."""

    tags: frozenset[str] | None

    @classmethod
    def parse(cls, header: str | None) -> Self:
        """Read a header. Raises PreconditionMissing where there is none, Invalid where it is not entity tags."""
        if header is None:
            raise PreconditionMissing("if-match-missing", "Send If-Match with the ETag that the change starts from.")
        if header.strip() == "*":
            return cls(None)
        if _LIST.fullmatch(header) is None:
            raise Invalid("if-match-invalid", "If-Match holds entity tags in double quotes.")
        # A weak tag never matches here (RFC 9110, 13.1.1): it does not name bytes.
        return cls(frozenset(tag for weak, tag in _ENTITY_TAG.findall(header) if not weak))

    def check(self, current: str) -> None:
        """Raise PreconditionFailed unless `current` is among the tags."""
        if self.tags is not None and current not in self.tags:
            raise PreconditionFailed(
                "state-changed", f'The current ETag is "{current}". Read it again and decide anew.'
            )
