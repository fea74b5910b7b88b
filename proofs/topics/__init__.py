"""The pages, one module each, in the order in which they are read."""

from __future__ import annotations

from proofs.page import Book, Symbol
from proofs.topics import (
    activations,
    backpropagation,
    batches,
    believe,
    certificates,
    chain_rule,
    dense,
    derivatives,
    descent,
    learning_rate,
    losses,
    rounding,
    steepest,
)

__all__ = ["BOOK"]

BOOK = Book(
    (
        believe.PAGE,
        derivatives.PAGE,
        chain_rule.PAGE,
        dense.PAGE,
        activations.PAGE,
        losses.PAGE,
        backpropagation.PAGE,
        steepest.PAGE,
        descent.PAGE,
        batches.PAGE,
        learning_rate.PAGE,
        rounding.PAGE,
        certificates.PAGE,
    ),
    (
        Symbol("N", "", "the number of samples; s and t count them"),
        Symbol("m, n", "", "the numbers of inputs and of outputs of a layer; i, k and j, l count them"),
        Symbol("C", "", "the number of outputs, where they are classes; c counts them"),
        Symbol("x", "(N, m)", "the inputs; each sample is a row"),
        Symbol("w", "(m, n), or (P,)", "the weight of a layer; or all P parameters of a network as one vector"),
        Symbol("b", "(n,)", "the bias of a layer"),
        Symbol("z", "(N, n)", "what an affine layer gives: the input of an activation, or the logits of a loss"),
        Symbol("y", "(N, n)", "the targets"),
        Symbol("L", "", "the loss of a batch, as a function of whatever is varied"),
        Symbol(r"\delta", "(N, n)", r"the cotangent of z, $`\partial L/\partial z`$"),
        Symbol("g", "(P,)", "the gradient of the loss in all parameters"),
        Symbol(r"\eta", "", "the learning rate"),
        Symbol(r"\lambda", "", "the largest curvature of the loss"),
        Symbol("[i = k]", "", "1 where the indices are equal, and else 0: Kronecker's delta"),
    ),
)
"""All pages."""
