# SPDX-License-Identifier: Apache-2.0
"""Decisions as files: one module for each format, which takes rows and gives bytes and knows neither store nor API."""
