# SPDX-License-Identifier: Apache-2.0
"""How many decision records a second one control plane takes in: `python -m benchmarks.ingestion [URL]`.

Real lines through the real use case into a real database with durable commits (SQLite in a temporary folder unless a
database's URL is given), in batches as the proxy's shipper sends them. HTTP is left out.
"""

import sys
import tempfile
import time

from controlplane.identifiers import utc_now
from controlplane.services.ingestion import Ingestion
from controlplane.services.model import Principal, Role
from controlplane.store.engine import open_database
from controlplane.store.migrate import migrate
from controlplane.store.store import SqlStore
from tests.records import make_record

RECORDS = 20_000


def main(url: str) -> None:
    engine = open_database(url)
    migrate(engine)
    ingestion = Ingestion(store=SqlStore(engine), clock=utc_now)
    agent = Principal(tenant="default", id="agent", name="agent", role=Role.AGENT, created_at=utc_now())
    boot = utc_now().isoformat()
    lines = [
        make_record(seq=number, boot_id=boot, reasons=(("access-denied", "chat-access"),)).to_line()
        for number in range(1, RECORDS + 1)
    ]
    for size in (50, 200, 500, 1000):
        part = lines[: RECORDS // 4]
        lines = lines[RECORDS // 4 :]
        began = time.perf_counter()
        stored = sum(
            ingestion.append(agent, b"".join(part[start : start + size])).stored for start in range(0, len(part), size)
        )
        took_s = time.perf_counter() - began
        print(f"batches of {size:4}: {stored / took_s:8.0f} records/s ({stored} stored)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(f"sqlite:///{folder}/gatehouse.db")
