from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sertag.errors import OutputError
from sertag.records import ChannelResult
from sertag.storage import append_file
from sertag.storage.journal import Journal, Key
from tests.limits import largest_file
from tests.results import no_speech, ok

Channels = tuple[ChannelResult, ...]
FINGERPRINT = {"model_sha256": "ab" * 32, "parameters": {"hop_s": 2.0, "roles": ["agent", "customer"]}}
HEADER = b'{"sertag_journal":1}\n'


def opened(path: Path, **changes: Any) -> Journal:
    return Journal(str(path), **{"fingerprint": FINGERPRINT, "folder": ".", **changes})


def keys(count: int) -> list[Key]:
    return [Key(f"calls/{number}.wav", 1000 + number, 10**18 + number) for number in range(count)]


def channels(number: int) -> Channels:
    """Results of every size, so that lines differ."""
    return no_speech().channels if number % 3 == 2 else ok(channels=1 + number % 2).channels


def filled(path: Path, count: int = 6) -> list[Key]:
    with opened(path) as journal:
        for number, key in enumerate(keys(count)):
            journal.add(key, channels(number))
    return keys(count)


def found(path: Path, wanted: list[Key], **changes: Any) -> list[Channels | None]:
    with opened(path, **changes) as journal:
        offsets = [journal.find(key) for key in wanted]
        return [None if offset is None else journal.read(offset) for offset in offsets]


def test_what_was_added_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "r.csv.journal"
    wanted = filled(path)
    assert found(path, wanted) == [channels(number) for number in range(6)]
    assert found(path, wanted[::-1]) == [channels(number) for number in range(6)][::-1]
    assert path.read_bytes().startswith(HEADER + b'["')


@pytest.mark.parametrize(
    "other",
    [
        {"path": "./calls/0.wav"},
        {"size_bytes": 1},
        {"mtime_ns": 10**18 + 1},
        {"mtime_ns": -1},
    ],
)
def test_another_file_is_not_found(tmp_path: Path, other: dict[str, Any]) -> None:
    (key, *_) = filled(tmp_path / "journal")
    assert found(tmp_path / "journal", [key._replace(**other)]) == [None]


def test_other_parameters_find_nothing_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path)
    other = {"fingerprint": {**FINGERPRINT, "model_sha256": "cd" * 32}}
    with opened(path, **other) as journal:
        assert journal.is_empty
        assert journal.damaged == 0
        journal.add(wanted[0], channels(5))
    assert found(path, wanted[:2], **other) == [channels(5), None]
    assert found(path, wanted) == [channels(number) for number in range(6)]


