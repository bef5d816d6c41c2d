"""Takes the files of ConfigMaps out of rendered manifests, as pods see them, and compares how long the gateway drains
with the time that its pod has for it.

usage: configurations.py MANIFESTS FOLDER
"""

import pathlib
import sys

import yaml


def seconds(text):
    """A duration of the gateway's format."""
    for unit, factor in {"ms": 0.001, "s": 1, "m": 60, "h": 3600}.items():
        if text.removesuffix(unit).isdigit():
            return int(text.removesuffix(unit)) * factor
    sys.exit(f"not a duration: {text}")


manifests = [manifest for manifest in yaml.safe_load_all(pathlib.Path(sys.argv[1]).read_text()) if manifest]
maps = {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] == "ConfigMap"}
for name, manifest in maps.items():
    folder = pathlib.Path(sys.argv[2]) / name
    folder.mkdir(parents=True)
    for file, text in manifest["data"].items():
        (folder / file).write_text(text)

for manifest in manifests:
    if manifest["kind"] != "Deployment":
        continue
    name = manifest["metadata"]["name"]
    pod = manifest["spec"]["template"]["spec"]
    for volume in pod.get("volumes", []):
        # The base has no ConfigMap: overlays bring it.
        configuration = maps.get(volume.get("configMap", {}).get("name"))
        if not configuration:
            continue
        limits = yaml.safe_load(configuration["data"]["gateway.conf"]).get("limits", {})
        needed = seconds(limits.get("drain_delay", "0s")) + seconds(limits.get("drain_timeout", "30s"))
        grace = pod.get("terminationGracePeriodSeconds", 30)
        if needed + 5 > grace:
            sys.exit(
                f"{name}: terminationGracePeriodSeconds is {grace}. drain_delay and drain_timeout take {needed:g} s, "
                f"so at least {needed + 5:g} is needed"
            )
