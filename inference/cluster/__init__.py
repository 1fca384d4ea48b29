# SPDX-License-Identifier: Apache-2.0
"""The same ASGI application on Ray Serve: one entrance that speaks TLS, replicas behind it on one machine or many."""
