"""PyTorch on the CPU, op by op, as its users write it: `torch.nn.functional` and autograd."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from refnn import Network, activations, losses
from refnn.arrays import FloatArray
from tests.peers.peer import (
    FORMATS,
    ActivationRules,
    Format,
    LossRules,
    Peer,
    Raw,
    forward,
    knows,
    parameters_of,
    scaled,
)


def _torch() -> Any:
    return importlib.import_module("torch")


def _functional() -> Any:
    return importlib.import_module("torch.nn.functional")


ACTIVATIONS: ActivationRules = {
    activations.Identity: lambda f, z: z,
    activations.Sigmoid: lambda f, z: _torch().sigmoid(z),
    activations.Tanh: lambda f, z: _torch().tanh(z),
    activations.ReLU: lambda f, z: _functional().relu(z),
    activations.LeakyReLU: lambda f, z: _functional().leaky_relu(z, f.slope),
    activations.ELU: lambda f, z: _functional().elu(z, f.alpha),
    activations.Softplus: lambda f, z: _functional().softplus(z),
    activations.SiLU: lambda f, z: _functional().silu(z),
    activations.GELU: lambda f, z: _functional().gelu(z),
    activations.GELUTanh: lambda f, z: _functional().gelu(z, approximate="tanh"),
}


def _reduced(loss: losses.Loss, function: Callable[..., Any], z: Any, y: Any, **settings: Any) -> Any:
    """With torch's own reductions, which are two of the three."""
    if loss.reduction == "mean":
        return function(z, y, reduction="none", **settings).sum(dim=1).mean()
    return function(z, y, reduction="sum" if loss.reduction == "sum" else "mean", **settings)


def _cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    """Torch's "mean" is over the weights of the targets, if these are classes, else over the samples."""
    samples, outputs = z.shape
    weight = None if loss.class_weights is None else _torch().tensor(loss.class_weights, dtype=z.dtype)
    own = loss.reduction == ("weights" if y.ndim == 1 and weight is not None else "mean")
    settings = {"weight": weight, "label_smoothing": float(loss.label_smoothing)}
    value = _functional().cross_entropy(z, y, reduction="mean" if own else "sum", **settings)
    if own or loss.reduction == "sum":
        return value
    if loss.reduction == "weights" and weight is not None:
        return value / (y @ weight).sum()
    return value / (samples * outputs if loss.reduction == "elements" else samples)


LOSSES: LossRules = {
    losses.SquaredError: lambda f, z, y: _reduced(f, _functional().mse_loss, z, y) / 2,
    losses.SoftmaxCrossEntropy: _cross_entropy,
    losses.BinaryCrossEntropy: lambda f, z, y: _reduced(f, _functional().binary_cross_entropy_with_logits, z, y),
    losses.Huber: lambda f, z, y: _reduced(f, _functional().huber_loss, z, y, delta=f.delta),
    losses.InnerProduct: lambda f, z, y: (
        (z * y).sum() if f.reduction == "sum" else (z * y).sum() / (len(z) if f.reduction == "mean" else z.numel())
    ),
}


def _compute(network: Network, w: FloatArray, x: FloatArray, y: np.ndarray, dtype: Format) -> Raw:
    torch = _torch()
    own = getattr(torch, dtype)

    def tensor(array: np.ndarray) -> Any:
        return torch.tensor(np.ascontiguousarray(array), dtype=own)

    parameters = [tensor(p.T).requires_grad_() for p in parameters_of(network, w)]  # its weights are (outputs, inputs)
    samples = tensor(x).requires_grad_()
    z = forward(network, parameters, samples, ACTIVATIONS, _functional().linear)
    loss = network.loss_function
    targets = torch.tensor(y) if y.dtype.kind in "iu" else tensor(y)
    value = scaled(loss, LOSSES[type(loss)](loss, z, targets))
    gradients = torch.autograd.grad(value, [*parameters, samples])
    *of_parameters, of_x = (g.double().numpy() for g in gradients)
    return Raw(z.detach().double().numpy(), value.detach().double().numpy(), (g.T for g in of_parameters), of_x)


PEERS = (Peer("torch", "torch", FORMATS, lambda network: knows(network, ACTIVATIONS, LOSSES), _compute),)
