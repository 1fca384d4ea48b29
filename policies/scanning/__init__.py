# SPDX-License-Identifier: Apache-2.0
"""Looking for all detectors at once, in linear time: the copy of a text that is scanned, and the scanner."""
