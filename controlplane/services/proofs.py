# SPDX-License-Identifier: Apache-2.0
"""Show the log to whoever does not believe us: checkpoints, tiles, proofs (`docs/spec/log.md`).

Rules: everything is shown as of a signed size, so that nobody is told of a tree that nobody signed; a proof comes with
the checkpoint that it leads to, where that size was signed.
"""

from dataclasses import dataclass

from controlplane.audit.entry_tiles import entries_tile
from controlplane.audit.proof_texts import TlogProof
from controlplane.audit.proofs import consistency_proof, inclusion_proof
from controlplane.audit.tiles import TILE_WIDTH, TileUnreadable, parse_tile_path, tile_width
from controlplane.services.checkpoints import SignedCheckpoint
from controlplane.services.errors import Invalid, NotFound, Unready
from controlplane.services.log_state import StoredTiles
from controlplane.services.model import Page, Principal
from controlplane.services.ports import Session, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """That an entry is in the tree of `tree_size` entries. `checkpoint` is None where that size was never signed."""

    origin: str
    leaf_index: int
    tree_size: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str | None

    def to_text(self) -> bytes:
        """Return it as a C2SP tlog-proof."""
        if self.checkpoint is None:
            raise NotFound("checkpoint-unknown", "No checkpoint of this size was signed.")
        return TlogProof(index=self.leaf_index, hashes=self.hashes, checkpoint=self.checkpoint.encode()).to_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """That the tree of `first` entries is the beginning of that of `second`."""

    origin: str
    first: int
    second: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    store: Store

    def checkpoint(self, actor: Principal, *, tenant: str | None = None) -> SignedCheckpoint:
        """Return the last checkpoint. Raises NotFound for another tenant's, or before the first was signed."""
        with self.store.read() as session:
            return _signed(session, _own(actor, tenant))

    def checkpoints(self, actor: Principal, *, after: int | None, limit: int) -> Page[SignedCheckpoint]:
        with self.store.read() as session:
            return session.checkpoints.page(actor.tenant, after=after, limit=limit)

    def tile(self, actor: Principal, *, tenant: str, path: str) -> bytes:
        """Return the tile at `path`, such as `tile/0/x001/234.p/5`, of the log as it is signed. Raises NotFound."""
        parsed = parse_tile_path(path)
        if parsed is None:
            raise NotFound("tile-unknown", "There is no such tile.")
        level, number, width = parsed
        with self.store.read() as session:
            signed = _signed(session, _own(actor, tenant))
            if width > tile_width(signed.size, level if isinstance(level, int) else 0, number):
                raise NotFound("tile-unknown", "There is no such tile in the log as it is signed.")
            if isinstance(level, int):
                return _tile(session, signed.tenant, level, number, width)
            return _entries(session, signed.tenant, number, width)

    def inclusion(
        self, actor: Principal, *, index: int | None = None, record_id: str | None = None, tree_size: int | None = None
    ) -> Inclusion:
        """Prove that an entry is in the log: the one at `index`, or with `record_id`. Raises NotFound."""
        if (index is None) == (record_id is None):
            raise Invalid("query-invalid", "Ask by index or by record_id, one of the two.")
        with self.store.read() as session:
            signed = _at(session, actor.tenant, tree_size)
            size = signed.size if tree_size is None else tree_size
            if index is None:
                index = session.decision_index.index_of(actor.tenant, str(record_id), as_of=size)
            if index is None or index >= size:
                raise NotFound("entry-unknown", "The log as it is signed has no such entry.")
            tiles = StoredTiles(session.log, actor.tenant)
            try:
                number, offset = divmod(index, TILE_WIDTH)
                leaves = tiles.tile(0, number, min(offset + 1, TILE_WIDTH))
                hashes = inclusion_proof(tiles, index=index, size=size)
            except TileUnreadable as exc:
                raise _unreadable(exc) from exc
            return Inclusion(
                origin=_origin(signed),
                leaf_index=index,
                tree_size=size,
                leaf_hash=leaves[offset * 32 :],
                hashes=hashes,
                checkpoint=signed.text if signed.size == size else None,
            )

    def consistency(self, actor: Principal, *, first: int, second: int | None) -> Consistency:
        """Prove that the log only grew from `first` to `second` entries, by default those of the last checkpoint."""
        with self.store.read() as session:
            signed = _at(session, actor.tenant, second)
            size = signed.size if second is None else second
            if first > size:
                raise Invalid("query-invalid", f"The first size must not be above the second, which is {size}.")
            try:
                hashes = consistency_proof(StoredTiles(session.log, actor.tenant), first=first, second=size)
            except TileUnreadable as exc:
                raise _unreadable(exc) from exc
            return Consistency(origin=_origin(signed), first=first, second=size, hashes=hashes)


def _own(actor: Principal, tenant: str | None) -> str:
    if tenant not in {None, actor.tenant}:
        raise NotFound("log-unknown", "There is no such log.")
    return actor.tenant


def _signed(session: Session, tenant: str) -> SignedCheckpoint:
    signed = session.checkpoints.latest(tenant)
    if signed is None:
        raise NotFound("nothing-signed", "No checkpoint of this log was signed yet.")
    return signed


def _at(session: Session, tenant: str, size: int | None) -> SignedCheckpoint:
    """Return the last checkpoint, or the first that covers `size` entries."""
    signed = _signed(session, tenant) if size is None else session.checkpoints.covering(tenant, size)
    if signed is None:
        raise NotFound("checkpoint-unknown", "No checkpoint of so many entries was signed yet.")
    return signed


def _origin(signed: SignedCheckpoint) -> str:
    return signed.note.partition("\n")[0]


def _tile(session: Session, tenant: str, level: int, number: int, width: int) -> bytes:
    try:
        return StoredTiles(session.log, tenant).tile(level, number, width)
    except TileUnreadable as exc:
        raise _unreadable(exc) from exc


def _entries(session: Session, tenant: str, number: int, width: int) -> bytes:
    first = number * TILE_WIDTH
    entries = [entry.envelope for entry in session.log.entries(tenant, first, first + width - 1)]
    kept = [envelope for envelope in entries if envelope is not None]
    if len(kept) != width:
        raise NotFound("entries-dropped", "Retention has dropped entries of this tile; the tiles of hashes are there.")
    return entries_tile(kept)


def _unreadable(problem: TileUnreadable) -> Unready:
    return Unready("tile-unreadable", f"The log's tiles cannot be read ({problem}). `gatehouse audit fsck` says more.")
