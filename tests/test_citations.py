"""Every document that the code cites is in the repository, and so is the heading it names.

The form of a citation in a comment or a docstring: the path from the root, and behind `#` the
heading as GitHub's anchor. The facts about the platforms are always cited with their heading.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.pages import PAGES, ROOT, fault_of

ROOMS = ("receiver", "schemas", "handlers", "yizhan", "bench", "tests", "examples")
FILES = sorted(file for room in ROOMS for file in ROOT.glob(f"{room}/**/*.py"))
NAMES = {page.name for page in PAGES} | {file.name for file in ROOT.glob("bench/**/*.md")}
_CITED = re.compile(r"[\w./-]*\w\.md\b(?:#[\w-]*)?")
_CLAUSE = re.compile(r"(?:\bsection |§ ?)\d|\bdesign,? (?:section )?\d", re.IGNORECASE)
_RFC = re.compile(r"RFC \d+,\s+section ", re.IGNORECASE)
_PLATFORM = "docs/platform/"


def prose(source: str) -> Iterator[str]:
    """The comments and docstrings of a module that may cite, those of its attributes too."""
    if not (_CITED.search(source) or _CLAUSE.search(source)):
        return  # to take a module apart is most of the time of these tests
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def faults(source: str) -> list[str]:
    """The citations of a module that lead nowhere, each with the reason."""
    found = []
    for text in prose(source):
        found += [f"{said}: which document?" for said in _CLAUSE.findall(_RFC.sub("", text))]
        for cited in _CITED.findall(text):
            if fault := fault_of(cited, ROOT):
                found.append(fault)
            elif cited.startswith(_PLATFORM) and "#" not in cited:
                found.append(f"{cited}: which heading?")
    names = {cited.partition("#")[0].rpartition("/")[2] for cited in _CITED.findall(source)}
    return found + [f"{name}: no such document" for name in sorted(names - NAMES)]


def test_every_citation_leads_to_a_document_and_a_heading_here() -> None:
    found = {
        str(file.relative_to(ROOT)): faults(file.read_text(encoding="utf-8")) for file in FILES
    }
    assert {file: said for file, said in found.items() if said} == {}


def test_the_facts_about_the_platforms_are_cited() -> None:
    cited = {
        page.partition("#")[0]
        for file in FILES
        for text in prose(file.read_text(encoding="utf-8"))
        for page in _CITED.findall(text)
    }
    assert {f"{_PLATFORM}{name}.md" for name in ("callbacks", "messages", "api")} <= cited


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("`nowhere{}`", "no such file"),
        ("docs/nowhere{}", "no such file"),
        ("`callbacks{}`, by its name alone", "no such file"),
        ("docs/platform/callbacks{}#nowhere", "no such heading"),
        ("docs/platform/callbacks{}", "which heading?"),
        ("callbacks, section 2", "which document?"),
        ("the design, section 2", "which document?"),
    ],
)
@pytest.mark.parametrize("form", ['"""{}"""', "x = 1  # {}", 'x = 1\n"""{}"""'])
def test_a_citation_that_leads_nowhere_is_found(text: str, reason: str, form: str) -> None:
    source = form.format(text.format(".md"))
    assert any(fault.endswith(reason) for fault in faults(source))


def test_a_citation_in_the_fixed_form_is_followed() -> None:
    page, anchor = "docs/platform/callbacks.md", "signature-of-xport"
    assert faults(f'"""MD5 ({page}#{anchor}); RFC 9110, section 6.5.1."""\n') == []


def test_a_document_that_only_a_text_names_is_found_missing() -> None:
    source = f'PAGE = ROOT / "docs" / "nowhere{".md"}"\n'
    assert faults(source) == [f"nowhere{'.md'}: no such document"]
