# SPDX-License-Identifier: Apache-2.0
"""Redaction of texts, whole or still arriving, by the rules of a snapshot. No prefix shows what a rule forbids."""
