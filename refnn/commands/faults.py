"""``refnn faults``: the faults that have names."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import Any

import refnn
from refnn.commands import AGREES, added, say

__all__ = ["add", "run"]

HELP = """\
List the faults that refnn knows by name: what each does, where one of its kind was found in real code, if it was, and
a question that leads to it. Others show as numbers, and as the layer from which on they differ."""

EXAMPLES = """\
examples:
  refnn faults
  refnn faults --json > faults.json"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    faults = added(commands, "faults", "list the faults that have names", HELP, EXAMPLES)
    faults.add_argument("--json", action="store_true", help="print JSON")
    faults.set_defaults(command=run, parser=faults)


def run(options: argparse.Namespace) -> int:
    """Print the list."""
    from refnn.search.faults import FAULTS
    from refnn.search.rows import ROWS

    if options.json:
        rows = [row._asdict() for row in ROWS.values()]
        told = ("id", "what", "plain", "source", "hint", "convention")
        named = [{name: getattr(fault, name) for name in told} for fault in FAULTS]
        say(json.dumps({"format": "refnn faults", "refnn": refnn.__version__, "faults": named, "rows": rows}))
        return AGREES
    for fault in FAULTS:
        source = f" ({fault.source})" if fault.source else ""
        _say(f"{fault.id:14}  {fault.what}{source}")
        _say(f"{'':14}  {fault.hint}")
    say("\nOther rows of the list of faults found in real code:\n")
    for row in ROWS.values():
        if not any(fault.id.split("/")[0] == row.id for fault in FAULTS):
            _say(f"{row.id:14}  {row.what}: {row.shows}, {row.reason}")
    say('\n"A check of steps": these show only over several update steps, which refnn does not check yet.')
    return AGREES


def _say(line: str) -> None:
    say(textwrap.fill(line, 120, subsequent_indent=" " * 16))
