# SPDX-License-Identifier: Apache-2.0
"""Keys of payment, banking and commerce."""

from typing import Final

from policies.detectors.contract import Pattern
from policies.detectors.secrets.form import ALNUM, HEX, LOWER, UUID, UUID_FORM, base64, form, varied, word

GROUP: Final = "secrets-payment"

PAYMENT: Final = (
    form(
        "stripe-key",
        GROUP,
        r"(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{10,}",
        base64(r"whsec_[A-Za-z0-9+/]{32,64}={0,2}"),
        tokens=(("sk" + "_live_", ALNUM[:24]), ("rk" + "_test_", ALNUM[:99]), ("wh" + "sec_", ALNUM[:32])),
        ignores=("ta" + "sk_test_40xbi53nxgkaymgd51aqbmtoyowmkl",),
    ),
    form(
        "square-token",
        GROUP,
        word(r"sq0atp-[A-Za-z0-9_-]{22}"),
        word(r"sq0csp-[A-Za-z0-9_-]{43}"),
        word(r"EAAA[lE][A-Za-z0-9_-]{59}"),
        tokens=(("sq" + "0atp-", ALNUM[:22]), ("sq" + "0csp-", ALNUM[:43]), ("EA" + "AAl", ALNUM[:59])),
    ),
    form(
        "shopify-token",
        GROUP,
        r"shp(?:at|ca|pa|ss|ua|tka)_[a-fA-F0-9]{32}",
        tokens=(("shp" + "at_", HEX[:32]), ("shp" + "ss_", HEX[3:35])),
    ),
    form(
        "braintree-token",
        GROUP,
        r"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}",
        tokens=(("access_token" + "$production$", LOWER[:16] + "$" + HEX[:32]),),
    ),
    form("adyen-key", GROUP, base64(r"AQE[a-z]hm[A-Za-z0-9+/=_-]{80,}"), tokens=(("AQ" + "Eyhm", ALNUM[:120]),)),
    form(
        "plaid-token",
        GROUP,
        word(rf"access-(?:sandbox|development|production)-{UUID_FORM}"),
        tokens=(("access-" + "production-", UUID), ("access-" + "sandbox-", UUID)),
    ),
    form(
        "flutterwave-key",
        GROUP,
        word(r"FLW(?:PUBK|SECK)(?:_TEST)?-[a-fA-F0-9]{32}-X"),
        word(r"FLWSECK_TEST-?[a-fA-F0-9]{12}"),
        tokens=(("FLW" + "SECK-", HEX[:32] + "-X"), ("FLW" + "SECK_TEST", HEX[:12])),
        judge=varied(2.5),
    ),
    form(
        "easypost-key", GROUP, r"EZ[AT]K[A-Za-z0-9]{54}", tokens=(("EZ" + "AK", ALNUM[:54]), ("EZ" + "TK", ALNUM[9:63]))
    ),
    form("shippo-token", GROUP, r"shippo_(?:live|test)_[a-f0-9]{40}", tokens=(("shippo" + "_live_", HEX[:40]),)),
    form(
        "lob-key",
        GROUP,
        r"(?:live|test)_(?:pub_)?[a-f0-9]{31,35}",
        tokens=(("test" + "_", HEX[:35]), ("live" + "_pub_", HEX[:31])),
    ),
    form(
        "duffel-token",
        GROUP,
        Pattern(expression=r"duffel_(?:live|test)_[A-Za-z0-9_=-]{43}", alone="A-Za-z0-9_=-", alone_before="A-Za-z0-9"),
        tokens=(("duffel" + "_live_", ALNUM[:43]),),
    ),
    form(
        "gocardless-token",
        GROUP,
        Pattern(expression=r"live_[A-Za-z0-9_=-]{40}", alone="A-Za-z0-9_=-"),
        tokens=(("li" + "ve_", ALNUM[:20] + "_" + ALNUM[21:40]),),
        judge=varied(3.8),
    ),
    form("razorpay-key", GROUP, r"rzp_(?:live|test)_[A-Za-z0-9]{14}", tokens=(("rz" + "p_live_", ALNUM[:14]),)),
    form(
        "mollie-key", GROUP, r"(?:live|test)_[A-Za-z0-9]{30}", tokens=(("li" + "ve_", ALNUM[:30]),), judge=varied(3.6)
    ),
    form(
        "checkout-key",
        GROUP,
        r"sk_(?:sbox_)?[a-z0-9]{27}",
        tokens=(("sk" + "_sbox_", LOWER[:27]),),
        judge=varied(3.6),
    ),
)
