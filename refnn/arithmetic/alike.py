"""Which numbers are rounded alike: those that share their sign, exponent and leading bits bring one error, not many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refnn.arrays import FloatArray

__all__ = ["alike", "bits", "hashed", "repeated"]

_FINER = 3
"""Numbers within 2**-3 of a spacing are taken to be rounded alike: their errors are correlated by 0.3 at least, as the
correlation of roundings at a distance d, in spacings, is 1 − 6d(1 − d). In formats of 24 digits, within one spacing:
so near are numbers that are equal but for their own roundings, and none by chance."""

_RUN = 3
"""So many in a column may be alike by chance without being counted: the true variance of a rounding, of which (u·v)²/3
is the most, is that over the square of the significand, on average half of it."""

_ODD = np.random.default_rng(1).integers(2**61, 2**62, 2048) * 2 + 1
"""Factors that, modulo 2**64, spread integers evenly: multiplicative hashing (Knuth, TAOCP 3, section 6.4)."""


def bits(value: FloatArray, digits: int) -> NDArray[np.int64]:
    """The sign, the exponent and the leading bits as integers: equal for numbers that are rounded alike, 0 for 0."""
    leading: NDArray[np.int64] = (value + 0.0).view(np.int64) >> max(52 - (digits - 1) - _FINER, 0)
    return leading


def hashed(leading: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Integers spread evenly over 64 bits, 0 for 0; they differ from one number to the next as if they were drawn."""
    with np.errstate(over="ignore"):
        spread: NDArray[np.int64] = leading * _ODD[number % len(_ODD)]
    return spread


class _Runs(NamedTuple):
    """The numbers of each line, of which some are rounded alike more often than by chance.

    Attributes
    ----------
    keys
        All lines, as integers that are equal where numbers are rounded alike.
    lines
        Those in which there are such.
    lengths
        For these, how often each integer comes; in the order of their size.
    """

    keys: NDArray[np.int32]
    lines: NDArray[np.intp]
    lengths: NDArray[np.int64]


def _keys(value: FloatArray, digits: int) -> NDArray[np.int32]:
    """Integers that are equal for numbers that are rounded alike, and 0 for 0; of 32 bits, which are sorted fast."""
    if digits > 24:
        return (hashed(bits(value, digits), 0) >> 32).astype(np.int32)
    with np.errstate(over="ignore", under="ignore"):
        keys: NDArray[np.int32] = (value.astype(np.float32) + np.float32(0)).view(np.int32)
    finer = 24 - digits - _FINER
    return keys >> finer if finer > 0 else keys


def _runs(value: FloatArray, digits: int, axis: int) -> _Runs | None:
    length = value.shape[axis] if value.ndim == 2 else 0
    if length <= _RUN:
        return None
    keys = _keys(value, digits)
    keys = np.ascontiguousarray(keys if axis == 1 else keys.T)
    ordered = np.sort(keys, axis=1)
    repeats = ordered[:, _RUN:] == ordered[:, :-_RUN]
    if not repeats.any():
        return None
    repeats &= ordered[:, _RUN:] != 0
    if not repeats.any():
        return None
    lines = np.flatnonzero(repeats.any(axis=1))
    ordered = ordered[lines]
    first = np.ones(ordered.shape, np.bool_)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    starts = np.flatnonzero(first)
    lengths = np.diff(starts, append=ordered.size)
    return _Runs(keys, lines, np.where(ordered == 0, 1, np.repeat(lengths, lengths).reshape(ordered.shape)))


def alike(value: FloatArray, digits: int, axis: int) -> NDArray[np.int64] | None:
    """How many numbers along the axis are rounded as each one is; None if nowhere more than by chance.

    Numbers are alike that share their sign, exponent and leading bits. Zero is rounded without error, and not counted.
    """
    runs = _runs(value, digits, axis)
    if runs is None:
        return None
    keys, lines, lengths = runs
    counts, in_place = np.ones(keys.shape, np.int64), np.empty_like(lengths)
    np.put_along_axis(in_place, np.argsort(keys[lines], axis=1), lengths, axis=1)
    counts[lines] = in_place
    return counts if axis == 1 else counts.T


def repeated(terms: FloatArray, digits: int, axis: int) -> FloatArray | None:
    """How many terms of each sum along the axis are nearly equal, on average; None if nowhere more than by chance.

    A partial sum of k terms is about k times as large as they are, and terms that agree to its last place are rounded
    alike when they are added: their errors grow like k times one, not like the root.
    """
    runs = _runs(terms, digits - terms.shape[axis].bit_length(), axis)
    if runs is None:
        return None
    average = np.ones(len(runs.keys))
    average[runs.lines] = runs.lengths.mean(axis=1)
    return average
