"""The loss along each coordinate of w and of x, in any arithmetic, at a cost that uses the structure of the network.

The three witnesses that move one number at a time (by a small step, an imaginary step, a tangent) ask the same
question: what is L(w + t·eₖ), for each k? The answer uses forward passes only. Changing w[i, j] of a dense layer moves
only column j of its output, by t·x[:, i]; an activation behind it moves that column only; and the next dense layer
adds the moved column times one row of its weight. All i of one column are evaluated together, as more rows. Changing
x[n, i] moves sample n only, so that all samples are moved at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from refnn.activations import Activation
from refnn.arrays import A, FloatArray, constant, join, reshape, row_sums, rows
from refnn.layers import Dense
from refnn.network import Evaluation, Network

__all__ = ["along_each", "in_double"]


def in_double(network: Network, w: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A checked batch, widened exactly to float64, in which every witness computes."""
    checked_w, checked_x = network.check(w, x)
    labels = network.check_targets(checked_w, checked_x, y)
    return checked_w.astype(np.float64), checked_x.astype(np.float64), labels.astype(np.float64)


def along_each(network: Network, w: FloatArray, x: FloatArray, labels: FloatArray, step: A) -> Evaluation[A, A]:
    """The loss with one number moved by `step`.

    Parameters
    ----------
    network, w, x, labels
        A network and a batch that it has checked.
    step : ()
        What is added to one number at a time; its arithmetic is that of the computation.

    Returns
    -------
    Evaluation
        ``outputs`` and ``loss``, unmoved; ``gradient`` (P,): L(w + step·eₖ) for each k; ``input_gradient`` (N, inputs):
        the share of sample n in L, with x[n, i] moved.
    """
    p = network.parameters(constant(step, w))
    h = network.forward(p, constant(step, x))
    moved: list[A] = []
    for k, layer in enumerate(network.layers):
        if isinstance(layer, Dense):
            moved += _along_dense(network, p, h, k, labels, step)
        else:
            moved += _along_any(network, p, h, k, labels, step)
    shares = [
        _shares(network, _forward_from(network, p, 0, h[0] + step * constant(step, row)), labels)
        for row in np.eye(x.shape[1], dtype=x.dtype)[:, np.newaxis, :]
    ]
    by_input = reshape(join(*shares), (x.shape[1], x.shape[0]))
    loss = network.loss_function.value(h[-1], labels)
    return Evaluation(h[-1], loss, join(*moved) if moved else constant(step, w), by_input.T)


def _forward_from(network: Network, p: list[tuple[A, ...]], k: int, z: A) -> A:
    """The outputs of the network, for rows `z` of inputs of layer k."""
    for layer, of_layer in zip(network.layers[k:], p[k:], strict=True):
        z = layer.forward(of_layer, z)
    return z


def _shares(network: Network, z: A, labels: FloatArray) -> A:
    """What each row of outputs contributes to the loss, as a column; rows go through the samples again and again."""
    loss = network.loss_function
    targets = loss.targets(z, labels)
    again = rows(targets, np.arange(z.shape[0]) % len(labels))
    return loss.scaled(row_sums(loss.terms(loss.prediction(z), again)), loss.divisor(targets, labels))


def _losses(network: Network, z: A, labels: FloatArray) -> A:
    """The loss of each batch, for the outputs of many batches one below the other, as a column."""
    shares = _shares(network, z, labels)
    samples = len(labels)
    return row_sums(reshape(shares, (z.shape[0] // samples, samples)))


def _along_dense(network: Network, p: list[Any], h: list[A], k: int, labels: FloatArray, step: A) -> list[A]:
    """L for each moved element of layer k's weight, row-major, and of its bias."""
    inputs, outputs = network.layers[k].shapes["weight"]
    samples = len(labels)
    moves = step * _below(h[k].T, constant(step, np.ones((1, samples))))  # a row for each input, and one for the bias
    behind = _next_dense(network, k + 1)
    columns = []
    for j in range(outputs):
        z = rows(h[k + 1].T, np.array([j]))
        column = z + moves
        if behind is None:
            unit = constant(step, np.eye(outputs)[[j]])
            z_all = _stacked(h[k + 1], inputs + 1) + _as_column(column - z) * unit
            out = _forward_from(network, p, k + 1, z_all)
        else:
            for layer in network.layers[k + 1 : behind]:
                column, z = layer.forward((), column), layer.forward((), z)
            z_all = _stacked(h[behind + 1], inputs + 1) + _as_column(column - z) * rows(p[behind][0], np.array([j]))
            out = _forward_from(network, p, behind + 1, z_all)
        columns.append(_losses(network, out, labels))
    by_input = reshape(join(*columns), (outputs, inputs + 1)).T
    return [rows(by_input, np.arange(inputs)), rows(by_input, np.array([inputs]))]


def _next_dense(network: Network, k: int) -> int | None:
    """The dense layer that follows from layer k on, if nothing but activations stands before it."""
    for m in range(k, len(network.layers)):
        if isinstance(network.layers[m], Dense):
            return m
        if not isinstance(network.layers[m], Activation):
            return None
    return None


def _along_any(network: Network, p: list[Any], h: list[A], k: int, labels: FloatArray, step: A) -> list[A]:
    """L for each moved element of each parameter of layer k, whatever layer it is, one after the other."""
    losses = []
    for place, parameter in enumerate(p[k]):
        for unit in np.eye(int(np.prod(parameter.shape))).reshape(-1, *parameter.shape):
            moved = (*p[k][:place], parameter + step * constant(step, unit), *p[k][place + 1 :])
            z = network.layers[k].forward(moved, h[k])
            losses.append(_losses(network, _forward_from(network, p, k + 1, z), labels))
    return losses


def _below(a: A, b: A) -> A:
    """The rows of `a`, and below them those of `b`."""
    return reshape(join(a, b), (a.shape[0] + b.shape[0], a.shape[1]))


def _stacked(z: A, times: int) -> A:
    """The rows of `z`, so many times over."""
    return rows(z, np.tile(np.arange(z.shape[0]), times))


def _as_column(z: A) -> A:
    """All elements, row-major, as a column."""
    return reshape(z, (z.shape[0] * z.shape[1], 1))
