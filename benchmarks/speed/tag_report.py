"""The tables of `benchmarks.speed.tag`, and its targets beside what was found."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

Report = dict[str, Any]

_FLOOR = "floor: decode and Fourier transform alone"


def targets(report: Report) -> list[Report]:
    """What issue and README promise and what this run found; only of what was measured.

    Args:
        report: with `contenders`, `speed_up_2_workers`, `start_up`, `network` and `memory`.

    Returns:
        One object each: what, target, found, met.
    """
    sertag = next(row for row in report["contenders"] if row["name"] == "sertag, 1 worker")
    start_up, memory = report["start_up"], report["memory"]
    speed_up = report["speed_up_2_workers"]
    rows = [
        _at_most("times the floor, start-up included", 4.0, sertag["times_floor"]),
        _at_least("channel-seconds per core-second, start-up included", 4000.0, sertag["per_core_second"]),
        _at_least("2 workers faster by, start-up included", 1.8, speed_up["whole"]),
        _at_most("sertag --help, s", 0.2, start_up["sertag --help"]["wall_s"]),
        _at_most("one clip of 3 s, s", 0.6, start_up["one clip of 3 s"]["wall_s"]),
        _at_most("the network, ms a window in batches of 16", 0.25, report["network"]["ms_per_window"]),
    ]
    if "one 8-hour call" in memory:
        rows.append(_at_most("8-hour call, MB", 300.0, memory["one 8-hour call"]["largest_mb"]))
    clips = memory.get("20,000 clips of 3 s, 2 workers", {}).get("resident_mb", {})
    if clips.get("10 %") and clips.get("75 %"):
        rows.append(_at_most("20,000 clips: memory at 75 % over that at 10 %", 1.05, clips["75 %"] / clips["10 %"]))
    return rows


def show(report: Report) -> None:
    """Print everything."""
    console = Console()
    machine, material = report["machine"], report["material"]
    console.print(f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}")
    console.print(f"{material['hours']} h in {material['files']} stereo calls, voices from {material['voices']}")
    console.print(_contenders(report))
    for peer, about in report["peers"].items():
        if isinstance(about, str):
            console.print(f"{peer}: {about}")
    table = _table("2 workers against 1", "", "faster by")
    for name, ratio in report["speed_up_2_workers"].items():
        table.add_row(name.replace("_", " "), f"{ratio:.2f}")
    console.print(table)
    console.print(_memory(report["memory"]))
    table = _table("targets", "", "target", "found", "")
    for row in report["targets"]:
        table.add_row(row["what"], row["target"], _number(row["found"]), "met" if row["met"] else "MISSED")
    console.print(table)


def markdown(report: Report) -> str:
    """The tables that docs/speed.md shows."""
    machine, start_up, speed_up = report["machine"], report["start_up"], report["speed_up_2_workers"]
    lines = [
        f"{report['material']['hours']:g} hours of stereo calls on {machine['cpu']}, {machine['cores']} cores:",
        "",
        "| | channel-seconds per core-second | times the floor | cost, sertag = 1 |",
        "|---|---|---|---|",
    ]
    for row in report["contenders"]:
        cells = (row["per_core_second"], row["times_floor"], row["sertag_faster_by"])
        lines.append(f"| {_FLOOR if row['name'] == 'floor' else row['name']} | {' | '.join(map(_number, cells))} |")
    lines += ["", "| memory | largest process, MB | all processes, MB |", "|---|---|---|"]
    for name, row in report["memory"].items():
        lines.append(f"| {name} | {_number(row['largest_mb'])} | {_number(row['together_mb'])} |")
    faster = "; ".join(f"{_number(value)} {key.replace('_', ' ')}" for key, value in speed_up.items())
    times = "; ".join(f"{name}: {_number(found['wall_s'])} s" for name, found in start_up.items())
    network = f"The network alone takes {_number(report['network']['ms_per_window'])} ms a window."
    return "\n".join([*lines, "", f"Two workers against one, wall time: {faster}. Whole processes: {times}. {network}"])


def show_profile(profile: Report) -> None:
    """Print the time by stage."""
    channel_s = profile["channel_seconds"]
    total_s = sum(profile["thread_s"].values())
    table = _table("sertag by stage, one thread", "stage", "ms for 5 minutes of a channel", "%")
    for stage, seconds in profile["thread_s"].items():
        table.add_row(stage, f"{1000 * seconds * 300 / channel_s:.2f}", f"{100 * seconds / total_s:.1f}")
    table.add_row("all", f"{1000 * total_s * 300 / channel_s:.2f}", "100")
    Console().print(table)
    Console().print(f"{channel_s / total_s:,.0f} channel-seconds per core-second")


def _contenders(report: Report) -> Table:
    table = _table("channel-seconds per core-second", "", "speed", "floor = 1", "sertag = 1", "wall, s")
    for row in report["contenders"]:
        cells = (row["times_floor"], row["sertag_faster_by"], row["wall_s"])
        table.add_row(row["name"], f"{row['per_core_second']:,.0f}", *map(_number, cells))
    return table


def _memory(memory: Report) -> Table:
    table = _table("peak memory, MB", "", "largest process", "all", "all, on the way")
    for name, row in memory.items():
        on_the_way = ", ".join(f"{mark}: {_number(value)}" for mark, value in row.get("resident_mb", {}).items())
        table.add_row(name, _number(row["largest_mb"]), _number(row["together_mb"]), on_the_way)
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _at_most(what: str, target: float, found: float | None) -> Report:
    met = None if found is None else found <= target
    return {"what": what, "target": f"at most {target:g}", "found": found, "met": met}


def _at_least(what: str, target: float, found: float | None) -> Report:
    met = None if found is None else found >= target
    return {"what": what, "target": f"at least {target:g}", "found": found, "met": met}


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
