"""``refnn vectors``: questions with their exact answers, in files."""

from __future__ import annotations

import argparse
from typing import Any

from refnn.checks import extra
from refnn.commands import AGREES, added, say

__all__ = ["add", "run"]

HELP = """\
Write conformance vectors into a folder: questions about small networks with their exact answers, and how far off an
honest implementation may be, as JSON that every language reads. They are the same on every machine, byte by byte. A
README in the folder says how to use them; refnn check --vectors DIR puts them to a program or a Python function."""

EXAMPLES = """\
examples:
  refnn vectors vectors
  refnn vectors vectors --layers dense,relu,tanh --losses squared_error,softmax_cross_entropy --precisions float32
  refnn check --command "./my_program" --vectors vectors

exit codes:
  0 written; 2 bad usage or input, nothing is written; 130 interrupted, nothing is written"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    vectors = added(commands, "vectors", "write questions with exact answers into files", HELP, EXAMPLES)
    vectors.add_argument("folder", metavar="DIR", help="the folder; it is new, empty, or holds vectors to replace")
    vectors.add_argument("--layers", type=_names, metavar="NAMES", help="with commas between them (default: all)")
    vectors.add_argument("--losses", type=_names, metavar="NAMES", help="with commas between them (default: all)")
    vectors.add_argument(
        "--precisions",
        type=_names,
        default="float64,float32",
        metavar="NAMES",
        help="some of float64, float32, bfloat16, float16 (default: %(default)s)",
    )
    vectors.add_argument(
        "--max-bytes", type=int, default=200_000, metavar="N", help="of one file of vectors (default: %(default)s)"
    )
    vectors.add_argument("--quiet", action="store_true", help="show no progress")
    vectors.set_defaults(command=run, parser=vectors)


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",")))


def run(options: argparse.Namespace) -> int:
    """Write the files, and say what they are worth."""
    extra("hypothesis", "testing", "refnn vectors")
    extra("flint", "exact", "refnn vectors")
    from refnn.search.checking import progress_shown
    from refnn.search.faults import FAULTS
    from refnn.search.vectors import load, write

    with progress_shown((lambda *_: None) if options.quiet else None) as tell:
        *files, _, _ = write(  # the last two are the schema and a page
            options.folder,
            layers=options.layers,
            losses=options.losses,
            precisions=options.precisions,
            max_bytes=options.max_bytes,
            progress=lambda done, of: tell("looking at questions", done, of),
        )
    vectors = load(options.folder)
    size, names = sum(file.stat().st_size for file in files), ", ".join(file.name for file in files)
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    say(f"{len(vectors)} vectors in {count} of {size} bytes together, in {options.folder}: {names}")
    for precision in options.precisions:
        caught = {id_ for v in vectors if precision in v.expected for id_ in v.expected[precision].catches}
        say(f"{precision}: {len(caught)} of the {len(FAULTS)} faults with a name are caught")
    say('Which vector catches which, it says itself in "catches"; what they are, refnn faults says.')
    return AGREES
