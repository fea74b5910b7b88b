"""Programs by hand with faults that people make, chosen by somebody who had not seen the catalogue.

A fault is a line of a right program and what stands there instead: of two in Python, here, and of the one in C that is
beside the protocol. So are programs that are right, and written otherwise.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

import refnn
from refnn.search.report import Report
from refnn.search.rows import ROWS
from refnn.search.targets.command import Command
from refnn.testing import networks
from tests.project import PACKAGE

NUMPY = """
import numpy as np


def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


class Activation:
    def __init__(self, kind):
        self.kind = kind

    def forward(self, z):
        self.z = z
        match self.kind:
            case "Sigmoid":
                self.a = sigmoid(z)
            case "Tanh":
                self.a = np.tanh(z)
            case "ReLU":
                self.a = np.maximum(z, 0)
            case "LeakyReLU":
                self.a = np.where(z > 0, z, 0.01 * z)
            case "ELU":
                self.a = np.where(z > 0, z, 0.5 * np.expm1(z))
            case "Softplus":
                self.a = softplus(z)
            case "SiLU":
                self.a = z * sigmoid(z)
        return self.a

    def backward(self, delta):
        z, a = self.z, self.a
        match self.kind:
            case "Sigmoid":
                return delta * a * sigmoid(-z)
            case "Tanh":
                return delta / np.cosh(z) ** 2
            case "ReLU":
                return delta * (z > 0)
            case "LeakyReLU":
                return delta * np.where(z > 0, 1, 0.01)
            case "ELU":
                return delta * np.where(z > 0, 1, 0.5 * np.exp(z))
            case "Softplus":
                return delta * sigmoid(z)
            case "SiLU":
                return delta * (sigmoid(z) + a * sigmoid(-z))


class Linear:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def forward(self, x):
        self.x = x
        return x @ self.w + self.b

    def backward(self, delta):
        self.dw = self.x.T @ delta
        self.db = delta.sum(axis=0)
        return delta @ self.w.T


def cost(loss, z, y):
    n, classes = z.shape
    match type(loss).__name__:
        case "SquaredError":
            r = z - y
            total = 0.5 * np.sum(r**2)
            delta = r
        case "Huber":
            r, d = z - y, loss.delta
            total = np.sum(np.where(np.abs(r) <= d, 0.5 * r**2, d * (np.abs(r) - 0.5 * d)))
            delta = np.clip(r, -d, d)
        case "BinaryCrossEntropy":
            total = np.sum(y * softplus(-z) + (1 - y) * softplus(z))
            delta = sigmoid(z) - y
        case "SoftmaxCrossEntropy":
            eps = loss.label_smoothing
            q = (1 - eps) * y + eps / classes
            z = z - z.max(axis=1, keepdims=True)
            log_sum = np.log(np.exp(z).sum(axis=1, keepdims=True))
            total = np.sum(q * (log_sum - z))
            e = np.exp(z)
            delta = e / e.sum(axis=1, keepdims=True) - q
    return total / n, delta / n


def answer(network, w, x, y):
    stack, dense, start = [], [], 0
    for layer in network.layers:
        if type(layer).__name__ == "Dense":
            n, m = layer.inputs, layer.outputs
            weight = w[start : start + n * m].reshape(n, m)
            bias = w[start + n * m : start + (n + 1) * m]
            stack.append(Linear(weight, bias))
            dense.append(stack[-1])
            start += (n + 1) * m
        else:
            stack.append(Activation(type(layer).__name__))
    h = x
    for layer in stack:
        h = layer.forward(h)
    loss, delta = cost(network.loss_function, h, y)
    for layer in reversed(stack):
        delta = layer.backward(delta)
    gradient = np.concatenate([p.ravel() for layer in dense for p in (layer.dw, layer.db)])
    return {"outputs": h, "loss": loss, "gradient": gradient, "input_gradient": delta}
"""

TORCH = """
import math

