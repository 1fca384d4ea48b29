# SPDX-License-Identifier: Apache-2.0
"""What the proxy asks or tells others: control plane, token issuers, rate counters, and the spool on its own disk."""
