"""A target that is a program, in any language: it answers lines of JSON with lines of JSON.

The messages are described in ``protocol/README.md``; programs in C, Rust and JavaScript stand beside it.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from multiprocessing.util import Finalize
from typing import Any, Self, TypeVar, final

from refnn.arithmetic.precision import PrecisionLike, precision_named
from refnn.arrays import FloatArray
from refnn.checks import positive, shown
from refnn.errors import BrokenTargetError, SettingError, Unsupported
from refnn.layers import Dense
from refnn.losses import SoftmaxCrossEntropy
from refnn.network import Network
from refnn.search.target import Layout
from refnn.search.targets.program import Program
from refnn.search.targets.replies import Json, capabilities_of, check_echo, fields_of, hard, reply_of, written
from refnn.search.written import kind_of, network_in_json

__all__ = ["VERSION", "Command"]

T = TypeVar("T")

VERSION = 1
"""The version of the protocol, which the first question says."""


@final
class Command:
    """A program that is asked over its standard input and output.

    It is started at once, without a shell, in a process group of its own. That is ended by `close`, at the end of a
    ``with`` block, when nothing refers to the target any more, and when Python ends. After an answer that is none it is
    ended too, and started anew for the next question. One question waits for the other. Where it comes by pickle, as
    to the workers of an executor, it is started for its first question, once in each process.

    Parameters
    ----------
    command
        The program and its arguments: a list, or a string that `shlex.split` splits.
    time_limit
        So many seconds a whole reply may take, the first one with the start of the program.
    precision
        The format in which it is checked, if nothing else is said there; by default float64, or else the first that it
        knows. Numbers of this format are sent to and fro at once, to see that none is changed; those of other formats
        are before the first question in them.

    Attributes
    ----------
    capabilities
        What the program says that it knows, with what it leaves out.
    layout
        How it lays out its arrays; `refnn.search.target.ask` wants to know.
    ends_itself
        True: it keeps its own time limit, which counts from when it is asked.
    closed
        Whether it was closed, and is asked no more.

    Raises
    ------
    SettingError
        If there is no such program, it does not know the precision, or a setting is of another kind.
    BrokenTargetError
        If it does not say what it knows, or changes a number.

    Notes
    -----
    On Windows a command is better a list, and the children of a program are not ended with it.

    Examples
    --------
    >>> from refnn.search.targets.command import Command
    >>> Command("no-such")
    Traceback (most recent call last):
    refnn.errors.SettingError: command is 'no-such': no-such is not found. Pass a path, or a name on the PATH.
    """

    capabilities: Mapping[str, Json]
    layout: Layout
    ends_itself = True
    closed: bool

    def __init__(
        self, command: str | Sequence[str], *, time_limit: float = 10, precision: PrecisionLike | None = None
    ) -> None:
        limit = min(float(positive("time_limit", time_limit)), threading.TIMEOUT_MAX)
        wanted = None if precision is None else precision_named(precision).storage
        self._set_up(_split(command), limit, wanted)
        with self._lock:
            self._ready(wanted)
        known = self.capabilities["precisions"]
        if wanted is not None and wanted not in known:
            self.close()
            raise SettingError(
                f"precision is {wanted!r}",
                f"the program says that it knows {', '.join(known)}",
                "Choose one of these, or let its capabilities name it",
            )

    def __call__(self, network: Network, w: Any, x: Any, y: Any, /) -> dict[str, FloatArray]:
        """What the program answers.

        Parameters
        ----------
        network
            The layers and the loss.
        w : (P,)
            The parameters; as x and y in the program's layout.
        x : (N, inputs)
            The samples; their dtype is the format of the question.
        y : (N, outputs) or (N,)
            The targets.

        Returns
        -------
        dict
            The fields that it wants to answer, rounded to the format.

        Raises
        ------
        refnn.Unsupported
            If it says that it does not know a part of the question, now or before.
        BrokenTargetError
            If it gives no answer that can be judged.
        """
        storage, way = str(x.dtype), self.capabilities["numbers"]
        missing = self.supports(network, storage, x.shape)
        if missing is not None:
            raise Unsupported(missing)
        rest = {
            "precision": storage,
            **network_in_json(network),
            "parameters": written(w, way),
            "x": written(x, way),
            "y": self._targets(network, x, y),
        }
        turned = self.layout.samples == "columns"
        samples, inputs = x.shape[::-1] if turned else x.shape
        outputs = (samples, network.outputs or inputs)
        shapes = {
            "outputs": outputs[::-1] if turned else outputs,
            "loss": (),
            "gradient": w.shape,
            "input_gradient": x.shape,
        }
        wanted = {name: shapes[name] for name in self.capabilities["want"]}
        with self._lock:
            program = self._ready(storage)
            return self._asked(program, "evaluate", rest, lambda reply: fields_of(reply, wanted, x.dtype, way))

    def supports(self, network: Network, precision: PrecisionLike, shape: Sequence[int]) -> str | None:
        """What the program does not know of a question; None if it knows all.

        Parameters
        ----------
        network
            The layers and the loss.
        precision
            What it would be asked in.
        shape
            The extents of x: how many samples there are, and how many inputs.
        """
        known, storage = self.capabilities, precision_named(precision).storage
        if storage not in known["precisions"]:
            return storage
        for name, parts in (("layers", network.layers), ("losses", (network.loss_function,))):
            for part in parts:
                try:
                    kind = kind_of(part)
                except SettingError:
                    return shown(part)
                if kind not in known[name]:
                    return kind
        if network.loss_function.reduction not in known["reductions"]:
            return f"reduction {network.loss_function.reduction}"
        if known["settings"] == "usual" and (unusual := _unusual(network)):
            return unusual
        widths = [n for layer in network.layers if isinstance(layer, Dense) for n in (layer.inputs, layer.outputs)]
        step, most = known["dimensions"].get("multiple_of", 1), known["dimensions"].get("max", math.inf)
        return next((f"dimension {n}" for n in (*widths, *shape) if n % step or n > most), None)

    @property
    def precision(self) -> str:
        """The format in which it is checked, if nothing else is said."""
        known = self.capabilities["precisions"]
        return self._precision or ("float64" if "float64" in known else known[0])

    def close(self) -> None:
        """End the program's process group; nobody asks it any more, nor do those who wait for their turn."""
        with self._starting:
            self.closed = True
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Command({list(self._arguments)!r})"

    def __reduce__(self) -> tuple[Callable[..., Command], tuple[object, ...]]:
        return _received, (self._arguments, self._time_limit, self.precision, self.capabilities)

    def __setstate__(self, state: tuple[tuple[str, ...], float, str, Mapping[str, Json]]) -> None:
        arguments, time_limit, precision, capabilities = state
        self._set_up(arguments, time_limit, precision)
        self._take(capabilities)

    # ---------------------------------------------------------------------------------------------------- questions

    def _set_up(self, arguments: tuple[str, ...], time_limit: float, precision: str | None) -> None:
        self._arguments, self._time_limit, self._precision = arguments, time_limit, precision
        self._lock, self._starting = threading.Lock(), threading.Lock()
        self._program: Program | None = None
        self.closed = False

    def _take(self, capabilities: Mapping[str, Json]) -> None:
        self.capabilities, self.layout = capabilities, Layout(**capabilities["layout"])

    def _stop(self) -> None:
        program, self._program = self._program, None
        if program is not None:
            program.stop()

    def _ready(self, storage: str | None) -> Program:
        """A program that runs, has said what it knows, and does not change the numbers of a format, or of its own."""
        program = self._program
        if program is None or program.owner != os.getpid():  # that of a process of which this is a fork is left to it
            with self._starting:
                if self.closed:
                    raise BrokenTargetError(
                        "the program was closed", "it is asked no more", "Ask it sooner, or make another Command"
                    )
                program = self._program = Program(self._arguments)
            self._take(self._asked(program, "capabilities", {}, capabilities_of, refnn=VERSION))
        storage, way = storage or self.precision, self.capabilities["numbers"]
        if storage in self.capabilities["precisions"] and storage not in program.echoed:
            numbers = hard(storage)
            rest = {"precision": storage, "numbers": written(numbers, way)}
            self._asked(program, "echo", rest, lambda reply: check_echo(reply, numbers, way))
            program.echoed.add(storage)
        return program

    def _asked(
        self,
        program: Program,
        ask: str,
        rest: Mapping[str, Json],
        read: Callable[[dict[str, Json]], T],
        **first: int,
    ) -> T:
        """What is read from a reply; what is no reply ends the program, and is told with its question."""
        try:
            number = program.questions
            request = json.dumps({"id": number, **first, "ask": ask, **rest}, allow_nan=False)
            return read(reply_of(program.answer(request, self._time_limit), number, ask))
        except Unsupported:
            raise
        except BrokenTargetError as error:
            self._stop()
            why = f"{error.why} ({program.story()})"
            raise BrokenTargetError(error.given, why, error.remedy, error.kind) from None
        except BaseException:
            self._stop()  # or the next question would get this one's answer
            raise

    def _targets(self, network: Network, x: Any, y: Any) -> Json:
        """Classes as whole numbers, else rows of numbers, or columns."""
        if y.dtype.kind == "i" and y.ndim == 1 and isinstance(network.loss_function, SoftmaxCrossEntropy):
            return y.tolist()
        rows = y.astype(x.dtype)
        if y.ndim == 1:
            rows = rows[None, :] if self.layout.samples == "columns" else rows[:, None]
        return written(rows, self.capabilities["numbers"])


