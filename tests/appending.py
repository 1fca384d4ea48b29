# SPDX-License-Identifier: Apache-2.0
"""Append until done or killed: `python -m tests.appending URL BOOT FIRST LAST BATCH`. Each line it prints is a number stored.

What another process stores at the same time is sent too, so that both of them send everything.
"""

import sys

from controlplane.services.errors import StoreUnavailable
from controlplane.store.engine import open_database
from controlplane.store.store import SqlStore
from tests.control_planes import PAYLOAD_KEYS
from tests.log_entries import T, received
from tests.records import NOON


def main(url: str, boots: str, first: int, last: int, length: int) -> None:
    store = SqlStore(open_database(url), PAYLOAD_KEYS)
    for begin in range(first, last + 1, length):
        for boot_id in boots.split(","):
            batch = [received(seq=seq, boot_id=boot_id) for seq in range(begin, min(begin + length, last + 1))]
            while True:
                try:
                    with store.write() as session:
                        session.decisions.append(T, batch, [], at=NOON)
                except StoreUnavailable:
                    continue
                break
            sys.stdout.write(f"{boot_id} {min(begin + length - 1, last)}\n")
            sys.stdout.flush()
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))
