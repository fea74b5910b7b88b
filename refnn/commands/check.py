"""``refnn check``: somebody's implementation, held against questions that are drawn, or against vectors."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.resources
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import refnn
from refnn.checks import extra
from refnn.commands import AGREES, BROKEN, DISAGREES, UNDECIDED, added, complain, say
from refnn.errors import BrokenTargetError, DataError, SettingError
from refnn.storage import check_destination, replacing

if TYPE_CHECKING:
    from refnn.search.report import Verdict
    from refnn.search.vectors import Kind, Result, Vector

__all__ = ["add", "run"]

HELP = """\
Put questions to an implementation, and hold its answers against the truth, each number within a derived bound. Shows
the smallest question found that it gets wrong, and names the fault. An implementation is a program in any language
(--command), which talks in lines of JSON, or a Python function f(network, w, x, y) (--function)."""

EXAMPLES = """\
examples:
  refnn check --protocol > protocol.md
  refnn check --command "./my_program"
  refnn check --function my_package.my_module:loss_and_gradient --precision float32
  refnn check --command "node network.js" --examples 1000 --reveal fault
  refnn check --command "./my_program" --vectors vectors --known-failures known.txt --junit results.xml

exit codes:
  0 agrees; 1 disagrees; 2 bad usage or input; 3 there is no answer to judge: it hangs, stops, or talks nonsense;
  4 undecided: too few questions could be judged; 130 interrupted"""

CODES: Mapping[Verdict, int] = {"agrees": AGREES, "disagrees": DISAGREES, "broken": BROKEN, "undecided": UNDECIDED}

KINDS: Mapping[Verdict, Kind] = {"agrees": "passed", "disagrees": "failed", "broken": "broken", "undecided": "error"}
"""What a verdict is as the result of a test."""

COUNTED: Mapping[Kind, str] = {
    "passed": "pass",
    "failed": "fail",
    "broken": "have no answer",
    "known": "fail as listed",
    "error": "are listed wrongly",
    "skipped": "are skipped",
}

_SHOWN = 5
"""Of a long list, so many are printed."""

DRAWING = ("network", "examples", "seconds", "seed", "deterministic", "no_keep", "reveal")
"""The options that vectors, which are what they are, leave no choice of."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    check = added(commands, "check", "check an implementation, and name its fault", HELP, EXAMPLES)
    target = check.add_mutually_exclusive_group(required=True)
    target.add_argument("--command", metavar="COMMAND", dest="program", help="a program and its arguments")
    target.add_argument("--function", metavar="MODULE:NAME", help="a Python function of network, w, x and y")
    target.add_argument("--protocol", action="store_true", help="print the page on what a program is asked, and stop")
    check.add_argument(
        "--precision",
        choices=("float64", "float32", "bfloat16", "float16"),
        default="float64",
        help="the format in which it computes (default: %(default)s)",
    )
    check.add_argument(
        "--network",
        metavar="FILE",
        help="ask about this network only: its layers and loss, or what --json printed",
    )
    check.add_argument(
        "--examples", type=int, default=250, metavar="N", help="how many questions (default: %(default)s)"
    )
    check.add_argument("--seconds", type=float, metavar="S", help="ask no more questions after this time")
    check.add_argument(
        "--time-limit", type=float, default=10, metavar="S", help="seconds for one answer (default: %(default)s)"
    )
    check.add_argument("--seed", type=int, default=0, metavar="N", help="of the questions (default: %(default)s)")
    check.add_argument("--deterministic", action="store_true", help="an answer that varies is wrong")
    check.add_argument(
        "--no-keep", action="store_true", help="keep no question that fails in .refnn, to ask it first the next time"
    )
    check.add_argument(
        "--reveal",
        choices=("verdict", "where", "relation", "fault", "everything"),
        default="everything",
        help="how much to tell, for teachers (default: %(default)s)",
    )
    check.add_argument("--json", action="store_true", help="print JSON on standard output, and nothing else there")
    check.add_argument("--quiet", action="store_true", help="show no progress")
    check.add_argument("--junit", metavar="FILE", help="write the result to this file too, as JUnit's XML")
    vectors = check.add_argument_group("vectors")
    vectors.add_argument(
        "--vectors", metavar="DIR", help="in place of questions that are drawn, those of refnn vectors"
    )
    vectors.add_argument(
        "--known-failures",
        metavar="FILE",
        help="a vector on each line, behind # a comment: those that fail. It is wrong if one of them does not",
    )
    check.set_defaults(command=run, parser=check)


