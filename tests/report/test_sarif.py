# SPDX-License-Identifier: GPL-2.0-only
"""The SARIF log: what the standard demands of its parts, and what it says of the findings.

The standard's own JSON schema is no package that Python's index has, and not
ours to copy: the structure is held against the object model that was generated
from it (sarif-om), and, where GENFAULT_SARIF_SCHEMA names a file with the
schema, the whole log against that.
"""

import json
import os
from pathlib import Path
from typing import Any

import attr
import jsonschema
import pytest
import sarif_om

from codegen.__main__ import main
from codegen.targets.classes import explanations
from codegen.targets.compare.nodes import DifferenceClass

# Which class of the model a property holds; lists hold several.
MODEL = {
    "SarifLog": {"runs": "Run"},
    "Run": {
        "tool": "Tool",
        "invocations": "Invocation",
        "results": "Result",
        "originalUriBaseIds": "ArtifactLocation",
    },
    "Tool": {"driver": "ToolComponent"},
    "ToolComponent": {"rules": "ReportingDescriptor", "notifications": "ReportingDescriptor"},
    "ReportingDescriptor": {
        "shortDescription": "MultiformatMessageString",
        "fullDescription": "MultiformatMessageString",
        "help": "MultiformatMessageString",
        "defaultConfiguration": "ReportingConfiguration",
    },
    "Invocation": {"toolExecutionNotifications": "Notification"},
    "Notification": {
        "message": "Message",
        "descriptor": "ReportingDescriptorReference",
        "locations": "Location",
    },
    "Result": {
        "message": "Message",
        "locations": "Location",
        "codeFlows": "CodeFlow",
        "suppressions": "Suppression",
    },
    "CodeFlow": {"threadFlows": "ThreadFlow"},
    "ThreadFlow": {"locations": "ThreadFlowLocation"},
    "ThreadFlowLocation": {"location": "Location"},
    "Location": {
        "physicalLocation": "PhysicalLocation",
        "logicalLocations": "LogicalLocation",
        "message": "Message",
    },
    "PhysicalLocation": {"artifactLocation": "ArtifactLocation", "region": "Region"},
}
MAPS = {"originalUriBaseIds"}
BROKEN = "void f(struct pt_regs *regs) { if (handle_mm_fault(vma, a, flags, regs) && ) ; }\n"


def log_of(
    capsys: pytest.CaptureFixture[str], *arguments: str | Path
) -> tuple[int, dict[str, Any]]:
    with pytest.raises(SystemExit) as stop:
        main(["check", "--format", "sarif", *map(str, arguments)])
    assert isinstance(stop.value.code, int)
    return stop.value.code, json.loads(capsys.readouterr().out)


