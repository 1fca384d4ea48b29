# SPDX-License-Identifier: Apache-2.0
"""Credentials as tools are told them: headers, `curl -u`, `.netrc`."""

import base64
import binascii
import re
from typing import Final

from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.secrets.form import ALNUM, HEX
from policies.detectors.secrets.randomness import is_stand_in, wordiness

GROUP: Final = "secrets-http"

_NO_VALUE: Final = re.compile(
    r"[$<{\[(*.]|(?i:your|token|api[_-]?key|key|basic|bearer|jwt|access[_-]?token|credentials|string)[_-]?(?:here|\d)?\Z"
)
_NO_PASSWORD: Final = re.compile(
    r"(?:[$%<\[(*].*|[{][{].*|(?i:x+|y+|pass(?:word|wd)?\d?|my_?pass(?:word)?|pwd|secret|token|test|user(?:name)?|example|api[_-]?(?:key|token)|access[_-]?token|key))\Z",
)
_BASIC: Final = re.compile(r"(?i:basic)\s{1,4}\Z")
_SHORT: Final = 16
_WORDY: Final = 0.6


def _header(candidate: Candidate) -> float | None:
    """Take what stands in a header for credentials and looks like some: with digits, or letters no word has."""
    value = candidate.value
    if _NO_VALUE.match(value) or is_stand_in(value):
        return None
    if _BASIC.search(candidate.before):
        return _basic(value)
    if not any(each.isdigit() for each in value) and (len(value) < _SHORT or wordiness(value) > _WORDY):
        return None
    return 0.9


def _basic(value: str) -> float | None:
    try:
        said = base64.b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return None
    return 0.95 if b":" in said else 0.6


def _user(candidate: Candidate) -> float | None:
    """Take `name:password`, unless either is a variable or the usual stand-in."""
    user, colon, password = candidate.value.strip("\"'").partition(":")
    user, password = user.strip("\"'"), password.strip("\"'")
    if not colon or not (user or password) or _NO_PASSWORD.match(password or user):
        return None
    if user.isdigit() and password.isdigit():  # of a user and a group
        return None
    if password.lower() == user.lower() or "$" in user[:1] or is_stand_in(password) or is_stand_in(user):
        return None
    return 0.9


def _netrc(candidate: Candidate) -> float | None:
    return None if _NO_PASSWORD.match(candidate.value) or is_stand_in(candidate.value) else 0.9


def _told(candidate: Candidate) -> float | None:
    """Take a password with a digit and a letter that is no stand-in."""
    value = candidate.value.strip("\"'")
    mixed = any(each.isdigit() for each in value) and any(each.isalpha() for each in value)
    return 0.8 if mixed and not _NO_PASSWORD.match(value) and not is_stand_in(value) else None


HTTP_CREDENTIALS: Final = (
    Detector(
        name="authorization-header",
        kind="secret.authorization-header",
        group=GROUP,
        patterns=(
            Pattern(
                expression=r"authorization[\"'\\]{0,3}\s{0,2}[:=,]\s{0,2}[\"'\\]{0,3}\s{0,2}"
                r"(?:(?:basic|bearer|token|api[_-]?(?:key|token)|digest|negotiate|apikey|key|ssws|bot|pat)[ =]{1,4})?"
                r"(?P<value>[A-Za-z0-9_~@+/.-]{8,}={0,3})",
                alone="A-Za-z0-9_~@+/=-",
                alone_before="",
                ignore_case=True,
            ),
        ),
        judge=_header,
        finds=(
            f"Authorization: Bearer {ALNUM[:40]}",
            "curl -H 'Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l' https://example.com",
            f'"authorization": "Token {HEX[:40]}"',
            f"Authorization: {HEX[:32]}",
        ),
        ignores=(
            "Authorization: Bearer $TOKEN",
            "Authorization: Bearer <your token>",
            "Authorization: required for all endpoints",
            "The header is Authorization: Bearer YOUR_API_KEY",
            "authorization = authorization_policy",
            'Authorization: Basic ..."',
        ),
    ),
    Detector(
        name="command-line-user",
        kind="secret.command-line-user",
        group=GROUP,
        patterns=(
            Pattern(
                expression=r"(?:-u|--user)[ =]{1,4}(?P<value>\"[^\"\n]{1,}\"(?::\"[^\"\n]{1,}\")?)",
                alone="A-Za-z0-9:",
                alone_before="!-~",
            ),
            Pattern(
                expression=r"(?:-u|--user)[ =]{1,4}(?P<value>[A-Za-z0-9_.@-]{0,64}:?'[^'\n]{1,}')",
                alone="A-Za-z0-9:",
                alone_before="!-~",
            ),
            Pattern(
                expression=r"(?:-u|--user)[ =]{1,4}"
                r"(?P<value>[^\s\"'<>{}()\[\]\\$|:-][^\s\"'<>{}()\[\]\\|:]{0,64}:[^\s\"'<>{}()\[\]\\|]{1,})",
                alone="!-&*-~",
                alone_before="!-~",
            ),
        ),
        judge=_user,
        finds=(
            "curl -u elastic:" + "P4ss#12 https://example.com",
            'curl -s --user "j.smith:' + 'dB2yF6@q" https://example.com',
            "curl --user kevin:'" + "pRf7vG2h' https://example.com",
        ),
        ignores=(
            "curl -u user:password https://example.com",
            'curl --user "$USER:$PASSWORD" https://example.com',
            "curl -u <user:password> https://example.com",
            "curl -u test:test https://example.com",
        ),
    ),
    Detector(
        name="netrc-password",
        kind="secret.netrc-password",
        group=GROUP,
        patterns=(
            Pattern(expression=r"login\s{1,4}[^\s]{1,36}\s{1,4}password\s{1,4}(?P<value>[!-~]{4,128})", alone="!-~"),
        ),
        judge=_netrc,
        finds=(
            "machine example.com login bob password " + "hunter2!x",
            "machine a\n  login bob\n  password " + "Tr0ub4dor",
            "login api password " + "k3y-of-mine",
        ),
        ignores=(
            "login USER password $PASSWORD",
            "login and password are needed",
            "login bob password password",
        ),
    ),
    Detector(
        name="command-line-password",
        kind="secret.command-line-password",
        group=GROUP,
        patterns=(
            Pattern(
                expression=r"(?:sshpass|mysql[a-z]{0,5}|mariadb|redis-cli|docker login|helm login)[^\n|;&]{0,36} "
                r"(?:-p|-a|--password)[ =]?[\"']?(?P<value>[!#-&(-:<-~]{4,64})",
                alone="!-&(-:<-~",
                alone_before="A-Za-z0-9_",
            ),
        ),
        judge=_told,
        finds=(
            "mysql -u root -p" + "S3cretPw shop",
            "sshpass -p '" + "Zk9x2mQp' ssh example.com",
            "docker login -u bob --password=" + "Zk9x2mQp",
        ),
        ignores=(
            "mysql -u root -p shop",
            "docker login -u bob -p $PASSWORD",
            "redis-cli -a password",
            "mysql --port 3306",
        ),
    ),
)
