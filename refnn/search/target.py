"""Targets: somebody's implementation, how it is asked, and what it may answer.

A target is a function of a network, its parameters and a batch; it returns the loss and the gradient, or a mapping with
any of ``"outputs"``, ``"loss"``, ``"gradient"`` and ``"input_gradient"``. Whatever else it does, it is asked through
`ask`: it gets fresh arrays of the format that is checked, and what goes wrong becomes one kind of error.
"""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias, cast, final

import numpy as np

from refnn.arithmetic.precision import Precision
from refnn.arrays import FloatArray, IntArray
from refnn.checks import extra, shown
from refnn.errors import BrokenTargetError, DTypeError, RefnnError, SettingError, Unsupported
from refnn.network import Evaluation, Network
from refnn.oracle.budget import Question
from refnn.oracle.comparison import fitted, parts_of
from refnn.strategies import Case

__all__ = ["Layout", "Target", "ask"]

Answer: TypeAlias = Mapping[str, FloatArray]
"""The numbers of an answer by the names of fields, or of parts of them, in their shapes."""


class Target(Protocol):
    """What is asked: any function of this form is one.

    An object may have attributes that say what `refnn.check` is else told: ``networks``, ``layout`` (a `Layout`) and
    ``precision``; or ``capabilities``, as the protocol has them. One whose attribute ``ends_itself`` is true gets no
    time limit: it keeps one of its own, as one that is a program does.
    """

    def __call__(self, network: Network, w: Any, x: Any, y: Any, /) -> object:
        """The loss and the gradient, or a mapping with any of the four fields.

        Parameters
        ----------
        network
            The layers and the loss, to read.
        w : (P,)
            The parameters in the storage format, an array of its own.
        x : (N, inputs)
            The samples, likewise.
        y : (N, outputs) or (N,)
            The targets: whole numbers (N,) if they are classes, else rows in the storage format.

        Raises
        ------
        refnn.Unsupported
            If it does not know a part of the network; that is counted.
        """


# -------------------------------------------------------------------------------------------------------------- layout


