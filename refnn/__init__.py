"""refnn: a reference implementation of the feed-forward neural network, to hold other implementations against.

Every name below is loaded when it is first used, so that ``import refnn`` costs little beyond ``import numpy``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refnn import activations, arrays, datasets, losses, oracle, rules, schedules, storage, testing, witnesses
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
    from refnn.arithmetic.precision import Precision
    from refnn.descent import (
        Batches,
        FullBatch,
        MiniBatch,
        SingleSample,
        Step,
        descend,
    )
    from refnn.errors import (
        BrokenTargetError,
        DataError,
        DivergenceError,
        DTypeError,
        MissingExtraError,
        NonFiniteError,
        RefnnError,
        SettingError,
        ShapeError,
        TargetError,
        UndecidedError,
        Unsupported,
        UnsupportedOperationError,
    )
    from refnn.layers import Dense, Layer, glorot, he, zeros
    from refnn.losses import BinaryCrossEntropy, Huber, InnerProduct, Loss, SoftmaxCrossEntropy, SquaredError, softmax
    from refnn.network import Evaluation, Network
    from refnn.oracle import SEMANTICS
    from refnn.oracle.budget import Block, Tolerance, Tolerances, tolerance
    from refnn.oracle.certificate import Certificate, Certified, certified_learning_rate
    from refnn.oracle.comparison import Compared, Comparison, Element, compare
    from refnn.oracle.truth import (
        Exact,
        Truth,
        exact,
        exact_derivative,
        exact_hessian_vector_product,
        exact_loss,
        exact_update,
    )
    from refnn.rules import (
        Adadelta,
        Adagrad,
        Adam,
        Adamax,
        Clipped,
        Decayed,
        GradientDescent,
        Lion,
        Momentum,
        RMSProp,
        Rule,
    )
    from refnn.search import targets
    from refnn.search.checking import check
    from refnn.search.report import Report
    from refnn.search.target import Layout
    from refnn.training import History, fit

__version__ = "0.1.0"

_HOME = {
    "activations": "ELU GELU Activation GELUTanh Identity LeakyReLU ReLU SiLU Sigmoid Softplus Tanh",
    "arithmetic.precision": "Precision",
    "descent": "Batches FullBatch MiniBatch SingleSample Step descend",
    "errors": "BrokenTargetError DTypeError DataError DivergenceError MissingExtraError NonFiniteError RefnnError "
    "SettingError ShapeError TargetError UndecidedError Unsupported UnsupportedOperationError",
    "layers": "Dense Layer glorot he zeros",
    "losses": "BinaryCrossEntropy Huber InnerProduct Loss SoftmaxCrossEntropy SquaredError softmax",
    "network": "Evaluation Network",
    "oracle": "SEMANTICS",
    "oracle.budget": "Block Tolerance Tolerances tolerance",
    "oracle.certificate": "Certificate Certified certified_learning_rate",
    "oracle.comparison": "Compared Comparison Element compare",
    "oracle.truth": "Exact Truth exact exact_derivative exact_hessian_vector_product exact_loss exact_update",
    "rules": "Adadelta Adagrad Adam Adamax Clipped Decayed GradientDescent Lion Momentum RMSProp Rule",
    "search.checking": "check",
    "search.report": "Report",
    "search.target": "Layout",
    "training": "History fit",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}
_MODULES = {
    **{
        name: name
        for name in (
            "activations",
            "arrays",
            "datasets",
            "losses",
            "oracle",
            "rules",
            "schedules",
            "storage",
            "testing",
            "witnesses",
        )
    },
    "targets": "search.targets",
}

__all__ = [
    "ELU",
    "GELU",
    "SEMANTICS",
    "Activation",
    "Adadelta",
    "Adagrad",
    "Adam",
    "Adamax",
    "Batches",
    "BinaryCrossEntropy",
    "Block",
    "BrokenTargetError",
    "Certificate",
    "Certified",
    "Clipped",
    "Compared",
    "Comparison",
    "DTypeError",
    "DataError",
    "Decayed",
    "Dense",
    "DivergenceError",
    "Element",
    "Evaluation",
    "Exact",
    "FullBatch",
    "GELUTanh",
    "GradientDescent",
    "History",
    "Huber",
    "Identity",
    "InnerProduct",
    "Layer",
    "Layout",
    "LeakyReLU",
    "Lion",
    "Loss",
    "MiniBatch",
    "MissingExtraError",
    "Momentum",
    "Network",
    "NonFiniteError",
    "Precision",
    "RMSProp",
    "ReLU",
    "RefnnError",
    "Report",
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
    "Tolerance",
    "Tolerances",
    "Truth",
    "UndecidedError",
    "Unsupported",
    "UnsupportedOperationError",
    "activations",
    "arrays",
    "certified_learning_rate",
    "check",
    "compare",
    "datasets",
    "descend",
    "exact",
    "exact_derivative",
    "exact_hessian_vector_product",
    "exact_loss",
    "exact_update",
    "fit",
    "glorot",
    "he",
    "losses",
    "oracle",
    "rules",
    "schedules",
    "softmax",
    "storage",
    "targets",
    "testing",
    "tolerance",
    "witnesses",
    "zeros",
]


def __getattr__(name: str) -> object:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"refnn.{_MODULE_OF[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"refnn.{_MODULES[name]}")
    raise AttributeError(f"module 'refnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