def run(options: argparse.Namespace) -> int:
    """Check, and say what was found."""
    if options.protocol:
        page = importlib.resources.files("refnn.search.protocol") / "README.md"
        say(page.read_text(encoding="utf-8").rstrip("\n"))
        return AGREES
    extra("hypothesis", "testing", "refnn check")
    from refnn.search.vectors import Result, load

    _fitting(options)
    if options.junit is not None:
        _results_file(options.junit)
    network = None if options.network is None else _network(options.network)
    vectors = None if options.vectors is None else load(options.vectors)
    known = set() if options.known_failures is None else _known_failures(options.known_failures)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_no_folder_of_hypothesis())
        try:
            target = _target(options, stack)
        except BrokenTargetError as error:
            complain(str(error))
            if options.json:
                say(json.dumps({**_about(options, "broken"), "failure": {"kind": error.kind, "said": str(error)}}))
            _write_junit(options, [Result(_name(options), "broken", str(error))])
            return BROKEN
        verdict = (
            _on_questions(options, target, network) if vectors is None else _on_vectors(options, target, vectors, known)
        )
    return CODES[verdict]


@contextlib.contextmanager
def _no_folder_of_hypothesis() -> Iterator[None]:
    """Let Hypothesis keep what it notes of the user's code elsewhere than in a folder here."""
    from hypothesis.configuration import set_hypothesis_home_dir

    with tempfile.TemporaryDirectory() as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


def _fitting(options: argparse.Namespace) -> None:
    """Refuse options that have nothing to do with each other."""
    if options.vectors is None:
        if options.known_failures is not None:
            options.parser.error("--known-failures lists vectors: it goes with --vectors DIR only")
        if options.json and options.reveal != "everything":
            options.parser.error("--json tells everything: leave out --reveal")
        return
    for name in DRAWING:
        if getattr(options, name) != options.parser.get_default(name):
            option = f"--{name.replace('_', '-')}"
            options.parser.error(f"{option} is about questions that are drawn: leave it out, or leave out --vectors")


def _on_questions(options: argparse.Namespace, target: Any, network: refnn.Network | None) -> Verdict:
    from refnn.search.vectors import Result

    report = refnn.check(
        target,
        precision=options.precision,
        networks=network,
        examples=options.examples,
        seconds=options.seconds,
        time_limit=options.time_limit,
        seed=options.seed,
        deterministic=options.deterministic,
        keep=None if options.no_keep else ".refnn",
        progress=(lambda *_: None) if options.quiet else None,
    )
    text = report.text(options.reveal)
    say(json.dumps(report.as_json(), allow_nan=False) if options.json else text)
    if report.verdict == "undecided" and report.found.unsupported:
        _hint(options, target, Counter({f"unsupported: {what}": n for what, n in report.found.unsupported.items()}))
    _write_junit(options, [Result(_name(options), KINDS[report.verdict], text)])
    return report.verdict


def _on_vectors(
    options: argparse.Namespace, target: Any, vectors: Sequence[Vector], known_failures: Collection[str]
) -> Verdict:
    from refnn.search import vectors as on
    from refnn.search.checking import progress_shown

    with progress_shown((lambda *_: None) if options.quiet else None) as tell:
        results = on.run(
            target,
            vectors,
            options.precision,
            known_failures=known_failures,
            time_limit=options.time_limit,
            progress=lambda done, of: tell("asking", done, of),
        )
    kinds, skipped = Counter(r.kind for r in results), Counter(r.said for r in results if r.kind == "skipped")
    verdict = _vectors_verdict(kinds)
    if options.json:
        told = {"precision": options.precision, "results": [r._asdict() for r in results]}
        say(json.dumps({**_about(options, verdict), **told}))
    else:
        counts = ", ".join(f"{kinds[kind]} {what}" for kind, what in COUNTED.items() if kinds[kind])
        say(f"{verdict}: of {len(vectors)} vectors for {options.precision}, {counts}")
        for result in results:
            if result.kind in ("failed", "broken", "error"):
                say(f"  {result.id}: {result.said}")
            if result.kind == "failed":
                say(f"    {_caught(vectors, result.id, options.precision)}")
        for why, number in skipped.most_common(_SHOWN):
            say(f"  {number} skipped: {why}")
        if others := skipped.total() - sum(number for _, number in skipped.most_common(_SHOWN)):
            say(f"  {others} skipped for other reasons, which --json tells")
    if verdict == "undecided":
        _hint(options, target, skipped or Counter({"known failures": kinds["known"]}))
    _write_junit(options, results)
    return verdict


