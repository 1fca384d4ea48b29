# SPDX-License-Identifier: Apache-2.0
"""Pseudonyms of a request put back into its answer: the last step, behind the answer's redaction.

Rules: only what a client reads as text of the model is restored, and the arguments of tool calls; ids and names that
the protocol compares stay as they are. A value leaves as it must stand where it stands: within JSON it is escaped.
"""

from typing import Any, NamedTuple

from policies.contracts.snapshot import FieldClass
from policies.redaction.findings import Tally
from policies.redaction.pseudonyms import Pseudonyms, Redactor, Restored, Restorer, verbatim, within_json
from proxy_addons.core.field_classes import of_member


class Shared(NamedTuple):
    """What an answer shares with its request: the tally, and how pseudonyms are put back, if there are any."""

    tally: Tally
    restoring: "Restoring | None" = None


class Restoring:
    """How the answer to one request is restored. `json_content`: the client asked for JSON as the model's text."""

    def __init__(self, pseudonyms: Pseudonyms, *, json_content: bool) -> None:
        self._pseudonyms = pseudonyms
        self._in_json = {FieldClass.TOOL_ARGUMENTS} | ({FieldClass.ASSISTANT_TEXT} if json_content else set())

    def behind(self, redactor: Redactor, field: FieldClass) -> Redactor:
        """Return `redactor` with a restorer behind it, for a text of the class `field`."""
        return redactor if field is FieldClass.OTHER else Restored(redactor, self._restorer(field))

    def value(self, value: Any, field: FieldClass = FieldClass.OTHER) -> Any:
        """Return a whole value of an answer with every text in it restored."""
        match value:
            case str() if field is not FieldClass.OTHER:
                return self._restorer(field).whole(value)
            case dict():
                return {name: self.value(item, of_member(name, field)) for name, item in value.items()}
            case list():
                return [self.value(item, field) for item in value]
            case _:
                return value

    def _restorer(self, field: FieldClass) -> Restorer:
        return Restorer(self._pseudonyms, escape=within_json if field in self._in_json else verbatim)
