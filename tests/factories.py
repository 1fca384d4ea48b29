# SPDX-License-Identifier: Apache-2.0
"""Plain functions that make valid values with defaults, for every suite."""
