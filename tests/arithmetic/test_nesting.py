"""Arithmetics that meet: the deeper one holds the other, whichever comes first; those that cannot, say so."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from refnn import arrays
from refnn.arithmetic.ball import BallArray
from refnn.arithmetic.complex import ComplexArray
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rational import RationalArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arithmetic.tile import TileArray
from refnn.errors import UnsupportedOperationError

ROUNDED = RoundedArray.exact(np.array([2.0, 3.0]))
DUAL = DualArray(RoundedArray.exact(np.array([5.0, 7.0])), RoundedArray.exact(np.array([1.0, 1.0])))
DEEPER = DualArray(DUAL, DualArray(ROUNDED, ROUNDED))

BALL = BallArray.exact(np.array([2.0, 3.0]))
TILE = TileArray(BALL, BALL, BALL, BallArray.exact(np.array(1.0)))

OPERATIONS: tuple[Callable[[Any, Any], Any], ...] = (operator.add, operator.mul, arrays.maximum, arrays.join)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_deeper_one_holds_the_other(operation: Callable[[Any, Any], Any]) -> None:
    for shallow, deep in ((ROUNDED, DUAL), (DUAL, DEEPER), (ROUNDED, DEEPER), (np.array([2.0, 3.0]), DUAL)):
        for result in (operation(shallow, deep), operation(deep, shallow)):
            assert isinstance(result, DualArray)
            assert result.depth == deep.depth


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_made_of_balls_holds_balls(operation: Callable[[Any, Any], Any]) -> None:
    for deep in (TILE, DualArray(BALL, BALL)):
        for result in (operation(BALL, deep), operation(deep, BALL)):
            assert type(result) is type(deep)
            assert result.depth == 1


def test_what_is_inside_counts_as_a_constant() -> None:
    product = ROUNDED * DUAL
    assert product.tangent.value.tolist() == [2, 3]
    inner = DUAL * DEEPER  # the tangent of the outer one is that of DEEPER alone
    assert inner.tangent.value.value.tolist() == [10, 21]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_neighbours_do_not_mix(operation: Callable[[Any, Any], Any]) -> None:
    other = ComplexArray(np.array([1j, 2.0]))
    ratio = RationalArray.exact(np.array([2.0, 3.0]))
    dual = DualArray(BALL, BALL)
    neighbours: tuple[tuple[Any, Any], ...] = ((ROUNDED, other), (BALL, ratio), (TILE, ratio), (TILE, dual))
    for a, b in (*neighbours, *(pair[::-1] for pair in neighbours)):
        with pytest.raises(UnsupportedOperationError, match="neither can hold the other"):
            operation(a, b)
