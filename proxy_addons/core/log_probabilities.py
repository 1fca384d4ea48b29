# SPDX-License-Identifier: Apache-2.0
"""Whether a request asks for log probabilities, which spell the text of the answer once more.

Where a rule may change the answer they are dropped from it; a policy may have the parameter refused instead, so that
a client that needs them is told so rather than given none.
"""

from collections.abc import Mapping
from typing import Any, Final

_PARAMETERS: Final = ("logprobs", "top_logprobs")
_INCLUDED: Final = "message.output_text.logprobs"


def parameter_asking(body: Mapping[str, Any]) -> str | None:
    """Return the parameter of a request's body that asks for them, or None. Zero asks for those of what was chosen."""
    for name in _PARAMETERS:
        asked = body.get(name)
        if asked is not None and asked is not False:
            return name
    included = body.get("include")
    return "include" if isinstance(included, list) and _INCLUDED in included else None
