# SPDX-License-Identifier: Apache-2.0
"""The pure evaluation of one request, and of the tests that documents bring: the same code in every role."""
