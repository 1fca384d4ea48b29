# SPDX-License-Identifier: Apache-2.0
"""Names of hosts on the internet, with the scheme before them: for rules that remark and change nothing."""

from typing import Final

from policies.detectors.catalogue import ON_REQUEST
from policies.detectors.contract import Candidate, Detector, Pattern

_LABELS: Final = r"(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]{0,61}[A-Za-z0-9\x80-\xff])?\.){1,6}"
_COMMON: Final = (
    "com|org|net|edu|gov|info|biz|io|dev|app|eu|uk|de|fr|it|es|nl|ch|at|be|se|no|dk|fi|pl|jp|cn|in|br|au|ca"
)


def _judge(candidate: Candidate) -> float | None:
    name = candidate.value.partition("://")[2] or candidate.value
    return 1.0 if name != candidate.value or name.lower().startswith("www.") else 0.7


DOMAIN_NAME: Final = Detector(
    name="domain-name",
    kind="DOMAIN_NAME",
    group=ON_REQUEST,
    patterns=(
        Pattern(expression=rf"(?:[Hh][Tt]{{2}}[Pp][Ss]?|[Ff][Tt][Pp])://{_LABELS}[A-Za-z]{{2,24}}/?"),
        Pattern(expression=rf"[Ww]{{3}}\.{_LABELS}[A-Za-z]{{2,24}}/?"),
        Pattern(expression=rf"{_LABELS}(?:{_COMMON})", alone="A-Za-z0-9@._/-", ignore_case=True),
    ),
    judge=_judge,
    finds=("https://www.example.com/", "see example.org, please", "www.example.travel", "HTTP://EXAMPLE.NET"),
    ignores=("alice@example.com", "main.py", "http://localhost/", "e.g. this", "path/example.com"),
)
