# SPDX-License-Identifier: Apache-2.0
"""Enforcement: a sans-io core for HTTP and SSE, thin mitmproxy addons over it, and the node that runs the workers."""
