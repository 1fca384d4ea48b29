# SPDX-License-Identifier: Apache-2.0
"""Strict multipart/form-data (RFC 7578): a body that every parser cuts into the same parts, or an error.

Theory: parsers differ in what they do with text before the first boundary and behind the last, with boundaries that
begin like one, with two parts of a name, with header fields they do not know, with quotes, escapes and charsets in
names, with nested multiparts. So none of that is taken. What passed is written again with a boundary and file names of
our own.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# The forms of the protocol have a dozen fields; a part's head holds two short lines.
_MAX_PARTS: Final = 32
_MAX_HEAD_BYTES: Final = 1024
# RFC 2046's characters of a boundary, in quotes or, where they are those of a token, without.
_FORM_TYPE: Final = re.compile(
    rb"multipart/form-data[ \t]*;[ \t]*boundary="
    rb"(?:([0-9A-Za-z'+_.-]{1,70})|\"([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])\")[ \t]*",
    re.IGNORECASE,
)
_DISPOSITION: Final = re.compile(
    rb'form-data;[ ]?name="([A-Za-z0-9_-]{1,64}(?:\[\])?)"(?:;[ ]?filename="([^"\\\x00-\x1f\x7f]{0,255})")?'
)
_TEXT_TYPE: Final = re.compile(rb'text/plain(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?', re.IGNORECASE)
_MEDIA_TYPE: Final = re.compile(rb"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}", re.IGNORECASE)


class NotStrictForm(Exception):
    """A body that is not one strict form. `problem` is a kebab-case code and tells nothing of the content."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A part: `text` of a plain field; of a file its `content` and what media type the client calls it."""

    name: str
    text: str | None = None
    content: bytes = b""
    media_type: str = ""


def boundary_of(content_type: bytes) -> bytes | None:
    """Return the boundary of a form's media type, or None where it is another or has another parameter."""
    found = _FORM_TYPE.fullmatch(content_type)
    return None if found is None else found[1] or found[2]


def parse_form(body: bytes, boundary: bytes) -> list[Field]:
    """Return the parts of `body` in order. Raises NotStrictForm."""
    delimiter = b"--" + boundary
    if not body.startswith(delimiter):
        raise NotStrictForm("text-before-the-first-part")
    # One more than may be, so that too many are seen without cutting a body into a million pieces.
    pieces = body[len(delimiter) :].split(b"\r\n" + delimiter, _MAX_PARTS + 1)
    if len(pieces) > _MAX_PARTS + 1:
        raise NotStrictForm("too-many-parts")
    *parts, end = pieces
    if end not in {b"--", b"--\r\n"}:
        raise NotStrictForm("text-behind-the-last-part")
    if not parts:
        raise NotStrictForm("no-part")
    return [_field(part, boundary) for part in parts]


def write_form(fields: Iterable[Field], *, file_name: str, file_type: str) -> tuple[bytes, bytes]:
    """Return media type and body of a form of `fields`. Its boundary follows from what it holds, and is not in it."""
    parts = [_written(field, file_name=file_name, file_type=file_type) for field in fields]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part) + part)
    boundary = digest.hexdigest().encode("ascii")
    while any(boundary in part for part in parts):  # nobody has found a text that holds its own digest
        boundary = hashlib.sha256(boundary).hexdigest().encode("ascii")
    body = b"".join([b"--%s\r\n%s\r\n" % (boundary, part) for part in parts]) + b"--%s--\r\n" % boundary
    return b"multipart/form-data; boundary=" + boundary, body


def _field(part: bytes, boundary: bytes) -> Field:
    # A line that only begins with the boundary would be content to one parser and a boundary to another.
    if not part.startswith(b"\r\n"):
        raise NotStrictForm("not-a-boundary")
    head, found, content = part[2:].partition(b"\r\n\r\n")
    if not found or len(head) > _MAX_HEAD_BYTES:
        raise NotStrictForm("head-without-end")
    # Bare line feeds end lines to lenient parsers: no line of a strict one may look like a boundary to those.
    if b"\n--" + boundary in content or b"\r--" + boundary in content:
        raise NotStrictForm("ambiguous-boundary")
    disposition, content_type = _head(head)
    matched = _DISPOSITION.fullmatch(disposition)
    if matched is None:
        raise NotStrictForm("disposition")
    name = matched[1].decode("ascii")
    if matched[2] is not None:
        return _file(name, content, content_type)
    if content_type is not None and not _TEXT_TYPE.fullmatch(content_type):
        raise NotStrictForm("text-of-another-type")
    try:
        return Field(name=name, text=content.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotStrictForm("not-utf-8") from None


def _file(name: str, content: bytes, content_type: bytes | None) -> Field:
    if content_type is None or not _MEDIA_TYPE.fullmatch(content_type):
        raise NotStrictForm("file-without-a-type")
    media_type = content_type.decode("ascii").lower()
    if media_type.startswith("multipart/"):
        raise NotStrictForm("nested")
    return Field(name=name, content=content, media_type=media_type)


def _head(head: bytes) -> tuple[bytes, bytes | None]:
    """Return the values of `Content-Disposition` and of `Content-Type`. No other field, and none twice."""
    values: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or name not in {b"content-disposition", b"content-type"} or name in values:
            raise NotStrictForm("field-of-a-part")
        values[name] = value.strip(b" \t")
    if b"content-disposition" not in values:
        raise NotStrictForm("disposition")
    return values[b"content-disposition"], values.get(b"content-type")


def _written(field: Field, *, file_name: str, file_type: str) -> bytes:
    head = f'Content-Disposition: form-data; name="{field.name}"'
    if field.text is not None:
        return f"{head}\r\n\r\n{field.text}".encode()
    return f'{head}; filename="{file_name}"\r\nContent-Type: {file_type}\r\n\r\n'.encode() + field.content
