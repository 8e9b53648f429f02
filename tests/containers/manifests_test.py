#!/usr/bin/env python3
"""The compose file and the Kubernetes manifests, as the programs that read them judge them."""
import shutil

import jsonschema
import kubernetes_types
import yaml

from container_harness import *

COMPOSE = SOURCE / "deploy/compose.yaml"
KUBERNETES = SOURCE / "deploy/kubernetes"
# The schema of the Compose specification, which Compose v2 reads, as docker-compose 1.29 brings it.
COMPOSE_SPECIFICATION = pathlib.Path("/usr/lib/python3/dist-packages/compose/config/compose_spec.json")


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def kubernetes_objects():
    return [document for path in sorted(KUBERNETES.glob("*.yaml")) if path.name != "kustomization.yaml"
            for document in documents(path.read_text(encoding="utf-8"))]


class Manifests(unittest.TestCase):
    def run_compose(self, *program):
        done = subprocess.run([*program, "-f", COMPOSE, "config", "--quiet"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_TheComposeFileIsValidForDockerCompose129(self):
        self.run_compose("docker-compose")

    def test_TheComposeFileIsValidByTheComposeSpecification(self):
        # Version 2 passes `version` by, and the specification calls it obsolete.
        content = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
        jsonschema.validate(content, json.loads(COMPOSE_SPECIFICATION.read_text(encoding="utf-8")))
        content["services"]["worker"]["stop_grace"] = "1s"
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(content, json.loads(COMPOSE_SPECIFICATION.read_text(encoding="utf-8")))

    def test_TheComposeFileIsValidForComposeVersion2(self):
        if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode != 0:
            self.skipTest("Compose v2 is not installed, and Debian 12 has it not")
        self.run_compose("docker", "compose")

    def test_EveryKubernetesObjectHasTheFieldsOfItsType(self):
        objects = kubernetes_objects()
        self.assertGreater(len(objects), 7)
        for document in objects:
            self.assertEqual(kubernetes_types.breaches_of(document), [])

    def test_AKubernetesObjectThatIsNotOfItsTypeIsFound(self):
        worker = next(document for document in kubernetes_objects() if document["kind"] == "Deployment")
        container = worker["spec"]["template"]["spec"]["containers"][0]
        container["imagePullPolice"] = "Never"
        container["ports"][0]["containerPort"] = "7118"
        del worker["spec"]["selector"]
        found = "\n".join(kubernetes_types.breaches_of(worker))
        for words in ("imagePullPolice is no field of V1Container", "is '7118', which is no int",
                      "`selector`, must not be `None`"):
            self.assertIn(words, found)

    def test_EveryFileOfTheManifestsIsListedByKustomize(self):
        listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
        self.assertEqual(sorted([*listed, "kustomization.yaml"]), sorted(path.name for path in KUBERNETES.iterdir()))

    def test_KustomizeRendersSoundObjectsIntoTheirNamespace(self):
        if shutil.which("kubectl") is None:
            self.skipTest("kubectl is not installed, and Debian 12 has it not")
        rendered = documents(subprocess.run(["kubectl", "kustomize", KUBERNETES], capture_output=True, text=True,
                                            check=True).stdout)
        self.assertEqual(len(rendered), len(kubernetes_objects()))
        pods = []
        for document in rendered:
            self.assertEqual(kubernetes_types.breaches_of(document), [])
            if document["kind"] != "Namespace":
                self.assertEqual(document["metadata"]["namespace"], "fanfold")
            if "template" in document.get("spec", {}):
                pods.append(document["spec"]["template"]["metadata"]["labels"].items())
        for document in rendered:
            for selector in self.selectors_of(document):
                self.assertTrue(any(selector.items() <= pod for pod in pods),
                                f"{document['kind']} selects no pod: {selector}")

    @staticmethod
    def selectors_of(document):
        """What an object selects of this fleet's own pods."""
        spec = document.get("spec", {})
        if document["kind"] == "Service":
            return [spec["selector"]]
        return [spec[field]["matchLabels"] for field in ("selector", "podSelector") if field in spec]


main(Manifests, on_the_fixture=False)
