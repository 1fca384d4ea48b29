# SPDX-License-Identifier: Apache-2.0
"""Every text of one request, looked at for screening: where redaction would look, and nothing changed."""

from typing import Final

from policies.contracts.snapshot import Dialect, FieldClass
from policies.redaction.engine import ActiveRules
from policies.redaction.findings import Tally
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.redacted_texts import RedactedTexts
from proxy_addons.core.request_shapes import SHAPES
from proxy_addons.core.request_walk import RequestWalk

_WITHIN: Final = "request"


def screen_request(read: ReadRequest, *, dialect: Dialect, rules: ActiveRules, tally: Tally) -> None:
    """Add to `tally` what the rules find in the texts of a request."""
    walk = RequestWalk(rules, tally, texts=_Screened(rules, tally))
    shape = SHAPES[dialect]
    if read.form is None:
        walk.value(read.value, shape, _WITHIN)
        return
    for part in read.form.parts:
        if part.text is not None:
            walk.value({part.name: part.text}, shape, _WITHIN)


class _Screened(RedactedTexts):
    """Looks at a text in its other form too: redaction does so only where it would change something."""

    __slots__ = ()

    def second_view(self, text: str, field: FieldClass, path: str) -> str:
        return self.text(text, field, path)
