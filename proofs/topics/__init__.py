"""The pages, one module each, in the order in which they are read."""

from __future__ import annotations

from proofs.page import Book
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
    )
)
"""All pages."""
