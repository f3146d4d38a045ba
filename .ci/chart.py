"""Checks the chart without a cluster: what it renders, what it refuses, and whether its documents say the same."""

import copy
import difflib
import json
import os
import re
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

warnings.simplefilter("ignore")

CHART = Path("charts/sipup")
HELM = os.environ["HELM"]
# The oldest version that Chart.yaml allows, one that is common, and the newest whose schemas there are.
KUBERNETES = ["1.30", "1.34", "1.37"]
# Kinds of others, whose schemas are not Kubernetes'.
FOREIGN = {"ScaledObject", "ServiceMonitor", "PrometheusRule"}
# Most that a default installation may ask for at its minimum.
LARGEST_CPU, LARGEST_MEMORY = Decimal(2), Decimal(4 * 2**30)

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


# --- what is rendered


class Schemas:
    """Kubernetes' own schemas of one version, in which unknown fields are errors."""

    def __init__(self, version):
        self.folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"
        definitions = json.loads((self.folder / "_definitions.json").read_text())
        self.store = {"https://kubernetes.io/api/_definitions.json": definitions}
        self.validators = {}

    def validator(self, found):
        group, _, version = found["apiVersion"].rpartition("/")
        parts = [found["kind"].lower(), *([group.split(".")[0]] if group else []), version]
        file = self.folder / ("-".join(parts) + ".json")
        if file not in self.validators:
            if not file.exists():
                return None
            resolver = jsonschema.RefResolver("https://kubernetes.io/api/x.json", None, store=self.store)
            self.validators[file] = jsonschema.Draft7Validator(json.loads(file.read_text()), resolver=resolver)
        return self.validators[file]

    def errors(self, found):
        validator = self.validator(found)
        if validator is None:
            return [] if found["kind"] in FOREIGN else [f"no schema of {found['apiVersion']}"]
        return [f"{'.'.join(map(str, error.path))}: {error.message[:160]}" for error in validator.iter_errors(found)]


def pods(found):
    """The pod specs in an object."""
    if found["kind"] == "Pod":
        return [found["spec"]]
    spec = found.get("spec", {}).get("template", {}).get("spec")
    return [spec] if spec else []


def not_restricted(pod):
    """What keeps a pod from the Pod Security Standard `restricted`, and from what we ask for besides."""
    own = pod.get("securityContext", {})
    if pod.get("hostNetwork") or pod.get("hostPID") or pod.get("hostIPC"):
        yield "shares namespaces of the host"
    if own.get("runAsUser") == 0:
        yield "runs as root"
    if "automountServiceAccountToken" not in pod:
        yield "does not say whether it needs a token"
    if pod.get("enableServiceLinks") is not False:
        yield "gets variables of Services, which could be taken for configuration"
    for volume in pod.get("volumes", []):
        if "hostPath" in volume:
            yield f"volume {volume['name']} is of the host"
    for container in pod.get("initContainers", []) + pod["containers"]:
        context, of = container.get("securityContext", {}), container["name"]
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{of} may gain privileges"
        if context.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{of} keeps capabilities"
        if context.get("runAsNonRoot", own.get("runAsNonRoot")) is not True:
            yield f"{of} may run as root"
        if context.get("seccompProfile", own.get("seccompProfile", {})).get("type") not in ("RuntimeDefault", "Localhost"):
            yield f"{of} has no seccomp profile"
        if not context.get("readOnlyRootFilesystem"):
            yield f"{of} can write to its root"
        requests = container.get("resources", {}).get("requests", {})
        if "cpu" not in requests or "memory" not in requests or "memory" not in container["resources"].get("limits", {}):
            yield f"{of} does not say what it needs"


def check_objects(found, release):
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in found if one["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")}
    policies = [one["spec"]["podSelector"]["matchLabels"] for one in found if one["kind"] == "NetworkPolicy"]
    for one in found:
        own = one["metadata"]["name"]
        if one["kind"] != "APIService" and not re.match(rf"(shop-)?{release}", own):
            problem(f"{release}: {name(one)} does not carry the release's name")
        if one["kind"] == "Secret" and (one.get("data") or one.get("stringData")):
            problem(f"{release}: {name(one)} has a value in it")
        if one["kind"] == "Deployment" and own in scaled and "replicas" in one["spec"]:
            problem(f"{release}: {name(one)} has replicas and an autoscaler")
        for pod in pods(one):
            for reason in not_restricted(pod):
                problem(f"{release}: {name(one)}: {reason}")
            labels = one["metadata"]["labels"] if one["kind"] == "Pod" else one["spec"]["template"]["metadata"]["labels"]
            if policies and not any(selector.items() <= labels.items() for selector in policies):
                problem(f"{release}: no NetworkPolicy is about {name(one)}")


