# SPDX-License-Identifier: Apache-2.0
"""The HTTP/1.1 reverse proxy: a mitmproxy layer, the sockets on both its sides, the pool of upstream connections."""
