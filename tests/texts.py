# SPDX-License-Identifier: Apache-2.0
"""Texts for property tests of detectors and redaction: mostly such that nearly are findings."""

import base64
import html
import urllib.parse

from hypothesis import strategies as st

from policies.detectors.registry import DETECTORS

# Pieces from which the interesting texts are made: the parts of findings, and what may stand beside them.
PIECES = st.sampled_from(
    [
        *[sample for detector in DETECTORS for sample in (*detector.finds[:2], *detector.ignores[:2])],
        *["4111", "1111", "41111111111111111", "4111111111111111", "0", "9" * 20, "7" * 70, "378282246310005"],
        *["AKIA", "A", "AKI", "ASIA", "AKIAIOSFODNN7EXAMP", "A3T", "Z" * 16, "k" * 40, "k" * 130, "secret key: "],
        *["secret", "aws_secret_access_key", " = ", " is ", "-----BEGIN ", "-----", "-", "PRIVATE KEY", "EC "],
        *[
            "-----END PRIVATE KEY-----",
            "a",
            "x" * 60,
            "@",
            "@b.co",
            ".com",
            ".",
            "_",
            " ",
            "\n",
            "[",
            "]",
            "é",
            "\u00a0",
        ],
    ],
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)

# Ways in which a text is hidden from a reader of plain ASCII.
DISGUISES = st.sampled_from(
    [
        lambda text: text,
        lambda text: base64.b64encode(text.encode("utf-8", "replace")).decode(),
        lambda text: "x" + base64.b64encode(base64.b64encode(text.encode("utf-8", "replace"))).decode(),
        lambda text: text.encode("utf-8", "replace").hex(),
        lambda text: urllib.parse.quote(text.encode("utf-8", "replace")),
        lambda text: "".join(f"&#{ord(character)};" for character in text),
        html.escape,
        lambda text: "".join(f"\\u{ord(character):04x}" for character in text if ord(character) < 0x10000),
        "\u200b".join,
        lambda text: text.translate({digit: digit + 0xFEE0 for digit in range(0x30, 0x3A)}),
    ],
)
HIDDEN = st.lists(st.tuples(DISGUISES, PIECES), max_size=5).map(
    lambda parts: " ".join(disguised(piece) for disguised, piece in parts)
)
