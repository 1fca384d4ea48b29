# SPDX-License-Identifier: Apache-2.0
"""From messages to tokens, without letting a message speak as the template.

Facts
    A chat template gives one string, in which the model's markers (`<|end|>`, `<|assistant|>`) are text like the
    messages between them. Tokenised as a whole, a marker that a *user* wrote becomes a real one: the user ends their
    own message and speaks as the assistant.

Theory
    Before rendering, every marker inside a message is broken: a secret word, new for each request, is put behind its
    first character. The rendered string then holds whole markers only where the template wrote them. It is cut there;
    those become their token ids, and everything between them, freed of the secret word, is encoded as plain text. A
    message's end that could be the beginning of a marker gets the secret word too, so that two messages which a
    template sets side by side cannot form one together.
    A request whose messages hold nothing of the kind is tokenised in one go, which gives exactly the tokens of
    transformers' own `apply_chat_template`. The template sees the real text in both cases, so it may trim or compare.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import TemplateError
from tokenizers import Tokenizer


class PromptRefused(Exception):
    """The model's chat template does not take these messages."""


class PromptEncoder:
    """Encodes chats and bare prompts. It changes nothing in itself, so that any thread may use it."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        added = tokenizer.added_tokens_decoder
        self._markers = {token.content: number for number, token in added.items() if token.special and token.content}
        self._numbers = frozenset(self._markers.values())
        # Longest first: where one marker is the beginning of another, the longer one is meant.
        longest_first = sorted(self._markers, key=len, reverse=True)
        self._marker = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        # Two copies, because whether markers are read as such is a switch inside the tokenizer, not an argument.
        self._reading_markers = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._reading_markers.no_truncation()
        self._reading_markers.no_padding()
        self._plain = Tokenizer.from_str(self._reading_markers.to_str())
        self._plain.encode_special_tokens = True

    @property
    def has_chat_template(self) -> bool:
        return self._tokenizer.chat_template is not None

    def encode_chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The tokens of the rendered chat, up to where the assistant's answer begins."""
        secret = f"\ue000{secrets.token_hex(16)}\ue001"
        guarded = [{key: self._guard(value, secret) for key, value in message.items()} for message in messages]
        try:
            rendered = self._tokenizer.apply_chat_template(guarded, add_generation_prompt=True, tokenize=False)
        except (TemplateError, TypeError, ValueError) as exc:
            raise PromptRefused("the model's chat template does not take these messages") from exc
        if secret not in rendered:
            ids = list(self._reading_markers.encode(rendered, add_special_tokens=False).ids)
            # A tokenizer that normalises before it looks for markers may find one that was not in the text as it
            # stood (written in full-width characters, say). Then the rendered string is cut as well.
            if [i for i in ids if i in self._numbers] == [self._markers[m] for m in self._marker.findall(rendered)]:
                return ids
        tokens: list[int] = []
        done = 0
        for found in self._marker.finditer(rendered):
            tokens += self._encode_plain(rendered[done : found.start()].replace(secret, ""))
            tokens.append(self._markers[found.group()])
            done = found.end()
        return tokens + self._encode_plain(rendered[done:].replace(secret, ""))

    def encode_bare(self, prompt: str) -> list[int]:
        """The tokens of a prompt without a chat, framed as the tokenizer frames any text. Markers in it are text."""
        return list(self._plain.encode(prompt, add_special_tokens=True).ids)

    def _encode_plain(self, text: str) -> list[int]:
        return list(self._plain.encode(text, add_special_tokens=False).ids) if text else []

    def _guard(self, text: str, secret: str) -> str:
        guarded = self._marker.sub(lambda found: found.group()[0] + secret + found.group()[1:], text)
        # Overlapping markers leave none whole: each one found is broken behind its first character, and what begins
        # inside it is looked for again.
        while (found := self._marker.search(guarded)) is not None:
            guarded = guarded[: found.start() + 1] + secret + guarded[found.start() + 1 :]
        body = guarded.rstrip()
        if any(body.endswith(marker[:size]) for marker in self._markers for size in range(1, len(marker))):
            return body + secret + guarded[len(body) :]
        return guarded
