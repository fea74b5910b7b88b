"""Questions that failed, kept in a folder to be asked first the next time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from refnn import losses
from refnn.checks import shown
from refnn.errors import DataError, RefnnError, SettingError
from refnn.search.drawing import Drawn, posed
from refnn.search.examining import Terms
from refnn.search.report import case_in_json
from refnn.search.written import network_from, numbers_from
from refnn.strategies import Case

__all__ = ["case_from", "forget", "place_of", "recall", "retain"]


def place_of(folder: str | Path | None, target: Any, about: object, terms: Terms) -> Path | None:
    """The file of a target and of what it is asked about; it is found again when the text of the target has changed.

    Parameters
    ----------
    folder
        Where it lies; None keeps nothing.
    target
        The implementation, known by its name, or by what it is written as.
    about
        The network, or the strategies that questions are drawn from: to others, the question is none of theirs.
    terms
        Of which the precision and the layout tell questions apart.

    Raises
    ------
    SettingError
        If the folder is no path, or cannot be made or written.
    """
    if folder is None:
        return None
    if not isinstance(folder, str | Path):
        raise SettingError(f"keep is {shown(folder)}", "it is a folder", 'Pass its path, ".refnn", say, or None')
    _check_writable(Path(folder))
    name = ".".join(
        str(getattr(target, part, getattr(type(target), part, ""))) for part in ("__module__", "__qualname__")
    )
    line = target.__code__.co_firstlineno if name.endswith("<lambda>") else 0
    told = "" if isinstance(target, FunctionType) else repr(target)  # of a program, its command
    lasting = re.sub(" at 0x[0-9a-f]+", "", f"{told}|{about!r}")
    mark = hashlib.sha256(f"{name}|{line}|{lasting}|{terms.precision}|{terms.layout}".encode()).hexdigest()[:16]
    readable = "".join(c if c.isalnum() else "-" for c in f"{name.split('.')[-1]}-{terms.precision.storage}")
    return Path(folder) / f"{readable}-{mark}.json"


def _check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written; nothing is left where something is tried."""
    try:
        near = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        tempfile.TemporaryDirectory(dir=near).cleanup()
    except OSError as error:
        why = f"it cannot be made or written ({error.strerror})"
        remedy = "Choose another folder, or keep nothing: keep=None, or --no-keep"
        raise SettingError(f"keep is {str(folder)!r}", why, remedy) from error


def recall(place: Path | None, terms: Terms) -> Drawn | None:
    """The question that was kept; what cannot be read is as good as none."""
    if place is None:
        return None
    try:
        case = case_from(json.loads(place.read_text(encoding="utf-8")))
        posed(case, terms.precision)
    except (OSError, ValueError, RecursionError, RefnnError):
        return None
    return Drawn(case, "kept")


def case_from(described: Mapping[str, Any]) -> Case:
    """The case that `refnn.search.report.case_in_json` described.

    Raises
    ------
    DataError
        If that is none.
    """
    network = network_from(described)
    w, x, y = (numbers_from(described.get(name), name) for name in ("parameters", "x", "y"))
    classes = isinstance(network.loss_function, losses.SoftmaxCrossEntropy) and y.ndim == 1
    if classes and not all(value.is_integer() and abs(value) < _LARGEST for value in y.tolist()):
        raise DataError(f"y are {shown(y)}", "classes are whole numbers", "Number them from 0")
    return Case(network, w, x, y.astype(np.int64) if classes else y)


_LARGEST = 2.0**53
"""Below it, whole numbers are what they are written as."""


def retain(place: Path | None, drawn: Drawn) -> None:
    """Keep a question; not one about layers that have no name, nor in a folder that cannot be written."""
    described = case_in_json(drawn.case)
    if place is None or "layers" not in described:
        return
    with contextlib.suppress(OSError):
        if not place.parent.exists():  # what is in a folder that is there already is somebody else's
            place.parent.mkdir(parents=True, exist_ok=True)
            (place.parent / ".gitignore").write_text("*\n", encoding="utf-8")
        place.write_text(json.dumps(described) + "\n", encoding="utf-8")


def forget(place: Path | None) -> None:
    """Forget the question that was kept, which is answered rightly now, or is about something else; if that can be."""
    if place is not None:
        with contextlib.suppress(OSError):
            place.unlink()
