# SPDX-License-Identifier: Apache-2.0
"""Every detector of ours."""

from typing import Final

from policies.detectors.contract import Detector
from policies.detectors.personal import ON_REQUEST, PERSONAL
from policies.detectors.secrets import SECRETS

# Order is precedence for overlapping findings: what gives access goes before what tells of a person.
DETECTORS: Final[tuple[Detector, ...]] = (*SECRETS, *PERSONAL, *ON_REQUEST)

DETECTOR_NAMES: Final = tuple(detector.name for detector in DETECTORS)
