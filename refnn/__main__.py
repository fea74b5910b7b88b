"""The command line: ``refnn verify``, ``train``, ``check``, ``vectors`` and ``faults``; also ``python -m refnn``.

Exit codes: 0 everything agrees, 1 something disagrees or training diverged, 2 bad usage or input, 3 what is checked
gives no answer, 4 undecided, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import refnn
from refnn.checks import count, extra, positive
from refnn.commands import (
    AGREES,
    BAD_INPUT,
    DISAGREES,
    INTERRUPTED,
    UNDECIDED,
    added,
    check,
    complain,
    faults,
    say,
    vectors,
)
from refnn.errors import DivergenceError, RefnnError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from refnn.datasets import Dataset
    from refnn.network import Network
    from refnn.report.verification import Narrator, Settings, Verification

__all__ = ["main"]

LINES = 20
"""Training tells its loss so often, however many epochs it has, and after the first epoch."""

WORTH_TELLING = 5
"""After the first epoch, the seconds that the others will take are told if they are as many."""

VERIFY_HELP = """\
Train a network on real data by all three variants of gradient descent (full batch, single sample, mini-batch), from
the same parameters, and hold its gradient against every witness, and against its exact value, before and after. Says
how far off it is in float32, and may be, and proves which learning rates lower the loss in the first step. Prints
tables, and writes a folder with plots: open its index.html. Without --data, the data are Fisher's irises."""

VERIFY_EXAMPLES = """\
examples:
  refnn verify
  refnn verify --data houses.csv --target price --report houses-report
  refnn verify --data patients.csv --target outcome --kind classes --hidden 5 --epochs 30
  refnn verify --json --quiet > result.json

exit codes:
  0 everything agrees; 1 a witness, the exact gradient or float32 disagrees, or training diverged; 2 bad usage or
  input; 4 undecided: no witness could speak, or zeros would pass in place of the gradient; 130 interrupted"""

TRAIN_HELP = """\
Train a network on a table by one variant of gradient descent, and save its weights. Ctrl-C stops training and saves
what was reached. Without --data, the data are Fisher's irises."""

TRAIN_EXAMPLES = """\
examples:
  refnn train --epochs 20
  refnn train --data houses.csv --target price --variant mini --save weights.npz
  refnn train --variant full --certified --epochs 20
  refnn train --data patients.csv --target outcome --kind classes --patience 10 --epochs 1000

exit codes:
  0 trained; 1 training diverged, nothing is saved; 2 bad usage or input; 130 interrupted, what was reached is saved"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code.

    Parameters
    ----------
    arguments
        The words after ``refnn``; those of the process if not given.
    """
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if options.command is None:
        options.parser.print_help(sys.stderr)
        return BAD_INPUT
    try:
        return int(options.command(options))
    except RefnnError as error:
        complain(f"{type(error).__name__}: {error}")
        return DISAGREES if isinstance(error, DivergenceError) else BAD_INPUT
    except MemoryError:
        complain("there is not enough memory for this; fewer hidden units or samples need less")
        return BAD_INPUT
    except KeyboardInterrupt:
        complain("interrupted; nothing was written")
        return INTERRUPTED


