# SPDX-License-Identifier: Apache-2.0
"""Signed bytes: the bundle and the credentials document, packed at the control plane and verified at the proxy."""
