# SPDX-License-Identifier: Apache-2.0
"""`python -m controlplane.cli`: the same as the `gatehouse` command."""

from controlplane.cli.main import main

if __name__ == "__main__":
    main(prog_name="gatehouse")
