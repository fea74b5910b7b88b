"""Commands of the command line, a module for each, and what they have in common.

Each module has a function that adds the command to the parser, and one that runs it and returns its exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

__all__ = ["AGREES", "BAD_INPUT", "BROKEN", "DISAGREES", "INTERRUPTED", "UNDECIDED", "added", "complain", "say"]

AGREES, DISAGREES, BAD_INPUT, BROKEN, UNDECIDED, INTERRUPTED = 0, 1, 2, 3, 4, 130


def added(commands: Any, name: str, summary: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A command of this name, whose description and examples are printed as they are written."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def say(text: str) -> None:
    """Print a text on standard output."""
    try:
        print(text, flush=True)  # noqa: T201 - this is the command line
    except BrokenPipeError:  # the reader has left, as `head` does; the work goes on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """Print a text on standard error."""
    print(f"refnn: {text}", file=sys.stderr, flush=True)  # noqa: T201 - likewise
