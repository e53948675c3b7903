"""What docker/ promises, as far as it can be told without a container engine. Started by bin/check-deployment."""

import json
import pathlib
import re
import sys

import compose_spec
import kubernetes_validate
import yaml

root = pathlib.Path(__file__).resolve().parents[2]
docker = root / "docker"
problems = []


def expect(condition, sentence):
    if not condition:
        problems.append(sentence)


def settings():
    """The names in the table of settings, which a test compares with what the programs read."""
    text = (root / "Sources/S3File/S3File.docc/Settings.md").read_text()
    return set(re.findall(r"`((?:S3FILE|AWS|DATABASE)_[A-Z0-9_]+)`", text))


known = settings()
dockerfile = (docker / "Dockerfile").read_text()
uid = int(re.search(r"^USER (\d+):\d+$", dockerfile, re.M).group(1))
# Of a worker, after which nothing is waited for: see WorkerCommand.
hard_stop = int(
    re.search(
        r"maximumGracefulShutdownDuration = \.seconds\((\d+)\)",
        (root / "Sources/S3FileCommand/Commands/WorkerCommand.swift").read_text(),
    ).group(1)
)


def check_dockerfile():
    expect(f"--uid {uid} " in dockerfile, "Dockerfile: the user that runs is not the one that is made")
    package = (root / "Package.swift").read_text()
    for product in re.findall(r"--product (\w+)", dockerfile):
        expect(f'name: "{product}"' in package, f"Dockerfile: Package.swift has no {product}")
    runtime = dockerfile.split(" AS runtime", 1)[1]
    expect("libpq5" in runtime and "ca-certificates" in runtime, "Dockerfile: what runs lacks libpq or certificates")
    for word in ("STOPSIGNAL SIGTERM", "HEALTHCHECK", "org.opencontainers.image.title"):
        expect(word in runtime, f"Dockerfile: no {word}")
    expect(not re.search(r"(SECRET|PASSWORD|ACCESS_KEY)\w*=", dockerfile), "Dockerfile: a secret would be in the image")


def check_compose():
    # As with an environment that sets nothing.
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (docker / "compose.yaml").read_text())
    whole = yaml.safe_load(text)
    try:
        compose_spec.PyCompose.from_json(json.dumps(whole))
    except ValueError as error:
        problems.append(f"compose: {error}")
    services = whole["services"]
    for name, service in services.items():
        for mounted in service.get("volumes", []):
            file = mounted.split(":")[0]
            expect(not file.startswith(".") or (docker / file).exists(), f"compose: {name} mounts {file}, which is not there")
        for other, how in service.get("depends_on", {}).items():
            expect("healthcheck" in services[other] or how["condition"] != "service_healthy", f"compose: {other} has no health check")
        if not service.get("image", "").startswith("s3file"):
            continue
        expect(service.get("read_only") and service.get("cap_drop") == ["ALL"], f"compose: {name} may do more than it needs")
        expect(int(service["stop_grace_period"].rstrip("s")) > hard_stop, f"compose: {name} is killed before it has ended by itself")
        for setting in service["environment"]:
            expect(setting in known or setting in ("S3FILE_HOST", "S3FILE_PORT"), f"compose: {name} sets {setting}, which nothing reads")
        expect(f"AS {service['build']['target']}\n" in dockerfile, f"compose: the Dockerfile has no {service['build']['target']}")


def documents(path):
    return [d for d in yaml.safe_load_all(path.read_text()) if d]


