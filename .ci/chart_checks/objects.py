"""What is rendered: valid for Kubernetes, restricted, of one release only, and no more than is meant."""

import copy
import difflib
import json
import re
import warnings
from decimal import Decimal
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

from chart_checks.helm import CHART, helm, name, problem, render

warnings.simplefilter("ignore")

# The oldest version that Chart.yaml allows, one that is common, and the newest whose schemas there are.
KUBERNETES = ["1.30", "1.34", "1.37"]
# Kinds of others, whose schemas are not Kubernetes'.
FOREIGN = {"ScaledObject", "ServiceMonitor", "PrometheusRule"}
# Most that a default installation may ask for at its minimum.
LARGEST_CPU, LARGEST_MEMORY = Decimal(2), Decimal(4 * 2**30)


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
