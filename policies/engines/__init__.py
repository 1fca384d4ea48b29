# SPDX-License-Identifier: Apache-2.0
"""The decision point: Casbin for access, OPA or embedded Rego for guards, and how their answers become one decision."""
