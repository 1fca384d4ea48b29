# SPDX-License-Identifier: Apache-2.0
"""The trained weights, as data: `inference.screen.tensors` reads them and checks them against their pinned digests."""
