"""Right programs of others: libraries as users write them, and what `refnn.targets` makes of their own objects."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, NamedTuple

from hypothesis import strategies as st

import refnn
from refnn import Dense, Network, SoftmaxCrossEntropy, Tanh
from refnn.activations import ALL as ACTIVATIONS
from refnn.activations import ELU
from refnn.losses import ALL as LOSSES
from refnn.search.targets import from_jax, from_sklearn, from_torch
from refnn.strategies import networks
from tests.peers.implementations import PEERS, Peer


class Honest(NamedTuple):
    """A right program: the package that it needs, how it is made into a target, and what it is asked about."""

    what: str
    package: str
    made: Callable[[], object]
    about: Callable[[], Mapping[str, Any]]

    @property
    def missing(self) -> str | None:
        return None if importlib.util.find_spec(self.package) else f"{self.package} is not installed"


def _peer(peer: Peer) -> Honest:
    def answer(network: Network, w: Any, x: Any, y: Any) -> object:
        if not peer.supports(network):
            raise refnn.Unsupported(repr(network))
        return peer.answer(network, w, x, y, "float64")

    return Honest(peer.name, peer.package, lambda: answer, lambda: {"networks": _known(peer), **_numbers(peer.package)})


def _known(peer: Peer) -> Any:
    """Networks of the activations and losses that it knows; scikit-learn has one activation for all hidden layers."""
    kinds = [
        (unit(), loss())
        for unit, loss in product(ACTIVATIONS, LOSSES)
        if peer.supports(Network(Dense(2, 3), unit(), Dense(3, 1), loss=loss()))
    ]
    units, losses = (list(dict.fromkeys(each)) for each in zip(*kinds, strict=True))
    if peer.package in ("jax", "autograd"):
        # the slope of expm1 is value + 1 to them, which loses digits below zero
        units = [unit for unit in units if unit != ELU()]
    return networks(depth=st.integers(1, 2), widths=range(1, 8), activations=units, losses=losses, last=st.just(False))


def _numbers(package: str) -> dict[str, Any]:
    """Scikit-learn clips probabilities, which is a fault (L18): of such numbers, no logit is beyond ±9."""
    return {"values": st.integers(-64, 64).map(lambda k: k / 128)} if package == "sklearn" else {}


def _torch() -> object:
    nn = importlib.import_module("torch.nn")
    module = nn.Sequential(nn.Linear(4, 5), nn.GELU(), nn.Linear(5, 3))
    return from_torch(module, nn.CrossEntropyLoss(label_smoothing=0.1))


def _jax() -> object:
    jnp, nn = (importlib.import_module(f"jax.{name}") for name in ("numpy", "nn"))

    def outputs(p: Any, x: Any) -> Any:
        return jnp.tanh(x @ p["0.weight"] + p["0.bias"]) @ p["2.weight"] + p["2.bias"]

    def loss(p: Any, x: Any, y: Any) -> Any:
        return -jnp.take_along_axis(nn.log_softmax(outputs(p, x)), y[:, None], axis=1).mean()

    network = Network(Dense(4, 5), Tanh(), Dense(5, 3), loss=SoftmaxCrossEntropy())
    return from_jax(importlib.import_module("jax").jit(loss), network, outputs=outputs)


def _sklearn() -> object:
    perceptrons = importlib.import_module("sklearn.neural_network")
    return from_sklearn(perceptrons.MLPClassifier(hidden_layer_sizes=(5,), alpha=0), inputs=4, outputs=3)


HONEST = (
    *(_peer(peer) for peer in PEERS if peer.name != "jax"),  # it compiles each operation, which takes minutes
    Honest("refnn.targets.from_torch, of a Sequential", "torch", _torch, dict),
    Honest("refnn.targets.from_jax, compiled", "jax", _jax, dict),
    Honest("refnn.targets.from_sklearn, of an MLPClassifier", "sklearn", _sklearn, lambda: _numbers("sklearn")),
)
