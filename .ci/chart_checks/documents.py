"""What of the chart is written elsewhere too: comments, the table of values, the limiter's rules."""

import json
import re
from pathlib import Path

import yaml

from chart_checks.helm import CHART, problem


def rows():
    """Key, default and comment of each value, in order."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    path, comment = [], []
    for line in (CHART / "values.yaml").read_text().splitlines():
        text = line.strip()
        if text.startswith("#"):
            comment = [text[4:].strip()] if text.startswith("# --") else comment + [text[1:].strip()] if comment else []
            continue
        found = re.match(r"^( *)([A-Za-z][A-Za-z0-9]*):", line)
        if not found:
            comment = []
            continue
        path = path[: len(found[1]) // 2] + [found[2]]
        value = defaults
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if comment:
            yield ".".join(path), value, " ".join(comment)
        comment = []


def documented():
    return {key for key, _, _ in rows()}


def leaves(value, path=()):
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield ".".join(path)


def check_comments():
    known = documented()
    for leaf in leaves(yaml.safe_load((CHART / "values.yaml").read_text())):
        steps = leaf.split(".")
        if not any(".".join(steps[:length]) in known for length in range(1, len(steps) + 1)):
            problem(f"values.yaml: {leaf} has no comment")
    print(f"  {len(known)} values with their comments")


def check_table(update):
    table = ["| key | default | what |", "|---|---|---|"]
    for key, value, comment in rows():
        default = json.dumps(value, ensure_ascii=False)
        default = "see values.yaml" if len(default) > 60 else f"`{default}`"
        table.append(f"| `{key}` | {default} | {comment.replace('|', chr(92) + '|')} |")
    readme = CHART / "README.md"
    text = readme.read_text()
    start, end = "<!-- values -->\n", "<!-- end of values -->\n"
    head, rest = text.split(start)
    written = head + start + "\n".join(table) + "\n" + end + rest.split(end)[1]
    if update:
        readme.write_text(written)
    elif written != text:
        problem("the README's table of values is not that of values.yaml: .ci/chart --update")
    print("  the README's table of values is that of values.yaml")


def check_rules(update):
    ours, theirs = CHART / "files/ratelimit-rules.yaml", Path("services/ratelimit/src/rules/defaults.yaml")
    if update:
        ours.write_bytes(theirs.read_bytes())
    elif ours.read_bytes() != theirs.read_bytes():
        problem(f"{ours} is not {theirs}: .ci/chart --update")
    print("  the chart's rate limits are the program's defaults")
