"""The benchmark of the batch judges what it measures, and its examples of use can be followed."""

from __future__ import annotations

import argparse
import shlex

import pytest
import yaml

from benchmarks import batch


def row(seconds=1.0, code=0, peak=100.0, branches=16):
    return {"seconds": seconds, "processor": seconds, "a_branch": seconds / branches, "code": code, "peak_mib": peak,
            "warm_mib": 400.0, "together_mib": 900.0, "output_mib": 50.0}


def found(plain=600.0, cold=100.0, nothing=1.0, few=340.0, many=3400.0, peak=100.0, same=True, code=0):
    compared = {"plain": row(plain), "cold": row(cold, code), "warm": row(80.0), "nothing": row(nothing),
                "same_bytes": same, "same_tables": same, "ratio": plain / cold}
    return {"compare": compared, "scale": [row(few, branches=34) | {"branches": 34},
                                           row(many, peak=peak, branches=340) | {"branches": 340}]}


def missed(**what):
    return [text for text, reached in batch.goals(found(**what)).items() if not reached]


def test_all_goals_reached():
    assert missed() == []
    assert missed(plain=500.0, many=3909.0, peak=109.9, nothing=2.99) == []


@pytest.mark.parametrize(("what", "said"), [
    ({"plain": 499.0}, "4.99 times as fast"), ({"nothing": 3.0}, "nothing to do: 3.00 s"),
    ({"many": 3911.0}, "seconds a branch x 1.150"), ({"peak": 111.0}, "peak x 1.110"), ({"code": 1}, "succeeded")])
def test_each_goal_can_be_missed(what, said):
    (line,) = missed(**what)
    assert said in line


def test_other_bytes_or_tables_are_a_miss():
    assert len(missed(same=False)) == 2


def test_a_part_is_judged_alone():
    whole = found()
    assert all(batch.goals({"scale": whole["scale"]}).values())
    assert all(batch.goals({"compare": whole["compare"]}).values())
    assert len(batch.goals({"scale": whole["scale"][:1]})) == 1


def test_tables_are_as_the_documentation_shows_them(root):
    whole, page = found(), (root / "docs" / "why" / "speed.md").read_text(encoding="utf-8")
    for text in (batch.comparison(whole["compare"]), batch.scaling(whole["scale"])):
        heads, *_, last = text.splitlines()
        assert heads in page
        assert f"\n| {last.split('|')[1].strip()} |" in page


def test_sources_of_every_size_are_read(tmp_path):
    from ebank_lib.sources import open_source

    project = batch.project(tmp_path / "p", ["02"])
    assert [p.name[:2] for p in (project / "notebooks").iterdir()] == ["02"]
    for count in (2, 16):
        assert len(open_source(project / batch.add_source(project, count)).catalog.reporting) == count


def options(root) -> set[str]:
    """Every option of ``ebank report``."""
    from ebank_lib.cli import report

    parser = argparse.ArgumentParser()
    report.add_options(parser)
    return {name for action in parser._actions for name in action.option_strings} | {"--source", "--lang"}


def test_the_ci_example_is_yaml_and_its_commands_exist(root):
    example = yaml.safe_load((root / "docs" / "ci-example.yml").read_text(encoding="utf-8"))
    lines = [line for step in example["jobs"]["reports"]["steps"] for line in step.get("run", "").splitlines()]
    words = [shlex.split(line) for line in lines]
    assert {w[1] for w in words if w[0].endswith("ebank")} == {"check", "report", "verify"}
    (report,) = [w for w in words if w[1] == "report"]
    assert {w for w in report if w.startswith("--")} <= options(root)


def test_the_page_of_the_batch_names_options_that_exist(root):
    import re

    section = (root / "docs" / "how-to" / "cron.md").read_text(encoding="utf-8")
    assert set(re.findall(r"--[a-z][a-z-]+", section)) <= options(root)
