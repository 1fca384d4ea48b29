# SPDX-License-Identifier: Apache-2.0
"""Tokens and webhooks of chat, telephony and mail."""

from typing import Final

from policies.detectors.contract import Pattern
from policies.detectors.secrets.form import ALNUM, DIGITS, HEX, UPPER, UUID, form, varied, word

GROUP: Final = "secrets-chat"

CHAT: Final = (
    form(
        "slack-token",
        GROUP,
        # Of a bot, of a user, of a client; those of before tokens were renewed; of an app; of configuration.
        word(r"xox[abcoprs]-(?:[0-9]{1,2}-)?[0-9]{4,14}(?:-[0-9]{4,14}){0,2}-[A-Za-z0-9]{8,64}"),
        word(r"xoxe-[0-9]{8,14}-[0-9]{8,14}-[0-9]{8,14}-[a-f0-9]{32,64}"),
        word(r"xoxe(?:\.xox[bp])?-1-[A-Za-z0-9]{120,}"),
        word(r"xoxd-[A-Za-z0-9%/+=]{40,}"),
        word(r"xapp-[0-9]-[A-Z0-9]{9,13}-[0-9]{9,14}-[a-f0-9]{64}"),
        tokens=(
            ("xo" + "xb-", f"{DIGITS[:12]}-{DIGITS[5:18]}-{ALNUM[:24]}"),
            ("xo" + "xp-", f"{DIGITS[:12]}-{DIGITS[5:17]}-{DIGITS[3:15]}-{HEX[:32]}"),
            ("xo" + "xa-2-", f"{DIGITS[:9]}-{DIGITS[5:16]}-{DIGITS[3:16]}-{HEX[:18]}"),
            ("xo" + "xe.xo" + "xp-1-", ALNUM[:160]),
            ("xa" + "pp-1-", f"A0{ALNUM[:9].upper()}-{DIGITS[:13]}-{HEX[:64]}"),
        ),
        ignores=(
            "xo" + "xb-xoxb-my-bot-token",
            "xo" + "xb-12345-abcd234",
            "xo" + "xp-XXXXXXXXXX-XXXXXXXXXX-XXXXXXXXXXX",
        ),
    ),
    form(
        "slack-webhook",
        GROUP,
        # The whole address is the secret: who knows it may write.
        Pattern(
            expression=r"(?:https?://)?hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{30,120}",
            alone="A-Za-z0-9+/_-",
            alone_before="A-Za-z0-9.",
        ),
        tokens=(("https://hooks.slack.com", f"/services/T04{UPPER[:8]}/B05{UPPER[9:17]}/{ALNUM[:24]}"),),
    ),
    form(
        "discord-token",
        GROUP,
        # The id of a bot in base64, the time, and what signs them.
        word(r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}"),
        word(r"mfa\.[A-Za-z0-9_-]{84}"),
        tokens=((f"MTE4{ALNUM[:22]}.", f"{ALNUM[30:36]}.{ALNUM[40:78]}"), ("mf" + "a.", ALNUM[:84])),
        judge=varied(4.0),
    ),
    form(
        "discord-webhook",
        GROUP,
        word(r"(?:https://)?discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,70}"),
        tokens=(("https://discord.com/api/webhooks/", f"{DIGITS[:19]}/{ALNUM[:68]}"),),
    ),
    form(
        "teams-webhook",
        GROUP,
        Pattern(
            expression=r"webhook\.office\.com/webhookb2/[a-z0-9-]{36}@[a-z0-9-]{36}/IncomingWebhook/[a-z0-9]{32}/[a-z0-9-]{36}",
            alone="A-Za-z0-9-",
            ignore_case=True,
        ),
        tokens=(("https://example.webhook.office.com/webhookb2/", f"{UUID}@{UUID}/IncomingWebhook/{HEX[:32]}/{UUID}"),),
    ),
    form(
        "telegram-bot-token",
        GROUP,
        word(r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"),
        tokens=((DIGITS[:10] + ":", "AA" + ALNUM[:33]), (DIGITS[:9] + ":", "AA" + ALNUM[9:40] + "_-")),
    ),
    form("twilio-key", GROUP, r"(?:SK|AC)[0-9a-f]{32}", tokens=(("S" + "K", HEX[:32]), ("A" + "C", HEX[4:36]))),
    form(
        "sendgrid-key",
        GROUP,
        Pattern(expression=r"SG\.[A-Za-z0-9_=-]{20,24}\.[A-Za-z0-9_=-]{39,50}", alone="A-Za-z0-9_-"),
        tokens=(("S" + "G.", ALNUM[:22] + "." + ALNUM[30:73]),),
    ),
    form(
        "mailgun-key",
        GROUP,
        r"(?:pub)?key-[a-f0-9]{32}",
        word(r"[a-f0-9]{32}-[a-f0-9]{8}-[a-f0-9]{8}"),
        tokens=(("ke" + "y-", HEX[:32]), (HEX[:32], f"-{HEX[4:12]}-{HEX[20:28]}")),
    ),
    form("mailchimp-key", GROUP, word(r"[a-f0-9]{32}-us[0-9]{1,2}"), tokens=((HEX[:32], "-us" + "12"),)),
    form(
        "brevo-key",
        GROUP,
        word(r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
        tokens=(("xkey" + "sib-", HEX[:64] + "-" + ALNUM[:16]),),
    ),
    form(
        "resend-key", GROUP, r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}", tokens=(("r" + "e_", ALNUM[:8] + "_" + ALNUM[9:33]),)
    ),
    form(
        "intercom-token",
        GROUP,
        Pattern(expression=r"dG9rO[A-Za-z0-9+/]{50,80}={0,2}", alone="A-Za-z0-9+/="),
        tokens=(("dG" + "9rO", ALNUM[:54] + "="),),
    ),
    form("onesignal-key", GROUP, r"os_v2_(?:app|org)_[a-z0-9]{103}", tokens=(("os" + "_v2_app_", (HEX + HEX)[:103]),)),
    form("pubnub-key", GROUP, word(r"sec-c-[A-Za-z0-9]{40,60}"), tokens=(("se" + "c-c-", ALNUM[:48]),)),
    form("mailersend-token", GROUP, r"mlsn\.[a-f0-9]{64}", tokens=(("ml" + "sn.", HEX[:64]),)),
    form(
        "telnyx-key",
        GROUP,
        word(r"KEY[A-F0-9]{32}_[A-Za-z0-9]{22}"),
        tokens=(("KE" + "Y", HEX[:32].upper() + "_" + ALNUM[:22]),),
    ),
)
