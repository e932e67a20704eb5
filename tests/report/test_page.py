# SPDX-License-Identifier: GPL-2.0-only
"""The page: whole, escaped, the same every time, and nothing of a file that is there is lost."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from codegen.__main__ import main
from codegen.base.diagnostics import Refusal, RefusalCode
from codegen.ir.handler import Dialect, HandlerRole
from codegen.tables.nodes import Access, AccessKind, DecodeRow, HandlerTables
from codegen.targets.classes import explanations
from codegen.targets.report.nodes import Entry
from codegen.targets.report.page import Subject, page_text

VOID = {"meta", "br", "wbr", "link", "img", "input", "hr"}
NASTY = "<script>alert('\"&')</script>"


class Page(HTMLParser):
    """The elements of a page; a tag that is not closed where it should be is a mistake."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()
        assert not self.stack, self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        named = dict(attrs)
        self.attributes |= named.keys()
        if (own := named.get("id")) is not None:
            self.ids.append(own)
        if (target := named.get("href")) is not None:
            self.links.append(target)
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["report", *map(str, arguments)])
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page on four snippets: two that convert, one that does not, one kept back."""
    path = tmp_path_factory.mktemp("report") / "page.html"
    archs = [f"--arch={a}" for a in ("alpha", "arc", "ia64", "sh")]
    assert run("-o", path, *archs) == 1
    return path.read_text("utf-8")


def test_it_is_well_formed_and_every_link_leads_somewhere(text: str) -> None:
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)


def test_it_needs_nothing_beside_itself(text: str) -> None:
    page = Page(text)
    assert not page.tags.keys() & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"url\(|@import|https?://", text)
    assert not {a for a in page.attributes if a.startswith("on") or a == "src"}


def test_it_tells_everything_of_every_handler(text: str) -> None:
    page = Page(text)
    assert {"h-alpha", "h-arc", "h-ia64", "h-sh"} <= set(page.ids)
    assert {f"c-{name}" for name in explanations()} <= set(page.ids)
    words = page.words
    assert "find_vma_prev" in words  # why ia64 is refused
    assert "regs->ecr_cause & ECR_C_PROTV_STORE" in words  # a guard of the decode
    assert "generic_fault(address, " in words  # the conversion
    assert "genfault simulate --arch alpha --converted --set" in words
    assert "handle_mm_fault(address, FAULT_FLAG_DEFAULT|FAULT_FLAG_USER)" in words
    assert "uaccess-livelock" in words
    assert page.tags["article"] == 4
    assert page.tags["details"] > 10


def test_the_numbers_are_those_of_the_commands(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every difference of `diff` and every finding of `check` is there once."""
    from codegen.targets.compare.nodes import DEFAULT_ACCEPTED
    from codegen.toolchain import checked, converted, open_request

    request = open_request(None, ["alpha", "arc", "ia64", "sh"], {}, 1)
    accepted = frozenset(DEFAULT_ACCEPTED)
    wanted: list[Any] = []
    for file in request.source.files:
        wanted += [d for p in converted(request, file, accepted) for d in p.differences]
        wanted += [d for p in checked(request, file, frozenset()) for d in p.differences]
    assert Page(text).tags["table"] - text.count('class="decode"') == (
        # the overview, two matrices, a signal map for each handler
        len(wanted) + 1 + 2 + 4
    )


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    pages = []
    for jobs in ("1", "2"):
        path = tmp_path / f"{jobs}.html"
        run("-o", path, "--arch", "arc", "--arch", "hexagon", "--jobs", jobs)
        pages.append(path.read_bytes())
    assert pages[0] == pages[1]


def test_a_file_that_is_there_stays_unless_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.html"
    path.write_text("mine")
    assert run("-o", path, "--arch", "arc") == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert run("-o", path, "--arch", "arc", "--force") == 1  # arc has a finding
    assert path.read_text() != "mine"


def test_without_a_place_to_write_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--arch", "arc") == 2
    assert run("-o", tmp_path, "--arch", "arc") == 2
    (tmp_path / "file").write_text("")
    assert run("-o", tmp_path / "file" / "page.html", "--arch", "arc") == 2
    assert "Traceback" not in capsys.readouterr().err


def nasty_entry() -> Entry:
    event = {"kind": "call", "name": NASTY, "args": [NASTY], "line": 3, "text": NASTY}
    difference = {
        "class": "other",
        "mode": "user",
        "outcome": NASTY,
        "line": 3,
        "scenario": {NASTY: 1},
        "src": [event],
        "tgt": [{**event, "file": NASTY}],
        "explanation": f"user mode: {NASTY}",
        "replay": {"src": ["genfault", "simulate", NASTY, "--set", f"{NASTY}=1"]},
    }
    refusal = Refusal(RefusalCode.SHAPE, NASTY, NASTY, NASTY, 3)
    row = DecodeRow(NASTY, (NASTY,), Access(AccessKind.PREDICATE, (), NASTY), 3, (), NASTY)
    listed = HandlerTables(
        NASTY,
        HandlerRole.HANDLER,
        NASTY,
        NASTY,
        3,
        Dialect.FIND_VMA,
        (NASTY,),
        decode=(row,),
        mode=NASTY,
        reached_through=(NASTY,),
        inconvertible=refusal,
    )
    other = HandlerTables(None, HandlerRole.OTHER, NASTY, NASTY, 4, Dialect.FIND_VMA, ())
    assert other.role is HandlerRole.OTHER
    return Entry(listed, "DIFFERS", (difference,), (difference,), f"+{NASTY}\n", (NASTY,))


def test_what_a_file_says_is_text_and_never_markup() -> None:
    text = page_text(Subject(NASTY, NASTY, [(NASTY, NASTY)]), [nasty_entry()])
    page = Page(text)
    assert "script" not in page.tags
    assert page.words.count("alert(") > 15


def test_a_source_of_nothing_but_refusals_is_a_page(tmp_path: Path) -> None:
    broken = "void f(struct pt_regs *regs) { if (handle_mm_fault(vma, a, flags, regs) && ) ; }\n"
    (tmp_path / "broken.c").write_text(broken)
    assert run(tmp_path / "broken.c", "-o", tmp_path / "page.html") == 1
    page = Page((tmp_path / "page.html").read_text())
    assert "unreadable" in page.words
