# SPDX-License-Identifier: Apache-2.0
"""Policies of other systems as documents of ours: exactly what they say, or a refusal that names the place."""
