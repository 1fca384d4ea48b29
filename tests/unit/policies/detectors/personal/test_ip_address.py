# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.ip_address import IP_ADDRESS
from tests.unit.policies.detectors.judging import score
from tests.unit.policies.detectors.reference import findings


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("203.0.113.7", "", False, 0.8, id="version-4"),
        pytest.param("203.0.113.7", "server ", False, 1.0, id="version-4-in-context"),
        pytest.param("203.0.113.7", "release ", False, None, id="a-release"),
        pytest.param("1.2.3.4", "", False, None, id="single-digits"),
        pytest.param("1.2.3.4", "ip=", False, 1.0, id="single-digits-in-context"),
        pytest.param("127.0.0.1", "ip ", True, None, id="loopback"),
        pytest.param("300.0.113.7", "ip ", True, None, id="no-address"),
        pytest.param("2001:db8::1", "", False, 0.8, id="version-6"),
        pytest.param("a::b", "", False, None, id="short-version-6"),
        pytest.param("a::b", "ipv6 ", False, 1.0, id="short-version-6-in-context"),
        pytest.param("ff02::1", "ipv6 ", False, None, id="multicast"),
        pytest.param("1:2:3::4:5:6:7:8:9", "", False, None, id="too-many-groups"),
    ],
)
def test_weighs_form_and_context(value, before, lenient, want):
    assert want == score(IP_ADDRESS, value, before, lenient=lenient)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("http://[2001:db8::7]:80/", ["2001:db8::7"], id="in-a-url"),
        pytest.param("10.1.2.3, 10.1.2.4", ["10.1.2.3", "10.1.2.4"], id="two"),
        pytest.param("2001:db8:1:2:3:4:5:6.", ["2001:db8:1:2:3:4:5:6"], id="in-full"),
    ],
)
def test_takes_all_of_it_and_no_more(text, want):
    assert want == findings(IP_ADDRESS, text)
