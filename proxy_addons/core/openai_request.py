# SPDX-License-Identifier: Apache-2.0
"""What OpenAI's chat and completions requests have in common: parameters, and what a reader gives."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from policies.contracts.request import RequestFacts
from proxy_addons.core.multipart_form import Field
from proxy_addons.core.refused import Refused
from proxy_addons.core.request_fields import (
    Check,
    array,
    boolean,
    either,
    integer,
    nullable,
    number,
    one_of,
    pattern,
    record,
    text,
)
from proxy_addons.core.unknown_fields import Reading

MAX_TOKENS: Final = 2**31 - 1
MAX_CHOICES: Final = 128
_MAX_STOPS: Final = 4
_MAX_BIASED_TOKENS: Final = 1024


_JSON_FORMATS: Final = frozenset({"json_object", "json_schema"})


class ReadForm(NamedTuple):
    """The parts of a form that are forwarded, and what its file is called then."""

    parts: tuple[Field, ...]
    file_name: str
    file_type: str


class ReadRequest(NamedTuple):
    """A body that was examined as a whole: the model it names, its facts, and the bytes to forward instead of it.

    `stripped` counts unknown members that were removed; `uncovered` are paths of content that nobody examined, each
    with its modality. `body` is the spelling of what was examined: `value`, or of a form `form`.
    """

    model: str
    facts: RequestFacts
    body: bytes
    media_type: bytes = b"application/json"
    stripped: int = 0
    uncovered: tuple[tuple[str, str], ...] = ()
    value: Mapping[str, Any] = MappingProxyType({})
    form: ReadForm | None = None

    @property
    def wants_json(self) -> bool:
        """Whether the client wants JSON as the model's text, so that what is put into the text is escaped."""
        text = self.value.get("text")  # where the responses dialect has it
        wanted = text.get("format") if isinstance(text, dict) else self.value.get("response_format")
        return isinstance(wanted, dict) and wanted.get("type") in _JSON_FORMATS


def _logit_bias(value: Any, reading: Reading) -> None:
    if not isinstance(value, dict) or len(value) > _MAX_BIASED_TOKENS:
        raise Refused("field-invalid")
    for token, bias in value.items():
        _TOKEN_ID(token, reading)
        _BIAS(bias, reading)


_TOKEN_ID: Final = pattern(r"[0-9]{1,10}")
_BIAS: Final = number(-100, 100)

# The model's exact id, as docs/spec/policy-document.md allows it: no blank, no wildcard, no second alphabet.
MODEL: Final = pattern(r"[A-Za-z0-9._:/-]{1,128}")

# An id of the client's own for its user.
USER: Final = pattern(r"[ -~]{0,512}")

PARAMETERS: Final[dict[str, Check]] = {
    "max_tokens": nullable(integer(1, MAX_TOKENS)),
    "temperature": nullable(number(0, 2)),
    "top_p": nullable(number(0, 1)),
    "n": nullable(integer(1, MAX_CHOICES)),
    "stream": nullable(boolean),
    "stream_options": nullable(record({}, {"include_usage": boolean, "include_obfuscation": boolean})),
    "stop": nullable(either(text, array(text, least=1, most=_MAX_STOPS))),
    "seed": nullable(integer(-(2**63), 2**63 - 1)),
    "presence_penalty": nullable(number(-2, 2)),
    "frequency_penalty": nullable(number(-2, 2)),
    "logit_bias": nullable(_logit_bias),
    "user": USER,
    "service_tier": nullable(one_of("auto", "default", "fast", "flex", "priority", "scale")),
}
