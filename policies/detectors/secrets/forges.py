# SPDX-License-Identifier: Apache-2.0
"""Tokens of git forges and of what builds from them."""

import zlib
from typing import Final

from policies.detectors.contract import Candidate, Pattern
from policies.detectors.secrets.form import ALNUM, HEX, LOWER, form, varied, word

GROUP: Final = "secrets-forges"

_VARIED: Final = varied()
_CHECKED: Final = 30  # characters of a token of GitHub behind its prefix, before six that check them
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _github(candidate: Candidate) -> float | None:
    """Take what is drawn by chance; where GitHub's own check is right, surely."""
    if _VARIED(candidate) is None:
        return None
    body = candidate.value.rpartition("_")[2]
    return 1.0 if body[_CHECKED:] == _base62(zlib.crc32(body[:_CHECKED].encode())) else 0.9


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits.rjust(6, "0")


FORGES: Final = (
    form(
        "github-token",
        GROUP,
        # Of an app for a user, of an app, of OAuth, of a person, for renewal; of a person, for some repositories.
        r"gh[pousr]_[A-Za-z0-9]{36,}",
        Pattern(expression=r"github_pat_[A-Za-z0-9_]{82}", alone="A-Za-z0-9_", alone_before="A-Za-z0-9"),
        tokens=(
            ("gh" + "p_", "16C7e42F292c6912E7710c838347Ae178B4a"),
            ("gh" + "s_", ALNUM[:36]),
            ("github_" + "pat_", ALNUM[:22] + "_" + ALNUM[22:81]),
        ),
        judge=_github,
    ),
    form(
        "gitlab-token",
        GROUP,
        # https://docs.gitlab.com/security/tokens/#token-prefixes
        word(r"gl(?:pat|rt|rtr|dt|ft|oas|soat|imt|agent|cbt|ptt|ffct)-[A-Za-z0-9_-]{20,}"),
        word(r"gl(?:pat|rt)-[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_.-]{7,40}"),
        Pattern(expression=r"GR1348941[A-Za-z0-9_-]{20}", alone="A-Za-z0-9_-"),
        Pattern(expression=r"_gitlab_session=(?P<value>[a-z0-9]{32})"),
        tokens=(
            ("gl" + "pat-", ALNUM[:20]),
            ("gl" + "cbt-", "64_" + ALNUM[:20]),
            ("gl" + "pat-", ALNUM[:27] + ".01." + LOWER[:9]),
            ("GR13" + "48941", ALNUM[:20]),
            ("_gitlab_session=", LOWER[:32]),
        ),
        ignores=("GR13" + "48941" + "23123123123123123123",),
    ),
    form(
        "bitbucket-token",
        GROUP,
        Pattern(expression=r"ATBB[A-Za-z0-9_=-]{32,}", alone="A-Za-z0-9_="),
        tokens=(("AT" + "BB", ALNUM[:32]),),
    ),
    form(
        "atlassian-token",
        GROUP,
        Pattern(expression=r"AT[AC]TT3[A-Za-z0-9_=-]{60,}", alone="A-Za-z0-9_="),
        tokens=(("AT" + "ATT3", "xFfGF0" + ALNUM[:180]), ("AT" + "CTT3", "xFfGN0" + ALNUM[:170] + "=6B2A")),
    ),
    form(
        "sourcegraph-token",
        GROUP,
        r"sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}",
        tokens=(("sg" + "p_", HEX[:40]), ("sg" + "p_local_", HEX[4:44]), ("sg" + "p_", HEX[:16] + "_" + HEX[20:60])),
        judge=varied(3.0),
        ignores=("sg" + "p_5555555dAAAAA7777777CcccCFaaaaaaaaaaaaaa",),
    ),
    form(
        "circleci-token",
        GROUP,
        r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}",
        tokens=(("CCI" + "PAT_", ALNUM[:22] + "_" + HEX[:40]),),
    ),
    form("buildkite-token", GROUP, r"bk[uap]{1,2}_[a-f0-9]{40}", tokens=(("bk" + "ua_", HEX[:40]),)),
    form(
        "azure-devops-token",
        GROUP,
        # Told by the name of its user or variable; those of today say `AZDO` themselves.
        Pattern(
            expression=r"(?:azure[_-]?devops|azdo|ado|vsts|system[_.]access)[A-Za-z_.-]{0,24}[\"' ]{0,2}[:=][\"' ]{0,3}"
            r"(?P<value>[a-z2-7]{52})",
            alone_before="",
            ignore_case=True,
        ),
        tokens=(("AZURE_DEVOPS_PAT=", (LOWER.translate(str.maketrans("0189", "abcd")))[:52]),),
    ),
)
