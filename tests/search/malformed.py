"""A program that refnn can ask, and that goes wrong in the way that its argument names.

It knows the answer to one question, and starts in a few milliseconds: it is run with Python's -I and -S.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

CAPABILITIES: dict[str, Any] = {
    "layers": ["dense", "relu"],
    "losses": ["squared_error"],
    "precisions": ["float64"],
    "reductions": ["mean"],
}

ANSWER: dict[str, Any] = {"outputs": [[3]], "loss": 2, "gradient": [4, 8, 2], "input_gradient": [[1, 0.5]]}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def answer(number: int, **changes: object) -> None:
    say(json.dumps({"id": number, **ANSWER, **changes}))


def hang(number: int) -> None:
    time.sleep(60)


def give_up(number: int) -> None:
    sys.stderr.write("no more memory\n")
    sys.exit(3)


def fall(number: int) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def stop_midway(number: int) -> None:
    sys.stdout.write('{"id":')
    sys.stdout.flush()
    sys.exit(0)


def drip(number: int) -> None:
    for letter in json.dumps({"id": number, **ANSWER}):
        sys.stdout.write(letter)
        sys.stdout.flush()
        time.sleep(0.1)


def write_without_end(number: int) -> None:
    while True:
        sys.stdout.write("1, " * 2**16)


def write_lines_without_end(number: int) -> None:
    answer(number)
    while True:
        say("")


def close_input(number: int) -> None:
    answer(number)
    os.close(0)
    time.sleep(60)


def close_output(number: int) -> None:
    os.close(1)
    time.sleep(60)


def flood(number: int) -> None:
    sys.stderr.write("warning: " * 2**17)
    answer(number)


def flood_and_fail(number: int) -> None:
    sys.stderr.write("warning: " * 2**17 + "\nout of paper\n")
    sys.exit(4)


def leave_a_child(number: int) -> None:
    """One that holds the pipes, and says its number."""
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"])
    sys.stderr.write(f"child {child.pid} child\n")
    sys.stderr.flush()
    say("what?")
    time.sleep(60)


def answer_twice(number: int) -> None:
    answer(number)
    answer(number + 1)


def answer_slowly(number: int) -> None:
    time.sleep(0.2)
    answer(number)


EVALUATE: dict[str, Callable[[int], None]] = {
    "honest": answer,
    "hang": hang,
    "exit": give_up,
    "slow": answer_slowly,
    "signal": fall,
    "midway": stop_midway,
    "drip": drip,
    "endless line": write_without_end,
    "endless lines": write_lines_without_end,
    "close input": close_input,
    "close output": close_output,
    "flood": flood,
    "flood and fail": flood_and_fail,
    "child": leave_a_child,
    "twice": answer_twice,
    "words": lambda number: say("loss is 2.0"),
    "list": lambda number: say("[1, 2]"),
    "empty": lambda number: say(""),
    "deep": lambda number: say("[" * 100_000),
    "latin": lambda number: (os.write(1, b'{"id": "\xe9"}\n'), None)[1],
    "id": lambda number: answer(number + 1),
    "no id": lambda number: say(json.dumps(ANSWER)),
    "true id": lambda number: say(json.dumps({"id": True, **ANSWER})),
    "short": lambda number: answer(number, gradient=[4, 8]),
    "ragged": lambda number: answer(number, outputs=[[3], [3, 4]]),
    "true": lambda number: answer(number, loss=True),
    "extra": lambda number: answer(number, losses=2),
    "missing": lambda number: say(json.dumps({"id": number, "loss": 2})),
    "bare nan": lambda number: answer(number, loss=float("nan")),
    "bare infinity": lambda number: answer(number, loss=float("-inf")),
    "nan": lambda number: answer(number, loss="nan", gradient=["inf", "-inf", 2]),
    "error": lambda number: say(json.dumps({"id": None, "error": "shape mismatch"})),
    "unsupported": lambda number: say(json.dumps({"id": number, "unsupported": "batches of one"})),
}


def evaluate(mode: str, number: int) -> None:
    EVALUATE.get(mode.partition(" but say ")[0], answer)(number)


def echo(mode: str, number: int, numbers: list[Any]) -> None:
    write: Callable[[Any], str] = ECHO.get(mode, repr)
    written = ", ".join(map(write, numbers[:-1] if mode == "lose the last" else numbers))
    say(
        json.dumps({"id": number, "unsupported": "echo"})
        if mode == "no echo"
        else f'{{"id": {number}, "numbers": [{written}]}}'
    )


def scaled(text: str) -> float:
    """A number as careless parsers read it: its digits as a whole number, rounded, times a power of ten, rounded."""
    digits, _, exponent = text.partition("e")
    whole, _, fraction = digits.partition(".")
    power = int(exponent or "0") - len(fraction)
    value = float(int(whole + fraction))
    while power < -300:
        value, power = value / 1e300, power + 300
    return value * 10.0**power if power >= 0 else value / 10.0**-power


ECHO: dict[str, Callable[[Any], str]] = {
    "15 digits": lambda v: f"{v:.15g}",
    "16 digits": lambda v: f"{v:.16g}",
    "scaled": lambda v: repr(scaled(repr(v))),
}


def main(mode: str) -> None:
    if mode == "banner":
        say("welcome")
    for line in sys.stdin:
        question = json.loads(line)
        if question["ask"] == "capabilities":
            changes = json.loads(mode.partition("say ")[2] or "{}")
            say(
                json.dumps({"id": question["id"], **{k: v for k, v in {**CAPABILITIES, **changes}.items() if v != "-"}})
            )
        elif question["ask"] == "echo":
            echo(mode, question["id"], question["numbers"])
        else:
            evaluate(mode, question["id"])
    if mode == "stay":
        time.sleep(60)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        with open(name, "a") as file:  # noqa: PTH123 - pathlib takes longer to load than all else
            file.write(f"{os.getpid()}\n")
    main(sys.argv[1])
