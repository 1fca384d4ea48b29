# SPDX-License-Identifier: Apache-2.0
"""Keys of software as a service, and of social networks."""

from typing import Final

from policies.detectors.contract import Pattern
from policies.detectors.secrets.form import ALNUM, DIGITS, HEX, LOWER, UUID, UUID_FORM, form, varied, word

GROUP: Final = "secrets-services"

SERVICES: Final = (
    form(
        "notion-token",
        GROUP,
        r"ntn_[0-9]{11}[A-Za-z0-9]{32,35}",
        r"secret_[A-Za-z0-9]{43}",
        tokens=(("nt" + "n_", DIGITS[:11] + ALNUM[:35]), ("secret" + "_", ALNUM[:43])),
    ),
    form("linear-key", GROUP, r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}", tokens=(("li" + "n_api_", ALNUM[:40]),)),
    form(
        "postman-key",
        GROUP,
        word(r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
        tokens=(("PM" + "AK-", HEX[:24] + "-" + HEX[:34]),),
    ),
    form("figma-token", GROUP, word(r"fig[dopur]{1,2}_[A-Za-z0-9_-]{40,80}"), tokens=(("fi" + "gd_", ALNUM[:40]),)),
    form(
        "airtable-token",
        GROUP,
        r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
        tokens=(("pa" + "t", ALNUM[:14] + "." + HEX[:64]),),
    ),
    form(
        "asana-token",
        GROUP,
        word(r"[12]/[0-9]{15,17}(?:/[0-9]{15,17})?:[a-f0-9]{32}"),
        tokens=(("2/", DIGITS[:16] + "/" + DIGITS[10:26] + ":" + HEX[:32]),),
    ),
    form(
        "typeform-token",
        GROUP,
        Pattern(expression=r"tfp_[A-Za-z0-9_.=-]{40,64}", alone="A-Za-z0-9_=-"),
        tokens=(("tf" + "p_", ALNUM[:59]),),
    ),
    form(
        "mapbox-token",
        GROUP,
        word(r"(?:pk|sk|tk)\.[A-Za-z0-9]{60,120}\.[A-Za-z0-9_-]{22}"),
        tokens=(("p" + "k.", "eyJ1Ijoi" + ALNUM[:60] + "." + ALNUM[70:92]),),
    ),
    form(
        "facebook-token",
        GROUP,
        r"EAA[MCEG][A-Za-z0-9]{100,}",
        r"[0-9]{15,16}(?:\||%7C)[A-Za-z0-9_-]{27}",
        tokens=(("EA" + "AM", ALNUM[:120]), (DIGITS[:16] + "|", ALNUM[:27])),
        judge=varied(3.6),
    ),
    form("instagram-token", GROUP, r"IG(?:AA|QW|QVJ)[A-Za-z0-9_-]{80,}", tokens=(("IG" + "QVJ", ALNUM[:120]),)),
    form(
        "twitter-token",
        GROUP,
        Pattern(expression=r"A{20,22}[A-Za-z0-9%]{80,100}", alone="A-Za-z0-9%"),
        word(r"[0-9]{15,20}-[A-Za-z0-9]{40}"),
        tokens=(("A" * 21, ALNUM[:80]), (DIGITS[:18] + "-", ALNUM[:40])),
        judge=varied(3.4),
    ),
    form(
        "hubspot-token",
        GROUP,
        word(r"pat-(?:na|eu|ap)[0-9]-" + UUID_FORM),
        tokens=(("pa" + "t-na1-", UUID),),
    ),
    form("contentful-token", GROUP, word(r"CFPAT-[A-Za-z0-9_-]{43}"), tokens=(("CF" + "PAT-", ALNUM[:43]),)),
    form("dropbox-token", GROUP, word(r"sl\.(?:u\.)?[A-Za-z0-9_-]{120,}"), tokens=(("s" + "l.", "u." + ALNUM[:150]),)),
    form("adobe-secret", GROUP, word(r"p8e-[A-Za-z0-9_-]{32}"), tokens=(("p8" + "e-", HEX[:32]),)),
    form("readme-key", GROUP, r"rdme_[a-z0-9]{70}", tokens=(("rd" + "me_", LOWER[:70]),)),
    form(
        "frameio-token",
        GROUP,
        Pattern(expression=r"fio-u-[A-Za-z0-9_=-]{64}", alone="A-Za-z0-9_=-"),
        tokens=(("fi" + "o-u-", ALNUM[:64]),),
    ),
    form(
        "maxmind-key",
        GROUP,
        r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk",
        tokens=((ALNUM[:6] + "_", ALNUM[9:38] + "_m" + "mk"),),
    ),
    form(
        "salesforce-token",
        GROUP,
        Pattern(expression=r"00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{80,120}", alone="A-Za-z0-9_"),
        tokens=(("00" + "D", ALNUM[:12] + "!" + ALNUM[20:116]),),
    ),
    form(
        "pagerduty-key",
        GROUP,
        Pattern(expression=r"u\+[A-Za-z0-9_+-]{18}", alone="A-Za-z0-9_+-"),
        tokens=(("u+", ALNUM[:18]),),
        judge=varied(3.4),
    ),
    form(
        "clickup-token",
        GROUP,
        r"pk_[0-9]{7,9}_[A-Z0-9]{32}",
        tokens=(("p" + "k_", DIGITS[:8] + "_" + ALNUM[:32].upper()),),
    ),
    form(
        "zapier-hook",
        GROUP,
        Pattern(expression=r"hooks\.zapier\.com/hooks/catch/[0-9]{5,9}/[a-z0-9]{6,8}", alone="A-Za-z0-9"),
        tokens=(("https://hooks.zapier.com/hooks/catch/", f"{DIGITS[:7]}/{LOWER[:7]}"),),
    ),
    form("adafruit-key", GROUP, r"aio_[A-Za-z0-9]{28}", tokens=(("ai" + "o_", ALNUM[:28]),)),
    form("lichess-token", GROUP, r"lip_[A-Za-z0-9]{20}", tokens=(("li" + "p_", ALNUM[:20]),)),
    form("ghost-admin-key", GROUP, r"[a-f0-9]{24}:[a-f0-9]{64}", tokens=((HEX[:24], ":" + HEX[30:94]),)),
    form(
        "persona-key",
        GROUP,
        word(r"persona_(?:production|sandbox)_[A-Za-z0-9-]{36,}"),
        tokens=(("persona" + "_sandbox_", UUID),),
    ),
)
