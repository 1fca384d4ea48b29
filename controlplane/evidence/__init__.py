# SPDX-License-Identifier: Apache-2.0
"""What an evidence pack says of a period: counted from its entries, told for people, mapped to what it answers."""
