"""Which numbers are rounded alike: those that share their sign, exponent and leading bits bring one error, not many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refnn.arrays import FloatArray

__all__ = ["alike", "hashed", "keys", "repeated"]

_FINER = 3
"""Numbers within 2**-3 of a spacing are taken to be rounded alike: their errors are correlated by 0.3 at least, as the
correlation of roundings at a distance d, in spacings, is 1 − 6d(1 − d). In formats of 24 digits, within one spacing:
so near are numbers that are equal but for their own roundings, and none by chance."""

_RUN = 3
"""So many in a column may be alike by chance without being counted: the true variance of a rounding, of which (u·v)²/3
is the most, is that over the square of the significand, on average half of it."""

_ODD = (np.random.default_rng(1).integers(2**29, 2**30, 2048) * 2 + 1).astype(np.int32)
"""Factors that, modulo 2**32, spread integers evenly: multiplicative hashing (Knuth, TAOCP 3, section 6.4)."""

_WIDE_ODD = 0x2545F4914F6CDD1D
"""Likewise, modulo 2**64."""


def keys(value: FloatArray, digits: int) -> NDArray[np.int32]:
    """Integers that are equal for numbers that are rounded alike, and 0 for 0: of 32 bits, which takes less time.

    They are the sign, the exponent and the leading bits; in wider formats than of 24 digits, a hash of these.
    """
    with np.errstate(over="ignore", under="ignore"):
        if digits > 24:
            wide = (value + 0.0).view(np.int64)
            wide >>= max(52 - (digits - 1) - _FINER, 0)
            wide *= _WIDE_ODD
            wide >>= 32
            return wide.astype(np.int32)
        narrow = value.astype(np.float32)
    narrow += np.float32(0)  # so that -0 is 0
    leading: NDArray[np.int32] = narrow.view(np.int32)
    leading >>= max(24 - digits - _FINER, 0)
    return leading


def hashed(keys: NDArray[np.int32], number: int) -> NDArray[np.float32]:
    """Numbers spread evenly over ±1, 0 for 0; they differ from one number to the next as if they were drawn."""
    mixed = keys.view(np.uint32)
    mixed = (mixed ^ (mixed >> np.uint32(15))).view(np.int32)  # what is in the first bits shows in the last, too
    spread: NDArray[np.float32] = (mixed * _ODD[number % len(_ODD)]).astype(np.float32)
    spread *= np.float32(2.0**-31)
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
        For these, one after the other, how often each integer comes, in the order of their size.
    counts
        What that counts for: 0, which has no error, does as if it came once.
    """

    keys: NDArray[np.int32]
    lines: NDArray[np.intp]
    lengths: NDArray[np.int64]
    counts: NDArray[np.int64]


def _runs(value: FloatArray, digits: int, axis: int) -> _Runs | None:
    length = value.shape[axis] if value.ndim == 2 else 0
    if length <= _RUN:
        return None
    found = keys(value, digits)
    found = found if axis == 1 else found.T
    ordered = found.copy()  # in order of its rows
    ordered.sort(axis=1)
    repeats = ordered[:, _RUN:] == ordered[:, :-_RUN]
    if not repeats.any():
        return None
    repeats &= ordered[:, _RUN:] != 0
    lines = np.flatnonzero(repeats.any(axis=1))
    if not lines.size:
        return None
    ordered = ordered[lines]
    first = np.ones(ordered.shape, np.bool_)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=first[:, 1:])
    starts = np.flatnonzero(first)
    lengths = np.diff(starts, append=ordered.size)
    return _Runs(found, lines, lengths, np.where(ordered.ravel()[starts] == 0, 1, lengths))


def alike(value: FloatArray, digits: int, axis: int) -> FloatArray | None:
    """How many numbers along the axis are rounded as each one is; None if nowhere more than by chance.

    Numbers are alike that share their sign, exponent and leading bits. Zero is rounded without error, and not counted.
    """
    runs = _runs(value, digits, axis)
    if runs is None:
        return None
    of_each, lines = np.ones(runs.keys.shape), runs.keys[runs.lines]
    places = np.argsort(lines, axis=1) + len(of_each[0]) * runs.lines[:, np.newaxis]
    of_each.ravel()[places.ravel()] = np.repeat(runs.counts, runs.lengths)
    return of_each if axis == 1 else of_each.T


def repeated(terms: FloatArray, digits: int, axis: int) -> FloatArray | None:
    """How many terms of each sum along the axis are nearly equal, on average; None if nowhere more than by chance.

    A partial sum of k terms is about k times as large as they are, and terms that agree to its last place are rounded
    alike when they are added: their errors grow like k times one, not like the root.
    """
    length = terms.shape[axis]
    runs = _runs(terms, digits - length.bit_length(), axis)
    if runs is None:
        return None
    average = np.ones(len(runs.keys))
    first = np.flatnonzero((np.cumsum(runs.lengths) - runs.lengths) % length == 0)  # of each line
    average[runs.lines] = np.add.reduceat(runs.lengths * runs.counts, first) / length
    return average
