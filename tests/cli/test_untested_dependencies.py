"""Another release of a dependency than the tested one is reported at the start."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

from receiver.cli.dependencies import declared, untested

DOUBT = "uvicorn 0.99.0 is installed, but Yizhan was tested with >=0.54,<0.55 only"


def test_what_is_installed_here_is_what_was_tested() -> None:
    assert untested(declared()) == []


def test_our_own_metadata_declare_the_tested_releases() -> None:
    assert any(text.startswith("uvicorn") and "<" in text for text in declared())


def test_another_release_is_a_sentence() -> None:
    installed = {"uvicorn": "0.99.0", "rich": "15.0.0"}
    doubts = untested(["uvicorn>=0.54,<0.55", "rich>=14"], installed.__getitem__)
    assert doubts == [f"{DOUBT}: install such a release"]


def test_a_release_candidate_of_the_next_one_is_another_release() -> None:
    assert len(untested(["uvicorn>=0.54,<0.55"], lambda _: "0.55.1rc1")) == 1


def test_what_is_for_another_system_or_not_installed_is_passed_over() -> None:
    def installed(name: str) -> str:
        raise PackageNotFoundError(name)

    assert untested(["absent>=1"], installed) == []
    assert untested(['uvicorn>=1 ; sys_platform == "nowhere"'], lambda _: "0.1") == []
