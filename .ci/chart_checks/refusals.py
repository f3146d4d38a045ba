"""What the chart must refuse."""

import json
from pathlib import Path

import yaml

from chart_checks.helm import at_once, problem, template


def check_misspelt():
    wrong = [line for line in Path(".ci/chart-misspelt.txt").read_text().splitlines() if line and not line.startswith("#")]
    for setting, (code, _, error) in zip(wrong, at_once(lambda setting: template("--set-json", setting), wrong)):
        if not code or "values don't meet the specifications of the schema" not in error:
            problem(f"{setting} is not refused by the schema: {error.strip()[:200]}")
    print(f"  {len(wrong)} wrong settings refused")


def check_refusals():
    refusals = yaml.safe_load(Path(".ci/chart-refusals.yaml").read_text())

    def refuse(refusal):
        arguments = [part for key, value in refusal["values"].items() for part in ("--set-json", f"{key}={json.dumps(value)}")]
        return template(*arguments, release=refusal.get("release", "sipup"))

    for refusal, (code, _, error) in zip(refusals, at_once(refuse, refusals)):
        values = json.dumps(refusal["values"])
        if not code or refusal["because"] not in error:
            problem(f"{values} is not refused because {refusal['because']!r}, but: {error.strip()[:300] or 'rendered'}")
    print(f"  {len(refusals)} combinations refused, with their reasons")
