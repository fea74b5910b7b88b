"""A program that runs: its process, its pipes, and its end."""

from __future__ import annotations

import os
import queue
import shlex
import signal
import subprocess
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, final

from refnn.errors import BrokenTargetError, SettingError

__all__ = ["LONGEST_LINE", "SHOWN", "Program", "text_of"]

LONGEST_LINE = 2**24
"""A reply has at most so many bytes, with the end of its line."""

SHOWN = 300
"""So much of a question, or of a line, is told."""

_TAIL = 500  # and so much of stderr
_WAITING = 8  # more lines than these, which nobody asked for, are not read
_GRACE = 1.0  # seconds in which a program whose pipes are closed has ended, or a thread whose program was killed


@final
class Program:
    """A program that runs: lines go in, lines come out, and the last that it wrote to stderr is kept.

    A thread for each pipe, so that none fills up: neither a program that does not read nor one that does not stop
    writing holds up the one who asks.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)  # noqa: S603 - the user's own
        except (OSError, ValueError) as error:
            found = f"it cannot be started ({error})"
            why = f"{arguments[0]} is not found" if isinstance(error, FileNotFoundError) else found
            raise SettingError(
                f"command is {shlex.join(arguments)!r}", why, "Pass a path, or a name on the PATH"
            ) from error
        self.owner = os.getpid()
        self.echoed: set[str] = set()
        self.questions = 0
        self.process = process
        self.lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._asked = ""
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._stderr = bytearray()
        self._end = weakref.finalize(self, _end, process, self._requests, self.owner)
        work: list[tuple[Callable[..., None], tuple[object, ...]]] = [
            (_write, (process.stdin, self._requests, self.lines)),
            (_read_lines, (process.stdout, self.lines)),
            (_keep_tail, (process.stderr, self._stderr)),
        ]
        self._threads = [threading.Thread(target=target, args=given, daemon=True) for target, given in work]
        for thread in self._threads:
            thread.start()

    def answer(self, request: str, time_limit: float) -> bytes:
        """The line that answers a question."""
        if not self.lines.empty():
            line = self.lines.get()
            if not line:
                raise self._ended(line)
            raise BrokenTargetError(
                f"the program wrote {text_of(line)} unasked",
                "each question is answered by one line",
                "Write one line for each question, and all else to stderr",
            )
        self._asked = request
        self.questions += 1
        self._requests.put(request.encode() + b"\n")
        try:
            line = self.lines.get(timeout=time_limit)
        except queue.Empty:
            raise BrokenTargetError(
                f"there is no whole reply after {time_limit:g} seconds",
                "that is the time limit of a question",
                "Mend what hangs, end each line and flush the output after it, or allow more with time_limit",
                "hung",
            ) from None
        if not line or (len(line) <= LONGEST_LINE and not line.endswith(b"\n")):
            raise self._ended(line)
        return line

    def story(self) -> str:
        """What was asked last, and the end of stderr."""
        asked = f"it was asked {_shortened(self._asked)}" if self._asked else "it had not been asked yet"
        return f"{asked}; its stderr ends in {_on_a_line(self._stderr)!r}" if self._stderr else asked

    def stop(self) -> None:
        """End it, with its group."""
        self._end()
        for thread in self._threads:
            thread.join(_GRACE)  # one that left the group may keep a pipe open

    def _ended(self, line: bytes | None) -> BrokenTargetError:
        """Why there is no line: it has ended, or closed its input (None) or its output."""
        try:
            status = self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            given = f"the program closed its {'output' if line is not None else 'input'}, and runs on"
        else:
            how = f"exit status {status}" if status >= 0 else f"signal {-status} ({signal.strsignal(-status)})"
            given = f"the program ended with {how}"
        given += f" within the line {text_of(line)}" if line else ""
        return BrokenTargetError(given, "it is asked until its input ends", "Mend it, and read to the end", "crashed")


def _end(process: subprocess.Popen[bytes], requests: queue.SimpleQueue[bytes | None], owner: int) -> None:
    """Kill a process and its group, unless it is another's: that of the process of which this is a fork."""
    if os.getpid() != owner:
        process.returncode = 0  # or Python warns that it is still running
        return
    with suppress(ProcessLookupError, PermissionError):  # there is none any more, or (on macOS) none but zombies
        _KILL(process)
    process.wait()
    requests.put(None)


_KILL: Callable[[subprocess.Popen[bytes]], None] = (
    (lambda process: os.killpg(process.pid, signal.SIGKILL)) if os.name == "posix" else subprocess.Popen.kill
)


def _write(
    stream: IO[bytes], requests: queue.SimpleQueue[bytes | None], lines: queue.SimpleQueue[bytes | None]
) -> None:
    with suppress(OSError), stream:
        while (request := requests.get()) is not None:
            try:
                stream.write(request)
                stream.flush()
            except OSError:
                lines.put(None)
                raise


def _read_lines(stream: IO[bytes], lines: queue.SimpleQueue[bytes | None]) -> None:
    with stream:
        while (line := stream.readline(LONGEST_LINE + 1)).endswith(b"\n") and lines.qsize() < _WAITING:
            lines.put(line)
        lines.put(line)


def _keep_tail(stream: IO[bytes], tail: bytearray) -> None:
    with stream:
        while some := os.read(stream.fileno(), 2**16):
            tail += some
            del tail[:-_TAIL]


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def text_of(given: bytes) -> str:
    """Bytes as a message shows them."""
    return repr(_shortened(_on_a_line(given)))


def _on_a_line(given: bytes | bytearray) -> str:
    return " ".join(given.decode(errors="replace").split())
