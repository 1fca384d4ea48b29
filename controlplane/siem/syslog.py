# SPDX-License-Identifier: Apache-2.0
"""Messages as syslog: RFC 5424, framed by octet counting as RFC 5425 has it over TLS.

Facts: facility 13 is "log audit". The message part is ASCII JSON, which needs no byte order mark and which no receiver
takes for more than one line. A receiver MUST take 2,048 bytes and SHOULD take 8,192 (RFC 5425, 4.3.1); an envelope has
at most 8 KiB, so a whole message stays below 10 KiB unless it is not ASCII.
"""

import re
from collections.abc import Sequence
from typing import Final

from controlplane.siem.messages import Message

_LOG_AUDIT: Final = 13
_VERSION: Final = 1
_NIL: Final = "-"
_NOT_IN_HEADER: Final = re.compile(r"[^!-~]")
_ESCAPED: Final = re.compile(r'(["\\\]])')
_LONGEST_VALUE: Final = 512
# The number that RFC 5612 keeps for examples and documentation: Gatehouse has none of its own.
_STRUCTURE: Final = "gatehouse@32473"


def syslog_frames(messages: Sequence[Message], *, host: str) -> bytes:
    """Return `messages` as frames `LENGTH SP MESSAGE`. `host` is the log's name, at most 255 characters."""
    return b"".join([b"%d %s" % (len(line), line) for line in (syslog_line(message, host) for message in messages)])


def syslog_line(message: Message, host: str) -> bytes:
    """Return one RFC 5424 message without framing."""
    priority = _LOG_AUDIT * 8 + message.severity
    time = message.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    members = {"index": str(message.log_index), **message.attributes}
    structured = " ".join(f'{name}="{_value(value)}"' for name, value in members.items())
    head = f"<{priority}>{_VERSION} {time} {_word(host, 255)} gatehouse {_NIL} {_word(message.kind, 32)}"
    return f"{head} [{_STRUCTURE} {structured}] ".encode() + message.text


def _word(text: str, longest: int) -> str:
    return _NOT_IN_HEADER.sub("_", text)[:longest] or _NIL


def _value(text: str) -> str:
    """Return `text` as the value of a parameter: quotes, backslashes and brackets escaped, nothing that ends a line."""
    shown = "".join(letter if letter.isprintable() else "�" for letter in text[:_LONGEST_VALUE])
    return _ESCAPED.sub(r"\\\1", shown)
