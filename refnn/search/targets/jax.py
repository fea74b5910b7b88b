"""Functions of JAX as targets: a loss of parameters and a batch, differentiated by JAX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from refnn.arrays import FloatArray, IntArray
from refnn.checks import instance, shown
from refnn.errors import SettingError, Unsupported
from refnn.network import Network
from refnn.search.targets.libraries import library

__all__ = ["JaxTarget", "from_jax"]


def _jax() -> Any:
    return library("jax", "jax", "0.8", "a target made of a function of JAX")


@final
@dataclass(frozen=True, slots=True, eq=False)
class JaxTarget:
    """A function of JAX as a target; made by `from_jax`.

    Parameters
    ----------
    network
        The network that the function claims to be; it answers for no other.
    loss_function, outputs, tree
        As for `from_jax`; the tree has the names of parameters for leaves.
    """

    network: Network
    loss_function: Callable[..., Any] = field(repr=False)
    outputs: Callable[..., Any] | None = field(repr=False)
    tree: Any = field(repr=False)

    @property
    def networks(self) -> Network:
        """The one network that it can be asked about, for `refnn.check`."""
        return self.network

    def __call__(self, network: Network, w: FloatArray, x: FloatArray, y: FloatArray | IntArray) -> dict[str, Any]:
        """Loss, gradient and input gradient, and the outputs if there is a function for them; in the dtype of w.

        Raises
        ------
        refnn.Unsupported
            If it is another network.
        """
        if network != self.network:
            raise Unsupported("another network than the function's own")
        jax = _jax()
        with jax.enable_x64(w.dtype == np.float64):  # else it takes float64 for float32
            arrays = {name: jax.numpy.asarray(part) for name, part in network.unpack(w).items()}
            parameters = jax.tree_util.tree_map(arrays.__getitem__, self.tree)
            samples = jax.numpy.asarray(x)
            targets = jax.numpy.asarray(y if y.dtype.kind in "iu" else y.reshape(len(x), -1))
            value, (gradients, of_x) = jax.value_and_grad(self.loss_function, (0, 1))(parameters, samples, targets)
            names, parts = map(jax.tree_util.tree_leaves, (self.tree, gradients))
            answer = {
                "loss": np.asarray(value),
                "gradient": dict(zip(names, map(np.asarray, parts), strict=True)),
                "input_gradient": np.asarray(of_x),
            }
            if self.outputs is not None:
                answer["outputs"] = np.asarray(self.outputs(parameters, samples))
        return answer


def from_jax(
    loss_function: Callable[..., Any],
    network: Network,
    *,
    tree: Any = None,
    outputs: Callable[..., Any] | None = None,
) -> JaxTarget:
    """A target from a function of JAX.

    Parameters
    ----------
    loss_function
        A function of (parameters, x, y) that returns the loss; compiled by ``jax.jit`` or not. Targets are integers
        (N,) if they are classes, else rows (N, outputs).
    network
        The network that it claims to compute, with its loss.
    tree
        The tree of the parameters, with their names in `network` for leaves; unless it is given, a dict of these names.
        A weight is (inputs, outputs).
    outputs
        A function of (parameters, x) that returns what the last layer gives, (N, outputs).

    Returns
    -------
    JaxTarget

    Raises
    ------
    SettingError
        If what should be a function or network is none, or a name stands in the tree not at all, twice, or for nothing.
    MissingExtraError
        If JAX is not installed, or older than 0.8.

    Examples
    --------
    A list of layers, each a dict with names of its own::

        target = from_jax(loss_function, network, tree=[{"w": "0.weight", "b": "0.bias"}])
    """
    jax = _jax()
    for name, function in (("loss_function", loss_function), ("outputs", outputs or loss_function)):
        if not callable(function):
            raise SettingError(f"{name} is {shown(function)}", "it is called", "Pass a function of JAX arrays")
    instance("network", network, ("layers", "loss_function", "names"), "Pass the refnn.Network that it claims to be")
    names = list(network.names())
    tree = {name: name for name in names} if tree is None else tree
    leaves = jax.tree_util.tree_leaves(tree)
    if Counter(map(str, leaves)) != Counter(names):
        raise SettingError(
            f"the leaves of tree are {', '.join(map(shown, leaves)) or 'none'}",
            f"the parameters of the network are {', '.join(names) or 'none'}",
            "Put each of these names into the tree once, as text where its array stands",
        )
    return JaxTarget(network, loss_function, outputs, tree)
