"""Tables of `docs/scaling.md`, from committed results."""

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


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{60 * hours:.0f} min" if hours >= 1 / 60 else f"{3600 * hours:.0f} s"
