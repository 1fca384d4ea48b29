# SPDX-License-Identifier: Apache-2.0
"""The Rego modules of a bundle of others, as `opa build` packs it: read from the tar, never unpacked onto a disk.

Rules: limits of bytes and members before anything is read of them; a member is a folder or a regular file with a name
of its own below the bundle's root. Links, devices and sparse files are none, and one of them refuses the bundle.
Signatures are not verified: nobody has said whose key would be the right one.
"""

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policies.bundle.archive import MAX_MEMBERS, MAX_PACKED_BYTES, inflated
from policies.contracts.errors import BundleRejected, Diagnostic, PolicyRejected, Position
from policies.document import forms

MOST_BYTES: Final = MAX_PACKED_BYTES

_GZIP: Final = b"\x1f\x8b"
_BLOCK: Final = 512
_LONGEST_NAME: Final = 255
_SIGNATURES: Final = ".signatures.json"
# As many bytes as the characters that a guard may have can take.
_LONGEST_MODULE: Final = forms.TEXT.longest * 4
_MOST_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RegoBundle:
    """Modules by name, and whether the bundle says that somebody signed it."""

    modules: Mapping[str, str]
    signed: bool


def is_bundle(raw: bytes) -> bool:
    """Return whether `raw` begins as gzip does. Rego never does."""
    return raw.startswith(_GZIP)


def read_bundle(file: str, raw: bytes) -> RegoBundle:
    """Return the modules in the gzip tar `raw`, by `file` and their names. Raises PolicyRejected with all problems."""
    problems: list[Diagnostic] = []
    contents: dict[str, bytes] = {}
    names = set[str]()
    try:
        names = _read(file, inflated(raw), contents, problems)
    except BundleRejected as exc:
        problems.append(_problem("bundle-unreadable", file, str(exc).rpartition(": ")[2] + "."))
    except (tarfile.TarError, ValueError, OverflowError, EOFError, OSError, RecursionError):
        problems.append(_problem("bundle-unreadable", file, "It is not a tar."))
    modules: dict[str, str] = {}
    for name, content in contents.items():
        try:
            modules[name] = content.decode()
        except UnicodeDecodeError:
            problems.append(_problem("bundle-member", name, "It is not UTF-8."))
    if not (modules or problems):
        problems.append(_problem("bundle-without-modules", file, "It has no Rego.", "Build it of the Rego's source."))
    if problems:
        raise PolicyRejected(problems)
    return RegoBundle(modules=modules, signed=_SIGNATURES in names)


def _read(file: str, unpacked: bytes, contents: dict[str, bytes], problems: list[Diagnostic]) -> set[str]:
    """Put the modules into `contents` and what is wrong into `problems`; return the names of all members."""
    names = set[str]()
    end = 0
    with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
        for member in archive:
            if len(names) == MAX_MEMBERS or len(problems) == _MOST_PROBLEMS:
                raise BundleRejected("bundle-unreadable", f"it has more than {len(names)} members")
            # `opa build` begins each name with a slash, `tar` with a dot and one.
            name = member.name.removeprefix("./" if member.name.startswith("./") else "/")
            if wrong := _wrong(member, name, names):
                problems.append(_problem("bundle-member", file, f"{member.name[:_LONGEST_NAME]!a} {wrong}."))
            elif name.endswith(".rego") and (content := archive.extractfile(member)):
                contents[f"{file}/{name}"] = content.read()
            names.add(name)
            end = member.offset_data + (-(-member.size // _BLOCK) * _BLOCK if member.isreg() else 0)
    # tarfile ends without a word where a header is broken: the modules behind it would be missing.
    if not problems and (end > len(unpacked) or unpacked[end:].strip(b"\0")):
        raise BundleRejected("bundle-unreadable", "it is cut off, or something follows its last member")
    return names


def _wrong(member: tarfile.TarInfo, name: str, seen: set[str]) -> str:
    """Return why `member`, called `name` below the root, cannot be read; empty where it can."""
    if not (member.isreg() or member.isdir()) or member.issparse():
        return "is neither a regular file nor a folder"
    # What `tar` calls the root itself is "." or nothing.
    segments = ["root"] if member.isdir() and name in ("", ".") else name.split("/")
    if not name.isprintable() or "\\" in name or len(name) > _LONGEST_NAME or {"", ".", ".."}.intersection(segments):
        return "is no name of a file below the bundle's root"
    if name in seen:
        return "is there twice"
    if name.endswith(".wasm"):
        return "is compiled: rules that it has may be missing in the Rego beside it"
    too_long = name.endswith(".rego") and member.size > _LONGEST_MODULE
    return f"has more than {_LONGEST_MODULE} bytes" if too_long else ""


def _problem(code: str, file: str, message: str, fix: str = "") -> Diagnostic:
    return Diagnostic(code=code, at=Position(file=file), message=message[:1].upper() + message[1:], fix=fix)
