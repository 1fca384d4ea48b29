# SPDX-License-Identifier: Apache-2.0
"""What the name before a value says of it: that it is a secret, may be one, or is about one (`tokenLength`)."""

import enum
import itertools
import re
from typing import Final

from policies.detectors.secrets.randomness import humps
from policies.detectors.secrets.vendors import VENDORS

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*(?: key)?", re.IGNORECASE)

_ACCESS_WORDS: Final = (
    "accesskey accesskeys accesstoken apikey apikeys apitoken appkey appsecret authkey authtoken bearer "
    "clientsecret clienttoken consumersecret credential credentials creds encryptionkey jwt licensekey masterkey "
    "passkey pat privatekey refreshtoken secret secretkey secrets sessiontoken signingkey token tokens webhook"
)
# Before `key`, these make a secret of it.
_OF_KEY_WORDS: Final = (
    "access account admin api app application auth client consumer deploy encryption integration license master "
    "private secret security server service session shared signing storage subscription webhook write"
)
_MAYBE_WORDS: Final = "auth authentication authorization key keys login"
# What a secret has, or what is about one; as the last word of a name it says that the value is not the secret.
_ABOUT_WORDS: Final = (
    "address alg algorithm alias arn audience bits budget bytes characters chars checksum class code codes column "
    "count date description digest dir enabled endpoint env error expiration expires expiry factory field fields "
    "file filename files fingerprint format generator handler hash header headers hint host id identifier ids "
    "index issuer kind label len length limit limits manager max min mode name names pair param params path paths "
    "pattern placeholder policy port prefix provider ref reference regex required result results ring rotation "
    "scope scopes selector service size source state status store strength suffix time timestamp title ttl type "
    "types uri url urls usage used valid validator var variable vault version"
)
_PUBLIC_WORDS: Final = "anti continuation csrf cursor nonce page pagination pub public publishable websocket xsrf"
_ACCESS: Final = frozenset(_ACCESS_WORDS.split())
_OF_KEY: Final = frozenset(_OF_KEY_WORDS.split())
_MAYBE: Final = frozenset(_MAYBE_WORDS.split())
_ABOUT: Final = frozenset(_ABOUT_WORDS.split())
_PUBLIC: Final = frozenset(_PUBLIC_WORDS.split())


class Says(enum.Enum):
    """What a name says of the value behind it."""

    NOTHING = 0
    MAYBE = 1
    VENDOR = 2
    SECRET = 3


def says(before: str, keyword: re.Pattern[str]) -> Says:
    """Return what the last name in `before` in which `keyword` occurs says of the value that stands behind it."""
    for found in reversed(list(_NAME.finditer(before))):
        if keyword.search(found[0]):
            return _of(found[0])
    return Says.NOTHING


def _of(name: str) -> Says:
    words = [each.lower() for each in humps(name) if not each.isdigit()]
    pairs = tuple(map("".join, itertools.pairwise(words)))  # `WebSocket` is two words by its capitals
    if not words or not _PUBLIC.isdisjoint((*words, *pairs)):
        return Says.NOTHING
    about = words[-1] in _ABOUT
    secret = not about and any(
        word in _ACCESS or (word in {"key", "keys"} and at and words[at - 1] in _OF_KEY)
        for at, word in enumerate(words)
    )
    if secret:
        return Says.SECRET
    if not VENDORS.isdisjoint((*words, *pairs)):
        return Says.VENDOR
    return Says.MAYBE if not about and not _MAYBE.isdisjoint(words) else Says.NOTHING
