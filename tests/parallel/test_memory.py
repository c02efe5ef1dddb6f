"""What is free and what fits, on folders that look like those of Linux."""

from __future__ import annotations

from pathlib import Path

import pytest

from sertag.model.model_file import describe
from sertag.parallel.memory import available_bytes, fitting_jobs, limited_jobs, shortage, worker_bytes

GB = 10**9


def system(root: Path, *, free_gb: float = 64, group: str = "0::/", **files: str) -> Path:
    """A root with what the system and control groups say; `__` in a name is a folder."""
    texts = {
        "proc/meminfo": f"MemTotal: 99 kB\nMemAvailable:  {round(free_gb * GB / 1024)} kB\n",
        "proc/self/cgroup": f"{group}\n",
        **{f"sys/fs/cgroup/{name.replace('__', '/')}": text for name, text in files.items()},
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def model(folder: Path, megabytes: int) -> str:
    path = folder / "large.onnx"
    with path.open("wb") as file:
        file.truncate(megabytes * 10**6)
    return str(path)


def test_the_system_says_what_is_free(tmp_path: Path) -> None:
    assert available_bytes(system(tmp_path, free_gb=8)) == pytest.approx(8 * GB, rel=1e-6)


def test_without_any_word_of_it_memory_does_not_limit(tmp_path: Path) -> None:
    assert available_bytes(tmp_path) is None
    assert fitting_jobs(model(tmp_path, 400), root=tmp_path) is None
    assert shortage(model(tmp_path, 400), jobs=None, cpus=64, root=tmp_path) is None


@pytest.mark.parametrize(
    ("group", "files", "left_gb"),
    [
        ("0::/", {"memory.max": "2000000000", "memory.current": "500000000"}, 1.5),
        ("0::/", {"memory.max": "max", "memory.current": "500000000"}, 64),
        (
            "0::/",
            {
                "memory.max": "2000000000",
                "memory.current": "1900000000",
                "memory.stat": "anon 7\ninactive_file 900000000",
            },
            1.0,
        ),
        # the limit of a job of Slurm stands above the group of the process
        (
            "0::/job/step",
            {
                "job__memory.max": "3000000000",
                "job__memory.current": "1000000000",
                "job__step__memory.max": "max",
                "job__step__memory.current": "1",
            },
            2.0,
        ),
        (
            "9:cpu,cpuacct:/x\n4:memory:/docker/1",
            {
                "memory__docker__1__memory.limit_in_bytes": "1000000000",
                "memory__docker__1__memory.usage_in_bytes": "400000000",
                "memory__docker__1__memory.stat": "total_inactive_file 100000000",
            },
            0.7,
        ),
        # inside of a container the named group is not there: the mounted one is its own
        (
            "4:memory:/docker/1",
            {"memory__memory.limit_in_bytes": "900000000", "memory__memory.usage_in_bytes": "0"},
            0.9,
        ),
        ("0::/", {"memory.max": "1000000000", "memory.current": "2000000000"}, 0),
    ],
)
def test_limits_of_groups_are_kept(tmp_path: Path, group: str, files: dict[str, str], left_gb: float) -> None:
    root = system(tmp_path, group=group, **files)
    assert available_bytes(root) == pytest.approx(left_gb * GB, rel=1e-6)


def test_a_large_model_gets_fewer_workers_and_at_least_one(tmp_path: Path) -> None:
    root, path = system(tmp_path, free_gb=8), model(tmp_path, 400)
    assert worker_bytes(path) == 1_730_000_000
    assert fitting_jobs(path, root=root) == 4
    assert fitting_jobs(path, root=system(tmp_path, free_gb=0.5)) == 1


def test_a_user_hears_of_it(tmp_path: Path) -> None:
    root, path = system(tmp_path, free_gb=8), model(tmp_path, 400)
    assert shortage(path, jobs=4, cpus=64, root=root) is None
    assert shortage(path, jobs=None, cpus=2, root=root) is None
    text = shortage(path, jobs=8, cpus=2, root=root)
    assert text is not None
    assert text.startswith("--jobs 8 may be too many: a worker with ")
    assert text.endswith("large.onnx may need 1.7 GB, and 8.0 GB are free; --jobs 4 fits")
    chosen = shortage(path, jobs=None, cpus=64, root=root)
    assert chosen is not None
    assert chosen.startswith("4 of 64 processors are used: ")


def test_bundled_models_fit_a_hundred_times_into_a_common_server(tmp_path: Path) -> None:
    path = describe("phone-deep").path
    assert (fitting_jobs(path, root=system(tmp_path, free_gb=32)) or 0) > 100


def test_processors_are_counted_and_users_hear_only_where_memory_is_short(tmp_path: Path) -> None:
    path, said = model(tmp_path, 400), list[str]()

    def limited(free_gb: float, *, jobs: int | None, files: int = 64) -> int | None:
        root, counted = system(tmp_path, free_gb=free_gb), lambda: 16
        return limited_jobs(path, jobs=jobs, files=files, count_cpus=counted, warn=said.append, root=root)

    assert limited(1000, jobs=None) is None
    assert limited(8, jobs=4) == 4
    assert limited(1, jobs=None, files=1) is None
    assert said == []
    assert limited(1.9, jobs=None) == 1
    assert said.pop().startswith("1 of 16 processors are used: ")
    assert limited(8, jobs=6) == 6
    assert "--jobs 4 fits" in said.pop()
    assert limited(8, jobs=6, files=5) == 6  # five workers at most
    assert "may be too many" in said.pop()
