"""refnn: a reference implementation of the feed-forward neural network, to hold other implementations against.

Every name below is loaded when it is first used, so that ``import refnn`` costs little beyond ``import numpy``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refnn import activations, arrays, datasets, losses, storage, testing, witnesses
    from refnn.activations import (
        ELU,
        GELU,
        Activation,
        GELUTanh,
        Identity,
        LeakyReLU,
        ReLU,
        Sigmoid,
        SiLU,
        Softplus,
        Tanh,
    )
    from refnn.descent import (
        Batches,
        FullBatch,
        MiniBatch,
        SingleSample,
        Step,
        descend,
    )
    from refnn.errors import (
        DataError,
        DivergenceError,
        DTypeError,
        MissingExtraError,
        NonFiniteError,
        RefnnError,
        SettingError,
        ShapeError,
        TargetError,
        UnsupportedOperationError,
    )
    from refnn.layers import Dense, Layer, glorot, he, zeros
    from refnn.losses import BinaryCrossEntropy, Huber, InnerProduct, Loss, SoftmaxCrossEntropy, SquaredError, softmax
    from refnn.network import Evaluation, Network
    from refnn.rules import GradientDescent, Rule
    from refnn.training import History, fit

__version__ = "0.1.0"

_HOME = {
    "activations": "ELU GELU Activation GELUTanh Identity LeakyReLU ReLU SiLU Sigmoid Softplus Tanh",
    "descent": "Batches FullBatch MiniBatch SingleSample Step descend",
    "errors": "DTypeError DataError DivergenceError MissingExtraError NonFiniteError RefnnError SettingError "
    "ShapeError TargetError UnsupportedOperationError",
    "layers": "Dense Layer glorot he zeros",
    "losses": "BinaryCrossEntropy Huber InnerProduct Loss SoftmaxCrossEntropy SquaredError softmax",
    "network": "Evaluation Network",
    "rules": "GradientDescent Rule",
    "training": "History fit",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}
_MODULES = ("activations", "arrays", "datasets", "losses", "storage", "testing", "witnesses")

__all__ = [
    "ELU",
    "GELU",
    "Activation",
    "Batches",
    "BinaryCrossEntropy",
    "DTypeError",
    "DataError",
    "Dense",
    "DivergenceError",
    "Evaluation",
    "FullBatch",
    "GELUTanh",
    "GradientDescent",
    "History",
    "Huber",
    "Identity",
    "InnerProduct",
    "Layer",
    "LeakyReLU",
    "Loss",
    "MiniBatch",
    "MissingExtraError",
    "Network",
    "NonFiniteError",
    "ReLU",
    "RefnnError",
    "Rule",
    "SettingError",
    "ShapeError",
    "SiLU",
    "Sigmoid",
    "SingleSample",
    "SoftmaxCrossEntropy",
    "Softplus",
    "SquaredError",
    "Step",
    "Tanh",
    "TargetError",
    "UnsupportedOperationError",
    "activations",
    "arrays",
    "datasets",
    "descend",
    "fit",
    "glorot",
    "he",
    "losses",
    "softmax",
    "storage",
    "testing",
    "witnesses",
    "zeros",
]


def __getattr__(name: str) -> object:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"refnn.{_MODULE_OF[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"refnn.{name}")
    raise AttributeError(f"module 'refnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
