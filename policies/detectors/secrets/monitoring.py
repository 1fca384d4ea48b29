# SPDX-License-Identifier: Apache-2.0
"""Keys of what watches: metrics, traces, errors, code quality."""

from typing import Final

from policies.detectors.contract import Pattern
from policies.detectors.secrets.form import ALNUM, HEX, LOWER, UPPER, UUID, UUID_FORM, base64, form, varied, word

GROUP: Final = "secrets-monitoring"

MONITORING: Final = (
    form(
        "grafana-token",
        GROUP,
        Pattern(expression=r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),
        base64(r"glc_[A-Za-z0-9+/]{32,}={0,3}"),
        base64(r"eyJrIjoi[A-Za-z0-9]{70,}={0,3}"),  # base64 of `{"k":"`
        tokens=(("gl" + "sa_", ALNUM[:32] + "_" + HEX[:8]), ("gl" + "c_", ALNUM[:120]), ("eyJr" + "Ijoi", ALNUM[:84])),
    ),
    form(
        "new-relic-key",
        GROUP,
        r"NRAK-[A-Za-z0-9]{27}",
        word(r"NRII-[A-Za-z0-9_-]{32}"),
        r"NRJS-[a-f0-9]{19}",
        r"[a-f0-9]{36}(?:NRAL|FFFFNRAL)",
        tokens=(
            ("NR" + "AK-", UPPER[:27]),
            ("NR" + "II-", ALNUM[:32]),
            ("NR" + "JS-", HEX[:19]),
            (HEX[:36], "NR" + "AL"),
        ),
        judge=varied(2.5),
    ),
    form(
        "sentry-token",
        GROUP,
        # For an organisation: base64 of `{"iat":…`, then what signs it. For a user.
        base64(r"sntrys_eyJpYXQiO[A-Za-z0-9+/]{40,}={0,2}_[A-Za-z0-9+/]{43}"),
        r"sntryu_[a-f0-9]{64}",
        tokens=(("sntr" + "ys_", "eyJpYXQiO" + ALNUM[:150] + "=_" + ALNUM[20:63]), ("sntr" + "yu_", HEX[:64])),
    ),
    form(
        "dynatrace-token",
        GROUP,
        r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
        r"dt0[a-z][0-9]{2}\.[a-z0-9]{24}\.[a-z0-9]{64}",
        tokens=(
            ("dt" + "0c01.", (ALNUM[:24] + "." + ALNUM[30:94]).upper()),
            ("dt" + "0s02.", LOWER[:24] + "." + LOWER[30:94]),
        ),
    ),
    form("honeycomb-key", GROUP, r"hc[abc][ilm][ck]_[a-z0-9]{58}", tokens=(("hc" + "aik_", LOWER[:58]),)),
    form("posthog-key", GROUP, r"ph[xrs]_[A-Za-z0-9]{43,50}", tokens=(("ph" + "x_", ALNUM[:43]),)),
    form(
        "sonarqube-token", GROUP, r"sq[upa]_[a-zA-Z0-9]{40}", tokens=(("sq" + "u_", HEX[:40]), ("sq" + "p_", HEX[9:49]))
    ),
    form("logfire-token", GROUP, r"pylf_v[0-9]_[a-z]{2}_[A-Za-z0-9]{43}", tokens=(("pyl" + "f_v1_us_", ALNUM[:43]),)),
    form("segment-token", GROUP, r"sgp_[A-Za-z0-9]{64}", tokens=(("sg" + "p_", ALNUM[:64]),)),
    form("rootly-token", GROUP, r"rootly_[a-f0-9]{64}", tokens=(("root" + "ly_", HEX[:64]),)),
    form(
        "wakatime-key",
        GROUP,
        word(r"waka_" + UUID_FORM),
        tokens=(("wa" + "ka_", UUID),),
    ),
)