@final
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Layout:
    """How an implementation lays out its arrays, where that is another way than refnn's.

    Parameters
    ----------
    weights
        ``"inputs, outputs"`` as here, or ``"outputs, inputs"`` as in PyTorch: each weight is transposed on its way in,
        and its gradient on its way back, in the flat vector too.
    samples
        ``"rows"`` as here, or ``"columns"``: x, rows of targets, outputs and the input gradient are transposed.
    parameters
        ``"flat"``: w is one vector, layer by layer; ``"named"``: a mapping such as ``{"0.weight": …, "0.bias": …}``.
    classes
        ``"numbers"`` (N,), or ``"rows"``, each with a single 1.
    outputs
        ``"logits"`` as here, or ``"probabilities"``: what a cross-entropy makes of them, where there is one.

    Raises
    ------
    SettingError
        If one of them is something else.

    Examples
    --------
    >>> import numpy as np, refnn
    >>> from refnn.search.target import Layout
    >>> network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    >>> w, x, y = np.array([0.1, 0.2, 0.3]), np.array([[1.0, 2.0]]), np.array([[0.5]])
    >>> layout = Layout(weights="outputs, inputs", samples="columns", parameters="named")
    >>> layout.given(network, w, x, y)[0]["0.weight"]
    array([[0.1, 0.2]])
    """

    weights: Literal["inputs, outputs", "outputs, inputs"] = "inputs, outputs"
    samples: Literal["rows", "columns"] = "rows"
    parameters: Literal["flat", "named"] = "flat"
    classes: Literal["numbers", "rows"] = "numbers"
    outputs: Literal["logits", "probabilities"] = "logits"

    def __post_init__(self) -> None:
        for name, known in _LAYOUTS.items():
            value = getattr(self, name)
            if value not in known:
                raise SettingError(
                    f"{name} is {shown(value)}",
                    "an array is laid out in one of two ways",
                    f"Choose {' or '.join(map(repr, known))}",
                )

    def __repr__(self) -> str:
        """As it is made, without what is as here."""
        said = (f"{name}={getattr(self, name)!r}" for name in _LAYOUTS if getattr(self, name) != _LAYOUTS[name][0])
        return f"Layout({', '.join(said)})"

    def otherwise(self, *names: str) -> Layout:
        """A layout that is the other one of two for each of some names.

        Examples
        --------
        >>> from refnn.search.target import Layout
        >>> Layout(samples="columns").otherwise("weights").weights
        'outputs, inputs'
        """
        other = {name: next(v for v in _LAYOUTS[name] if v != getattr(self, name)) for name in names}
        return replace(self, **other)  # type: ignore[arg-type]  # the values are those that are known

    def given(self, network: Network, w: FloatArray, x: FloatArray, y: FloatArray | IntArray) -> tuple[Any, Any, Any]:
        """What the implementation gets in place of w, x and y."""
        parts = {name: self._weight(part) for name, part in network.unpack(w).items()}
        if self.classes == "rows" and y.ndim == 1 and y.dtype.kind == "i":
            y = np.eye(network.outputs or x.shape[1], dtype=x.dtype)[y]
        named = {name: part.copy() for name, part in parts.items()}
        flat = np.concatenate([part.ravel() for part in parts.values()]) if parts else w
        return named if self.parameters == "named" else flat, self._rows(x), self._rows(y)

    def read(self, network: Network, name: str, values: FloatArray) -> FloatArray:
        """A field or a part of an answer as it would be in refnn's layout."""
        if name == "gradient":
            return self._vector(network, values)
        return np.asarray(self._rows(values) if name in Evaluation._fields else self._weight(values))

    def _vector(self, network: Network, values: FloatArray) -> FloatArray:
        """A vector whose weights have their elements in the order of the other layout."""
        if self.weights == "inputs, outputs" or values.shape != (network.size,) or not network.size:
            return values
        places = network.unpack(np.arange(float(network.size)))
        there = np.concatenate([self._weight(part).ravel() for part in places.values()]).astype(np.intp)
        vector: FloatArray = np.empty(network.size)
        vector[there] = values
        return vector

    def _weight(self, values: Any) -> Any:
        return values.T if self.weights == "outputs, inputs" and values.ndim == 2 else values

    def _rows(self, values: Any) -> Any:
        return values.T.copy() if self.samples == "columns" and values.ndim == 2 else values


_LAYOUTS = {
    "weights": ("inputs, outputs", "outputs, inputs"),
    "samples": ("rows", "columns"),
    "parameters": ("flat", "named"),
    "classes": ("numbers", "rows"),
    "outputs": ("logits", "probabilities"),
}


# -------------------------------------------------------------------------------------------------------------- asking


def ask(target: Target, case: Case, question: Question, layout: Layout, *, time_limit: float | None = None) -> Answer:
    """Ask a target, and read its answer.

    Parameters
    ----------
    target
        The implementation.
    case
        The network, parameters and batch; of numbers that the storage format holds.
    question
        The same, as the oracle is asked, with the precision.
    layout
        How it lays out its arrays.
    time_limit
        After so many seconds it hangs; None waits for ever. It runs in a thread of its own then, which is left behind.
        A target that ends itself is waited for: only it knows when a question that it has to keep waiting begins.

    Returns
    -------
    dict
        The fields of the answer, or parts of the gradient by name, in refnn's layout and in their shapes.

    Raises
    ------
    refnn.Unsupported
        If the target does.
    BrokenTargetError
        If it raises anything else, takes too long, changes its arguments, or returns something else than an answer.

    Examples
    --------
    >>> import numpy as np, refnn
    >>> from refnn.arithmetic.precision import precision_named
    >>> from refnn.oracle.budget import asked
    >>> from refnn.search.target import Layout, ask
    >>> from refnn.strategies import Case
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> case = Case(network, np.array([2.0, 1.0]), np.array([[3.0]]), np.array([[5.0]]))
    >>> question = asked(*case, precision_named("float32"))
    >>> ask(lambda network, w, x, y: network.loss_and_gradient(w, x, y), case, question, Layout())
    {'loss': array(2.), 'gradient': array([6., 2.])}
    """
    network, w, x, y = case
    kind = stored(question.precision)

    def laid_out() -> tuple[Any, Any, Any]:
        targets = y.copy() if y.dtype.kind == "i" else y.astype(kind)
        return layout.given(network, w.astype(kind), x.astype(kind), targets)

    given, kept = laid_out(), laid_out()
    limit = None if getattr(target, "ends_itself", False) else time_limit
    read = _run(lambda: _read(target(network, *given), question, layout), limit)
    for name, now, before in zip(("w", "x", "y"), given, kept, strict=True):
        if not _same(now, before):
            raise BrokenTargetError(
                f"{name} was changed",
                "its arguments belong to the one who asks",
                f"Work on a copy of {name}",
                "mutated",
            )
    return cast("dict[str, FloatArray]", read)