def _caught(vectors: Sequence[Vector], id_: str, precision: str) -> str:
    """The faults that a vector is known to catch, or some of them."""
    caught = next(vector.expected[precision].catches for vector in vectors if vector.id == id_)
    more = f", and {len(caught) - _SHOWN} others" if len(caught) > _SHOWN else ""
    return f"faults that it catches (see refnn faults): {'; '.join(caught[:_SHOWN]) or 'none with a name'}{more}"


def _about(options: argparse.Namespace, verdict: Verdict) -> dict[str, str]:
    """What JSON begins with."""
    form = "refnn check" if options.vectors is None else "refnn check of vectors"
    return {"format": form, "refnn": refnn.__version__, "verdict": verdict}


def _vectors_verdict(kinds: Counter[Kind]) -> Verdict:
    """By the rule of `refnn.check`: at least half. What fails as listed is judged, but alone it agrees with nothing."""
    from refnn.search.report import MOSTLY

    if kinds["failed"] or kinds["error"]:
        return "disagrees"
    if kinds["broken"]:
        return "broken"
    judged = kinds["passed"] + kinds["known"]
    return "agrees" if kinds["passed"] and judged >= MOSTLY * kinds.total() else "undecided"


def _hint(options: argparse.Namespace, target: Any, why: Counter[str]) -> None:
    """What to do where too little was judged."""
    if options.vectors is not None:
        known = getattr(target, "capabilities", {})
        layers, losses = (",".join(known.get(name, "…")) for name in ("layers", "losses"))
        remedy = f"Write vectors of what it knows: refnn vectors DIR --layers {layers} --losses {losses}"
    elif options.program is not None:
        remedy = 'Its answer to "capabilities" should name what it knows, and nothing else: see refnn check --protocol'
    else:
        remedy = "Ask about a network that it knows: --network FILE"
    named = "; ".join(f"{what} ({number})" for what, number in why.most_common(_SHOWN))
    complain(f"too little could be judged: {named}. {remedy}.")


# --------------------------------------------------------------------------------------------------- what it is given


def _target(options: argparse.Namespace, stack: contextlib.ExitStack) -> Any:
    if options.program is not None:
        from refnn.search.targets.command import Command

        command = Command(options.program, time_limit=options.time_limit, precision=options.precision)
        return stack.enter_context(command)
    sys.path.insert(0, "")  # as `python -m` does
    stack.callback(sys.path.remove, "")
    return _function(options.function)


def _function(words: str) -> Any:
    module, _, name = words.partition(":")
    given = f"--function is {words!r}"
    remedy = "Pass the name of a module, a colon and a function: my_package.my_module:loss_and_gradient"
    if not module or not name:
        raise SettingError(given, "it names no function of a module", remedy)
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        why = f"importing {module} raises {type(error).__name__}: {error}".rstrip(".")
        raise SettingError(given, why, remedy) from error
    if not hasattr(found, name):
        raise SettingError(given, f"{module} has no {name}", remedy)
    return getattr(found, name)


def _name(options: argparse.Namespace) -> str:
    return str(options.function if options.program is None else options.program)


def _network(path: str) -> refnn.Network:
    from refnn.search.written import network_from

    try:
        described = json.loads(_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        remedy = 'Pass {"layers": […], "loss": {…}}, or what refnn check --json prints'
        raise DataError(f"{path} is no JSON", str(error), remedy) from error
    if isinstance(described, dict) and described.get("format") == "refnn check":
        if described.get("failure") is None:
            raise DataError(f"{path} is a report of no failure", "it has no network", "Pass one with a failure")
        described = described["failure"]
    try:
        return network_from(described)
    except DataError as error:
        raise DataError(f"{path}: {error.given}", error.why, error.remedy) from error


def _known_failures(path: str) -> set[str]:
    lines = (line.partition("#")[0].strip() for line in _text(path).splitlines())
    return {line for line in lines if line}


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read", str(error), "Pass a text file in UTF-8") from error


# ------------------------------------------------------------------------------------------------------------ results


def _results_file(path: str) -> None:
    """Refuse, before anything is asked, a file that cannot be written."""
    if Path(path).is_dir():
        raise DataError(f"--junit is {path!r}", "that is a folder", f"Pass a file: {path}/results.xml, say")
    check_destination(path)


def _write_junit(options: argparse.Namespace, results: Sequence[Result]) -> None:
    from refnn.search.vectors import as_junit

    if options.junit is not None:
        text = as_junit(results, "refnn check" if options.vectors is None else "refnn vectors")
        with replacing(options.junit) as file:
            file.write(text.encode() + b"\n")