def _split(command: str | Sequence[str]) -> tuple[str, ...]:
    try:
        arguments = shlex.split(command) if isinstance(command, str) else [os.fspath(part) for part in command]
    except (TypeError, ValueError):
        arguments = []
    if not arguments or not all(isinstance(part, str) for part in arguments):
        raise SettingError(
            f"command is {shown(command)}", "it is a program and its arguments", "Pass them as a string or as a list"
        )
    return tuple(arguments)


def _unusual(network: Network) -> str:
    """The first setting that is not the usual one, with its value; nothing, if all are."""
    for part in (*network.layers, network.loss_function):
        if not isinstance(part, Dense):
            usual = type(part)()
            for name in (field.name for field in fields(part) if field.name != "reduction"):  # type: ignore[arg-type]
                if getattr(part, name) != getattr(usual, name):
                    return f"{name} {getattr(part, name)}"
    return ""


_RECEIVED: dict[tuple[int, tuple[str, ...], float, str], Command] = {}
"""By the process, the command, its limit and its precision, targets that came from other processes."""


def _received(
    arguments: tuple[str, ...], time_limit: float, precision: str, capabilities: Mapping[str, Json]
) -> Command:
    """A target that was pickled: the same one each time, as each question that a worker gets brings it along."""
    here = os.getpid(), arguments, time_limit, precision
    if here not in _RECEIVED or _RECEIVED[here].closed:
        target = _RECEIVED[here] = Command.__new__(Command)
        target.__setstate__((arguments, time_limit, precision, capabilities))
        Finalize(None, target.close, exitpriority=0)  # workers end without what atexit and weakref would do
    return _RECEIVED[here]
