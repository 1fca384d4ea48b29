# SPDX-License-Identifier: Apache-2.0
"""Tokens that publish packages and images."""

from typing import Final

from policies.detectors.contract import Pattern
from policies.detectors.secrets.form import ALNUM, HEX, LOWER, form, varied, word

GROUP: Final = "secrets-packages"

PACKAGE_REGISTRIES: Final = (
    form(
        "bundler-credentials",
        GROUP,
        # `BUNDLE_` and the host of a source of gems, with `__` for its dots.
        Pattern(
            expression=r"BUNDLE_[A-Z0-9_]{3,24}__[A-Z]{2,10}[A-Za-z_]{0,8}[\"'\x60]?[:=?., ]{1,6}[\"'\x60]?"
            r"(?P<value>[A-Za-z0-9_.-]{3,64}:[A-Za-z0-9_.-]{3,64})",
            alone="A-Za-z0-9_:-",
        ),
        tokens=(("BUNDLE_GEMS__EXAMPLE__COM=", f"{HEX[:8]}:{HEX[8:16]}"),),
        judge=varied(2.0),
    ),
    form("npm-token", GROUP, r"npm_[A-Za-z0-9]{36}", tokens=(("np" + "m_", ALNUM[:36]),)),
    form(
        "pypi-token",
        GROUP,
        # A macaroon; it begins with the place that it is for: base64 of `pypi.org`, or of `test.pypi.org`.
        word(r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{50,}"),
        tokens=(
            ("py" + "pi-", "AgEIcHlwaS5vcmc" + ALNUM[:120]),
            ("py" + "pi-", "AgENdGVzdC5weXBpLm9yZw" + ALNUM[:100]),
        ),
    ),
    form("rubygems-key", GROUP, r"rubygems_[a-f0-9]{48}", tokens=(("ruby" + "gems_", HEX[:48]),)),
    form("nuget-key", GROUP, r"oy2[a-z0-9]{43}", tokens=(("oy" + "2", LOWER[:43]),)),
    form("cargo-token", GROUP, r"cio[A-Za-z0-9]{32}", tokens=(("ci" + "o", ALNUM[:32]),), judge=varied(3.6)),
    form("clojars-token", GROUP, r"CLOJARS_[a-z0-9]{60}", tokens=(("CLO" + "JARS_", LOWER[:60]),)),
    form(
        "docker-token",
        GROUP,
        word(r"dckr_[po]at_[A-Za-z0-9_-]{27,32}"),
        tokens=(("dckr" + "_pat_", ALNUM[:27]), ("dckr" + "_oat_", ALNUM[:32])),
    ),
    form(
        "packagist-token", GROUP, r"packagist_[ou][ru][a-z]_[a-f0-9]{68}", tokens=(("packagist" + "_uut_", HEX[:68]),)
    ),
    form(
        "artifactory-key",
        GROUP,
        # A reference token is base64 of `reftkn:…`.
        r"AKCp[A-Za-z0-9]{69}",
        r"cmVmd[A-Za-z0-9]{59}",
        tokens=(("AK" + "Cp", ALNUM[:69]), ("cmV" + "md", ALNUM[:59])),
    ),
    form("ionic-token", GROUP, r"ion_[A-Za-z0-9]{42}", tokens=(("io" + "n_", ALNUM[:42]),)),
    form("thunderstore-token", GROUP, r"tss_[A-Za-z0-9]{36}", tokens=(("ts" + "s_", ALNUM[:36]),)),
)
