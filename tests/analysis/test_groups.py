"""Groups are counted with intervals; small ones stay hidden, and agents are no groups of their own voices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sertag.analysis.groups import LAW, GroupError, by, is_person
from sertag.analysis.loading import Loaded
from sertag.analysis.selection import restrict
from tests.analysis.tables import loaded, night


@pytest.fixture
def table(tmp_path: Path) -> Loaded:
    found = loaded(tmp_path, night(50))
    for row in found.rows:
        number = int(row["path"][-8:-4]) if row["path"][-8:-4].isdigit() else None
        row |= {"queue": None if number is None else "sales" if number < 30 else "billing", "agent_id": str(number)}
        row["agent_team"] = "a"
    found.added = ("queue", "agent_id", "agent_team")
    return found


def test_counts_and_means(table: Loaded) -> None:
    found = by(table, ["queue"], means=["attention", "speech_s"])
    assert list(found.columns)[:4] == ["queue", "calls", "rows", "answered"]
    billing, sales = found.rows
    assert [(row["queue"], row["calls"], row["rows"], row["answered"]) for row in found.rows] == [
        ("billing", 20, 40, 40),
        ("sales", 30, 60, 60),
    ]
    agents_and_customers = [0.1, *(0.9 - index / 100 for index in range(30))]
    assert sales["attention"] == pytest.approx((30 * 0.1 + sum(agents_and_customers[1:])) / 60)
    assert sales["attention_low"] < sales["attention"] < sales["attention_high"]
    assert (billing["speech_s"], billing["speech_s_low"], billing["speech_s_high"]) == (10.0, 10.0, 10.0)
    assert found.remarks == ["1 group of fewer than 20 calls not shown: 2 calls"]


def test_small_groups_can_be_seen_where_they_are_no_persons(table: Loaded) -> None:
    assert [row["calls"] for row in by(table, ["queue"], least=2).rows] == [2, 20, 30]
    assert by(table, ["agent_id"], least=1).rows == []
    assert by(table, ["queue", "day"], least=1).rows[-1]["day"] == "2026-03-03"


def test_groups_of_agents_hold_customers_alone(table: Loaded) -> None:
    (team,) = by(table, ["agent_team"]).rows
    assert (team["calls"], team["rows"]) == (50, 50)
    assert team["attention"] == pytest.approx(sum(0.9 - index / 100 for index in range(50)) / 50)
    assert any(remark.endswith(LAW) for remark in by(table, ["agent_team"]).remarks)
    with pytest.raises(GroupError, match=r"no row has the role 'client' \(found: agent, customer\)"):
        by(table, ["agent_team"], customer="client")


def test_a_filter_on_one_agent_is_a_group_of_it(table: Loaded) -> None:
    restrict(table, "agent_id < 25")
    (month,) = by(table, ["month"], least=1).rows
    assert (month["calls"], month["rows"]) == (25, 25)
    restrict(table, "agent_id < 5")
    assert by(table, ["month"], least=1).rows == []


@pytest.mark.parametrize("name", ["agent", "Agent ID", "agentName", "operator_id", "Mitarbeiter", "sales_rep", "user"])
def test_names_of_persons(name: str) -> None:
    assert is_person(name)


@pytest.mark.parametrize("name", ["queue", "agenda", "role", "day", "report", "replays", "username_hash_free"])
def test_names_of_other_things(name: str) -> None:
    assert not is_person(name)


@pytest.mark.parametrize(
    ("columns", "more", "message"),
    [
        (["queu"], {}, "no column 'queu'; did you mean 'queue'"),
        (["queue"], {"means": ["role"]}, "--mean role is no column of numbers"),
        (["queue", "queue"], {}, "queue stands twice"),
    ],
)
def test_mistakes_are_explained(table: Loaded, columns: list[str], more: dict[str, Any], message: str) -> None:
    with pytest.raises(GroupError, match=message):
        by(table, columns, **more)
