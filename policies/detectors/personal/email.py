# SPDX-License-Identifier: Apache-2.0
"""E-mail addresses: a local part of up to 64 characters (RFC 5321), `@`, a domain with a dot, a top level of letters.

Of a longer local part the last 64 characters are taken, so that nothing is hidden behind padding.
"""

from typing import Final

from policies.detectors.contract import Candidate, Detector, Pattern

# What RFC 5321 allows besides (`/`, `=`, `?` …) parts an address from what stands before it in URLs and code.
_LOCAL: Final = r"[A-Za-z0-9.%+'_\x80-\xff-]"
_DOMAIN: Final = (
    r"@(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9_\x80-\xff-]{0,61}[A-Za-z0-9\x80-\xff])?\.){1,8}"
    r"(?:[A-Za-z]{2,24}|[Xx][Nn]--[A-Za-z0-9-]{2,59}|[\x80-\xff]{2,64})"
)
_ENDS_OF_FILES: Final = frozenset(
    ("png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "jsx", "tsx", "json", "html", "txt", "xml")
)
# These are where programs fetch code, and no person's mailbox.
_NO_MAILBOXES: Final = frozenset(
    f"git@{host}" for host in ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "ssh.dev.azure.com")
)


def _judge(candidate: Candidate) -> float | None:
    local, _, domain = candidate.value.lower().rpartition("@")
    if domain.rpartition(".")[2] in _ENDS_OF_FILES or f"{local}@{domain}" in _NO_MAILBOXES:
        return None
    return 1.0


EMAIL: Final = Detector(
    name="email",
    kind="EMAIL_ADDRESS",
    group="contact",
    patterns=(
        Pattern(expression=rf"[A-Za-z0-9_\x80-\xff](?:{_LOCAL}{{0,62}}[A-Za-z0-9_+\x80-\xff-])?{_DOMAIN}"),
        Pattern(expression=rf"{_LOCAL}{{64}}{_DOMAIN}", alone=""),
    ),
    judge=_judge,
    finds=(
        "alice@example.com",
        "Write to bob.o-neil+news@mail.example.co.uk today.",
        "<carol@example.org>",
        "x" * 100 + "dave@example.net",
        "mailto:erin%work@example.io?subject=hi",
        "josé@exämple.de",
        "name=_gus_@example.com&x",
        "hana@xn--bcher-kva.example.",
    ),
    ignores=(
        "root@localhost",
        "@example.com",
        "alice at example dot com",
        "a @ b.com",
        "user@.c",
        "git@host:path/repository",
        "[redacted:email]@example.com",
        "icon@2x.png",
        "git@github.com:owner/repository.git",
    ),
)
