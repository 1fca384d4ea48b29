# SPDX-License-Identifier: Apache-2.0
"""Which secrets are in a text, by their names."""

from policies.detectors.secrets import SECRETS
from tests.unit.policies.detectors.reference import findings


def recognised(text: str) -> dict[str, list[str]]:
    """Return what each detector of secrets finds in `text`, without those that find nothing."""
    return {detector.name: found for detector in SECRETS if (found := findings(detector, text))}
