"""Expressions in LaTeX, as GitHub and MathML render them."""

from __future__ import annotations

import re
from typing import Any

from sympy import Add, Derivative, Indexed, IndexedBase, KroneckerDelta, Mul, Number, Subs, Sum, Symbol, log
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter

from proofs.sums import Expression, Index

__all__ = ["latex", "shape"]

GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi varphi chi "
    "psi omega ell Delta Sigma Phi Lambda"
)
"""Letters that are written by their names."""


def letter(name: str) -> str:
    """A name as a letter: ``delta`` is δ, ``w_best`` has an index, ``g'`` a prime; LaTeX is left as it is."""
    if "\\" in name or "{" in name:
        return name
    plain = name.rstrip("'")
    head, _, tail = plain.partition("_")
    head = head or "i"  # an index whose name is fresh, such as _0
    first = f"\\{head}" if head in (*GREEK.split(), "tanh") else head if len(head) == 1 else rf"\mathrm{{{head}}}"
    below = tail if tail.isdigit() or len(tail) == 1 else rf"\mathrm{{{tail}}}"
    return first + (f"_{{{below}}}" if tail else "") + "'" * (len(name) - len(plain))


_MOST_PRIMES = 3
"""A derivative of a higher order has its number in brackets."""

_KNOWN = ("tanh", "sinh", "cosh")
"""Functions of which LaTeX knows the names."""


def _late(factor: Expression) -> int:
    """Where a factor stands in a product: (1 − t) z, q (1 − p) and q ln p."""
    if (isinstance(factor, Add) and not factor.has(Indexed, AppliedUndef)) or _is_bold(factor):
        return 2
    kinds: tuple[Any, ...] = (Number, Symbol, (), (), AppliedUndef, Add, (log, KroneckerDelta))
    return next((place for place, kind in enumerate(kinds) if isinstance(factor, kind)), 3)


def _called(name: str) -> str:
    """The name of a function: one of several letters stands upright, apart from what it is multiplied by."""
    head, _, below = letter(name).partition("_")
    if head.startswith(r"\mathrm{"):
        upright = head.removeprefix(r"\mathrm{").removesuffix("}")
        head = rf"\{upright}" if upright in _KNOWN else rf"\operatorname{{{upright}}}"
    return head + (f"_{below}" if below else "")