def test_relative_paths_belong_to_their_folder_and_absolute_ones_to_none(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    here, anywhere = Key("a.wav", 1, 1), Key("/rec/a.wav", 1, 1)
    with opened(path, folder="one") as journal:
        journal.add(here, channels(0))
        journal.add(anywhere, channels(1))
    assert found(path, [here, anywhere], folder="one") == [channels(0), channels(1)]
    assert found(path, [here, anywhere], folder="two") == [None, channels(1)]


@pytest.mark.parametrize(
    "name", ["new\nline.wav", 'quo"te",1,2.wav', "back\\slash\\", os.fsdecode(b"\xff.wav"), "\0", ""]
)
def test_any_name_is_a_key(tmp_path: Path, name: str) -> None:
    path, key = tmp_path / "journal", Key(name, 0, -(10**18))
    with opened(path) as journal:
        journal.add(key, channels(0))
    assert found(path, [key, key._replace(path=f"{name}x")]) == [channels(0), None]


def test_newest_result_wins(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    (key, *_) = filled(path)
    with opened(path) as journal:
        journal.add(key, channels(5))
    assert found(path, [key]) == [channels(5)]


def test_nothing_is_touched_before_there_is_something_to_keep(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with opened(path):
        pass
    assert not path.exists()
    filled(path)
    before = path.read_bytes()
    with opened(path, renew=True):
        pass
    assert path.read_bytes() == before


def test_result_is_with_the_system_as_soon_as_it_was_added(tmp_path: Path) -> None:
    """So that a killed process takes nothing with it."""
    path = tmp_path / "journal"
    with opened(path) as journal:
        for number, key in enumerate(keys(3)):
            journal.add(key, channels(number))
            assert found(path, [key]) == [channels(number)]


# Places that cannot be looked at


def below(path: Path, offset: str, **changes: Any) -> list[tuple[str, Channels]]:
    with opened(path, **changes) as journal:
        return [journal.read_file(found) for found in journal.find_below(offset)]


def test_what_lies_below_a_place_is_found_without_a_look_at_the_files(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    filled(path, 12)
    order = sorted(range(12), key=str)
    assert below(path, "calls") == [(f"calls/{number}.wav", channels(number)) for number in order]
    assert below(path, "calls/3.wav") == [("calls/3.wav", channels(3))]
    assert below(path, "call") == below(path, "calls/3") == below(path, "/calls") == []
    assert below(path, "calls", folder="other") == []
    assert below(path, "calls", fingerprint="other") == []
    assert below(path, "calls", renew=True) == []
    assert below(tmp_path / "none", "calls") == []


def test_a_result_comes_out_once(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path, 3)
    with opened(path) as journal:
        assert journal.read(journal.find(wanted[1]) or 0) == channels(1)
        assert [journal.read_file(offset)[0] for offset in journal.find_below("calls")] == [
            "calls/0.wav",
            "calls/2.wav",
        ]
        assert journal.find_below("calls") == []
        assert [journal.find(key) for key in wanted] == [None] * 3


def test_results_that_have_left_are_found_by_their_files_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path, 6)
    run_over(path, wanted[:4])
    assert [name for name, _ in below(path, "calls")] == [key.path for key in wanted[:4]]
    assert found(path, wanted) == [channels(number) for number in range(6)]
    run_over(path, wanted[:5])
    assert [name for name, _ in below(path, "calls")] == [key.path for key in wanted[:5]]
    run_over(path, wanted)
    assert [name for name, _ in below(path, "calls")] == [key.path for key in wanted]


def test_runs_with_other_parameters_move_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path, 6)
    with opened(path, fingerprint="other") as journal:
        journal.add(wanted[0], channels(0))
    run_over(path, wanted[:4])
    with opened(path, fingerprint="other") as journal:
        assert journal.damaged == 0
        assert len(journal.find_below("calls")) == 1
    assert len(below(path, "calls")) == 4


def test_a_torn_note_of_what_has_left_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path, 6)
    run_over(path, wanted[:4])
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert len(below(path, "calls")) == 6
    run_over(path, wanted[:4])
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", [b"caf\xe9/a.wav", rb"caf\xe9/a.wav", b"/new\nline/\xff.wav", b'q"uo,te/a.wav'])
def test_odd_names_come_out_as_they_went_in(tmp_path: Path, name: bytes) -> None:
    path, key = tmp_path / "journal", Key(os.fsdecode(name), 1, 1)
    with opened(path) as journal:
        journal.add(key, channels(0))
    assert b"\\ud" not in path.read_bytes()
    assert below(path, os.path.dirname(key.path)) == [(key.path, channels(0))]


# What can happen to the file


def test_torn_tail_is_dropped_wherever_it_was_torn(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path, 3)
    content = path.read_bytes()
    ends = [end for end in range(len(content) + 1) if content[:end].endswith(b"\n")]
    new = Key("new.wav", 1, 1)
    near = {end + step for end in ends for step in (-2, -1, 0, 1, 2, 30)} | {0, 1, 5}
    for length in sorted(length for length in near if 0 <= length <= len(content)):
        path.write_bytes(content[:length])
        whole = max(0, sum(end <= length for end in ends) - 1)  # the header is a line too
        with opened(path) as journal:
            assert not journal.unrecognized
            assert journal.damaged == 0
            journal.add(new, channels(0))
        expected = [channels(number) if number < whole else None for number in range(3)]
        assert found(path, [*wanted, new]) == [*expected, channels(0)], length
        assert not list(tmp_path.glob("*.foreign-*"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_costs_lines_and_never_changes_a_result(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.unlink(missing_ok=True)
    wanted = filled(path)
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(len(HEADER), len(content) - 1))
    end = data.draw(st.integers(start, min(start + 40, len(content))))
    content[start:end] = data.draw(st.binary(max_size=40))
    path.write_bytes(content)
    results = found(path, wanted)
    assert [result in (None, channels(number)) for number, result in enumerate(results)] == [True] * 6
    untouched = bytes(content[:start]).count(b"\n") - 1
    assert None not in results[:untouched]


def test_damaged_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2:4] = [b"garbage\n", b"\n", lines[3].replace(b",3.0,", b",4.0,")]
    path.write_bytes(b"".join(lines))
    with opened(path) as journal:
        assert journal.damaged == 3
    assert [result is None for result in found(path, wanted)] == [False, True, True, False, False, False]


@pytest.mark.parametrize(
    "content",
    [b"somebody's notes\n", b'{"sertag_journal":2}\n["x"]\n', b'{"sertag', b"\0" * 50, b'{"sertag_journal":1} \n'],
)
def test_foreign_file_is_set_aside_and_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.csv.journal"
    torn = HEADER.startswith(content)
    for number in (1, 2):
        path.write_bytes(content)
        with opened(path) as journal:
            assert journal.unrecognized != torn
            assert path.read_bytes() == content
            journal.add(keys(1)[0], channels(0))
        assert found(path, keys(1)) == [channels(0)]
        aside = tmp_path / f"r.csv.journal.foreign-{number}"
        assert torn or aside.read_bytes() == content


def test_foreign_file_stays_where_nothing_is_added(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text("somebody's notes\n" * 100)
    with opened(path) as journal:
        journal.compact()
    assert path.read_text() == "somebody's notes\n" * 100


def a_folder(path: Path) -> None:
    path.mkdir()


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_link(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")
    (path.parent / "elsewhere").write_text("precious")


@pytest.mark.parametrize("make", [a_folder, a_fifo, a_link])
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "journal")
    with pytest.raises(OutputError, match="not a regular file"):
        opened(tmp_path / "journal")


def test_journal_that_was_removed_meanwhile_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    filled(path)
    with opened(path) as journal:
        path.unlink()
        with pytest.raises(OutputError, match="No such file"):
            journal.add(keys(1)[0], channels(0))


# Full and failing disks


def test_full_disk_at_any_byte_loses_only_what_did_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path, 3)
    content = path.read_bytes()
    ends = [end for end in range(len(content) + 1) if content[:end].endswith(b"\n")]
    for size in range(0, len(content), 7):
        path.unlink()
        with largest_file(size), pytest.raises(OutputError, match="File too large"):
            filled(path, 3)
        kept = max(0, sum(end <= size for end in ends) - 1)
        assert path.read_bytes() == content[: max((end for end in ends if end <= size), default=0)]  # whole lines
        assert [result is not None for result in found(path, wanted)] == [number < kept for number in range(3)]
        filled(path, 3)
        assert found(path, wanted) == [channels(number) for number in range(3)]


def test_everything_is_on_the_disk_in_bounded_time_without_another_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(append_file, "SYNC_S", 0.02)
    synced: list[float] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(time.monotonic()))
    with opened(tmp_path / "journal") as journal:
        for number, key in enumerate(keys(50)):
            journal.add(key, channels(number))
        deadline = time.monotonic() + 10
        while not synced and time.monotonic() < deadline:
            time.sleep(0.005)
        assert synced
        time.sleep(0.2)
        assert len(synced) <= 3  # not for every result, and not while there is nothing new
        journal.add(keys(51)[-1], channels(0))
        count = len(synced)
    assert len(synced) > count  # at the latest when it is closed


def test_disk_that_fails_while_syncing_is_told_at_the_next_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(append_file, "SYNC_S", 0.01)
    monkeypatch.setattr(os, "fsync", fail)
    first, second = keys(2)
    with suppress(OutputError), opened(tmp_path / "journal") as journal:
        journal.add(first, channels(0))
        time.sleep(0.2)
        with pytest.raises(OutputError, match="Input/output error"):
            journal.add(second, channels(1))


def test_disk_that_fails_at_the_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="Input/output error"), opened(tmp_path / "journal") as journal:
        journal.add(keys(1)[0], channels(0))


