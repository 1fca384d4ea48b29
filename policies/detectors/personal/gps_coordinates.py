# SPDX-License-Identifier: Apache-2.0
"""Places on the globe: latitude up to 90 and longitude up to 180, in decimals or in degrees, minutes and seconds.

Two fractions in a row are common in lists of measurements and in vectors: without words they are a place only with
four decimals each, beyond one degree, and at the beginning of their row.
"""

import re
from typing import Final

from policies.detectors.context import Words, leads
from policies.detectors.contract import Candidate, Detector, Pattern

_WORDS: Final = Words.of(
    "gps", "coordinates", "coordinate", "coords", "location", "position", "located", "latitude", "longitude", "lat",
    "latlng", "latlong", "geo", "place", "koordinaten", "standort", "coordonnées", "coordenadas", "ubicación",
    "coordinate", "posizione", "coördinaten",
)  # fmt: skip
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,3}\.[0-9]+")
_IN_A_ROW: Final = re.compile(r"[0-9)\]][,;]?\s*$|\[$")
_MOST_LATITUDE: Final = 90.0
_MOST_LONGITUDE: Final = 180.0
_BOTH: Final = ("latitude", "longitude")
_DECIMALS: Final = 4


def _judge(candidate: Candidate) -> float | None:
    numbers = _NUMBER.findall(candidate.value)
    if "°" in candidate.value:
        whole = [int(each) for each in re.findall(r"([0-9]{1,3})\s?°", candidate.value)]
        return 0.9 if whole[0] <= _MOST_LATITUDE and whole[-1] <= _MOST_LONGITUDE else None
    if len(numbers) != len(_BOTH):
        return None
    latitude, longitude = abs(float(numbers[0])), abs(float(numbers[-1]))
    if latitude > _MOST_LATITUDE or longitude > _MOST_LONGITUDE:
        return None
    if leads(candidate.before, _WORDS):
        return 1.0
    precise = all(len(number.partition(".")[2]) >= _DECIMALS for number in numbers)
    return 0.6 if precise and min(latitude, longitude) >= 1 and not _IN_A_ROW.search(candidate.before) else None


_LATITUDE: Final = r"[+-]?\d{1,2}\.\d{3,15}"
_LONGITUDE: Final = r"[+-]?\d{1,3}\.\d{3,15}"
_ARC: Final = r"[\x80-\xff]{2} ?\d{1,2}' ?(?:\d{1,2}(?:\.\d{1,4})?(?:\"|'') ?)?"

GPS_COORDINATES: Final = Detector(
    name="gps-coordinates",
    kind="GPS_COORDINATES",
    group="personal-data",
    patterns=(
        Pattern(expression=rf"{_LATITUDE}(?:, ?|; ?| ){_LONGITUDE}", alone="A-Za-z0-9", alone_before="A-Za-z0-9."),
        Pattern(expression=rf"{_LATITUDE}[\"']?, ?[\"']?(?:lng|lon|long|longitude)[\"']? ?[:=] ?[\"']?{_LONGITUDE}"),
        Pattern(expression=rf"\d{{1,2}}{_ARC}[NS],? ?\d{{1,3}}{_ARC}[EWO]"),
    ),
    judge=_judge,
    finds=(
        "48.8584, 2.2945",
        "GPS: -33.857,151.215",
        '{"lat": 48.8584, "lng": 2.2945}',
        "51°28'38\"N 0°00'05\"W",
        "located at 40.6892 -74.0445",
        "It stands at 48.8584, 2.2945.",
    ),
    ignores=(
        "48.858, 2.294",
        "0.1234, 0.5678",
        "[1.2345, 2.3456, 3.4567]",
        "98.8584, 2.2945",
        "position 48.8584, 182.2945",
        "version 1.2, 3.4",
    ),
)