# ------------------------------------------------------------------------------------------------------------- parsing


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="refnn",
        description="A reference implementation of the feed-forward neural network, whose gradients you can believe.",
        epilog="Begin with: refnn verify",
    )
    parser.add_argument("--version", action="version", version=f"refnn {refnn.__version__}")
    parser.set_defaults(command=None, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    verify, _ = _command(
        commands, "verify", "train on real data and check every gradient", VERIFY_HELP, VERIFY_EXAMPLES
    )
    verify.add_argument(
        "--report", metavar="DIR", default="refnn-report", help="the folder to write (default: %(default)s)"
    )
    verify.set_defaults(command=_verify, parser=verify)
    train, rates = _command(commands, "train", "train and save the weights", TRAIN_HELP, TRAIN_EXAMPLES)
    train.add_argument(
        "--variant",
        choices=("full", "single", "mini"),
        default="mini",
        help="samples in each step: all, one, or a mini-batch (default: %(default)s)",
    )
    rates.add_argument(
        "--certified",
        nargs="?",
        type=float,
        const=0.5,
        metavar="FRACTION",
        help="take this part of the rate that provably lowers the loss of each batch (default: 0.5)",
    )
    train.add_argument("--stop-below", type=float, metavar="LOSS", help="stop once the loss is below this")
    train.add_argument(
        "--patience", type=int, metavar="EPOCHS", help="stop once the loss has reached no new minimum for so long"
    )
    train.add_argument("--save", metavar="FILE", help="write the weights to this .npz file")
    train.set_defaults(command=_train, parser=train)
    for command in (check, vectors, faults):
        command.add(commands)
    return parser


def _command(
    commands: Any, name: str, summary: str, description: str, examples: str
) -> tuple[argparse.ArgumentParser, Any]:
    """A command with the options that all commands share, and its group of those that choose the learning rate."""
    parser = added(commands, name, summary, description, examples)
    data = parser.add_argument_group("data")
    data.add_argument("--data", metavar="FILE", help="a CSV file with a header row; all its columns are used")
    data.add_argument(
        "--target", metavar="COLUMN", help="the column to predict: its name, or its position from 0 (-1: the last)"
    )
    data.add_argument(
        "--kind",
        choices=("classes", "numbers"),
        help="what the target holds (default: text is classes, numbers are numbers)",
    )
    training = parser.add_argument_group("network and training")
    training.add_argument("--hidden", type=int, default=8, metavar="N", help="hidden units (default: %(default)s)")
    training.add_argument(
        "--activation",
        choices=tuple(_activations()),
        default="tanh",
        metavar="NAME",
        help=f"one of {', '.join(_activations())} (default: %(default)s)",
    )
    training.add_argument(
        "--epochs", type=int, default=100, metavar="N", help="passes over all samples (default: %(default)s)"
    )
    rates = training.add_mutually_exclusive_group()
    rates.add_argument(
        "--learning-rate", type=float, default=0.1, metavar="RATE", help="the step size (default: %(default)s)"
    )
    training.add_argument(
        "--batch-size", type=int, default=16, metavar="N", help="samples in a mini-batch (default: %(default)s)"
    )
    training.add_argument("--seed", type=int, default=0, metavar="N", help="for all randomness (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON on standard output, and nothing else there")
    parser.add_argument("--quiet", action="store_true", help="print no progress and no tables, only the outcome")
    return parser, rates


def _activations() -> dict[str, Callable[[], Any]]:
    return {activation.__name__.lower(): activation for activation in refnn.activations.ALL}


def _data(options: argparse.Namespace) -> Dataset:
    """The data; what is to be remarked on them is said on standard error before they are used."""
    from refnn import datasets

    if options.data is None:
        if options.target is not None or options.kind is not None:
            options.parser.error("--target and --kind describe a file: pass --data FILE too")
        return datasets.iris()
    if options.target is None:
        options.parser.error("--target is needed with --data: the name of the column to predict")
    data = datasets.load_csv(options.data, options.target, options.kind)
    for remark in data.remarks:
        complain(f"note: {remark}")
    return data


def _settings(options: argparse.Namespace) -> Settings:
    from refnn.report.verification import Settings

    return Settings(
        hidden=options.hidden,
        activation=_activations()[options.activation](),
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        batch_size=options.batch_size,
        seed=options.seed,
    )


# -------------------------------------------------------------------------------------------------------------- verify


def _verify(options: argparse.Namespace) -> int:
    for package in ("rich", "matplotlib"):
        extra(package, "report", "refnn verify")
    from refnn.report import folder
    from refnn.report.verification import verify

    folder.check_folder(options.report)
    settings, data = _settings(options), _data(options)
    with _progress(shown=not options.quiet) as narrator:
        verification = verify(data, settings, narrator)
        narrator("plots", 0)
        page = folder.write(verification, options.report)
        narrator("plots", 1)
    if options.json:
        say(folder.as_text(verification.as_json()).rstrip("\n"))
    else:
        _print_verification(verification, tables=not options.quiet)
        say(f"Report: {page}")
    if verification.agrees:
        return AGREES
    return DISAGREES if verification.disagrees else UNDECIDED


def _print_verification(verification: Verification, *, tables: bool) -> None:
    from refnn.report import tables as table

    if tables:
        from rich.console import Console

        console = Console(highlight=False)
        data = verification.data
        say(f"refnn {refnn.__version__}: {data.name}, {len(data.x)} samples, {data.x.shape[1]} features, {data.kind}")
        say(verification.network.describe() + "\n")
        say(_drawn(console, table.witness_table(verification)))
        if verification.missing:
            say(table.certificate(verification) + "\n")
        else:
            say(_drawn(console, table.exact_table(verification)))
        say(_drawn(console, table.allowed_table(verification)))
        if not verification.missing:
            say(textwrap.fill(table.certificate(verification), console.width) + "\n")
        for title, lines in (
            ("What each witness compared, and cannot see", table.blind_spots(verification.moments)),
            ("Remarks", table.notes(verification.moments)),
        ):
            if lines:
                say("\n".join([f"{title}:", *(_hanging(f"{name}: {text}", console.width) for name, text in lines), ""]))
        say(_drawn(console, table.training_table(verification)))
    say(table.verdict(verification))


def _drawn(console: Console, table: Table) -> str:
    with console.capture() as capture:
        console.print(table, crop=False)
    return capture.get()


def _hanging(text: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent="  ", subsequent_indent="      ")


@contextlib.contextmanager
def _progress(*, shown: bool) -> Iterator[Narrator]:
    """A narrator that shows, on standard error if that is a terminal, a bar for each part, its time and that left."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as progress:
        tasks: dict[str, TaskID] = {}

        def narrator(what: str, done: float) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=1)
            progress.update(tasks[what], completed=done)

        yield narrator


# --------------------------------------------------------------------------------------------------------------- train


def _train(options: argparse.Namespace) -> int:
    from refnn import storage
    from refnn.report.measure import accuracy
    from refnn.report.verification import jsonable, network_for
    from refnn.training import History, fit

    settings = _settings(options)
    if options.save is not None:
        storage.check_destination(options.save)
    if options.patience is not None:
        count("patience", options.patience)
    if options.stop_below is not None:
        positive("stop_below", options.stop_below)  # no loss of this command is ever negative
    learning_rate = settings.learning_rate if options.certified is None else refnn.Certified(options.certified)
    raw = _data(options)
    data = raw.standardised()
    network = network_for(data, settings)
    variants = dict(zip(("full", "single", "mini"), settings.variants().values(), strict=True))

    begin = time.perf_counter()

    def progress(epoch: int, epochs: int, loss: float) -> None:
        lines = LINES * epoch // epochs - LINES * (epoch - 1) // epochs  # due since the epoch before
        if not (options.quiet or options.json) and (lines or epoch == 1):
            seconds = (epochs - 1) * (time.perf_counter() - begin)
            left = f"  (about {seconds:.0f} s for the others)" if epoch == 1 and seconds >= WORTH_TELLING else ""
            say(f"epoch {epoch}/{epochs}  loss {loss:.6g}{left}")

    try:
        history = fit(
            network,
            network.initial_parameters(rng=settings.seed),
            data.x,
            data.y,
            batches=variants[options.variant],
            learning_rate=learning_rate,
            epochs=settings.epochs,
            rng=settings.seed,
            stop_below=options.stop_below,
            patience=options.patience,
            progress=progress,
        )
    except DivergenceError as error:
        steps = error.history.steps if isinstance(error.history, History) else 0
        complain(f"training diverged after {_steps(steps)}; nothing was saved. DivergenceError: {error}")
        return DISAGREES
    outcome = {
        "format": "refnn training",
        "refnn": refnn.__version__,
        "data": data.name,
        "variant": options.variant,
        "learning_rate": settings.learning_rate if options.certified is None else None,
        "certified": options.certified,
        "stopped": history.stopped,
        "steps": history.steps,
        "seconds": time.perf_counter() - begin,
        "losses": history.losses,
        "accuracy": accuracy(network, history.parameters, data.x, data.y) if data.kind == "classes" else None,
        "saved": options.save,
    }
    if options.save is not None:
        _save(options.save, network, history.parameters, raw, outcome)
    if options.json:
        say(json.dumps(jsonable(outcome), allow_nan=False))
    else:
        say(_summary(outcome))
    return INTERRUPTED if history.stopped == "interrupted" else AGREES


def _save(path: str, network: Network, w: refnn.arrays.FloatArray, raw: Dataset, outcome: dict[str, Any]) -> None:
    """The weights, with what is needed to use them on new samples."""
    from refnn.datasets import standardise
    from refnn.report.verification import jsonable
    from refnn.storage import save_parameters

    _, mean, scale = standardise(raw.x)
    _, target_mean, target_scale = standardise(raw.y[:, None])
    numbers = raw.kind == "numbers"
    save_parameters(
        path,
        network,
        w,
        features=list(raw.feature_names),
        feature_mean=jsonable(mean),
        feature_scale=jsonable(scale),
        classes=raw.class_names,
        target_mean=float(target_mean[0]) if numbers else None,
        target_scale=float(target_scale[0]) if numbers else None,
        provenance=raw.provenance,
        stopped=outcome["stopped"],
        steps=outcome["steps"],
        loss=outcome["losses"][-1],
    )


def _steps(number: int) -> str:
    return f"{number} step" if number == 1 else f"{number} steps"


def _summary(outcome: dict[str, Any]) -> str:
    why = {
        "epochs": "All epochs done",
        "target": "The loss is low enough",
        "patience": "The loss no longer falls",
        "interrupted": "Interrupted",
    }[outcome["stopped"]]
    share = "" if outcome["accuracy"] is None else f", accuracy {100 * outcome['accuracy']:.1f} %"
    saved = "" if outcome["saved"] is None else f" Saved to {outcome['saved']}."
    return f"{why} after {_steps(outcome['steps'])}: loss {outcome['losses'][-1]:.6g}{share}.{saved}"


if __name__ == "__main__":
    sys.exit(main())
