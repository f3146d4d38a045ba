"""The chart's sizes beside those of `sipup verify capacity`."""

import os
import re
import subprocess
from pathlib import Path

from chart_checks.helm import at_once, name, objects, problem, template
from chart_checks.objects import amount


def program():
    """The newest program that is built, if it knows how to plan."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    given = [Path(os.environ["SIPUP_PROGRAM"])] if "SIPUP_PROGRAM" in os.environ else []
    built = sorted((file for file in target.glob("*/sipup") if file.is_file()), key=lambda file: -file.stat().st_mtime)
    for file in given + built:
        if subprocess.run([file, "verify", "capacity", "--plan"], capture_output=True).returncode == 0:
            return file
    return None


def planned(file, users):
    """What `sipup verify capacity` says a release for so many users has."""
    done = subprocess.run([file, "verify", "capacity", "--plan", "--target-users", str(users)], capture_output=True, text=True)
    if done.returncode:
        return None
    plan = {}
    for line in done.stdout.splitlines():
        cells = re.split(r"\s{2,}", line.strip())
        if len(cells) == 6 and cells[1].isdigit():
            plan[cells[0]] = tuple(cells[1:4]) + tuple(cells[5:])
        elif len(cells) == 2 and cells[1].isdigit():
            plan[cells[0]] = cells[1]
    return plan


def sized(users):
    """The same numbers in what the chart renders; nothing if it refuses."""
    code, out, _ = template("--set-json", f"capacity.targetUsers={users}")
    if code:
        return None
    found = {name(one): one for one in objects(out)}
    plan = {}
    for service in ("catalog", "orders", "auth", "jobs", "ratelimit"):
        spec = found[f"HorizontalPodAutoscaler/sipup-{service}"]["spec"]
        per = amount(spec["metrics"][0]["object"]["target"]["averageValue"])
        container = found[f"Deployment/sipup-{service}"]["spec"]["template"]["spec"]["containers"][0]
        environment = {one["name"]: one.get("value") for one in container["env"]}
        budget = environment.get("SIPUP_DATABASE_POOL_BUDGET", "-")
        plan[service] = (str(int(per)), str(spec["minReplicas"]), str(spec["maxReplicas"]), budget)
    migrate = next(one for key, one in found.items() if key.startswith("Job/sipup-migrate"))
    environment = migrate["spec"]["template"]["spec"]["initContainers"][1]["env"]
    plan["connections of a role"] = next(one["value"] for one in environment if one["name"] == "SIPUP_CONNECTION_LIMIT")
    postgres = found["ConfigMap/sipup-postgres"]["data"]["postgresql.conf"]
    plan["max_connections"] = re.search(r"^max_connections = (\d+)$", postgres, re.M)[1]
    envoy = found["ConfigMap/sipup-envoy-bootstrap"]["data"]["bootstrap.yaml"]
    plan["connections of an Envoy"] = re.search(r"max_active_downstream_connections: (\d+)", envoy)[1]
    return plan


def check_capacity():
    file = program()
    if file is None:
        print("  NOT COMPARED with `sipup verify capacity`: no program is built that knows it")
        return
    sizes = [1, 5001, 20000, 33333, 50000, 50001]
    for users, ours in zip(sizes, at_once(sized, sizes)):
        theirs = planned(file, users)
        if ours != theirs:
            problem(f"for {users} users the chart has {ours}, and `sipup verify capacity` {theirs}")
    print(f"  as `sipup verify capacity` says, for {', '.join(map(str, sizes))} users")
