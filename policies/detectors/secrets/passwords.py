# SPDX-License-Identifier: Apache-2.0
"""Passwords that people choose, told by the word before them: in settings, in code and in prose.

A password may be a word with a digit, so that no entropy tells it. What it is not is told instead: a name of code, a
variable, a path, an explanation in words.
"""

import re
from typing import Final

from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.secrets.assigned import CLOSED, GROUP, MARKED, OVER, SIGN
from policies.detectors.secrets.randomness import is_stand_in, wordiness

_WORDS: Final = (
    "password|passwd|passphrase|passcode|pwd|psw|passwort|kennwort|senha|wachtwoord|contrasena|"
    r"contrase\xc3\xb1a|mot de passe"
)
_REST: Final = r"(?:[_.-]?[a-z0-9]{0,12}){0,1}"
_BARE: Final = r"(?P<value>[A-Za-z0-9!#$%*+=?@^_~/&.-]{3,63}[A-Za-z0-9!#$%*+=@^_~/&-])"

# The passwords that are chosen most often, of letters alone; others of letters alone are words of explanations.
_CHOSEN: Final = frozenset(
    (
        "qwerty",
        "qwertyuiop",
        "letmein",
        "iloveyou",
        "sunshine",
        "princess",
        "dragon",
        "monkey",
        "football",
        "baseball",
        "superman",
        "batman",
        "asdfgh",
        "asdfghjkl",
        "zxcvbnm",
        "trustno",
        "passw",
    ),
)
_CODE: Final = re.compile(
    r"[A-Za-z_]+\d{0,2}(?:(?:\.|::|->)[A-Za-z_]+\d{0,2})+|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[a-z]+\d?(?:[_-][a-z]+\d?)+"
    r"|(?:[A-Za-z]*(?:pass(?:word|wd|phrase)|pwd|secret|token|value|field|input|hash|string|text|user)[A-Za-z]*)\d?"
    r"|[A-Za-z_]+=.*|(?:[a-z]+:)?//.*|\.{0,2}/.*|[$%&{<(\[*].*|.*[({\[].*[)}\]]|.*\.(?:txt|py|js|ts|json|ya?ml|md|html?|php|com|org|net)",
)
_ABOUT: Final = re.compile(
    r"(?i:length|len|min|max|hash(?:ed)?|policy|field|input|label|url|link|file|path|id|name|type|reset|expiry|expires|hint"
    r"|manager|strength|age|count|rounds|algorithm|encoder|variable|column|prompt|regex|confirm(?:ation)?)\W*\Z",
)
# `password Xk29mmQ`, with nothing that says that this is it.
_UNSIGNED: Final = re.compile(rf"(?i:{_WORDS}|pass|pw|pin) [\"'\x60*]?\Z")
# What may be a number: not every `pass to 2024`.
_NUMBERED: Final = re.compile(r"(?i:pass(?:w|c|phrase)|pwd|psw|pin |kennwort|senha|contrase|mot de passe)")
_MARKS: Final = frozenset("!#$%*+=?@^~&")
_LEAST_NUMBER, _LEAST_LETTERS, _LONG = 4, 8, 64
_WORDY: Final = 0.4


def _judge(candidate: Candidate) -> float | None:
    value, before = candidate.value.rstrip(".,;:?"), candidate.before
    if len(value) > _LONG or OVER.search(before):
        return None
    if is_stand_in(value) or _CODE.fullmatch(value) or _ABOUT.search(_name(before)):
        return None
    if value.isdigit() and not _NUMBERED.search(before):
        return None
    return _score(value, signed=_UNSIGNED.search(before) is None)


def _name(before: str) -> str:
    """Return the last word before the sign, as far as it says what of a password stands behind it."""
    name = before.rstrip(" \t\"'`=:>,([\\").lower()[-14:]
    return name.rpartition(" ")[2]


def _score(value: str, *, signed: bool) -> float | None:
    """Take a value with a digit or a mark among letters, digits alone, and what is often chosen.

    Unless something says that it is the password, it must have a digit, and a mark or letters of both cases.
    """
    letters = any(each.isalpha() for each in value)
    digits = any(each.isdigit() for each in value)
    marks = not _MARKS.isdisjoint(value.rstrip("!?"))
    if not signed:
        return 0.7 if digits and not value.isupper() and (marks or (letters and not value.islower())) else None
    if value.lower() in _CHOSEN:
        return 0.8
    if not letters:
        return 0.7 if len(value) >= _LEAST_NUMBER and (value.isdigit() or (digits and marks)) else None
    if digits or marks:
        return 0.9
    return 0.6 if len(value) >= _LEAST_LETTERS and not value.islower() and wordiness(value) < _WORDY else None


PASSWORD: Final = Detector(
    name="password",
    kind="secret.password",
    group=GROUP,
    patterns=(
        Pattern(
            expression=f"(?:{_WORDS}){_REST}{SIGN}{_BARE}",
            alone="A-Za-z0-9_({$@#%+=~-",
            alone_before="",
            ignore_case=True,
        ),
        Pattern(
            expression=f"(?:{_WORDS}){_REST}{CLOSED}[ \\t]{{0,6}}(?:=>|[:=]{{1,3}})[ \\t]{{0,6}}[\"'\\x60]"
            f"(?P<value>[{MARKED}]{{4,}})[\"'\\x60]",
            alone="",
            ignore_case=True,
        ),
        # `my password is …`, `the password for the router was …`
        Pattern(
            expression=f"(?:{_WORDS}|pass|pw|pin)(?: (?:for|to|of|on|at|in)(?: [a-z0-9.@'-]{{1,9}}){{1,2}})?"
            f"(?: (?:is|was|be|been|ist|lautet|est|es))?(?: (?:now|still|just))?(?: (?:set|changed|reset))?"
            f"(?: (?:to|as))?:? [\"'\\x60*]{{0,2}}{_BARE}",
            alone="A-Za-z0-9_({$@#%+=~-",
            ignore_case=True,
        ),
    ),
    judge=_judge,
    finds=(
        "password: " + "hunter2",
        'DB_PASSWORD="' + 'P@ssw0rd!"',
        "my password is " + "Tr0ub4dor&3.",
        "Server=db;User Id=sa;Password=" + "Xk9#mm2;Encrypt=yes",
        "<password>" + "s3cr3t!</password>",
        "the password for the router is '" + "Sommer2024'",
        "Mein Passwort: " + "Geheim123",
        "the root password was changed to " + "Xk29!mmQ",
        "bob with the password " + "S3cure#Pass",
        "le mot de passe est " + "Bonjour2024",
    ),
    ignores=(
        "Your password is required.",
        "password = config.password",
        "password: ${DB_PASSWORD}",
        "password: process.env.PASSWORD1",
        'type="password" name="password2"',
        "The password is case-sensitive and at least 8 characters long.",
        "password = getpass.getpass('Password: ')",
        "Password: ********",
        "passwordLength: 12345",
        "passwords are hashed with password bcrypt12",
        "The login page moved to v2.3.1 in 2024",
        "We pass to 2024 and my login is bob1977",
    ),
)
