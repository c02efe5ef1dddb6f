"""Figures in small files: measured by the same rules or not, written whole or not at all."""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from export.errors import ExportError
from export.pieces import code_of_modules, is_there, keep, origin
from sertag.errors import OutputError
from tests.limits import largest_file

CODE = '''"""What it is."""

LIMIT = 3


class Thing:
    """A thing."""

    size = 2

    def grow(self, by):
        """Grow."""
        return self.size + by


def empty():
    """Nothing."""
'''
SAME = [
    ('"""What it is."""', '"""Other words\n\nin two paragraphs."""'),
    ('"""What it is."""\n', ""),
    ('"""A thing."""', '"""The thing."""  # a comment'),
    ("        return", "        # why\n        return"),
    ('        """Grow."""\n', ""),
    ("LIMIT = 3", "\n\nLIMIT   =   3  # of things"),
    ('"""Nothing."""', '"""Nothing at all."""'),
]
OTHER = [
    ("LIMIT = 3", "LIMIT = 4"),
    ("LIMIT = 3", "LIMIT = 3.0"),
    ("size = 2", 'size = "2"'),
    ("self.size + by", "self.size - by"),
    ("grow(self, by)", "grow(self, by=1)"),
    ('"""Nothing."""', "return 1"),
    ("class Thing", "class Something"),
]


@pytest.fixture
def module(tmp_path):
    def made(code: str) -> ModuleType:
        place = tmp_path / f"m{len(list(tmp_path.iterdir()))}.py"
        place.write_text(code, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(place.stem, place)
        assert spec is not None
        return importlib.util.module_from_spec(spec)

    return made


@pytest.mark.parametrize(("old", "new"), SAME)
def test_comments_and_docstrings_are_no_code(module, old, new):
    assert old in CODE
    assert code_of_modules([module(CODE.replace(old, new))]) == code_of_modules([module(CODE)])


@pytest.mark.parametrize(("old", "new"), OTHER)
def test_everything_else_is(module, old, new):
    assert old in CODE
    assert code_of_modules([module(CODE.replace(old, new))]) != code_of_modules([module(CODE)])


def test_all_modules_count(module):
    one, other = module("A = 1\n"), module("B = 2\n")
    assert code_of_modules([one, other]) == "A = 1\nB = 2"
    assert code_of_modules([]) == ""


def test_a_piece_is_there_when_it_was_measured_by_the_same_rules(tmp_path):
    place = tmp_path / "new" / "folder" / "a.json"
    assert not is_there(place, "abc")
    keep(place, {"rules": "abc", "uar": 0.5, "of": "Zoë"})
    assert is_there(place, "abc")
    assert not is_there(place, "abd")
    assert json.loads(place.read_text(encoding="utf-8")) == {"rules": "abc", "uar": 0.5, "of": "Zoë"}
    keep(place, {"rules": "abd"})
    assert is_there(place, "abd")
    assert [file.name for file in place.parent.iterdir()] == ["a.json"]


def test_a_disk_that_fills_up_leaves_the_old_piece(tmp_path):
    place = tmp_path / "a.json"
    keep(place, {"rules": "abc"})
    with largest_file(30), pytest.raises(OutputError, match=rf"cannot write .*{re.escape(place.name)}"):
        keep(place, {"rules": "abd", "much": "x" * 100})
    assert is_there(place, "abc")
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    message = r"file/protocol: cannot keep what was measured: Not a directory; name another --out"
    with pytest.raises(ExportError, match=message) as caught:
        keep(tmp_path / "file" / "protocol" / "a.json", {"rules": "abc"})
    assert caught.value.code == "cannot_write"


def test_a_piece_says_when_and_with_what_it_was_measured():
    keras = pytest.importorskip("keras", reason="the extra `export` is not installed")
    found = origin()
    assert set(found) == {"date", "commit", "python", "keras", "backend", "numpy"}
    assert found["date"] == datetime.date.today().isoformat()
    assert found["keras"] == keras.__version__
    assert re.fullmatch(r"tensorflow [\d.]+.*", found["backend"])
    if (Path(__file__).parents[1] / ".git").exists():
        assert re.fullmatch(r"[0-9a-f]{7,40}", found["commit"])


def test_workers_end_with_the_command_that_is_terminated(tmp_path):
    sleep = "(pathlib.Path(sys.argv[1]) / str(os.getpid())).touch() or time.sleep(60) or []"
    work = f"import os, pathlib, sys, time; from joblib import delayed; work = lambda: {sleep}"
    code = f"{work}; from export.pieces import do_all; do_all([delayed(work)()] * 2, jobs=2, report=print, what='')"
    command = subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=Path(__file__).parents[1])
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    command.terminate()
    assert command.wait(30) == 128 + signal.SIGTERM
    workers = [int(file.name) for file in tmp_path.iterdir()]
    assert command.pid not in workers
    wait_until(lambda: not any(is_alive(pid) for pid in workers))


def test_a_worker_that_keeps_what_it_is_done_with_makes_room_for_another():
    """TensorFlow never lets go of the clips that a network was trained on."""
    pytest.importorskip("psutil", reason="the extra `export` is not installed")
    keep = "setattr(os, 'kept', [*getattr(os, 'kept', []), np.ones(40_000_000)])"  # 320 MB
    work = f"import os, time; import numpy as np; work = lambda: [{keep}, time.sleep(1.1), str(os.getpid())][-1:]"
    job = "do_all([delayed(work)()] * 6, jobs=2, report=lambda line, share: print(line), what='by')"
    lines = f"from joblib import delayed; from export.pieces import do_all; {job}"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{work}; {lines}"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    workers = Counter(line for line in done.stdout.splitlines() if line.startswith("by: "))
    assert workers.total() == 6
    assert max(workers.values()) <= 2


def wait_until(done: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + 30
    while not done():
        assert time.monotonic() < limit_s
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
