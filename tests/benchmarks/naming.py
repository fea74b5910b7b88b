"""`refnn.check` on programs with faults: how many it finds, on how small a question, and how many it names rightly.

The faults are those of the catalogue, beside which other tools are asked (`tests.benchmarks.catalogued`); those of the
field, planted in a program by hand (`tests.oracle.faults`); and others by somebody who had not seen the catalogue
(`tests.search.blind`), who also wrote programs that are right. So are others (`tests.benchmarks.honest`). What is in
torch by hand is put to `torch.autograd.gradcheck` too, on a network of each activation and loss that it knows.

After each set of faults by somebody else, the catalogue was given what it showed to be lacking: neither is blind any
more, and what is printed says less of the next fault than of these.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import refnn
from refnn import Dense
from refnn.search.faults import FAULTS as CATALOGUE
from refnn.search.report import Report
from tests.benchmarks.catalogued import lines, of_fault, refusals
from tests.benchmarks.honest import HONEST
from tests.benchmarks.others import TOOLS
from tests.benchmarks.table import Line, Row, with_progress
from tests.benchmarks.told import SHRUNK, Told, told
from tests.oracle.faults import FAULTS as PLANTED
from tests.search.blind import ABOUT, LOSSES, RIGHT, UNITS, WRONG, WRONG_LATER, Blind, is_named, names, target
from tests.search.implementations import cubed, planted, right, summed, upside_down
from tests.search.test_naming import about

T = TypeVar("T")

BLIND = (*WRONG, *WRONG_LATER)

QUESTIONS = 200
QUESTIONS_TO_RIGHT = 60  # most of the time goes into them: nothing ends the search

HEAD = f"  {'':72}{'questions':>10}{'size':>8}  named as (in brackets: wrongly, or not)"


def naming() -> Iterator[Line]:
    for blind in (blind for blind in (*BLIND, *RIGHT) if blind.lacks):
        yield f"left out, as {blind.lacks} is not installed: {blind.language}: {blind.what}"
    yield from (f"left out, as {program.missing}: {program.what}" for program in HONEST if program.missing)
    wrong, alike = ([k for k, blind in enumerate(blinds) if not blind.lacks] for blinds in (BLIND, RIGHT))
    first, later = ([k for k in wrong if (k < len(WRONG)) == is_first] for is_first in (True, False))
    honest = [k for k, program in enumerate(HONEST) if not program.missing]
    yield from _at_its_defaults()
    yield "size: dense layers of the last question, and its largest dimension"
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as executor:
        in_workers = partial(_in_workers, executor)
        found = in_workers("catalogue", of_fault, range(len(CATALOGUE)))
        yield from lines(found, in_workers("other tools", refusals, range(len(TOOLS))))
        yield from _judged("planted", in_workers("planted", _planted, range(len(PLANTED))), 0.95)
        yield from _judged("blind", in_workers("blind", _blind, first), 12 / 15)
        yield from _judged("later blind", in_workers("later blind", _blind, later), 12 / 15)
        asked = [*in_workers("right", _right, alike), *in_workers("others", _honest, honest)]
    yield from (str(each) for each in asked if not each.right)
    yield Row(f"programs that are right and are accused, of {len(asked)}", sum(not each.right for each in asked), 0)
    yield from _of_gradcheck([BLIND[k] for k in wrong if BLIND[k].language == "torch"])


def _at_its_defaults() -> Iterator[Line]:
    report = refnn.check(right, precision="float32", keep=None)
    yield Row(f"a right program, {report.verdict}: seconds", report.seconds, 30)
    yield Row("a right program: networks that it is asked about", len(report.found.networks), 200, goal_is="at least")
    seconds = [refnn.check(each, precision="float32", keep=None).seconds for each in (summed, upside_down, cubed)]
    yield Row("the slowest of three with a fault: seconds", max(seconds), 10)


def _in_workers(
    executor: ProcessPoolExecutor, what: str, function: Callable[[int], T], numbers: Sequence[int]
) -> list[T]:
    """What a function gives, of each number."""
    made = executor.map(function, numbers)
    return [next(made) for _ in with_progress(f"naming, {what}", numbers)]


def _judged(kind: str, found: Sequence[Told], named: float) -> Iterator[Line]:
    yield f"{kind} faults\n{HEAD}"
    yield from map(str, found)
    for what, share, goal in (
        ("caught", [each.caught for each in found], 1),
        ("named rightly", [each.right for each in found], named),
        (SHRUNK, [each.small for each in found], 0.9),
    ):
        yield Row(f"{kind} faults, of {len(found)}: share {what}", float(np.mean(share)), goal, goal_is="at least")


def _planted(number: int) -> Told:
    fault = PLANTED[number]
    report = refnn.check(planted(fault), **about(fault))
    named = None if report.diagnosis is None else report.diagnosis.fault
    return told(f"{fault.id}: {fault.what}", report, right=named is not None and named.id.split("/")[0] == fault.id)


def _blind(number: int) -> Told:
    blind = BLIND[number]
    report = _checked(blind, QUESTIONS)
    return told(f"{blind.language}: {blind.what}", report, right=is_named(blind, report))


def _right(number: int) -> Told:
    blind = RIGHT[number]
    report = _checked(blind, QUESTIONS_TO_RIGHT)
    return told(f"{blind.language}: {blind.what}", report, right=_is_not_accused(report))


def _checked(blind: Blind, examples: int) -> Report:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, where a layout is tried that is not the program's
        return refnn.check(
            target(blind, Path(folder)), precision="float64", examples=examples, keep=None, **ABOUT[blind.language]
        )


def _honest(number: int) -> Told:
    program = HONEST[number]
    report = refnn.check(program.made(), precision="float64", examples=QUESTIONS_TO_RIGHT, keep=None, **program.about())
    return told(program.what, report, right=_is_not_accused(report))


def _is_not_accused(report: Report) -> bool:
    """Whether it agrees, or is told that it follows another convention, such as the slope at a kink."""
    fault = None if report.diagnosis is None else report.diagnosis.fault
    return report.verdict == "agrees" or (fault is not None and bool(fault.convention))


# ----------------------------------------------------------------------------------------------------------- gradcheck


def _of_gradcheck(blinds: Sequence[Blind]) -> Iterator[Line]:
    if not blinds:
        return
    for fast in (False, True):
        caught = [blind for blind in blinds if not _accepted(blind, fast=fast)]
        mode = "fast" if fast else "slow"
        yield f"caught by gradcheck {mode}: {'; '.join(blind.what for blind in caught)}"
        yield Row(
            f"blind faults in torch, of {len(blinds)}: share caught by gradcheck {mode}", len(caught) / len(blinds)
        )


def _accepted(blind: Blind, *, fast: bool) -> bool:
    """Whether gradcheck takes the gradients of the program for right, on every network."""
    torch = importlib.import_module("torch")
    defined = names(blind)
    rng = np.random.default_rng(0)
    accepted = []
    for unit, loss in product(UNITS["torch"], LOSSES["torch"]):
        network = refnn.Network(Dense(4, 5), unit, Dense(5, 3), loss=loss)
        parameters = [torch.tensor(rng.normal(size=n), requires_grad=True) for n in ((5, 4), (3, 5), 5, 3)]
        x = torch.tensor(rng.normal(size=(7, 4)))
        rows = isinstance(loss, refnn.SquaredError)
        y = torch.tensor(rng.normal(size=(7, 3)) if rows else rng.integers(0, 3, 7))

        def of(*p: Any, network: refnn.Network = network, x: Any = x, y: Any = y) -> Any:
            return defined["criterion"](network, defined["forward"](network, p[:2], p[2:], x), y)

        accepted.append(torch.autograd.gradcheck(of, parameters, fast_mode=fast, raise_exception=False))
    return all(accepted)
