"""All peers."""

from __future__ import annotations

from tests.peers import by_autograd, by_hand, by_jax, by_mygrad, by_sklearn, by_torch
from tests.peers.peer import FORMATS, Format, Peer

__all__ = ["FORMATS", "PEERS", "Format", "Peer"]

PEERS: tuple[Peer, ...] = (
    *by_torch.PEERS,
    *by_jax.PEERS,
    *by_autograd.PEERS,
    *by_mygrad.PEERS,
    *by_sklearn.PEERS,
    *by_hand.PEERS,
)
