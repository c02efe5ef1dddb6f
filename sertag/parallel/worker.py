"""One worker process: how it is started, which messages it exchanges with its parent, and how it ends.

Used by `supervisor`. Recordings are decoded here only, so that a decoder that crashes or never returns ends this
process and not the run.

Parent and worker are connected by a socket. The parent sends one `Setup`, then lists of files. The worker answers with
`None` when it is ready, or with an exception if it cannot start, then with one result per file. A worker ends with its
parent: however the parent ends, the kernel closes its end of the socket, and a thread of the worker waits for that.

Two settings concern the memory of a worker. Freed blocks are kept, because every block of a recording needs the same
memory again; by default glibc returns large arrays to the system and gets them back page by page, which costs a tenth
of a run. And memory is limited, because no recording needs more than some hundred megabytes, however long it is; one
that needs gigabytes is damaged or hostile.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import IO, Any

from sertag import signals
from sertag.errors import ModelError, SertagError
from sertag.limits import CPU
from sertag.parallel import ONE_THREAD
from sertag.records import AudioFile, FileResult, Options
from sertag.text import display_text

Answer = FileResult | Exception | None

# Not `-m`, which would search the current folder for modules first, and that may contain untrusted files.
_PROGRAM = (
    "import gc, sys; sys.path[:] = sys.argv[2:]; from sertag.limits import GARBAGE_OBJECTS; "
    "gc.set_threshold(GARBAGE_OBJECTS); from sertag.parallel.worker import main; main(int(sys.argv[1]))"
)
_ENVIRONMENT = {
    **ONE_THREAD,
    # glibc, see mallopt(3): free memory kept at the end of the heap, and the largest arrays taken from the heap.
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
}
_STDERR = 2
_PR_SET_PDEATHSIG = 1  # prctl(2); it depends on the parent's thread, so a thread that ends early kills its workers
_TAIL_BYTES = 4096
_MOST_BYTES = 4 << 30  # for recordings; the largest possible one, with 64 channels, needs a tenth of it
_MODEL_TIMES = 4  # bytes of the file, the graph, the weights in the layout of the runtime, and intermediate values
_DYING_S = 2.0  # a process that hangs in the kernel takes longer, and is not waited for


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs before the first file.

    Attributes:
        model_path: of the model file.
        model_sha256: its digest as read by the parent.
        options: of the run.
        folder: working folder of the run, if that is on another computer; then files are looked for, and compared.
    """

    model_path: str
    model_sha256: str
    options: Options
    folder: str | None = None


