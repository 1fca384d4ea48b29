# SPDX-License-Identifier: Apache-2.0
"""The node: one process that starts workers, follows the control plane, ships records, reports. It sees no request."""
