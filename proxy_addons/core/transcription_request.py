# SPDX-License-Identifier: Apache-2.0
"""Reads the form of an OpenAI transcription request: short texts, and one file of sound that no detector hears.

Rules: the sound passes only on routes that allow it uncovered. It is what its first bytes say, never what the client
calls it: name and media type of the file that is forwarded are ours. Answers are JSON and whole: subtitles and streams
are refused, since nobody examines them yet.
"""

import re
from collections import Counter
from typing import Final

from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Modality, Route
from proxy_addons.core.multipart_form import Field, NotStrictForm, parse_form, write_form
from proxy_addons.core.openai_request import MODEL, ReadForm, ReadRequest
from proxy_addons.core.refused import Refused
from proxy_addons.core.request_fields import INVALID, Check, one_of, pattern, text
from proxy_addons.core.unknown_fields import Reading, folded

_FILE: Final = "file"
_MODEL: Final = "model"
_PROMPT: Final = "prompt"
_GRANULARITIES: Final = "timestamp_granularities[]"
_FIELDS: Final[dict[str, Check]] = {
    _MODEL: MODEL,
    _PROMPT: text,
    "language": pattern(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}"),
    "response_format": one_of("json", "verbose_json"),
    "stream": one_of("false"),
    "temperature": pattern(r"(0|1)(\.[0-9]{1,6})?"),
    _GRANULARITIES: one_of("word", "segment"),
}
_NEAR: Final = frozenset(map(folded, (*_FIELDS, _FILE)))
# What sound begins with, and what a file of it is called when it is forwarded.
_SOUNDS: Final = (
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "audio.wav", "audio/wav"),
    (re.compile(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"), "audio.mp3", "audio/mpeg"),
    (re.compile(rb"fLaC"), "audio.flac", "audio/flac"),
    (re.compile(rb"OggS"), "audio.ogg", "audio/ogg"),
    (re.compile(rb"\x1aE\xdf\xa3"), "audio.webm", "audio/webm"),
    (re.compile(rb"....ftyp", re.DOTALL), "audio.m4a", "audio/mp4"),
)
_MEDIA_TYPES: Final = re.compile(r"audio/[a-z0-9.+-]+|video/(mp4|webm|mpeg)|application/octet-stream")


def read_transcription(body: bytes, boundary: bytes, route: Route) -> ReadRequest:
    """Return what the form `body` asks for. Raises Refused where it is not one strict form of known fields."""
    try:
        parts = parse_form(body, boundary)
    except NotStrictForm:
        raise Refused("body-not-form") from None
    reading = Reading(route)
    kept = [part for part in parts if _stays(part, reading)]
    counts = Counter(part.name for part in kept)
    if any(count > 1 for name, count in counts.items() if name != _GRANULARITIES):
        raise Refused("body-not-form")
    for name in (_MODEL, _FILE):
        if not counts[name]:
            raise Refused(INVALID, param=name)
    texts = {part.name: part.text or "" for part in kept}
    file_name, file_type = _sound(next(part.content for part in kept if part.name == _FILE))
    media_type, written = write_form(kept, file_name=file_name, file_type=file_type)
    return ReadRequest(
        model=texts[_MODEL],
        facts=RequestFacts(text_chars=len(texts.get(_PROMPT, "")) + reading.passed_chars, body_bytes=len(body)),
        body=written,
        media_type=media_type,
        stripped=reading.stripped,
        uncovered=tuple(sorted(reading.uncovered)),
        form=ReadForm(tuple(kept), file_name, file_type),
    )


def _stays(part: Field, reading: Reading) -> bool:
    """Return whether a part is forwarded. Raises Refused."""
    if part.name == _FILE or part.text is None:
        if part.name != _FILE or part.text is not None or not _MEDIA_TYPES.fullmatch(part.media_type):
            raise Refused(INVALID, param=_FILE)
        reading.covers(Modality.AUDIO, _FILE, kind=_FILE)
        return True
    check = _FIELDS.get(part.name)
    if check is None:
        # Some servers read `model[]` as `model`.
        return reading.keeps(part.name.removesuffix("[]"), part.text, beside=_NEAR, named=False)
    try:
        check(part.text, reading)
    except Refused as refused:
        raise Refused(refused.code, param=part.name) from None
    return True


def _sound(content: bytes) -> tuple[str, str]:
    for begins, name, media_type in _SOUNDS:
        if begins.match(content):
            return name, media_type
    raise Refused(INVALID, param=_FILE)
