"""The HTML report in a real browser: it filters, loads nothing, and runs nothing that a cluster says."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from karpenter_check.finding import Finding, Ref, Severity
from karpenter_check.reports import Format, render
from karpenter_check.rules.node_ttl_death import node_ttl_death
from karpenter_check.rules.pdb_blocks_drain import pdb_blocks_drain
from karpenter_check.scan import Outcome, Report, Result, RuleRun
from karpenter_check.suppression.ignore import Ignore
from tests.build import a_healthy_cluster
from tests.programs import installed

EVIL = '<script>document.title = "run"</script><img src=x onerror="document.title = 1">'


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """A headless Chromium that notes what it asks of the network."""
    options = webdriver.ChromeOptions()
    options.binary_location = installed("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    with webdriver.Chrome(options, webdriver.ChromeService(installed("chromedriver"))) as driver:
        yield driver


def a_result(name: str, severity: Severity, ignored: Ignore | None = None) -> Result:
    ref = Ref("NodePool", name, "karpenter.sh/v1")
    rule = pdb_blocks_drain if ignored else node_ttl_death
    finding = Finding(object=ref, owner=ref, nodepool=name, cause="c", severity=severity, message=f"{name} is wrong")
    return Result(rule, finding, f"v1:{name[:4]}", ignored=ignored)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report of four findings, one of them with a hostile name and one suppressed."""
    results = (a_result("general", Severity.HIGH), a_result(EVIL, Severity.HIGH), a_result("batch", Severity.LOW))
    left_be = a_result("spare", Severity.LOW, Ignore(rule="pdb-*", reason="on purpose", source="here"))
    report = Report(
        replace(a_healthy_cluster(), cluster="prod"), (RuleRun(node_ttl_death, Outcome.FAILED),), results, suppressed=(left_be,)
    )
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(report, Format.HTML, version="1.2.3"), encoding="utf-8")
    return file.as_uri()


def shown(browser: webdriver.Chrome) -> list[str]:
    """The NodePools of the rows that are to be seen."""
    rows = browser.find_elements(By.CSS_SELECTOR, "#findings tr")
    return [row.find_elements(By.TAG_NAME, "td")[3].text for row in rows if row.is_displayed()]


def requests(browser: webdriver.Chrome) -> list[str]:
    """What the browser has asked for since this was asked last."""
    entries: list[dict[str, Any]] = browser.get_log("performance")  # type: ignore[no-untyped-call]  # selenium types it in part
    said = [msgspec.json.decode(entry["message"])["message"] for entry in entries]
    return [entry["params"]["request"]["url"] for entry in said if entry["method"] == "Network.requestWillBeSent"]


def test_it_loads_itself_and_nothing_else(browser: webdriver.Chrome, page: str) -> None:
    requests(browser)
    browser.get(page)

    assert requests(browser) == [page]
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]  # selenium types it in part


def test_a_hostile_name_is_text(browser: webdriver.Chrome, page: str) -> None:
    browser.get(page)

    assert browser.title == "karpenter-check prod"
    assert EVIL in shown(browser)


def test_words_and_severities_filter(browser: webdriver.Chrome, page: str) -> None:
    browser.get(page)
    assert shown(browser) == ["general", EVIL, "batch", "spare"]

    browser.find_element(By.CSS_SELECTOR, "input[value=high]").click()
    assert shown(browser) == ["batch", "spare"]

    browser.find_element(By.ID, "words").send_keys("BATCH wrong")
    assert shown(browser) == ["batch"]
    assert browser.find_element(By.ID, "shown").text == "1 of 4 shown"


def test_a_print_unfolds_what_is_shown(browser: webdriver.Chrome, page: str) -> None:
    browser.get(page)
    browser.find_element(By.CSS_SELECTOR, "input[value=high]").click()
    count = "return document.querySelectorAll('details[open]').length"
    assert browser.execute_script(count) == 0

    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script(count) == 2
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script(count) == 0
