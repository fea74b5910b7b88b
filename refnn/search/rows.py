"""The table of faults that were found in real code, and where each of them shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

__all__ = ["ROWS", "Row"]


class Row(NamedTuple):
    """A row of the table of faults that were found in real code.

    Attributes
    ----------
    id, what, source
        As the table has them.
    shows
        In which fields, on what smallest network and of how many samples, if not of one; or after how many steps.
    reason
        What else is needed to see it; empty where one evaluation shows it.
    """

    id: str
    what: str
    source: str
    shows: str
    reason: str


_EVALUATED = """
L1 | loss averaged over outputs, gradient not | scikit-learn #8349 | loss: Dense(1, 2)
L3 | 1/n missing in the batch gradient | ML-From-Scratch #38, #124; handson-ml #73; jax PR #3113 \
| gradient: Dense(1, 1), two samples
L3c | factor 2 or ½ of the squared error | 42-AI bootcamp #20 | loss, gradient: Dense(1, 1)
L4 | sum averaged across workers | ipex-llm #2079 | gradient: Dense(1, 1), two samples
L5 | mean of batch means with unequal batches | transformers PR #34191 | loss, gradient: Dense(1, 1), three samples
L7 | mean divides by all elements instead of samples | pytorch #2259 | loss, gradient: Dense(1, 2)
L10 | label smoothing ε/(C − 1) instead of ε/C | fastai PR #1814 | loss, gradient: Dense(1, 2)
L12 | log-probability term dropped from the gradient | pytorch #64163 | gradient: Dense(1, 2)
L13 | backward ignores the incoming cotangent | pytorch #94226 | input_gradient: Tanh()
L17 | Huber: wrong β, discontinuous | mlx PR #1986; pytorch PR #17447 | loss, gradient: Dense(1, 1)
L18 | loss clipped, gradient not; softmax overflow gives NaN | Theano #3162; NNlib #68 | loss: Dense(1, 2), large w
A1 | relu′(0) = 1 | TF playground #19 | input_gradient: ReLU() at 0
A2 | ties of max get (1, 1) | Theano #4568 | input_gradient: LeakyReLU() at 0
A3 | softplus′(0) = 0 | jax #2107 | input_gradient: Softplus() at 0
A5 | tanh derivative wrong | tt-metal #55349 | input_gradient: Tanh()
A7 | overflow gives a zero gradient (softplus) | tt-metal PR #56397 | input_gradient: Softplus() at 1000
A8 | approximate GELU forward with exact-GELU gradient | TensorFlow #47724 | input_gradient: GELUTanh()
A10 | softmax Jacobian: diagonal only | NNlib PR #194 | gradient: Dense(1, 2)
G1 | broadcast not summed back (bias gradient) | burn #181; HIPS autograd #376 | 0.bias: Dense(1, 1), two samples
G2 | a value used twice counted once, or twice over | cTensor #5; neon #169 | input_gradient: SiLU()
G4 | equal constants aliased, gradient doubled | tinygrad #9597 | 0.bias: Dense(1, 2) with equal biases
G5 | overwritten instead of accumulated | candle PR #3507; llm.c PR #408 | 0.weight, 0.bias: Dense(1, 1), two samples
G7 | a layer records no backward, parameters frozen | candle #2168, PR #3823 | gradient: Dense(1, 1), Tanh()
G10 | mean over an axis without 1/n | shumai #74 | gradient: Dense(1, 2), reduction="elements"
G11 | sign wrong | HIPS autograd PR #412 | gradient: Dense(1, 1)
"""
"""What one evaluation shows, and where: the field, and the smallest network."""

_UPDATED = """
O1 | Adam ε scaled by the bias correction | pytorch #2060; keras #17391; optax #571 | 1
O2 | bias correction multiplies instead of divides | convnetjs PR #70 | 1
O3 | β not raised to the power t | ML-From-Scratch #35 | 2
O4 | no bias correction | mlx-rs #301 | 1
O6 | moments never kept between steps | rust-autograd #16 | 2
O8 | squares the weights instead of the gradients | yizt/numpy_neural_network #6 | 1
O9 | RMSProp ε inside or outside the root | pytorch #23796; optax #532 | 1
O10 | Adagrad adds instead of subtracts | Paddle #4184 | 1
O11 | AMSGrad max before or after correction | pytorch #142323; optax #1423 | 2
O12 | AdamW silently Adam + L2 | keras #19051 | 1
O14 | decay applied to the wrong variable | mlverse/torch #821 | 1
O16 | decay has no effect | mlx PR #473 | 1
O17 | decay coupled to the learning rate or not | apex #1849 | 1
O18 | Nesterov form or sign | mxnet #15543; torch/optim #27 | 2
O19 | dampening on the first step | pytorch PR #152833 | 1
O24 | clipping per parameter instead of global | dynet #1374 | 1
"""
"""What update rules do, and after how many steps it shows in the parameters of Dense(1, 1)."""


def _rows(table: str) -> Iterator[list[str]]:
    return (line.split(" | ") for line in table.strip().splitlines())


ROWS: Mapping[str, Row] = {
    **{row[0]: Row._make([*row, ""]) for row in _rows(_EVALUATED)},
    **{
        id_: Row(id_, what, source, f"parameters: Dense(1, 1), steps: {steps}", "a check of steps")
        for id_, what, source, steps in _rows(_UPDATED)
    },
}
"""Every row of the field's table of faults, in its order."""
