"""Tables of `docs/scaling.md`, and that of archives of `docs/speed.md`, from committed results."""

from __future__ import annotations

import json

from benchmarks.scaling.simulation import CHANNELS, RESULT, RESULTS, rates


def page() -> str:
    """The table of simulated runs."""
    found = (json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}).get("simulation")
    if found is None:
        return "not measured yet"
    head = "| model | workers | days | core-hours | client busy | client memory, GB | journal, GB |\n"
    rows = [
        f"| `{run['model']}` | {run['workers']:,} | {run['wall_s'] / 86400:,.1f} | {run['core_hours']:,.0f} "
        f"| {100 * run['client_busy']:.0f} % | {run['memory_bytes'] / 1e9:.1f} | {run['journal_bytes'] / 1e9:,.0f} |"
        for run in found["runs"]
    ]
    return f"{head}|{'---|' * 7}\n" + "\n".join(rows)


def cost_page() -> str:
    """The table of costs of 1,000 hours of stereo calls, from the committed results of `benchmarks.speed.tag`."""
    head = "| model | core-hours | on 2 cores | on 16 cores | on 160 cores |\n"
    rows = []
    for model, rate in rates().items():
        hours = 1000 * CHANNELS / rate
        rows.append(f"| `{model}` | {hours:.1f} | {_time(hours / 2)} | {_time(hours / 16)} | {_time(hours / 160)} |")
    return f"{head}|{'---|' * 5}\n" + "\n".join(rows)


def cluster_page() -> str:
    """What a cluster of one computer takes, from the result of `python -m benchmarks.scaling.cluster`."""
    path = RESULTS / "cluster.json"
    if not path.exists():
        return "not measured yet"
    found = json.loads(path.read_text(encoding="utf-8"))
    wall_s = found["median_wall_s"]
    head = "| | wall time, s |\n|---|---|\n"
    names = {"0": "one worker process, no cluster", "1": "Dask, one worker", "2": "Dask, two workers"}
    rows = [f"| {name} | {wall_s[workers]:.1f} |" for workers, name in names.items()]
    work = f"{found['files']:,} files, {found['audio_hours']:.2f} hours, model `{found['model']}`"
    ratio = f"Two workers are {found['two_to_one']:.2f} times as fast as one ({work})."
    busy = "" if found["quiet"] else " **Other programs were running on the computer, so these figures mean little.**"
    return head + "\n".join(rows) + f"\n\n{ratio}{busy}"


def archive_page() -> str:
    """Runs over whole archives, from the committed results of `python -m benchmarks.speed.archive`."""
    found = json.loads((RESULTS / "archive.json").read_text(encoding="utf-8"))
    first, known = found["first_run"], found["nothing_new"]
    rows = [
        (f"first run, {first['files']:,} files", first, first["main_process_mb"]["highest"]),
        (f"nothing new, {known['files']:,} files", known["sertag"], known["sertag"]["peak_mb"]),
        ("`find` on the same tree", known["find"], known["find"]["peak_mb"]),
    ]
    lines = [f"| {name} | {run['wall_s']:.1f} | {run['cpu_s']:.1f} | {peak:.0f} |" for name, run, peak in rows]
    shares = {share: mb for share, mb in first["main_process_mb"].items() if "%" in share}
    marks = ", ".join(
        f"{mb:.0f} after {first['files'] * int(share.split()[0]) // 100:,}" for share, mb in shares.items()
    )
    machine = f"{known['machine']['cpu']}, {known['machine']['cores']} cores"
    loads = f"load {first['machine']['load_before']:g} before the first run, {known['machine']['load_before']:g} before"
    head = [
        f"{machine}; {loads} the other:",
        "",
        "| | wall, s | processor, s | main process, MB |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *lines, "", f"Memory of the main process in the first run, in MB: {marks} files."])


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{60 * hours:.0f} min" if hours >= 1 / 60 else f"{3600 * hours:.0f} s"
