"""One worker process: how it is started, what it is told, what it answers, how it ends.

Used by `parallel`, which has as many of them as there are jobs. Whatever a recording does to the libraries that read it
happens in here: a decoder that crashes or never returns costs the process that called it, and that is this one.

The two ends talk through a socket. The parent sends one `Setup`, then lists of files; the worker answers with one
`None` when it is ready, or with an exception where it cannot be, then with one result a file. A worker does not
outlive its parent: however that ends, the kernel closes its end of the socket, which a thread of the worker waits for.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import IO, Any

from sertag import signals
from sertag.errors import ModelError, SertagError
from sertag.records import AudioFile, FileResult, Options
from sertag.text import display_text

Answer = FileResult | Exception | None

# Not `-m`, which would look for modules in the current folder first, and that may hold anybody's recordings.
_PROGRAM = "import sys; sys.path[:] = sys.argv[2:]; from sertag.parallel.worker import main; main(int(sys.argv[1]))"
# The numerical libraries would start a thread for each processor in each worker.
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_STDERR = 2
_PR_SET_PDEATHSIG = 1  # prctl(2); it is the thread that counts, so one that ends early costs a start of workers
_LAST_WORDS_BYTES = 4096
_DYING_S = 2.0  # a process that hangs inside the kernel takes longer, and is not waited for


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs to know before the first file: the model that the parent has seen, and the options."""

    model_path: str
    model_sha256: str
    options: Options


class Worker:
    """The parent's end: a process that has begun to load what it needs.

    Attributes:
        connection: readable when there is an answer, or when the process has ended.
    """

    def __init__(self) -> None:
        """Start the process."""
        self.connection, theirs = Pipe()
        self._said = _notebook()
        command = [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), *sys.path]
        with theirs, signals.blocked():  # a Ctrl-C in the terminal is for the parent alone
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                command,
                env=os.environ | dict.fromkeys(_THREADS, "1"),
                pass_fds=(theirs.fileno(),),
                stdin=None if sys.stdin is not None else subprocess.DEVNULL,  # which may be a recording
                stdout=subprocess.DEVNULL,
                stderr=self._said,
            )

    def send(self, message: Setup | Sequence[AudioFile]) -> None:
        """Tell it something; if it has ended, `receive` will say so."""
        with suppress(OSError):
            self.connection.send(message)

    def receive(self) -> Answer:
        """The next answer.

        Raises:
            EOFError: the process has ended.
        """
        try:
            answer: Answer = self.connection.recv()
        except (OSError, pickle.UnpicklingError) as error:  # it broke off in the middle of a word
            raise EOFError from error
        return answer

    def end(self) -> tuple[str, str]:
        """End it if it has not ended, and say how it ended and what it last said, for a message and for a log."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_DYING_S)
        self.connection.close()
        size_bytes = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size_bytes - _LAST_WORDS_BYTES))
        last_words = self._said.read().decode("utf-8", "replace")
        self._said.close()
        return _reason(self._process.returncode), "\n".join(display_text(line) for line in last_words.splitlines())


def main(descriptor: int) -> None:
    """The worker's end: work until the parent goes away.

    Args:
        descriptor: of the socket.
    """
    faulthandler.enable()  # the traceback of a crash, for `Worker.end`
    _die_with_parent()
    connection: Connection[Any, Any] = Connection(descriptor)
    inbox: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox), name="sertag-parent", daemon=True).start()
    try:
        tag = _prepared(inbox.get)
    except SertagError as error:
        connection.send(error)
        return
    except Exception:
        connection.send(RuntimeError(f"a worker process cannot begin: {traceback.format_exc()}"))
        return
    connection.send(None)
    while True:  # an exception in here is the end of this process, which costs one file and not the run
        for file in inbox.get():
            _forget_last_words()
            connection.send(tag(file))


def _notebook() -> IO[bytes]:
    """Where decoders may complain, which a terminal must not see, and where a crash leaves its traceback."""
    try:
        return tempfile.TemporaryFile()
    except OSError:  # no space for temporary files; there is none for complaints then
        return open(os.devnull, "r+b")


def _listen(connection: Connection[Any, Any], inbox: SimpleQueue[Any]) -> None:
    """Pass on what the parent says, and end with it, whatever the other thread is at."""
    try:
        while True:
            inbox.put(connection.recv())
    except (EOFError, OSError):
        os._exit(1)


def _die_with_parent() -> None:
    """Have the kernel see to it, where it can: a decoder that hangs may let no thread run."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prepared(hear: Callable[[], Setup]) -> Callable[[AudioFile], FileResult]:
    """Load everything; the line for one file."""
    from sertag.model.session import load
    from sertag.parallel.memory import keep_freed_memory, limit_memory
    from sertag.tagging.pipeline import tag_file

    keep_freed_memory()
    setup = hear()
    limit_memory(model_bytes=_size_bytes(setup.model_path))
    model = load(setup.model_path)
    if model.sha256 != setup.model_sha256:
        found = f"({setup.model_sha256[:12]} became {model.sha256[:12]})"
        message = f"{setup.model_path}: the model file changed during the run {found}; run again"
        raise ModelError(message, code="model_changed")
    return partial(tag_file, model=model, options=setup.options)


def _size_bytes(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0  # then `load` says what is wrong


def _forget_last_words() -> None:
    """What was said about one file must neither be taken for another's nor fill the disk."""
    with suppress(OSError):  # it is no file
        os.ftruncate(_STDERR, 0)
        os.lseek(_STDERR, 0, os.SEEK_SET)


def _reason(code: int | None) -> str:
    if code is None:
        return "does not end"
    names = {int(known): known.name for known in signal.Signals}
    return f"ended with {code}" if code >= 0 else f"was ended by {names.get(-code, f'signal {-code}')}"
