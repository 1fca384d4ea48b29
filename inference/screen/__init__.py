# SPDX-License-Identifier: Apache-2.0
"""The prompt screen as a service: a small trained classifier beside the pure rules of `policies.screening`."""