import torch
from torch.nn import functional as F


class Rectified(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z.clamp(min=0)

    @staticmethod
    def backward(ctx, grad_output):
        (z,) = ctx.saved_tensors
        return grad_output * (z > 0)


class Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return F.gelu(z)

    @staticmethod
    def backward(ctx, grad_output):
        (z,) = ctx.saved_tensors
        density = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        return grad_output * (0.5 * torch.erfc(-z / math.sqrt(2)) + z * density)


ACTIVATIONS = {"Tanh": torch.tanh, "Sigmoid": torch.sigmoid, "ReLU": Rectified.apply, "GELU": Gelu.apply}
MODELS = {}


def model_of(network):
    if repr(network) not in MODELS:
        made = [torch.nn.Linear(d.inputs, d.outputs, dtype=torch.float64) for d in network.layers[::2]]
        MODELS[repr(network)] = torch.nn.ModuleList(made)
    return MODELS[repr(network)]


def criterion(network, z, y):
    if type(network.loss_function).__name__ == "SoftmaxCrossEntropy":
        return F.cross_entropy(z, y)
    return 0.5 * F.mse_loss(z, y, reduction="sum") / len(z)


def forward(network, weights, biases, x):
    h = x
    for k, (weight, bias) in enumerate(zip(weights, biases)):
        if k > 0:
            f = ACTIVATIONS[type(network.layers[2 * k - 1]).__name__]
            h = f(h)
        h = F.linear(h, weight, bias)
    return h


def answer(network, w, x, y):
    model = model_of(network)
    start = 0
    with torch.no_grad():
        for layer in model:
            n, m = layer.in_features, layer.out_features
            layer.weight.copy_(torch.tensor(w[start : start + n * m].reshape(n, m).T))
            layer.bias.copy_(torch.tensor(w[start + n * m : start + (n + 1) * m]))
            start += (n + 1) * m
    model.zero_grad()
    inputs = torch.tensor(x, requires_grad=True)
    outputs = forward(network, [layer.weight for layer in model], [layer.bias for layer in model], inputs)
    loss = criterion(network, outputs, torch.tensor(y))
    loss.backward()
    gradient = {}
    for k, layer in enumerate(model):
        for part, p in (("weight", layer.weight), ("bias", layer.bias)):
            gradient[f"{2 * k}.{part}"] = (torch.zeros_like(p) if p.grad is None else p.grad.clone()).t().numpy()
    given = (torch.zeros_like(inputs) if inputs.grad is None else inputs.grad).numpy()
    return {"outputs": outputs.detach().numpy(), "loss": loss.item(), "gradient": gradient, "input_gradient": given}
"""

C = PACKAGE / "search" / "protocol" / "refnn_target.c"


@dataclass(frozen=True)
class Blind:
    """A program in a language, in which one line is another."""

    language: Literal["numpy", "torch", "c"]
    what: str
    named: tuple[str, ...] = ()
    """What a good diagnosis says: the id of a row of the field, or words (with those of the catalogue for the very same
    fault, where it came to have it); nothing if the program is right."""
    right: str = ""
    wrong: str = ""
    """The line, and what stands there instead."""

    @property
    def text(self) -> str:
        """The whole program."""
        text = {"numpy": NUMPY, "torch": TORCH}.get(self.language) or C.read_text(encoding="utf-8")
        assert not self.right or text.count(self.right) == 1, f"{self.right!r} is there {text.count(self.right)} times"
        return text.replace(self.right, self.wrong)

    @property
    def lacks(self) -> str:
        """What it needs that is not installed."""
        if self.language == "c":
            return "" if shutil.which("gcc") else "gcc"
        return "" if importlib.util.find_spec(self.language) else self.language


# a line of the program, and what stands there instead
SIGMOID = """    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)"""
SOFTPLUS = "np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))"
TANH_SLOPE = "delta / np.cosh(z) ** 2"
SOFTMAX_SLOPE = "delta = e / e.sum(axis=1, keepdims=True) - q"
WEIGHT_GRADIENT = "self.x.T @ delta"
CLIPPED = """p = np.clip(sigmoid(z), 1e-7, 1 - 1e-7)
            total = -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))"""
TWICE = """delta = e / e.sum(axis=1, keepdims=True)
            h = delta
            log_sum = np.log(np.exp(h).sum(axis=1, keepdims=True))
            total = np.sum(q * (log_sum - h))
            delta = np.exp(h - log_sum) - q
            delta = h * (delta - (delta * h).sum(axis=1, keepdims=True))"""

WRONG = (
    Blind(
        "numpy",
        "σ′ at its own value: the output goes into σ(z)(1 − σ(z))",
        ("unit/slope at the output",),
        "delta * a * sigmoid(-z)",
        "delta * sigmoid(a) * (1 - sigmoid(a))",
    ),
    Blind("numpy", "tanh′ is 1 − z²", ("A5",), TANH_SLOPE, "delta * (1 - z**2)"),
    Blind("numpy", "tanh′ is 1 − tanh(z)", ("A5",), TANH_SLOPE, "delta * (1 - a)"),
    Blind(
        "numpy",
        "softmax over the samples in the gradient",
        ("loss/over samples", "over the samples"),
        SOFTMAX_SLOPE,
        "delta = e / e.sum(axis=0, keepdims=True) - q",
    ),
    Blind(
        "numpy",
        "the last sample is left out of the weights' gradient",
        ("G5", "last sample"),
        WEIGHT_GRADIENT,
        "self.x[:-1].T @ delta[:-1]",
    ),
    Blind("numpy", "loss averaged over outputs, gradient not", ("L1",), "np.sum(r**2)", "np.mean(r**2) * n"),
    Blind(
        "numpy",
        "σ′ is multiplied into the gradient of cross-entropy with logits",
        ("loss/slope of the output",),
        "sigmoid(z) - y",
        "(sigmoid(z) - y) * sigmoid(z) * sigmoid(-z)",
    ),
    Blind(
        "numpy",
        "the probability is clipped in the loss, not in the gradient",
        ("L18",),
        "total = np.sum(y * softplus(-z) + (1 - y) * softplus(z))",
        CLIPPED,
    ),
    Blind(
        "numpy",
        "Huber without −δ/2 in its linear part",
        ("L17",),
        "d * (np.abs(r) - 0.5 * d)",
        "d * np.abs(r)",
    ),
    Blind(
        "numpy",
        "the slope of leaky ReLU is left out of the gradient",
        ("unit/slope of ReLU",),
        "np.where(z > 0, 1, 0.01)",
        "np.where(z > 0, 1, 0)",
    ),
    Blind("numpy", "ELU′ without α", ("unit/without α",), "1, 0.5 * np.exp(z)", "1, np.exp(z)"),
    Blind(
        "numpy",
        "a decay of the weights is in the gradient",
        ("decay",),
        WEIGHT_GRADIENT,
        "self.x.T @ delta + 1e-4 * self.w",
    ),
    Blind(
        "numpy",
        "the bias gradient is averaged though it was divided already",
        ("G1",),
        "delta.sum(axis=0)",
        "delta.mean(axis=0)",
    ),
    Blind(
        "numpy",
        "the largest logit is taken off in place, from the outputs too",
        ("largest",),
        "z = z - z.max(axis=1, keepdims=True)",
        "z -= z.max(axis=1, keepdims=True)",
    ),
    Blind("numpy", "ε/(C − 1) in label smoothing", ("L10",), "eps / classes", "eps / (classes - 1)"),
    Blind("numpy", "SiLU′ without its second term", ("G2",), "(sigmoid(z) + a * sigmoid(-z))", "sigmoid(z)"),
    Blind("numpy", "softplus overflows", ("A7",), SOFTPLUS, "np.log(1 + np.exp(z))"),
    Blind(
        "numpy",
        "off by one: the first of several layers has no gradient",
        ("G7", "0 zero"),
        "    gradient = np.concatenate",
        "    if len(dense) > 1:\n        dense[0].dw *= 0\n        dense[0].db *= 0\n    gradient = np.concatenate",
    ),
    Blind(
        "numpy",
        "softmax twice: on the way to probabilities, and in the loss",
        ("loss/squashed twice",),
        SOFTMAX_SLOPE,
        TWICE,
    ),
    Blind("numpy", "y − p in place of p − y", ("G11",), SOFTMAX_SLOPE, "delta = q - e / e.sum(axis=1, keepdims=True)"),
    Blind(
        "numpy",
        "σ(z) = (1 + tanh(z/2))/2, of which nothing is left where z is far below zero",
        ("accura", "cancel"),
        SIGMOID,
        "    return 0.5 * (1 + np.tanh(0.5 * z))",
    ),
    Blind(
        "torch",
        "ReLU ignores the cotangent",
        ("L13",),
        "grad_output * (z > 0)",
        "(z > 0).to(grad_output.dtype)",
    ),
    Blind(
        "torch",
        "mse_loss as it is: over all elements, without ½",
        ("L7",),
        '0.5 * F.mse_loss(z, y, reduction="sum") / len(z)',
        "F.mse_loss(z, y)",
    ),
    Blind("torch", "what a hidden layer is given is detached", ("G7",), "h = f(h)", "h = f(h).detach()"),
    Blind("torch", "zero_grad is forgotten", ("add up", "call"), "    model.zero_grad()\n", ""),
    Blind(
        "torch",
        "a layer computes in bfloat16",
        ("bfloat16",),
        "h = F.linear(h, weight, bias)",
        "h = F.linear(h.bfloat16(), weight.bfloat16(), bias.bfloat16()).double()",
    ),
    Blind(
        "torch",
        "backward is called twice",
        ("G4", "gradient times 2", "gradient doubled"),
        "loss.backward()",
        "loss.backward(retain_graph=True)\n    loss.backward()",
    ),
    Blind(
        "torch",
        "nll_loss of probabilities: the logarithm is forgotten",
        ("logarithm", "loss/no log"),
        "F.cross_entropy(z, y)",
        "F.nll_loss(F.softmax(z, dim=1), y)",
    ),
    Blind(
        "torch",
        "approximate GELU forward with the exact gradient",
        ("A8",),
        "return F.gelu(z)",
        "return F.gelu(z, approximate='tanh')",
    ),
    Blind(
        "torch",
        "the gradient is clipped to norm 1",
        ("norm", "clipped"),
        "    gradient = {}\n",
        "    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n    gradient = {}\n",
    ),
    Blind(
        "torch",
        "the weight's gradient is reshaped, not transposed",
        ("outputs, inputs", "transposed", "layout"),
        ".t().numpy()",
        ".reshape(p.t().shape).numpy()",
    ),
    Blind("c", "tanh′ is 1/cosh", ("A5",), "1 / cosh(z) / cosh(z)", "1 / cosh(z)"),
    Blind(
        "c",
        "the bias gradient is overwritten by the last sample",
        ("G1", "G5"),
        "else g[n * m + j] += d;",
        "else g[n * m + j] = d;",
    ),
    Blind(
        "c",
        "what goes back through a layer is overwritten by the last output",
        ("G5", "overwritten"),
        "before[i * n + l] += d",
        "before[i * n + l] = d",
    ),
    Blind(
        "c",
        "the weight is read in the other order on the way back",
        ("layout", "outputs, inputs", "transpos"),
        "d * w[l * m + j]",
        "d * w[j * n + l]",
    ),
    Blind(
        "c",
        "the derivative of the loss is divided by the outputs too",
        ("gradient divided by outputs", "L7"),
        "delta[i] = scale[0] * delta[i] / divisor",
        "delta[i] = scale[0] * delta[i] / divisor / (double)C",
    ),
    Blind(
        "c",
        "slopes of activations at their outputs",
        ("unit/slope at the output",),
        "d * activation(layer[k], z[k][i * n + j], 1)",
        "d * activation(layer[k], z[k + 1][i * n + j], 1)",
    ),
    Blind(
        "c",
        "the guess in place of the label",
        ("largest", "argmax", "guess"),
        "/ (1 + sum) * all - y[j];",
        "/ (1 + sum) * all - (j == top);",
    ),
    Blind("c", "sums in float", ("float32",), "double sum = dense", "float sum = dense"),
    Blind("c", "the squared error has lost its ½", ("L3c",), "slope[j] / 2 * slope[j]", "slope[j] * slope[j]"),
    Blind("c", "relu′(0) = 1", ("A1",), "return z > 0 ? slope ? 1 : z : 0;", "return z >= 0 ? slope ? 1 : z : 0;"),
)

WRONG_LATER = (
    Blind(
        "numpy",
        "ELU′ below zero is f + 1, not f + α",
        ("α", "alpha"),
        "delta * np.where(z > 0, 1, 0.5 * np.exp(z))",
        "delta * np.where(z > 0, 1, a + 1)",
    ),
    Blind(
        "numpy",
        "SiLU′ is σ + z(1 − σ): z for f",
        ("SiLU′", "SiLU's", "of SiLU"),
        "delta * (sigmoid(z) + a * sigmoid(-z))",
        "delta * (sigmoid(z) + z * sigmoid(-z))",
    ),
    Blind(
        "numpy",
        "tanh in place: the slope is then taken at tanh(z)",
        ("unit/slope at the output", "at the output", "in place", "overwrit"),
        "self.a = np.tanh(z)",
        "self.a = np.tanh(z, out=z)",
    ),
    Blind(
        "numpy",
        "one sum over samples and outputs for every bias",
        ("over the outputs", "over outputs", "all outputs", "both axes", "summed over its elements"),
        "delta.sum(axis=0)",
        "np.sum(delta) * np.ones_like(self.b)",
    ),
    Blind(
        "numpy",
        "reshaped in place of transposed on the way back",
        ("reshape", "not transposed", "without transposing", "in the order of their transpose"),
        "delta @ self.w.T",
        "delta @ self.w.reshape(self.w.shape[::-1])",
    ),
    Blind(
        "numpy",
        "the loss of Huber asks r ≤ δ, not |r| ≤ δ",
        ("L17", "absolute", "|r|", "negative residual"),
        "np.where(np.abs(r) <= d,",
        "np.where(r <= d,",
    ),
    Blind(
        "numpy",
        "the loss of binary cross-entropy lacks the term of 1 − y",
        ("1 − y", "1 - y", "y = 0", "second term", "term of the second class"),
        "np.sum(y * softplus(-z) + (1 - y) * softplus(z))",
        "np.sum(y * softplus(-z))",
    ),
    Blind(
        "numpy",
        "label smoothing in the loss, not in the gradient",
        ("smoothing",),
        SOFTMAX_SLOPE,
        SOFTMAX_SLOPE[:-1] + "y",
    ),
    Blind(
        "numpy",
        "softmax less the largest of the batch, not of the sample",
        ("L18", "underflow", "of the batch", "other samples"),
        "z = z - z.max(axis=1, keepdims=True)",
        "z = z - z.max()",
    ),
    Blind(
        "numpy",
        "the gradient has all weights, then all biases",
        ("order", "all weights", "weights first", "all biases"),
        "np.concatenate([p.ravel() for layer in dense for p in (layer.dw, layer.db)])",
        "np.concatenate([layer.dw.ravel() for layer in dense] + [layer.db for layer in dense])",
    ),
    Blind(
        "torch",
        "relu passes on the gradient where that is positive",
        ("positive gradient", "sign of the gradient", "of the cotangent", "relu of the gradient", "guided"),
        "return grad_output * (z > 0)",
        "return grad_output.clamp(min=0)",
    ),
    Blind(
        "torch",
        "GELU is zσ(1.702z), its slope that of the exact one",
        ("A8", "1.702", "approximat"),
        "return F.gelu(z)",
        "return z * torch.sigmoid(1.702 * z)",
    ),
    Blind(
        "torch",
        "negative log-likelihood of logits: no log-softmax",
        ("log-softmax", "log_softmax", "normalis", "no softmax", "without softmax", "log-probabilit"),
        "F.cross_entropy(z, y)",
        "F.nll_loss(z, y)",
    ),
    Blind(
        "torch",
        "one output is squeezed, and each output subtracted from each target",
        ("broadcast", "pair", "each target", "every target"),
        '0.5 * F.mse_loss(z, y, reduction="sum") / len(z)',
        "0.5 * ((z.squeeze(-1) - y) ** 2).sum() / len(z)",
    ),
    Blind(
        "torch",
        "dropout is left on",
        ("dropout", "random", "not the same", "determinis", "twice", "each time"),
        "h = f(h)",
        "h = F.dropout(f(h))",
    ),
    Blind(
        "torch",
        "the given biases are not loaded",
        (
            "bias is not used",
            "ignores the bias",
            "bias is ignored",
            "not depend on the bias",
            "other biases",
            "own bias",
        ),
        """layer.bias.copy_(torch.tensor(w[start + n * m : start + (n + 1) * m]))
            start""",
        "start",
    ),
    Blind(
        "torch",
        "the gradient is clipped to norm 1",
        ("clip", "norm 1", "norm of 1"),
        "    loss.backward()",
        """    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)""",
    ),
    Blind(
        "torch",
        "weight decay in the loss",
        ("decay", "penalty", "regulari", "L2"),
        "criterion(network, outputs, torch.tensor(y))",
        "criterion(network, outputs, torch.tensor(y)) + 1e-4 / 2 * sum((p.weight**2).sum() for p in model)",
    ),
    Blind(
        "c",
        "products are summed in float",
        ("float32", "single precision", "lower precision", "narrower"),
        "double sum = dense",
        "float sum = dense",
    ),
    Blind(
        "c",
        "memory is not cleared: gradients add to those of the last question",
        ("G5", "earlier", "previous", "asked before", "state", "not the same", "of successive calls add up"),
        "return memset((unused += n) - n, 0, n * sizeof(double));",
        "return (unused += n) - n;",
    ),
    Blind(
        "c",
        "one input too many: the bias times the first input of the next sample",
        ("one too many", "off by one", "next sample", "past the end", "other samples"),
        "dense && k < n; k++",
        "dense && k <= n; k++",
    ),
    Blind(
        "c",
        "the weight has the other stride on the way back: right if square",
        ("stride", "transpos", "row length", "if square", "inputs and outputs"),
        "before[i * n + l] += d * w[l * m + j]",
        "before[i * n + l] += d * w[l * n + j]",
    ),
    Blind(
        "c",
        "a sum over samples is a mean too",
        ("reduction", "divided by N", "averaged", "mean for", "means where a sum is asked for"),
        'is(get(loss, "reduction"), "mean") ? (double)N : 1',
        "(double)N",
    ),
    Blind(
        "c",
        "tanh by its definition: (exp(z) − exp(−z))/(exp(z) + exp(−z))",
        ("overflow", "nan", "NaN", "cancel"),
        ": tanh(z);",
        ": (exp(z) - exp(-z)) / (exp(z) + exp(-z));",
    ),
)
"""Written when the catalogue had grown by what the first ones lacked, by somebody who had seen neither."""

RIGHT = (
    Blind("numpy", "as it is"),
    Blind(
        "numpy",
        "einsum, from the last sample to the first",
        (),
        WEIGHT_GRADIENT,
        "np.einsum('ij,ik->jk', self.x[::-1], delta[::-1])",
    ),
    Blind("numpy", "sums sample by sample", (), WEIGHT_GRADIENT, "sum(np.outer(u, v) for u, v in zip(self.x, delta))"),
    Blind("numpy", "σ(z) = 1/(1 + exp(−z))", (), SIGMOID, "    return 1 / (1 + np.exp(-z))"),
    Blind("numpy", "tanh′ is 1 − tanh²", (), TANH_SLOPE, "delta * (1 - a**2)"),
    Blind("numpy", "softmax is exp(z − logsumexp)", (), SOFTMAX_SLOPE, "delta = np.exp(z - log_sum) - q"),
    Blind("numpy", "softplus by logaddexp", (), SOFTPLUS, "np.logaddexp(0, z)"),
    Blind(
        "numpy",
        "the bias is the weight of an input that is 1",
        (),
        "return x @ self.w + self.b",
        "return np.column_stack([x, np.ones(len(x))]) @ np.vstack([self.w, self.b])",
    ),
    Blind("torch", "as it is"),
    Blind(
        "torch",
        "log_softmax, gathered",
        (),
        "F.cross_entropy(z, y)",
        "-F.log_softmax(z, 1).gather(1, y[:, None]).mean()",
    ),
    Blind("c", "as it is"),
)


# ------------------------------------------------------------------------------------------------------------- asking


UNITS = {
    "numpy": [
        refnn.Sigmoid(),
        refnn.Tanh(),
        refnn.ReLU(),
        refnn.LeakyReLU(),
        refnn.ELU(0.5),
        refnn.Softplus(),
        refnn.SiLU(),
    ],
    "torch": [refnn.Tanh(), refnn.Sigmoid(), refnn.ReLU(), refnn.GELU()],
}
LOSSES = {
    "numpy": [
        refnn.SquaredError(),
        refnn.Huber(),
        refnn.BinaryCrossEntropy(),
        refnn.SoftmaxCrossEntropy(label_smoothing=0.1),
    ],
    "torch": [refnn.SquaredError(), refnn.SoftmaxCrossEntropy()],
}
ABOUT: Mapping[str, Mapping[str, Any]] = {
    "numpy": {
        "networks": networks(activations=UNITS["numpy"], losses=LOSSES["numpy"], last=st.just(False)),
        "layout": refnn.Layout(classes="rows"),
    },
    "torch": {"networks": networks(activations=UNITS["torch"], losses=LOSSES["torch"], last=st.just(False))},
    "c": {},
}
"""What the programs know; that in C says it itself."""


def names(blind: Blind) -> dict[str, Any]:
    """What a text in Python defines."""
    defined: dict[str, Any] = {}
    exec(blind.text, defined)  # noqa: S102 - that is what it is for
    return defined


def target(blind: Blind, folder: Path) -> Any:
    """The program, ready to be asked; that in C is built in the folder."""
    if blind.language == "c":
        source, program = folder / "blind.c", folder / "blind"
        source.write_text(blind.text, encoding="utf-8")
        subprocess.run(["gcc", "-std=c11", "-o", f"{program}", f"{source}", "-lm"], check=True)  # noqa: S603, S607 - ours
        return Command([f"{program}"])
    answer = names(blind)["answer"]

    def quiet(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        with np.errstate(all="ignore"):  # as a program that is run by hand, it only warns
            return answer(network, w, x, y)

    return quiet


def is_named(blind: Blind, report: Report) -> bool:
    """Whether the diagnosis says one of the things that a good one says."""
    diagnosis = report.diagnosis
    if diagnosis is None:
        return False
    if diagnosis.fault is not None and diagnosis.fault.id.split("/")[0] in blind.named:
        return True
    said = str(diagnosis).splitlines()[0]
    return any(word in said for word in blind.named if word not in ROWS)
