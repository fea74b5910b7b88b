"""An arithmetic of one's own: fractions, for the operations that are rational. The core runs on it unchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, final

import numpy as np

from refnn import arrays
from refnn.arrays import Arithmetic, FloatArray, Root, Rules


@final
@dataclass(frozen=True, eq=False)
class Rational(Arithmetic):
    """An array of `Fraction`."""

    elements: Any
    rules: ClassVar[Rules] = {}

    @classmethod
    def of(cls, values: FloatArray | int | float | Fraction) -> Rational:
        """Floats as the fractions that they are."""
        return cls(np.frompyfunc(lambda v: v if isinstance(v, Fraction) else Fraction(float(v)), 1, 1)(values))

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.elements)

    def lift(self, value: Any) -> Rational:
        assert not isinstance(value, Root), "no root is rational"
        return Rational.of(value)


def _on(function: Callable[..., Any]) -> Callable[..., Rational]:
    return lambda *arguments: Rational(function(*(getattr(a, "elements", a) for a in arguments)))


Rational.rules = {
    **{f: _on(f) for f in (np.negative, np.add, np.subtract, np.multiply, np.divide, np.matmul)},
    **{f: _on(f) for f in (np.maximum, np.minimum)},
    arrays.where_positive: _on(lambda z, a, b: np.where(z > 0, a, b)),
    arrays.total: _on(np.sum),
    arrays.row_sums: _on(lambda z: np.sum(z, axis=1, keepdims=True)),
    arrays.column_sums: _on(lambda z: np.sum(z, axis=0)),
    arrays.transpose: _on(np.transpose),
    arrays.reshape: _on(np.reshape),
    arrays.split: lambda z, places: [Rational(z.elements[at].reshape(shape)) for at, shape in places],
    arrays.join: _on(lambda *blocks: np.concatenate([b.ravel() for b in blocks])),
    arrays.rows: _on(lambda z, index: z[index]),
}