def against_the_model(value: Any, name: str, where: str) -> None:
    """Every property is one of the model's, and every one that it demands is there."""
    fields = {f.metadata["schema_property_name"]: f for f in attr.fields(getattr(sarif_om, name))}
    assert value.keys() <= fields.keys(), where
    required = {n for n, f in fields.items() if f.default is attr.NOTHING}
    assert required <= value.keys(), where
    for key, child in value.items():
        kind = MODEL.get(name, {}).get(key)
        if kind is None:
            # A message's text and the like; objects below are property bags only.
            assert not isinstance(child, dict) or key in ("properties", "partialFingerprints")
            continue
        children = child if isinstance(child, list) else [child]
        if key in MAPS:
            children = list(child.values())
        for i, one in enumerate(children):
            against_the_model(one, kind, f"{where}.{key}[{i}]")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder with a handler that has findings, and one that cannot be read."""
    (tmp_path / "sources with a space").mkdir()
    folder = tmp_path / "sources with a space"
    snippet = Path(__file__).parents[2] / "kernel_snippets" / "alpha.c"
    (folder / "al pha.c").write_bytes(snippet.read_bytes())
    (folder / "broken.c").write_text(BROKEN)
    return folder


def logs(capsys: pytest.CaptureFixture[str], broken: Path) -> list[dict[str, Any]]:
    return [
        log_of(capsys, "--arch", "alpha", "--arch", "sh", "--accept", "missing-case")[1],
        log_of(capsys, "--arch", "arm64")[1],
        log_of(capsys, broken)[1],
    ]


def test_it_is_built_as_the_object_model_says(
    capsys: pytest.CaptureFixture[str], broken: Path
) -> None:
    for log in logs(capsys, broken):
        assert log.pop("$schema").endswith("/sarif-schema-2.1.0.json")
        against_the_model(log, "SarifLog", "log")


def test_it_is_valid_by_the_schema(capsys: pytest.CaptureFixture[str], broken: Path) -> None:
    path = os.environ.get("GENFAULT_SARIF_SCHEMA")
    if not path:
        pytest.skip("GENFAULT_SARIF_SCHEMA names no file with the schema of SARIF 2.1.0")
    schema = json.loads(Path(path).read_text("utf-8-sig"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    for log in logs(capsys, broken):
        validator.validate(log)


def test_there_is_a_rule_for_each_class_and_a_result_for_each_finding(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, log = log_of(capsys, "--arch", "alpha")
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert {r["id"] for r in rules} == {c.value for c in DifferenceClass}
    with pytest.raises(SystemExit):
        main(["check", "--format", "json", "--arch", "alpha"])
    (handler,) = json.loads(capsys.readouterr().out)["handlers"]
    told = [(r["ruleId"], r["locations"][0]["physicalLocation"]) for r in run["results"]]
    assert [(rule, place["region"]["startLine"]) for rule, place in told] == [
        (d["class"], d["line"]) for d in handler["differences"]
    ]
    assert {p["artifactLocation"]["uri"] for _, p in told} == {"alpha.c"}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert "genfault simulate --arch alpha" in result["message"]["text"]
        assert "handle_mm_fault(address, FAULT_FLAG_DEFAULT" in result["message"]["text"]
    assert (code, run["invocations"][0]["exitCode"]) == (1, 1)


def test_a_fingerprint_survives_a_shift_and_is_no_other_findings(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "alpha.c"
    text = (Path(__file__).parents[2] / "kernel_snippets" / "alpha.c").read_text()
    found = []
    for shift in (0, 7):
        path.write_text("\n" * shift + text)
        results = log_of(capsys, path)[1]["runs"][0]["results"]
        prints = [r["partialFingerprints"]["genfaultDifference/v1"] for r in results]
        assert len(set(prints)) == len(prints) > 3
        found.append(prints)
    assert found[0] == found[1]


def test_what_cannot_be_read_is_told_of(capsys: pytest.CaptureFixture[str], broken: Path) -> None:
    code, log = log_of(capsys, broken)
    (run,) = log["runs"]
    (invocation,) = run["invocations"]
    assert (code, invocation["exitCode"], invocation["executionSuccessful"]) == (1, 1, False)
    (notification,) = invocation["toolExecutionNotifications"]
    place = notification["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "broken.c", "uriBaseId": "SRCROOT"}
    assert notification["descriptor"]["id"] == "unreadable"
    known = {n["id"] for n in run["tool"]["driver"]["notifications"]}
    assert "unreadable" in known
    uris = {
        r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]
    }
    assert uris == {"al%20pha.c"}
    assert run["originalUriBaseIds"]["SRCROOT"]["uri"].endswith("/sources%20with%20a%20space/")


def test_an_accepted_class_is_suppressed_and_not_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    _, log = log_of(capsys, "--arch", "alpha", "--accept", "missing-case")
    results = log["runs"][0]["results"]
    accepted = {r["ruleId"] for r in results if "suppressions" in r}
    assert accepted == {"missing-case"}
    assert {r["ruleId"] for r in results} > accepted


def test_every_class_is_explained() -> None:
    found = explanations()
    assert list(found) == [c.value for c in DifferenceClass]
    for explanation in found.values():
        assert len(explanation.paragraphs) >= 2
        assert explanation.summary.endswith(".")
        assert len(explanation.summary) < 200
        assert "`" not in explanation.summary
        stated = explanation.paragraphs[-1].rsplit(". ", 1)[-1]
        assert stated in ("Accepted by default.", "Never accepted unasked.", "Never accepted.")
