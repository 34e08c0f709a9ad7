from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from assist.server.bench.reopen import Reopened, command, summarise
from support.lsp import model_file


@pytest.mark.model
def test_a_reopened_file_costs_its_last_token() -> None:
    result = CliRunner().invoke(
        command, ["--model", str(model_file()), "--tokens", "300", "--limit", "2", "--json"]
    )
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["files"] == 2 and figures["tokens"] == 300 and figures["same_token"] == 2
    assert figures["disk_evaluated"] == 1


def test_a_summary_pairs_the_two_ways() -> None:
    rows = [Reopened("a", 9, 1, 9, 90.0, 1, ms, True) for ms in (1.0, 2.0, 3.0)]
    figures = summarise(rows)
    assert figures["times_faster"] == 45.0 and figures["times_faster_min"] == 30.0
    assert summarise([]) == {"files": 0}