def check_renders():
    schemas = {version: Schemas(version) for version in KUBERNETES}
    for file in sorted((CHART / "ci").glob("*-values.yaml")):
        code, out, error = helm("lint", "--strict", str(CHART), "--kube-version", "1.34.0", "--values", str(file))
        if code:
            problem(f"{file.name}: helm lint says {out} {error}")
        found = render(file)
        for one in found:
            for version, schema in schemas.items():
                for error in schema.errors(one):
                    problem(f"{file.name}: Kubernetes {version}: {name(one)}: {error}")
        check_objects(found, "sipup")
        check_objects(render(file, release="other"), "other-sipup")
        print(f"  {file.name}: {len(found)} objects, valid in {', '.join(KUBERNETES)}")


def check_two_releases():
    """What two releases in one namespace would both own."""
    of = {}
    for release in ("sipup", "other"):
        for one in render(CHART / "ci/two-releases-values.yaml", release=release):
            key = (one["apiVersion"], one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
            of.setdefault(key, set()).add(release)
    for key, owners in of.items():
        if len(owners) > 1:
            problem(f"two releases both have {key}")
    print(f"  {len(of)} objects of two releases, none twice")


def amount(text):
    units = {"m": Decimal("0.001"), "k": 1000, "M": 10**6, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    for unit, factor in units.items():
        if str(text).endswith(unit):
            return Decimal(str(text)[: -len(unit)]) * factor
    return Decimal(str(text))


def check_needs():
    """What a default installation asks for at its minimum."""
    found = render(CHART / "ci/default-values.yaml")
    least = {one["spec"]["scaleTargetRef"]["name"]: one["spec"]["minReplicas"] for one in found if one["kind"] == "HorizontalPodAutoscaler"}
    cpu = memory = Decimal(0)
    for one in found:
        if one["kind"] not in ("Deployment", "StatefulSet"):
            continue
        count = least.get(one["metadata"]["name"], one["spec"].get("replicas", 1))
        pod = one["spec"]["template"]["spec"]
        beside = [part for part in pod.get("initContainers", []) if part.get("restartPolicy") == "Always"]
        for container in pod["containers"] + beside:
            cpu += count * amount(container["resources"]["requests"]["cpu"])
            memory += count * amount(container["resources"]["requests"]["memory"])
    if cpu > LARGEST_CPU or memory > LARGEST_MEMORY:
        problem(f"a default installation asks for {cpu} CPU and {memory / 2**20} MiB")
    print(f"  a default installation asks for {cpu} CPU and {memory / 2**20:.0f} MiB")


def golden(file):
    """A render without what is generated and checked elsewhere."""
    text = ""
    for one in render(file):
        one = copy.deepcopy(one)
        if one["kind"] == "ConfigMap" and "-envoy-" in one["metadata"]["name"]:
            one["data"] = {key: "files/envoy" for key in one["data"]}
            one.pop("binaryData", None)
        notes = one.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {})
        if "checksum/bootstrap" in notes:
            notes["checksum/bootstrap"] = "files/envoy"
        text += "---\n" + yaml.safe_dump(one, sort_keys=True, width=1000)
    return text


def check_golden(update):
    for case in ("default", "min"):
        file = CHART / f"ci/golden/{case}.yaml"
        now = golden(CHART / f"ci/{case}-values.yaml")
        if update:
            file.parent.mkdir(exist_ok=True)
            file.write_text(now)
        before = file.read_text() if file.exists() else ""
        if now != before:
            difference = difflib.unified_diff(before.splitlines(), now.splitlines(), "golden", "now", lineterm="", n=1)
            problem(f"{file} differs; if that is meant: .ci/chart --update\n" + "\n".join(list(difference)[:60]))
    print("  renders of default and min are as they were")


# --- what is refused


def at_once(run, over):
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(run, over))


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


# --- what is written elsewhere too


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


def check_rules(update):
    ours, theirs = CHART / "files/ratelimit-rules.yaml", Path("services/ratelimit/src/rules/defaults.yaml")
    if update:
        ours.write_bytes(theirs.read_bytes())
    elif ours.read_bytes() != theirs.read_bytes():
        problem(f"{ours} is not {theirs}: .ci/chart --update")
    print("  the chart's rate limits are the program's defaults")


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
