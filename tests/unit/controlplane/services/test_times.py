# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

import pytest

from controlplane.services.times import format_time, parse_time


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("2026-11-20T18:00:00Z", datetime(2026, 11, 20, 18, tzinfo=UTC), id="UTC"),
        pytest.param("2026-11-20T19:00:00+01:00", datetime(2026, 11, 20, 18, tzinfo=UTC), id="another zone"),
        pytest.param("2026-11-20t18:00:00.5z", datetime(2026, 11, 20, 18, 0, 0, 500_000, tzinfo=UTC), id="a fraction"),
        pytest.param("2026-11-20T18:00:00.123456789Z", datetime(2026, 11, 20, 18, 0, 0, 123_456, tzinfo=UTC), id="ns"),
    ],
)
def test_times_are_read_as_utc(text, want):
    assert parse_time(text) == want


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-20",
        "2026-11-20T18:00:00",
        "2026-13-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "2026-W01-1T00:00:00Z",
    ],
)
def test_what_is_not_one_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


def test_written_and_read_again():
    at = datetime(2026, 11, 20, 18, 0, 0, 123, tzinfo=UTC)
    assert parse_time(format_time(at)) == at
