# SPDX-License-Identifier: Apache-2.0
"""Private keys in text: from the line that begins one to the line that ends it, or to the end of the text.

The header decides: once it is seen, all up to the end line is the finding, however long, and whatever label that line
has.
"""

from typing import Final

from policies.detectors.contract import Candidate, Detector, Pattern

GROUP: Final = "secrets-private-keys"

# Of the line that ends a key. The line that begins another within it ends nothing: what follows is a key still.
_END: Final = "END [A-Z0-9 ]{0,40}"

_SEED: Final = "legal winner thank year wave sausage worth useful legal winner thank yellow"
# Of sentences, and of no list that words of keys are drawn from.
_FILLERS: Final = frozenset(
    {"the", "and", "was", "for", "with", "that", "from", "are", "were", "his", "her", "its", "has"}
)
_LEAST_DIFFERENT: Final = 6


def _drawn_words(candidate: Candidate) -> float | None:
    words = candidate.value.lower().split(" ")
    return 0.9 if _FILLERS.isdisjoint(words) and len(set(words)) >= _LEAST_DIFFERENT else None


PRIVATE_KEYS: Final = (
    Detector(
        name="private-key-header",
        kind="secret.private-key-header",
        group=GROUP,
        patterns=(
            Pattern(
                expression=r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----", alone="", until=rf"{_END}PRIVATE KEY-----"
            ),
            Pattern(
                expression=r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY BLOCK-----",
                alone="",
                until=rf"{_END}PRIVATE KEY BLOCK-----",
            ),
            Pattern(
                expression=r"---- BEGIN SSH2 (?:ENCRYPTED )?PRIVATE KEY ----",
                alone="-",
                until=rf"{_END}PRIVATE KEY ----",
            ),
        ),
        finds=(
            "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\nthat was it",
            "here: -----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOY",
            "-----BEGIN EC PRIVATE KEY-----MHcCAQ-----END PRIVATE KEY-----",
            "-------BEGIN ENCRYPTED PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAA\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
        ),
        ignores=(
            "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----",
            "BEGIN PRIVATE KEY",
            "----BEGIN PRIVATE KEY----",
            "-----BEGIN PRIVATE KEY----",
            "-----END PRIVATE KEY-----",
        ),
    ),
    Detector(
        name="putty-private-key",
        kind="secret.putty-private-key",
        group=GROUP,
        patterns=(Pattern(expression=r"PuTTY-User-Key-File-[0-9]:", until="Private-MAC:"),),
        finds=(
            "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPrivate-Lines: 1\nAAAA\nPrivate-MAC: 0123",
            "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none",
            "Here: PuTTY-User-Key-File-1: ssh-rsa\nPrivate-MAC: 00\nand on",
        ),
        ignores=("PuTTY-User-Key-File", "PuTTY-User-Key-File-x: ssh-rsa", "a file of PuTTY: Private-MAC: 00"),
    ),
    Detector(
        name="seed-phrase",
        kind="secret.seed-phrase",
        group=GROUP,
        # Twelve to 24 words of three to eight letters, told by what they are called.
        patterns=(
            Pattern(
                expression=r"(?:mnemonic|(?:seed|recovery|backup|wallet)(?: (?:phrase|words?))?)"
                r"[^A-Za-z\n]{1,6}(?:is:? )?[\"']?(?P<value>[a-z]{3,8}(?: [a-z]{3,8}){11,23})",
                ignore_case=True,
            ),
        ),
        judge=_drawn_words,
        finds=(
            f"mnemonic: {_SEED}",
            f'my seed phrase is "{_SEED}"',
            f"Recovery phrase: {_SEED} {_SEED}",
        ),
        ignores=(
            "The seed phrase is twelve words long.",
            f"mnemonic: {' '.join(['abandon'] * 12)}",
            "seed: The quick brown fox and all the other animals went over some hills today",
            _SEED,
        ),
    ),
)