def check_kubernetes():
    folder = docker / "kubernetes"
    secrets = set(re.findall(r"^(?:# )?([A-Z0-9_]+)=", (folder / "secret.example.env").read_text(), re.M))
    resources = []
    for path in sorted(folder.rglob("*.yaml")):
        for document in documents(path):
            kind, version = document["kind"], document["apiVersion"]
            if kind == "Kustomization":
                for listed in document["resources"]:
                    expect((path.parent / listed).exists(), f"{path.parent.name}: kustomization.yaml lists {listed}, which is not there")
                continue
            resources.append(document)
            if version.startswith("keda.sh/"):
                continue
            try:
                kubernetes_validate.validate(document, "1.37", strict=True)
            except kubernetes_validate.ValidationError as error:
                problems.append(f"{path.name}: {kind} {document['metadata']['name']}: {error.message}")
    listed = {f.name for f in (folder / "base").glob("*.yaml")} - {"kustomization.yaml"}
    expect(listed == set(documents(folder / "base/kustomization.yaml")[0]["resources"]), "base: kustomization.yaml does not list every file")

    def by_kind(kind):
        return {d["metadata"]["name"]: d for d in resources if d["kind"] == kind}

    deployments, config = by_kind("Deployment"), by_kind("ConfigMap")["s3file"]["data"]
    for setting in config:
        expect(setting in known, f"kubernetes: nothing reads {setting}")
    for name, workload in {**deployments, **by_kind("Job")}.items():
        template = workload["spec"]["template"]
        pod, container = template["spec"], template["spec"]["containers"][0]
        context = {**pod["securityContext"], **container["securityContext"]}
        expect(context.get("runAsNonRoot") and context.get("runAsUser") == uid, f"{name}: runs as another user than the image's")
        expect(context.get("readOnlyRootFilesystem") and not context.get("allowPrivilegeEscalation"), f"{name}: may do more than it needs")
        expect(context["capabilities"] == {"drop": ["ALL"]}, f"{name}: has capabilities")
        expect(pod["serviceAccountName"] in by_kind("ServiceAccount"), f"{name}: has no service account")
        for variable in container["env"]:
            expect(variable["name"] in known, f"{name}: nothing reads {variable['name']}")
            key = variable.get("valueFrom", {}).get("secretKeyRef", {}).get("key")
            expect(key is None or key in secrets, f"{name}: secret.example.env lacks {key}")
        if name not in deployments:
            continue
        labels = workload["spec"]["selector"]["matchLabels"]
        expect(labels.items() <= template["metadata"]["labels"].items(), f"{name}: does not select its own pods")
        expect(pod["terminationGracePeriodSeconds"] > hard_stop, f"{name}: is killed before it has ended by itself")
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            get = container[probe]["httpGet"]
            expect(get["port"] in ports, f"{name}: {probe} asks a port that there is not")
            expect(get["path"] == ("/health/ready" if probe == "readinessProbe" else "/health/live"), f"{name}: {probe} asks {get['path']}")
        budgets = [b for b in by_kind("PodDisruptionBudget").values() if b["spec"]["selector"]["matchLabels"] == labels]
        policies = [p for p in by_kind("NetworkPolicy").values() if p["spec"]["podSelector"]["matchLabels"] == labels]
        expect(len(budgets) == 1 and len(policies) == 1, f"{name}: has no budget of disruptions, or no network policy")
    for scaler in [d for d in resources if d["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")]:
        expect(scaler["spec"]["scaleTargetRef"]["name"] in deployments, f"{scaler['kind']}: scales nothing")
    metric = by_kind("HorizontalPodAutoscaler")["s3file-worker"]["spec"]["metrics"][0]["external"]["metric"]["name"]
    sources = "".join(p.read_text() for p in (root / "Sources").rglob("*.swift"))
    expect(f'"{metric}"' in sources, f"scaling.yaml: nothing tells {metric}")
    query = by_kind("ScaledObject")["s3file-worker"]["spec"]["triggers"][0]["metadata"]["query"]
    function = re.search(r"s3file\.(\w+)\(", query).group(1)
    migrations = "".join(p.read_text() for p in (root / "migrations").glob("*.sql"))
    expect(f"function s3file.{function}(" in migrations, f"scaled-object.yaml: there is no function s3file.{function}")


check_dockerfile()
check_compose()
check_kubernetes()
for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(1 if problems else 0)