class Worker:
    """A worker process as seen by its parent.

    Attributes:
        connection: readable when there is an answer, or when the process has ended.
    """

    def __init__(self, *, program: str | None = None) -> None:
        """Start the process.

        Args:
            program: Python code, whose arguments are the descriptor of the socket and `sys.path`; None for a worker.
        """
        self.connection, theirs = Pipe()
        self._stderr_file = _open_stderr_file()
        command = [sys.executable, "-c", program or _PROGRAM, str(theirs.fileno()), *sys.path]
        with theirs, signals.blocked():  # only the parent handles a Ctrl-C in the terminal
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                command,
                env=os.environ | _ENVIRONMENT,
                pass_fds=(theirs.fileno(),),
                stdin=None if sys.stdin is not None else subprocess.DEVNULL,  # inherited: it may be a recording
                stdout=subprocess.DEVNULL,
                stderr=self._stderr_file,
            )

    def submit(self, message: object) -> None:
        """Send a message; if the process has ended, `receive` will raise."""
        with suppress(OSError):
            self.connection.send(message)

    def receive(self) -> Answer:
        """The next answer.

        Raises:
            EOFError: the process has ended.
        """
        try:
            answer: Answer = self.connection.recv()
        except (OSError, pickle.UnpicklingError) as error:  # the process ended while it sent an answer
            raise EOFError from error
        return answer

    def kill(self) -> None:
        """Kill the process; may be called while another thread waits for an answer."""
        self._process.kill()

    def wait(self, longest_s: float = _DYING_S) -> None:
        """Wait until it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(longest_s)

    def end(self) -> tuple[str, str]:
        """End the process if it is still running; how it ended, for a message, and the end of its stderr, for a log."""
        self.kill()
        self.wait()
        self.connection.close()
        size_bytes = self._stderr_file.seek(0, os.SEEK_END)
        self._stderr_file.seek(max(0, size_bytes - _TAIL_BYTES))
        stderr_tail = self._stderr_file.read().decode("utf-8", "replace")
        self._stderr_file.close()
        return _reason(self._process.returncode), "\n".join(display_text(line) for line in stderr_tail.splitlines())


def main(descriptor: int) -> None:
    """Run in the worker process: tag files until the parent closes the socket.

    Args:
        descriptor: file descriptor of the socket.
    """
    faulthandler.enable()  # writes the traceback of a crash to stderr, see `Worker.end`
    _die_with_parent()
    connection: Connection[Any, Any] = Connection(descriptor)
    inbox: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_receive_from_parent, args=(connection, inbox), name="sertag-parent", daemon=True).start()
    try:
        tag = _prepared(inbox.get)
    except SertagError as error:
        connection.send(error)
        return
    except Exception:
        connection.send(RuntimeError(f"a worker process cannot begin: {traceback.format_exc()}"))
        return
    connection.send(None)
    while True:  # an exception here ends this process, which costs one file and not the run
        for file in inbox.get():
            _clear_stderr()
            connection.send(tag(file))


def _open_stderr_file() -> IO[bytes]:
    """A file for messages of decoders, which must not reach a terminal, and for the traceback of a crash."""
    try:
        return tempfile.TemporaryFile()
    except OSError:  # no space for temporary files
        return open(os.devnull, "r+b")


def _receive_from_parent(connection: Connection[Any, Any], inbox: SimpleQueue[Any]) -> None:
    """Queue messages of the parent; end this process when the parent ends, whatever the other thread is doing."""
    try:
        while True:
            inbox.put(connection.recv())
    except (EOFError, OSError):
        os._exit(1)


def _die_with_parent() -> None:
    """Have the kernel end this process with its parent, on Linux: a decoder that hangs may block all threads."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prepared(receive_setup: Callable[[], Setup]) -> Callable[[AudioFile], FileResult]:
    """Load the libraries and the model; returns a function that tags one file."""
    from sertag.model.session import load
    from sertag.tagging.pipeline import tag_file

    setup = receive_setup()
    if setup.options.provider == CPU:  # drivers of accelerators map more than they use
        limit_memory(model_bytes=_size_bytes(setup.model_path))
    model = load(setup.model_path, provider=setup.options.provider)
    if model.sha256 != setup.model_sha256:
        change = f"({setup.model_sha256[:12]} became {model.sha256[:12]})"
        message = f"{setup.model_path}: the model file changed during the run {change}; run again"
        raise ModelError(message, code="model_changed")
    tag = partial(tag_file, model=model, options=setup.options)
    if setup.folder is None:
        return tag
    from sertag.parallel.shared_files import as_seen_here, as_told_here

    folder = setup.folder
    with suppress(OSError):  # there is none here: relative paths are then not there, others may be
        os.chdir(folder)
    return lambda file: as_told_here(file, tag(as_seen_here(file, folder=folder)))


def limit_memory(*, model_bytes: int) -> None:
    """Limit the memory of this process to what recordings and a model can need.

    Args:
        model_bytes: size of the model file.
    """
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _MOST_BYTES + _MODEL_TIMES * model_bytes
    limit = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def _size_bytes(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0  # if it is missing, `load` raises the error


def _clear_stderr() -> None:
    """Empty stderr before each file, so that messages belong to one file and do not fill the disk."""
    with suppress(OSError):  # stderr is not a regular file
        os.ftruncate(_STDERR, 0)
        os.lseek(_STDERR, 0, os.SEEK_SET)


def _reason(code: int | None) -> str:
    if code is None:
        return "does not end"
    names = {int(known): known.name for known in signal.Signals}
    return f"ended with {code}" if code >= 0 else f"was ended by {names.get(-code, f'signal {-code}')}"
