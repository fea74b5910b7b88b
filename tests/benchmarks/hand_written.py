"""What somebody writes who needs one network and its gradient: straightforward NumPy, with a stable log-sum-exp."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

import refnn
from refnn.arrays import FloatArray, IntArray

LossAndGradient = Callable[[FloatArray, FloatArray, IntArray], tuple[float, FloatArray]]


def network(widths: tuple[int, ...]) -> refnn.Network:
    """Dense layers with tanh between them, and softmax cross-entropy."""
    layers: list[refnn.Layer] = []
    for inputs, outputs in pairwise(widths):
        layers += [refnn.Dense(inputs, outputs), refnn.Tanh()]
    return refnn.Network(*layers[:-1], loss=refnn.SoftmaxCrossEntropy())


def hand_written(widths: tuple[int, ...]) -> LossAndGradient:
    """The loss and gradient of that network, by hand and without any check of the arguments."""
    shapes = list(pairwise(widths))

    def loss_and_gradient(w: FloatArray, x: FloatArray, y: IntArray) -> tuple[float, FloatArray]:
        parameters, start = [], 0
        for inputs, outputs in shapes:
            weight = w[start : start + inputs * outputs].reshape(inputs, outputs)
            start += inputs * outputs
            parameters.append((weight, w[start : start + outputs]))
            start += outputs

        h = [x]
        for weight, bias in parameters[:-1]:
            h.append(np.tanh(h[-1] @ weight + bias))
        weight, bias = parameters[-1]
        z = h[-1] @ weight + bias

        n = np.arange(len(y))
        z = z - z.max(axis=1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - z[n, y]).mean()

        delta = e / total
        delta[n, y] -= 1
        delta /= len(y)
        gradients: list[FloatArray] = []
        for k in reversed(range(len(parameters))):
            gradients[:0] = [(h[k].T @ delta).ravel(), delta.sum(axis=0)]
            if k:
                delta = (delta @ parameters[k][0].T) * (1 - h[k] ** 2)
        return float(loss), np.concatenate(gradients)

    return loss_and_gradient
