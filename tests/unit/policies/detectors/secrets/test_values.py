# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.form import ALNUM, HEX, LETTERS, LOWER, UUID
from policies.detectors.secrets.values import Sort, sort


@pytest.mark.parametrize(
    "value",
    [
        *("acceptanceTimeoutSeconds30", "DB_PASSWORD_1", "settings.secret_key", "os.environ", "get_token", "read-only"),
        *("/var/run/secrets/token", "https://example.com/a1b2c3d4", "./certs/server1.pem", "rsa1024_priv.pem"),
        *("1.2.3-SNAPSHOT", "2024-01-01T12:30:00", "192.168.0.1:8080", "12345678", "sha256", "Ed25519", "v2.0.11"),
        *("your-api-key-123456", "xxxxxxxxxxxxxxxxxxxx", "0123456789abcdefghijklmnopqrstuvwxyz", "cl100k_base"),
        *("worker-node-1208358310", "AbstractBeanFactory2Impl", "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb"),
    ],
)
def test_leaves_what_a_person_wrote(value):
    assert sort(value) is Sort.NONE


@pytest.mark.parametrize(
    ("value", "least"),
    [
        pytest.param(ALNUM[:40], Sort.CERTAIN, id="long"),
        pytest.param(HEX[:32], Sort.CERTAIN, id="hexadecimal"),
        pytest.param(HEX[:16], Sort.RANDOM, id="hexadecimal-and-short"),
        pytest.param(UUID, Sort.RANDOM, id="uuid"),
        pytest.param(LOWER[:20], Sort.LIKELY, id="of-one-case"),
        pytest.param(LETTERS[:30], Sort.LIKELY, id="letters-alone"),
        pytest.param(ALNUM[44:56], Sort.LIKELY, id="very-short"),
        pytest.param("8z#k@v!p2m$w&x9q^t7r*y5u(1i)o3e", Sort.LIKELY, id="with-marks"),
    ],
)
def test_takes_what_was_drawn(value, least):
    assert sort(value) >= least
