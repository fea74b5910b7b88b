"""What a theorem says, and what refnn does: both in balls, for arrays of any sizes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np

from proofs.instances import evaluated
from proofs.sums import Expression, Index, free_indices, rewritten
from refnn.arithmetic.ball import BallArray, working_precision

__all__ = ["Execution", "disagreements", "sizes_to_try"]

_BITS = 160
_SHARP = 2.0**-80
"""A ball of the code that is wider than this relative to 1 + its size would agree with too much."""

Numbers: TypeAlias = Mapping[str, Any]


@final
@dataclass(frozen=True)
class Execution:
    """How refnn computes what a theorem speaks about.

    Attributes
    ----------
    arrays
        The sizes of each array of the theorem, by its letter; () for a number.
    run
        From these arrays, as `BallArray`, what refnn's functions give.
    axes
        The indices of the theorem in the order of the axes of what `run` gives.
    draw
        The values of an array that are not just any numbers, by its letter: from a shape and random numbers; of
        multiples of powers of 2, so that they are exact.
    where
        The definitions of the letters that are no arrays, in the order in which they are put in.
    """

    arrays: Mapping[str, tuple[Expression, ...]]
    run: Callable[[Mapping[str, BallArray]], Any]
    axes: tuple[Index, ...] = ()
    draw: Mapping[str, Callable[[tuple[int, ...], np.random.Generator], Any]] | None = None
    where: tuple[Any, ...] = ()


def anything(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Multiples of ¼ between −3 and 3, of which few are alike."""
    return rng.integers(-12, 13, shape) / 4


def positive(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Multiples of ¼ between ¼ and 3."""
    return rng.integers(1, 13, shape) / 4


def sizes_to_try(execution: Execution) -> list[Expression]:
    """The sizes that a theorem speaks about."""
    return sorted({size for shape in execution.arrays.values() for size in shape}, key=str)


def disagreements(
    expression: Expression, execution: Execution, sizes: Mapping[Expression, int], rng: np.random.Generator
) -> Iterator[str]:
    """Where what refnn computes is not what the theorem says.

    Parameters
    ----------
    expression
        The right side of the theorem.
    execution
        How refnn computes it.
    sizes
        The value of each size.
    rng
        From which the arrays are drawn.
    """
    for definition in execution.where:
        expression = rewritten(expression, definition.symbol, definition.expression)
    drawn = execution.draw or {}
    values = {
        letter: np.asarray(
            drawn.get(letter, anything)(tuple(int(sizes.get(size, size)) for size in shape), rng), np.float64
        )
        for letter, shape in execution.arrays.items()
    }
    if free_indices(expression) != set(execution.axes):
        yield f"the theorem has the indices {free_indices(expression)}, and the code the axes {execution.axes}"
        return
    with working_precision(_BITS):
        found = execution.run({letter: BallArray.exact(value) for letter, value in values.items()})
        shape = tuple(sizes[index.size] for index in execution.axes)
        if found.shape != shape:
            yield f"the code gives an array {found.shape}, and the theorem one of shape {shape}"
            return
        stated = evaluated(expression, values, sizes, execution.axes)
        for place in itertools.product(*map(range, shape)):
            ours, theirs = stated[place], found.elements[place]
            if not theirs.overlaps(ours):
                yield f"at {place} the theorem says {ours.str(12)}, and the code gives {theirs.str(12)}"
            elif not theirs.rad() < _SHARP * (1 + abs(theirs)):
                yield f"at {place} the code gives {theirs.str(12)}, which could be anything"
