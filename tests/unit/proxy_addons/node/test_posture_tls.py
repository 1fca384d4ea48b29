# SPDX-License-Identifier: Apache-2.0
import ssl
import warnings
from datetime import timedelta

import pytest

from proxy_addons.data_port_tls import load_identity
from proxy_addons.node.posture import Found, Outcome
from proxy_addons.node.posture_tls import check_tls
from proxy_addons.settings import DataPortTls
from tests.authority import Authority
from tests.posture_servers import answer, saying


def issued(folder, lasts=timedelta(days=30)):
    return Authority(folder, "ca", lasts=lasts).issue("gateway")


def ours(cert_file, key_file):
    return load_identity(DataPortTls(cert_file=cert_file, key_file=key_file)).context


async def test_the_data_ports_own_tls_passes(tmp_path):
    async with saying(answer(401), tls=ours(*issued(tmp_path))) as (port, _):
        assert await check_tls("127.0.0.1", port, expected=True) == Found(Outcome.PASSED, "as-set")


@pytest.mark.parametrize(
    ("lasts", "want"),
    [(timedelta(days=6), "certificate-expires-soon"), (timedelta(hours=-1), "certificate-expired")],
)
async def test_a_certificate_that_ends_is_found(tmp_path, lasts, want):
    async with saying(answer(401), tls=ours(*issued(tmp_path, lasts))) as (port, _):
        assert await check_tls("127.0.0.1", port, expected=True) == Found(Outcome.FAILED, want)


async def test_a_port_that_takes_tls_1_1_is_found(tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that nobody should is what is looked for
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(*issued(tmp_path))
    async with saying(answer(401), tls=context) as (port, _):
        assert await check_tls("127.0.0.1", port, expected=True) == Found(Outcome.FAILED, "old-tls-accepted")


async def test_a_plain_port_is_found_where_tls_is_set():
    async with saying(answer(401)) as (port, _):
        assert await check_tls("127.0.0.1", port, expected=True) == Found(Outcome.FAILED, "no-tls")


async def test_without_a_certificate_there_is_nothing_to_check():
    assert await check_tls("127.0.0.1", 1, expected=False) == Found(Outcome.SKIPPED, "no-certificate-set")
