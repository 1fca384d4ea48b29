# SPDX-License-Identifier: Apache-2.0
"""What a request says as its system, and how the proxy puts an approved system prompt in.

Rules: a message is one plain text where it has its role, one text and nothing else: a name, an id or a second part is
something the model may read, and nobody approved it. What is put in goes first; a client's own comes after it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from policies.contracts.snapshot import Dialect
from policies.evaluation.system_prompts import WITH_ROLES, WITHOUT_ROLES, SystemTexts
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.strict_json import canonical

# Where the text stands that was put in, by the paths of `texts_said`.
FIRST_TEXTS: Final = frozenset({"messages.0.content", "instructions"})

_ROLES: Final = frozenset({"system", "developer"})
_MESSAGE: Final = frozenset({"role", "content"})
_TYPED: Final = frozenset({"type", "role", "content"})
_PART: Final = frozenset({"type", "text"})
_OF_PARTS: Final = frozenset({"text", "input_text"})


def system_texts(read: ReadRequest | None, dialect: Dialect) -> SystemTexts | None:
    """Return what a request says as its system or developer; None where it asks for no text of a model."""
    if read is None or (dialect not in WITH_ROLES and dialect not in WITHOUT_ROLES):
        return None
    if dialect in WITHOUT_ROLES:
        return SystemTexts(has_roles=False)
    if dialect is Dialect.CHAT:
        return _of_messages(read.value["messages"], ())
    instructions, given = read.value.get("instructions"), read.value["input"]
    leading = () if instructions is None else (str(instructions),)
    return _of_messages(() if isinstance(given, str) else given, leading)


def with_prompt(read: ReadRequest, dialect: Dialect, text: str) -> ReadRequest:
    """Return the request with `text` as its first system text; whatever it had of its own stays behind it."""
    value = dict(read.value)
    if dialect is Dialect.CHAT:
        value["messages"] = [{"role": "system", "content": text}, *value["messages"]]
    else:
        own = value.get("instructions")
        if own is not None:
            given = value["input"]
            items = [{"role": "user", "content": given}] if isinstance(given, str) else given
            value["input"] = [{"role": "system", "content": own}, *items]
        value["instructions"] = text
    return read._replace(value=value, body=canonical(value))


def _of_messages(messages: Sequence[Mapping[str, Any]], leading: tuple[str, ...]) -> SystemTexts:
    said = [index for index, message in enumerate(messages) if message.get("role") in _ROLES]
    texts = (*leading, *(_plain(messages[index]) for index in said))
    return SystemTexts(texts=texts, leads=bool(leading) or said[:1] == [0])


def _plain(message: Mapping[str, Any]) -> str | None:
    """Return the text of a message that is one plain text, None for any other."""
    if message.keys() != _MESSAGE and message.keys() != _TYPED:
        return None
    content = message["content"]
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or len(content) != 1 or content[0].keys() != _PART:
        return None
    part = content[0]
    return str(part["text"]) if part["type"] in _OF_PARTS else None
