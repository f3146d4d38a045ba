"""The chart, what helm makes of it, and the list of what is wrong with it."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

CHART = Path("charts/sipup")
HELM = os.environ["HELM"]

problems = []


def problem(text):
    problems.append(text)
    print(f"  wrong: {text}")


def helm(*arguments):
    done = subprocess.run([HELM, *arguments], capture_output=True, text=True, env={**os.environ, "HELM_NO_PLUGINS": "1"})
    return done.returncode, done.stdout, done.stderr


def options(file):
    """What helm needs besides a values file; said in a comment of it."""
    return [word for line in file.read_text().splitlines() if line.startswith("# helm: ") for word in line[8:].split()]


def template(*arguments, release="sipup", version="1.34"):
    return helm("template", release, str(CHART), "--namespace", "shop", "--kube-version", f"{version}.0", *arguments)


def objects(text):
    return [found for found in yaml.safe_load_all(text) if found]


def render(file, **others):
    code, out, error = template("--values", str(file), *options(file), **others)
    if code:
        problem(f"{file.name} is not rendered: {error.strip()}")
        return []
    return objects(out)


def name(found):
    return f"{found['kind']}/{found['metadata']['name']}"


def at_once(run, over):
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(run, over))
