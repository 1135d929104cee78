"""Test in a real browser that the run report draws its days and shows its rejected lines."""

from __future__ import annotations

from datetime import datetime

import pytest
from selenium.webdriver.common.by import By

from local import screenshots
from tests.running import run
from tests.world import event

pytestmark = pytest.mark.skipif(
    screenshots.installed() is None,
    reason="no chromium and chromedriver on the PATH (Debian: apt-get install chromium chromium-driver)",
)


def test_a_person_sees_days_and_rejected_lines(sparkify, world, tmp_path):
    moment = datetime(2018, 11, 1, 12)
    hostile = "<script>document.title = 'taken over'</script>"
    world.log("2018-11-01", *(event(moment, user=user) for user in range(1, 300)), hostile)
    state, _ = run(sparkify, start="2018-11-01", end="2018-11-02")
    assert state == "success"
    listed = world.s3.list_objects_v2(Bucket=world.work, Prefix="reports/")["Contents"]
    (key,) = (item["Key"] for item in listed if item["Key"].endswith(".html"))
    page = tmp_path / "report.html"
    page.write_bytes(world.s3.get_object(Bucket=world.work, Key=key)["Body"].read())

    with screenshots.browser() as chrome:
        chrome.get(page.as_uri())
        assert chrome.title.startswith("Published: manual__")
        bar = chrome.find_element(By.CSS_SELECTOR, ".days .bar")
        assert bar.size["width"] > 200
        free, paid = (bar.find_element(By.CLASS_NAME, level).size["width"] for level in ("free", "paid"))
        assert free + paid == pytest.approx(bar.size["width"], abs=1)
        hours = chrome.find_elements(By.CSS_SELECTOR, ".days .hours i")
        assert [hours.index(hour) for hour in hours if float(hour.value_of_css_property("opacity"))] == [12]
        refused = chrome.find_element(By.CSS_SELECTOR, "table.rejects")
        assert refused.is_displayed()
        assert hostile in refused.text and "2018-11-01-events.json" in refused.text
        # The page fetched nothing, and the browser's log is empty.
        assert chrome.execute_script("return performance.getEntriesByType('resource').length") == 0
        assert chrome.get_log("browser") == []
        screenshots.picture_of_report(chrome, page, tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 50_000
