# SPDX-License-Identifier: Apache-2.0
"""The second reader of every request: llhttp, a maintained parser, in its strict mode."""

import httptools


class Disagrees(Exception):
    """llhttp does not take the bytes."""


class SecondOpinion:
    """What llhttp, in its strict mode, makes of the same bytes."""

    def __init__(self) -> None:
        self._heard = _Heard()
        self._parser = httptools.HttpRequestParser(self._heard)

    @property
    def target(self) -> bytes:
        return self._heard.target

    @property
    def complete(self) -> bool:
        return self._heard.complete

    @property
    def fields(self) -> tuple[tuple[bytes, bytes], ...]:
        return tuple(self._heard.fields)

    def feed(self, raw: bytes) -> None:
        """Read on. Raises Disagrees."""
        try:
            self._parser.feed_data(raw)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise Disagrees from None


class _Heard:
    """What llhttp calls. It does not know the parser, which holds it: a cycle would be garbage of every request."""

    def __init__(self) -> None:
        self.target = b""
        self.complete = False
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.strip(b" \t")))

    def on_message_complete(self) -> None:
        self.complete = True
