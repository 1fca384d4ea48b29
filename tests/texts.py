# SPDX-License-Identifier: Apache-2.0
"""Texts for property tests of detectors and redaction: mostly such that nearly are findings."""

from hypothesis import strategies as st

from policies.detectors.registry import DETECTORS

# Pieces from which the interesting texts are made: the parts of findings, and what may stand beside them.
PIECES = st.sampled_from(
    [
        *[sample for detector in DETECTORS for sample in (*detector.finds, *detector.ignores)],
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