# Growth


def test_renewed_journal_forgets(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path)
    with opened(path, renew=True) as journal:
        assert [journal.find(key) for key in wanted] == [None] * 6
        journal.add(wanted[0], channels(5))
    assert found(path, wanted) == [channels(5), *[None] * 5]


def test_renewed_journal_forgets_even_where_nothing_is_added(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path)
    with opened(path, renew=True) as journal:
        journal.compact()
    assert found(path, wanted) == [None] * 6


def run_over(path: Path, wanted: list[Key]) -> None:
    """What a run does: reuse what is there, add what is not, compact."""
    with opened(path) as journal:
        for number, key in enumerate(wanted):
            offset = journal.find(key)
            if offset is None:
                journal.add(key, channels(number))
            else:
                assert journal.read(offset) == channels(number)
        journal.compact()


def test_tidying_waits_until_half_is_of_no_use(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path, 12)
    before = path.read_bytes()
    run_over(path, wanted[:9])
    assert path.read_bytes().startswith(before), "three results have left the table, which takes one line"
    assert path.read_bytes().count(b"\n") == before.count(b"\n") + 1
    run_over(path, wanted[:9])
    assert path.read_bytes().count(b"\n") == before.count(b"\n") + 1, "and nothing has moved since"
    run_over(path, wanted[:3])
    assert found(path, wanted) == [*(channels(number) for number in range(3)), *[None] * 9]
    assert path.read_bytes() == before[: path.stat().st_size]
    assert list(tmp_path.iterdir()) == [path]


def test_journal_of_nightly_runs_does_not_grow_without_bound(tmp_path: Path) -> None:
    """Every night half of the files have changed."""
    path = tmp_path / "journal"
    wanted = keys(20)
    sizes = []
    for night in range(20):
        wanted = [key._replace(mtime_ns=night) if number % 2 else key for number, key in enumerate(wanted)]
        run_over(path, wanted)
        sizes.append(path.stat().st_size)
        assert found(path, wanted) == [channels(number) for number in range(20)]
    assert max(sizes) < 3 * sizes[0]


def test_tidied_journal_can_be_added_to(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path, 12)
    run_over(path, [wanted[4]])
    run_over(path, [wanted[4], *keys(2)])
    assert found(path, [wanted[4], *keys(2)]) == [channels(0), channels(1), channels(2)]


def test_tidying_on_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path, 12)
    before = path.read_bytes()
    with opened(path) as journal:
        journal.read(journal.find(wanted[3]) or 0)
        with largest_file(100), pytest.raises(OutputError):
            journal.compact()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_rights_of_the_journal_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    wanted = filled(path, 12)
    path.chmod(0o640)
    run_over(path, wanted[:1])
    assert path.stat().st_mode & 0o777 == 0o640
