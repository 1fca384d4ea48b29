# SPDX-License-Identifier: Apache-2.0
"""Who may do what in the control plane: permissions, roles, and the matrix that Casbin is asked with."""