class _Printer(LatexPrinter):  # type: ignore[misc] # SymPy has no types
    """Indices without commas, levels above the letter in parentheses, sums over the whole range of an index.

    A factor of a sum comes before it: (1/N) Σ, not a fraction with a sum in it.
    """

    def _print_Symbol(self, e: Symbol, style: str = "plain") -> str:  # noqa: N802 - SymPy's names
        return letter(e.name)

    def _print_Index(self, e: Index) -> str:  # noqa: N802
        return letter(e.name)

    def _print_IndexedBase(self, e: IndexedBase) -> str:  # noqa: N802
        return letter(str(e.label))

    def _as_ordered_terms(self, expr: Expression, order: Any = None) -> list[Expression]:
        """What is subtracted comes last; whole vectors and functions come first, short derivatives before long ones."""
        terms = list(expr.as_ordered_terms())
        if any(isinstance(factor, Derivative) for term in terms for factor in Mul.make_args(term)):
            terms.sort(key=lambda term: len(self._print(term)))
        return sorted(terms, key=lambda term: (bool(term.as_coeff_Mul()[0].is_negative), not _is_whole(term)))

    def _levels(self, e: Indexed) -> list[str]:
        return [self._print(index) for index in e.indices if not isinstance(index, Index)]

    def _print_Indexed(self, e: Indexed) -> str:  # noqa: N802
        levels = self._levels(e)
        places = [self._print(index) for index in e.indices if isinstance(index, Index)]
        base = letter(str(e.base.label))
        if levels and base.endswith("'"):
            base = f"{{{base}}}"
        above = f"^{{({', '.join(levels)})}}" if levels else ""
        below = f"_{{{' '.join(places)}}}" if places else ""
        if places and "_" in base:  # w with an index of its own
            head, _, tail = base.partition("_")
            return f"{head}_{{{tail[1:-1]}, {' '.join(places)}}}{above}"
        return f"{base}{below}{above}"

    def _print_Pow(self, e: Expression) -> str:  # noqa: N802
        base, exponent = e.args
        above = isinstance(base, Indexed) and (self._levels(base) or letter(str(base.base.label)).endswith("'"))
        if above and exponent.is_Integer and exponent > 0:
            return rf"\left({self._print(base)}\right)^{{{self._print(exponent)}}}"
        return str(super()._print_Pow(e))

    def _print_Sum(self, e: Expression) -> str:  # noqa: N802
        signs = "".join(rf"\sum_{{{self._print(index)}=1}}^{{{self._print(last)}}} " for index, _, last in e.limits)
        inner: str = self._print(e.function)
        if e.function.is_Add:
            inner = rf"\left({inner}\right)"
        return signs + inner

    def _print_Mul(self, e: Expression) -> str:  # noqa: N802
        number, rest = e.as_coeff_Mul()
        if number.is_negative:
            positive = Mul(-number, rest, evaluate=False) if rest.is_Add and number != -1 else -number * rest
            return rf"- \left({self._print(positive)}\right)" if positive.is_Add else f"- {self._print(positive)}"
        sums = [factor for factor in e.args if isinstance(factor, Sum)]
        last = [factor for factor in e.args if isinstance(factor, Derivative | Subs)] or sums
        if not last or len(sums) > 1 or (sums and last != sums):
            return str(super()._print_Mul(Mul(*sorted(e.as_ordered_factors(), key=_late), evaluate=False)))
        rest = Mul(*(factor for factor in e.args if factor not in last), evaluate=False)  # ½ (1 − t) stays a product
        begin = "" if rest == 1 else rf"\left({self._print(rest)}\right)" if rest.is_Add else self._print(rest)
        return f"{begin} " + " ".join(self._print(factor) for factor in last)

    def _print_KroneckerDelta(self, e: Expression, exp: Any = None) -> str:  # noqa: N802
        return rf"[{self._print(e.args[0])} = {self._print(e.args[1])}]"

    def _print_Derivative(self, e: Derivative) -> str:  # noqa: N802
        if isinstance(e.expr, AppliedUndef) and len(e.expr.args) == 1 and {*e.variables} == {e.expr.args[0]}:
            return self._primed(e, e.variables[0])
        order = len(e.variables)
        above = r"\partial" if order == 1 else rf"\partial^{{{order}}}"
        below = "".join(rf"\, \partial {self._print(v)}" + (f"^{{{n}}}" if n > 1 else "") for v, n in e.variable_count)
        below = below.removeprefix(r"\, ")
        if isinstance(e.expr, Symbol | Indexed | AppliedUndef):
            return rf"\frac{{{above} {self._print(e.expr)}}}{{{below}}}"
        return rf"\frac{{{above}}}{{{below}}} \left({self._print(e.expr)}\right)"

    def _primed(self, e: Derivative, point: Expression) -> str:
        order = len(e.variables)
        primes = "'" * order if order <= _MOST_PRIMES else f"^{{({order})}}"
        head, _, below = _called(e.expr.func.__name__).partition("_")
        return rf"{head}{primes}{f'_{below}' if below else ''}\left({self._print(point)}\right)"

    def _print_Subs(self, e: Expression) -> str:  # noqa: N802
        inner = e.expr
        if isinstance(inner, Derivative) and isinstance(inner.expr, AppliedUndef) and len({*inner.variables}) == 1:
            return self._primed(inner, e.point[0])
        return str(super()._print_Subs(e))

    def _hprint_Function(self, func: str) -> str:  # noqa: N802
        return _called(func)

    def _needs_mul_brackets(self, expr: Expression, first: bool = False, last: bool = False) -> bool:
        if expr.is_Derivative or expr.func.__name__ == "Subs" or expr.is_Function:
            return False
        return bool(super()._needs_mul_brackets(expr, first=first, last=last))


def _is_bold(e: Expression) -> bool:
    """Whether it is a whole vector."""
    return isinstance(e, Symbol) and e.name.startswith(r"\mathbf")


def _is_whole(e: Expression) -> bool:
    return isinstance(e, AppliedUndef) or (isinstance(e, Symbol) and e.name == r"\mathbf{w}")


_PRINTER = _Printer({"ln_notation": True, "fold_short_frac": False, "order": "none"})


def latex(expression: Expression) -> str:
    r"""An expression in LaTeX.

    Examples
    --------
    >>> from proofs.sums import array, size, total
    >>> s, j = Index("s", size("N")), Index("j", size("n"))
    >>> latex(total(array("delta")[s, j] ** 2, s))
    '\\sum_{s=1}^{N} \\delta_{s j}^{2}'
    """
    text = str(_PRINTER.doprint(expression))
    text = re.sub(r"\\left\[(.*?)\\right\]", r"[\1]", re.sub(" +", " ", text).strip())
    return text.replace(r"\left|", r"\left\lvert ").replace(r"\right|", r"\right\rvert ").replace("|", r"\vert ")


def shape(sizes: tuple[Expression, ...]) -> str:
    """The shape of an array in plain text, such as (N, m)."""
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"
