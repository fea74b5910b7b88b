"""What refnn costs and how far it goes, against goals: ``python -m tests.benchmarks``, or only the parts named there.

Times of two programs are compared as ratios, measured interleaved in one run. On a busy machine NumPy's threads wait
for each other; ``OPENBLAS_NUM_THREADS=1`` in the environment steadies them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

from tests.benchmarks.alarms import alarms
from tests.benchmarks.certificates import certificate
from tests.benchmarks.gradcheck import gradcheck
from tests.benchmarks.naming import naming
from tests.benchmarks.speed import arithmetics, gradients, imports
from tests.benchmarks.table import HEADER, Line, Row
from tests.benchmarks.tightness import tightness
from tests.benchmarks.tolerances import cost
from tests.benchmarks.truth import exact, scaling

PARTS: dict[str, Callable[[], Iterator[Line]]] = {
    "gradients": gradients,
    "imports": imports,
    "arithmetics": arithmetics,
    "exact": exact,
    "scaling": scaling,
    "certificate": certificate,
    "tightness": tightness,
    "gradcheck": gradcheck,
    "tolerance": cost,
    "alarms": alarms,
    "naming": naming,
}


def chosen(arguments: Sequence[str]) -> list[str]:
    """The names of parts on the command line, in their order there; all, if there are none."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"what to measure, of {', '.join(PARTS)}; by default everything")
    parts: list[str] = parser.parse_args(arguments).part
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {', '.join(map(repr, unknown))}; choose from {', '.join(PARTS)}")
    return parts or list(PARTS)


def main(arguments: Sequence[str]) -> int:
    """1 if a goal is missed, else 0."""
    missed = 0
    parts = chosen(arguments)
    print(HEADER)  # noqa: T201 - the table is what this program is for
    for part in parts:
        for line in PARTS[part]():
            print(line, flush=True)  # noqa: T201 - likewise
            missed += isinstance(line, Row) and line.verdict == "MISSED"
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
