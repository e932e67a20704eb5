# SPDX-License-Identifier: GPL-2.0-only
"""The findings of `check` as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format).

One rule for each class of difference, one result for each finding, what could
not be read or decided as notifications of the run.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from codegen.base.diagnostics import Refusal, RefusalCode
from codegen.targets.classes import Explanation, explanations, plain
from codegen.targets.report.page import given

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_BASE = "SRCROOT"
_LEVELS = {
    # A task that cannot be killed, a leaked lock, a kernel that stops: these are bugs.
    "uaccess-livelock": "error",
    "lock-balance": "error",
    "missing-case": "error",
    "other": "error",
    "accounting": "note",
    "dropped-effect": "note",
    "oops-reason": "note",
}
"""The level of a class where it is not a warning."""


@dataclass(frozen=True)
class Checked:
    """One handler with what `check` found, as its JSON has it."""

    path: str
    function: str
    line: int
    arch: str | None
    findings: Sequence[Mapping[str, Any]]
    refusals: Sequence[Refusal] = ()


@dataclass(frozen=True)
class Invocation:
    """The run: its arguments, what it ends with, and where the files' names begin."""

    arguments: Sequence[str]
    exit_code: int
    root: Path
    version: str
    accepted: frozenset[str] = field(default_factory=frozenset)


def sarif_document(handlers: Sequence[Checked], run: Invocation) -> dict[str, Any]:
    """The whole log, ready for json.dumps(); the same findings give the same log."""
    rules = list(explanations().values())
    refusals = list(dict.fromkeys(r for h in handlers for r in h.refusals))
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "genfault",
                        "version": run.version,
                        "semanticVersion": run.version,
                        "rules": [_rule(e) for e in rules],
                        "notifications": [_descriptor(c) for c in RefusalCode],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {_BASE: {"uri": f"{run.root.resolve().as_uri()}/"}},
                "invocations": [
                    {
                        "arguments": list(run.arguments),
                        "exitCode": run.exit_code,
                        "exitCodeDescription": _EXIT_CODES[run.exit_code],
                        "executionSuccessful": not refusals,
                        "toolExecutionNotifications": [_notification(r) for r in refusals],
                    }
                ],
                "results": [
                    _result(h, f, [e.name for e in rules], run.accepted)
                    for h in handlers
                    for f in h.findings
                ],
            }
        ],
    }


_EXIT_CODES = {0: "no findings", 1: "findings, or a handler that could not be read"}


def _rule(explanation: Explanation) -> dict[str, Any]:
    name = "".join(word.capitalize() for word in explanation.name.split("-"))
    definition = plain(explanation.paragraphs[0])
    return {
        "id": explanation.name,
        "name": name,
        "shortDescription": {"text": explanation.summary},
        "fullDescription": {"text": definition},
        "help": {"text": plain(explanation.markdown), "markdown": explanation.markdown},
        "defaultConfiguration": {"level": _LEVELS.get(explanation.name, "warning")},
    }


def _descriptor(code: RefusalCode) -> dict[str, Any]:
    return {"id": code.value, "defaultConfiguration": {"level": "error"}}


def _notification(refusal: Refusal) -> dict[str, Any]:
    return {
        "descriptor": {"id": refusal.code.value},
        "level": "error",
        "message": {"text": f"{refusal.reason}: {refusal.construct}"},
        "locations": [{"physicalLocation": _place(refusal.path, refusal.line)}],
    }


def _result(
    handler: Checked, finding: Mapping[str, Any], rules: list[str], accepted: frozenset[str]
) -> dict[str, Any]:
    rule = str(finding["class"])
    out = {
        "ruleId": rule,
        "ruleIndex": rules.index(rule),
        "level": _LEVELS.get(rule, "warning"),
        "message": {"text": _message(handler, finding)},
        "locations": [_location(handler, handler.path, finding["line"])],
        "partialFingerprints": {"genfaultDifference/v1": _fingerprint(handler, finding)},
        "properties": {
            "mode": finding["mode"],
            "outcome": finding["outcome"],
            "scenario": finding["scenario"],
            "replay": finding["replay"],
        },
    }
    if finding["src"]:
        out["codeFlows"] = [_code_flow(handler, finding["src"])]
    if rule in accepted:
        out["suppressions"] = [{"kind": "external", "justification": f"--accept {rule}"}]
    return out


def _message(handler: Checked, finding: Mapping[str, Any]) -> str:
    """The explanation, then the counterexample: what is given, what happens, how to see it."""
    lines = [f"{handler.function}(): {finding['explanation']}", ""]
    lines.append(f"Scenario: {' '.join(given(finding))}")
    for event in finding["src"]:
        where = f"{event['file']}:{event['line']}" if "file" in event else event["line"]
        lines.append(f"  {where}  {event['text']}")
    lines.append(f"Replay: {shlex.join(finding['replay']['src'])}")
    return "\n".join(lines)


def _fingerprint(handler: Checked, finding: Mapping[str, Any]) -> str:
    """The same for the same finding in another revision of the file: no line is in it."""
    parts = (
        handler.path,
        handler.function,
        finding["class"],
        finding["mode"],
        finding["outcome"] or "",
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _code_flow(handler: Checked, events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "threadFlows": [
            {
                "locations": [
                    {
                        "location": {
                            **_location(handler, e.get("file", handler.path), e["line"]),
                            "message": {"text": e["text"]},
                        }
                    }
                    for e in events
                ]
            }
        ]
    }


def _location(handler: Checked, path: str, line: int) -> dict[str, Any]:
    return {
        "physicalLocation": _place(path, line),
        "logicalLocations": [{"name": handler.function, "kind": "function"}],
    }


def _place(path: str, line: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(path), "uriBaseId": _BASE}}
    if line > 0:
        place["region"] = {"startLine": line}
    return place
