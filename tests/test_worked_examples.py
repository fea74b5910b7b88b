"""Published examples of backpropagation by hand, to every digit that was printed.

A printed number with n digits after the point is reproduced if rounding to n digits gives it.

References
----------
.. [1] Matt Mazur, "A Step by Step Backpropagation Example", 17 March 2015,
   https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/. Two inputs, two hidden and two output
   units, all logistic; squared error; learning rate 0.5; the biases of a layer are equal and are not updated. (The
   error that the page prints after the update, 0.291027924, is not what its own weights give: that is 0.291027774.)
.. [2] Han, Kamber, "Data Mining: Concepts and Techniques", 2nd ed. 2006, example 6.9 (3rd ed. 2012, example 9.1): the
   tables of net input and output, of the error at each node, and of the updated weights and biases. Three inputs, two
   hidden units, one output, all logistic; learning rate 0.9.
.. [3] Rashid, "Make Your Own Neural Network", 2016, "Weight Update Worked Example", in the corrected edition. One
   output unit with the hidden outputs 0.4 and 0.5, the weights 2 and 3, the error 1.5; learning rate 0.1.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from refnn.activations import Sigmoid
from refnn.arrays import FloatArray
from refnn.layers import Dense
from refnn.losses import InnerProduct, SquaredError
from refnn.network import Network
from refnn.rules import GradientDescent


def prints_as(value: Any, printed: str) -> bool:
    """Whether `value`, rounded to as many digits as were printed, is what was printed."""
    return Decimal(float(value)).quantize(Decimal(printed)) == Decimal(printed)


def test_the_comparison_can_fail() -> None:
    assert prints_as(0.1235000001, "0.124")
    assert prints_as(0.35, "0.350")
    assert not prints_as(0.1234999999, "0.124")
    assert not prints_as(0.1311690, "0.1311")


# ------------------------------------------------------------------------------------------------------------- Mazur


def mazur() -> tuple[Network, FloatArray, list[list[float]], list[list[float]]]:
    network = Network(Dense(2, 2), Sigmoid(), Dense(2, 2), Sigmoid(), loss=SquaredError())
    w = network.pack(
        {
            "0.weight": [[0.15, 0.25], [0.20, 0.30]],
            "0.bias": [0.35, 0.35],
            "2.weight": [[0.40, 0.50], [0.45, 0.55]],
            "2.bias": [0.60, 0.60],
        }
    )
    return network, w, [[0.05, 0.10]], [[0.01, 0.99]]


def test_mazur_forward() -> None:
    network, w, x, y = mazur()
    hidden_net, hidden, output_net, outputs = network.forward(network.parameters(w), np.array(x))[1:]
    assert prints_as(hidden_net[0, 0], "0.3775")
    assert prints_as(hidden[0, 0], "0.593269992")
    assert prints_as(hidden[0, 1], "0.596884378")
    assert prints_as(output_net[0, 0], "1.105905967")
    assert prints_as(outputs[0, 0], "0.75136507")
    assert prints_as(outputs[0, 1], "0.772928465")
    assert prints_as(network.loss(w, x, y), "0.298371109")


def test_mazur_gradient() -> None:
    network, w, x, y = mazur()
    gradient = network.unpack(network.loss_and_gradient(w, x, y)[1])
    assert prints_as(gradient["2.weight"][0, 0], "0.082167041")
    assert prints_as(gradient["0.weight"][0, 0], "0.000438568")
    assert prints_as(gradient["2.bias"][0], "0.138498562")  # which the page calls the delta of the first output


def test_mazur_update() -> None:
    network, w, x, y = mazur()
    _, gradient = network.loss_and_gradient(w, x, y)
    _, after = GradientDescent().step(None, w, gradient, 0.5)
    new = network.unpack(after)
    printed = {
        "0.weight": [["0.149780716", "0.24975114"], ["0.19956143", "0.29950229"]],
        "2.weight": [["0.35891648", "0.511301270"], ["0.408666186", "0.561370121"]],
    }
    for parameter, rows in printed.items():
        for index in np.ndindex(2, 2):
            assert prints_as(new[parameter][index], rows[index[0]][index[1]])


# ------------------------------------------------------------------------------------------------------ Han and Kamber


def han_kamber() -> tuple[Network, FloatArray, list[list[float]], list[list[float]]]:
    network = Network(Dense(3, 2), Sigmoid(), Dense(2, 1), Sigmoid(), loss=SquaredError())
    w = network.pack(
        {
            "0.weight": [[0.2, -0.3], [0.4, 0.1], [-0.5, 0.2]],
            "0.bias": [-0.4, 0.2],
            "2.weight": [[-0.3], [-0.2]],
            "2.bias": [0.1],
        }
    )
    return network, w, [[1.0, 0.0, 1.0]], [[1.0]]


def test_han_kamber_forward() -> None:
    network, w, x, _ = han_kamber()
    hidden_net, hidden, output_net, outputs = network.forward(network.parameters(w), np.array(x))[1:]
    for value, printed in [
        (hidden_net[0, 0], "-0.7"),
        (hidden_net[0, 1], "0.1"),
        (output_net[0, 0], "-0.105"),
        (hidden[0, 0], "0.332"),
        (hidden[0, 1], "0.525"),
        (outputs[0, 0], "0.474"),
    ]:
        assert prints_as(value, printed)


def test_han_kamber_errors_of_the_units() -> None:
    network, w, x, y = han_kamber()
    gradient = network.unpack(network.loss_and_gradient(w, x, y)[1])
    # the book's error of a unit is −∂L/∂net, and ∂net/∂bias is 1
    assert prints_as(-gradient["0.bias"][0], "-0.0087")
    assert prints_as(-gradient["0.bias"][1], "-0.0065")
    # that of the output unit it computes from the rounded output 0.474
    last = Network(Sigmoid(), loss=SquaredError())
    rounded = last.evaluate(np.zeros(0), [[math.log(0.474 / (1 - 0.474))]], y)
    assert prints_as(-rounded.input_gradient[0, 0], "0.1311")


def test_han_kamber_update() -> None:
    network, w, x, y = han_kamber()
    _, gradient = network.loss_and_gradient(w, x, y)
    _, after = GradientDescent().step(None, w, gradient, 0.9)
    printed = ["0.192", "-0.306", "0.4", "0.1", "-0.508", "0.194", "-0.408", "0.194", "-0.261", "-0.138", "0.218"]
    assert len(printed) == network.size
    for value, text in zip(after.tolist(), printed, strict=True):
        assert prints_as(value, text)


# -------------------------------------------------------------------------------------------------------------- Rashid


def test_rashid_weight_update() -> None:
    # the error t − o = 1.5 is given, not computed: so the cotangent of the output is −1.5
    network = Network(Dense(2, 1), Sigmoid(), loss=InnerProduct())
    w = network.pack({"0.weight": [[2.0], [3.0]], "0.bias": [0.0]})
    x, y = [[0.4, 0.5]], [-1.5]
    net, output = network.forward(network.parameters(w), np.array(x))[1:]
    assert prints_as(net[0, 0], "2.3")
    assert prints_as(output[0, 0], "0.909")
    _, gradient = network.loss_and_gradient(w, x, y)
    assert prints_as(gradient[0], "-0.04969")
    _, after = GradientDescent().step(None, w, gradient, 0.1)
    assert prints_as(after[0], "2.005")


@pytest.mark.parametrize("name", ["mazur", "han_kamber"])
def test_printed_digits_tell_a_wrong_gradient(name: str) -> None:
    network, w, x, y = mazur() if name == "mazur" else han_kamber()
    _, gradient = network.loss_and_gradient(w, x, y)
    wrong = network.unpack(w - 0.9 * 1.5 * gradient)["0.weight"][0, 0]
    assert not prints_as(wrong, "0.192")
    assert not prints_as(wrong, "0.149780716")
