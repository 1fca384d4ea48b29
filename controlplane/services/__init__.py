# SPDX-License-Identifier: Apache-2.0
"""The use cases of the control plane, without Flask and SQL. What they need of a store is a port (`ports.py`)."""
