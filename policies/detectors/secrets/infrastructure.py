# SPDX-License-Identifier: Apache-2.0
"""Keys of what runs infrastructure: secret stores, provisioning, deployment, networks."""

from typing import Final

from policies.detectors.contract import Candidate, Pattern, certain
from policies.detectors.secrets.form import ALNUM, HEX, LOWER, UPPER, UUID, UUID_FORM, base64, form, varied, word
from policies.detectors.secrets.randomness import entropy, wordiness

GROUP: Final = "secrets-infrastructure"

_VARIED: Final = varied()
_WORDY: Final = 0.5


def _old_vault(candidate: Candidate) -> float | None:
    """Take a token of Vault's first form, unless it is the member of some `s`: `s.acceptanceTimeoutSeconds`."""
    body = candidate.value[2:]
    mixed = any(c.isdigit() for c in body) and not (body.islower() or body.isupper())
    return 0.8 if mixed and entropy(body) > 3.4 and wordiness(body) < _WORDY else None  # noqa: PLR2004  # 24 have 4.2


INFRASTRUCTURE: Final = (
    form(
        "vault-token",
        GROUP,
        word(r"hv[sbr]\.[A-Za-z0-9_-]{24,}"),
        tokens=(("hv" + "s.", ALNUM[:95]), ("hv" + "b.", ALNUM[:150]), ("hv" + "s.", ALNUM[60:84])),
    ),
    form(
        "vault-token-legacy",
        GROUP,
        Pattern(expression=r"s\.[A-Za-z0-9]{24}", alone="A-Za-z0-9_.(-"),
        tokens=(("s.", ALNUM[:24]),),
        ignores=("s.thisstringisalllowercase", "s.AcceptanceTimeoutSeconds", "s.makeKubeConfigController1()"),
        judge=_old_vault,
    ),
    form(
        "terraform-token",
        GROUP,
        Pattern(expression=r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}", alone="A-Za-z0-9_=-"),
        tokens=((ALNUM[:14], ".atlas" + "v1." + ALNUM[20:87]),),
    ),
    form(
        "doppler-token",
        GROUP,
        r"dp\.(?:pt|ct|st|sa|scim|audit)\.(?:[a-z0-9_-]{1,35}\.)?[A-Za-z0-9]{40,44}",
        tokens=(("dp" + ".pt.", ALNUM[:43]), ("dp" + ".st.dev.", ALNUM[:40])),
    ),
    form("pulumi-token", GROUP, r"pul-[a-f0-9]{40}", tokens=(("pu" + "l-", HEX[:40]),)),
    form(
        "onepassword-key",
        GROUP,
        base64(r"ops_eyJ[A-Za-z0-9+/]{200,}={0,3}"),
        Pattern(
            expression=r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
            alone="A-Za-z0-9-",
        ),
        tokens=(
            ("ops" + "_eyJ", ALNUM + ALNUM[50:150]),
            ("A" + "3-", f"{UPPER[:6]}-{UPPER[6:12]}-{UPPER[12:17]}-{UPPER[17:22]}-{UPPER[22:27]}-{UPPER[27:32]}"),
        ),
        ignores=("A" + "3-XXXXXX-XXXXXXXXXXX-XXXXX-XXXXX-XXXXX",),
    ),
    form(
        "age-secret-key",
        GROUP,
        r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        tokens=(("AGE-SECRET-" + "KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" + "MUA7LQPZRY9X8GF2TVDW0S3JN5"),),
        judge=certain,
    ),
    form(
        "infisical-token",
        GROUP,
        r"st\.[a-f0-9]{24}\.[a-f0-9]{32}\.[a-f0-9]{32}",
        tokens=(("st.", f"{HEX[:24]}.{HEX[:32]}.{HEX[9:41]}"),),
    ),
    form("openshift-token", GROUP, word(r"sha256~[A-Za-z0-9_-]{43}"), tokens=(("sha" + "256~", ALNUM[:43]),)),
    form(
        "octopus-key",
        GROUP,
        Pattern(expression=r"API-[A-Z0-9]{24,30}", alone_before="A-Za-z0-9/"),
        tokens=(("AP" + "I-", UPPER[:26]),),
        judge=varied(3.5),
    ),
    form(
        "launchdarkly-key",
        GROUP,
        word(r"(?:sdk|api)-" + UUID_FORM),
        tokens=(("sd" + "k-", UUID), ("ap" + "i-", UUID)),
    ),
    form(
        "harness-key",
        GROUP,
        word(r"[ps]at\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}"),
        tokens=(("pa" + "t.", f"{ALNUM[:22]}.{ALNUM[30:54]}.{ALNUM[60:80]}"),),
    ),
    form("prefect-key", GROUP, r"pn[ub]_[a-zA-Z0-9]{36}", tokens=(("pn" + "u_", LOWER[:36]),)),
    form(
        "settlemint-token",
        GROUP,
        r"sm_(?:pat|aat|sat)_[A-Za-z0-9]{16}",
        tokens=(("sm" + "_pat_", ALNUM[:16]),),
        ignores=("sm" + "_pat_77c4o21lxu",),
    ),
    form(
        "infracost-key",
        GROUP,
        Pattern(expression=r"ico-[A-Za-z0-9]{32}", alone_before="A-Za-z0-9."),
        tokens=(("ic" + "o-", ALNUM[:32]),),
        judge=varied(3.4),
    ),
    form(
        "tailscale-key",
        GROUP,
        word(r"tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{8,24}-[A-Za-z0-9]{16,40}"),
        tokens=(("ts" + "key-auth-", ALNUM[:17] + "-" + ALNUM[20:52]),),
    ),
    form(
        "dnkey",
        GROUP,
        Pattern(expression=r"dnkey-[A-Za-z0-9_=-]{26}-[A-Za-z0-9_=-]{52}", alone="A-Za-z0-9_=-"),
        tokens=(("dn" + "key-", ALNUM[:26] + "-" + ALNUM[30:82]),),
    ),
    form(
        "intra42-secret",
        GROUP,
        r"s-s4t2(?:ud|af)-[a-f0-9]{64}",
        tokens=(("s-s4" + "t2ud-", HEX[:64]), ("s-s4" + "t2af-", HEX[9:73])),
    ),
    form(
        "okta-token",
        GROUP,
        # Told apart from other identifiers that begin with 00 by the name that stands before it.
        Pattern(
            expression=r"(?:okta|ssws)[A-Za-z0-9_.-]{0,24}[\"'\x60]?"
            r"[ \t]{0,4}(?::=|[:= ])[ \t]{0,4}[\"'\x60]?(?P<value>00[A-Za-z0-9_=-]{40})",
            alone="A-Za-z0-9_=-",
            alone_before="A-Za-z",
            ignore_case=True,
        ),
        tokens=(("okta_token = ", "00" + ALNUM[:40]), ("Authorization: SSWS ", "00" + ALNUM[20:60])),
        judge=varied(3.2),
    ),
    form("portainer-token", GROUP, base64(r"ptr_[A-Za-z0-9+/]{43}="), tokens=(("pt" + "r_", ALNUM[:43] + "="),)),
    form("zuplo-key", GROUP, r"zpka_[a-f0-9]{32}_[a-f0-9]{8}", tokens=(("zp" + "ka_", HEX[:32] + "_" + HEX[:8]),)),
    form("devcycle-key", GROUP, r"dvc_(?:server|mobile)_[A-Za-z0-9_]{20,}", tokens=(("dv" + "c_server_", ALNUM[:40]),)),
)
