# SPDX-License-Identifier: Apache-2.0
r"""Secrets without a form of their own: told by the name before them, and by that they look drawn by chance.

A name that speaks of a secret, or of a vendor; a sign that gives it a value (`=`, `:`, `=>`, `,`, `>`, `(`); the value.
The pattern finds the place; the judge reads the name (`names.py`) and the value (`values.py`): the less the name says,
the more the value must look like a key.

A name may begin anywhere within a word (`githubToken`), so that nothing is said of what stands before the match.
"""

import re
from typing import Final

from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.secrets.form import ALNUM, HEX, LOWER, UUID
from policies.detectors.secrets.names import Says, says
from policies.detectors.secrets.values import Sort, sort

GROUP: Final = "secrets-assigned"

# What may stand between a name and its value. All of it together with the name is what a judge sees of it.
_REST: Final = r"[A-Za-z0-9_.-]{0,20}"
CLOSED: Final = r"[\\\"'\x60\])]{0,3}"
SIGN: Final = (
    CLOSED
    + r"(?:"
    + r"(?:[ \t]{1,2}string|[ \t]?:[ \t]?(?:&str|str|string))?[ \t]{0,6}(?::{0,3}=|[?.+|]{1,2}=|=[>=]|->|:)[ \t]{0,6}"
    + r"|[ \t]{0,2},\s{0,10}|>\s{0,10}|\([\"'\x60]|,?\s{1,8}[\"']?value[\"']?[ \t]{0,2}[:=][ \t]{0,2}"
    + r"|[ ](?:is|was|are)?[ ]?:?[ ]?"
    + r")[\\]{0,2}[\"'\x60]?"
)
# `</token> `, and a placeholder of ours, in which the name may be: that value is over.
OVER: Final = re.compile(r"(?:</[A-Za-z0-9_.:-]+>|\[[A-Za-z0-9_.-]+:[^\]\s]*\][\"'\x60)]*)\s*\Z")
# What can be printed, without quotes, spaces and backslashes.
MARKED: Final = r"!#$%&()*+,./0-9:;=?@A-Z\[\]^_a-z{|}~-"
_OPTION: Final = r"[ \t=]{1,2}[\"']?"
# Few signs are in a value: else one could begin behind each of them in a long row, and all of those were judged.
_VALUE: Final = (
    r"(?P<value>[A-Za-z0-9_.~%/+-][A-Za-z0-9_.+/~@%|!^*-]{6,}(?:[=:][A-Za-z0-9_.+/~@%|!^*-]{1,}){0,4}={0,3})"
)
_LEAST_CHARACTERS: Final = 8
_NO_END: Final = tuple(".~@%|:")
# What may not follow a value, since it is a part of it, or of what calls it: `token = newToken(`.
_ALONE: Final = "A-Za-z0-9_+/=~%|@^*({$-"

_KEYWORDS: Final = "token|secret|key|auth|cred|jwt|bearer|login|(?:access|client|app)[_.-]?id"
_KEYWORD: Final = re.compile(_KEYWORDS, re.IGNORECASE)
# The least that a value must be, by what its name says.
_LEAST: Final = {Says.SECRET: Sort.LIKELY, Says.VENDOR: Sort.RANDOM, Says.MAYBE: Sort.CERTAIN}
_UNSIGNED: Final = re.compile(r"[A-Za-z0-9] {1,2}[\"'\x60]?\Z")
_SCORES: Final = {Says.SECRET: 0.9, Says.VENDOR: 0.8, Says.MAYBE: 0.6}


def _judge(candidate: Candidate) -> float | None:
    if len(candidate.value) < _LEAST_CHARACTERS or candidate.value.endswith(_NO_END):
        return None
    said = says(candidate.before, _KEYWORD)
    if said is Says.NOTHING or OVER.search(candidate.before):
        return None
    # Where nothing but a space says that the value is one, it must say so itself.
    least = max(_LEAST[said], Sort.RANDOM) if _UNSIGNED.search(candidate.before) else _LEAST[said]
    return _SCORES[said] if sort(candidate.value) >= least else None


ASSIGNED: Final = Detector(
    name="assigned-secret",
    kind="secret.assigned-secret",
    group=GROUP,
    patterns=(
        Pattern(expression=f"(?:{_KEYWORDS}){_REST}{SIGN}{_VALUE}", alone=_ALONE, alone_before="", ignore_case=True),
        # In quotes whole, whatever is in it: as Django draws its keys.
        Pattern(
            expression=f"(?:{_KEYWORDS}){_REST}{CLOSED}[ \\t]{{0,6}}(?:=>|[:=]{{1,3}}|,)[ \\t]{{0,6}}"
            f"[\"'\\x60](?P<value>[{MARKED}]{{12,}})[\"'\\x60]",
            alone="",
            ignore_case=True,
        ),
        Pattern(
            expression=f"-{{1,2}}(?:[a-z0-9]{{1,12}}-){{0,2}}(?:{_KEYWORDS})[a-z0-9-]{{0,12}}{_OPTION}{_VALUE}",
            alone=_ALONE,
            alone_before="A-Za-z0-9_-",
            ignore_case=True,
        ),
    ),
    judge=_judge,
    finds=(
        f'api_key = "{HEX[:32]}"',
        f"githubToken: {ALNUM[:24]}",
        f'{{"client_secret": "{ALNUM[:40]}"}}',
        f"export SESSION_TOKEN={LOWER[:20]}",
        f"<accessToken>\n    {ALNUM[:32]}\n</accessToken>",
        f'setProperty("SIGNING_KEY", "{ALNUM[:32]}")',
        f"login --token {ALNUM[:30]}",
        f'var apiToken string = "{UUID}"',
        f"the API key is {HEX[:32]}.",
        "SECRET_KEY = 'dj-" + "8z#k@v!p2m$w&x9q^t7r*y5u(1i)o3e'",
    ),
    ignores=(
        "api_key = os.environ['API_KEY']",
        "token = get_token_from_header_2(request)",
        "apiKey: 'your-api-key-1234567890'",
        "SECRET=${SECRET_1}",
        f"public_key = {ALNUM[:44]}",
        f"token_url = {ALNUM[:30]}",
        f"credentialsId: '{UUID}'",
        "The key: understanding what is asked.",
        f'hash = "sha256:{HEX[:64]}"',
        "tokens: 4096/8192",
        "a token cl100k_base of the tokenizer",
        "key = Ed25519.PrivateKey",
    ),
)