def _read(answer: object, question: Question, layout: Layout) -> dict[str, FloatArray]:
    """The fields of an answer; what is none is told as such."""
    try:
        return _fields(answer, question, layout)
    except RefnnError as error:
        raise BrokenTargetError(error.given, error.why, error.remedy) from error


def stored(precision: Precision) -> np.dtype[Any]:
    """The dtype of NumPy for the storage format; that of bfloat16 is in the package ml_dtypes."""
    if precision.storage == "bfloat16":
        extra("ml_dtypes", "exact", "arrays of bfloat16")
        import ml_dtypes

        half: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return half
    return np.dtype(precision.storage)


def _fields(answer: object, question: Question, layout: Layout) -> dict[str, FloatArray]:
    """The fields of an answer, whose format is that of the question, or is not said."""
    if isinstance(answer, tuple) and len(answer) == 2:
        answer = dict(zip(("loss", "gradient"), answer, strict=True))
    if not isinstance(answer, Mapping) or not answer or not set(answer) <= set(Evaluation._fields):
        raise SettingError(
            f"the answer is {shown(answer)}",
            "an answer is the pair of loss and gradient, or a mapping with some of the four fields",
            f"Return (loss, gradient), or a dict with some of {', '.join(Evaluation._fields)}",
        )
    parts = parts_of(question.network, answer)
    for part in parts.values():
        if part.format not in (None, question.precision.storage):
            raise DTypeError(
                f"{part.said} is {part.format}",
                f"the question is in {question.precision.storage}, and so must the answer be",
                f"Compute in {question.precision.storage}, or check with precision={part.format!r}",
            )
    read = layout.read
    return fitted(
        question,
        {name: part._replace(values=read(question.network, name, part.values)) for name, part in parts.items()},
    )


def _same(now: Any, before: Any) -> bool:
    if isinstance(before, dict):
        return now.keys() == before.keys() and all(_same(now[name], part) for name, part in before.items())
    return isinstance(now, np.ndarray) and now.shape == before.shape and now.tobytes() == before.tobytes()


def _run(call: Callable[[], object], time_limit: float | None) -> object:
    """What a call returns; what it raises, without the frames in which it was raised: they would keep all arguments."""
    if time_limit is None:
        result, error = _outcome(call)
    else:
        done: queue.SimpleQueue[tuple[object, BaseException | None]] = queue.SimpleQueue()
        threading.Thread(target=lambda: done.put(_outcome(call)), daemon=True).start()
        try:
            result, error = done.get(timeout=time_limit)
        except queue.Empty:
            raise BrokenTargetError(
                f"there is no answer after {time_limit:g} seconds",
                "that is the time limit of a question",
                "Mend what hangs, or allow more with time_limit",
                "hung",
            ) from None
    if error is None:
        return result
    try:
        raise error.with_traceback(None)
    finally:
        del error


def _outcome(call: Callable[[], object]) -> tuple[object, BaseException | None]:
    """What a call returned, or the error that says what it raised."""
    try:
        with np.errstate(all="ignore"):  # extreme numbers overflow by right, and would only make noise
            return call(), None
    except (Unsupported, BrokenTargetError) as known:
        return None, known
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is the finding
        said = "".join(traceback.format_exception_only(error)).strip()  # its own text may raise
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{frames[-1].filename}, line {frames[-1].lineno}, in {frames[-1].name}"
        return None, BrokenTargetError(
            said,
            f"the implementation raised it ({where})",
            "Mend it, or raise refnn.Unsupported for what it does not know",
            "crashed",
        )
    except BaseException as other:  # noqa: BLE001 - it is raised again where somebody waits for the answer
        return None, other
