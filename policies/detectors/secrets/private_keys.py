# SPDX-License-Identifier: Apache-2.0
"""Private keys in text: from the line that begins one to the line that ends it, or to the end of the text.

The header decides: once it is seen, all up to the end line is the finding, however long, and whatever label that line
has.
"""

from typing import Final

from policies.detectors.contract import Detector, Pattern

GROUP: Final = "secrets-private-keys"

PRIVATE_KEYS: Final = (
    Detector(
        name="private-key-header",
        kind="secret.private-key-header",
        group=GROUP,
        patterns=(
            Pattern(expression=r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----", alone="", until="PRIVATE KEY-----"),
            Pattern(
                expression=r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY BLOCK-----", alone="", until="PRIVATE KEY BLOCK-----"
            ),
            Pattern(expression=r"---- BEGIN SSH2 (?:ENCRYPTED )?PRIVATE KEY ----", alone="-", until="PRIVATE KEY ----"),
        ),
        finds=(
            "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\nthat was it",
            "here: -----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOY",
            "-----BEGIN EC PRIVATE KEY-----MHcCAQ-----END PRIVATE KEY-----",
            "-------BEGIN ENCRYPTED PRIVATE KEY-----",
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
)
