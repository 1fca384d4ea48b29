# SPDX-License-Identifier: Apache-2.0
"""The prompt screen's rules: what a text is read as, and what in it looks like an order to the model it is given to."""
