"""Checks the chart without a cluster: what it renders, what it refuses, and whether its documents say the same."""

import sys

from chart_checks.capacity import check_capacity
from chart_checks.documents import check_comments, check_rules, check_table
from chart_checks.helm import problems
from chart_checks.objects import check_golden, check_needs, check_renders, check_two_releases
from chart_checks.refusals import check_misspelt, check_refusals


def main():
    update = "--update" in sys.argv[1:]
    for title, check in [
        # First: others render it.
        ("rate limits", lambda: check_rules(update)),
        ("rendered objects", check_renders),
        ("two releases", check_two_releases),
        ("what it asks for", check_needs),
        ("golden renders", lambda: check_golden(update)),
        ("wrong settings", check_misspelt),
        ("refusals", check_refusals),
        ("comments", check_comments),
        ("table", lambda: check_table(update)),
        ("capacity", check_capacity),
    ]:
        print(title)
        check()
    if problems:
        sys.exit(f"{len(problems)} problems with the chart")


main()
