"""Take the pictures in docs/ with headless Chromium: the graphs, the run report, the listening page.

    python -m local.screenshots

Needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver). If Airflow is not up, this first
loads the sample month and starts Airflow. If Airflow is up, the pictures show the data that it has loaded.
"""

from __future__ import annotations

import base64
import contextlib
import io
import shutil
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageChops
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.ui import WebDriverWait

from local import airflow, cli, report, services, up
from local.home import PROJECT, Home, Problem, say, shown

DOCS = PROJECT / "docs"
WAIT = 60
# Run Chromium headless, and without its usual network calls.
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --force-device-scale-factor=1"
).split()

# CSS that hides the controls that Airflow lays over its drawings.
BARE = (
    ".react-flow__minimap, .react-flow__controls, .react-flow__panel, .react-flow__background "
    "{ display: none !important }"
)

PLACE = """
const place = arguments[0].getBoundingClientRect();
return {x: place.x + scrollX, y: place.y + scrollY, width: place.width, height: place.height};
"""
MARGIN = 16
# Per picture of the listening page: the window's width, the color scheme, and the height (0 for the whole page).
LISTENING = {
    "listening": (1280, "light", 1560),
    "listening_dark": (1280, "dark", 0),
    "listening_narrow": (375, "light", 2400),
}


def installed() -> tuple[str, str] | None:
    """Return the paths of Chromium and its driver, or None if one is missing."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    return (chromium, driver) if chromium and driver else None


@contextlib.contextmanager
def browser(width: int = 1280, height: int = 900) -> Iterator[webdriver.Chrome]:
    """Open a browser with a temporary profile, and close it at the end.

    :raises Problem: Chromium is not installed.
    """
    found = installed()
    if found is None:
        raise Problem(
            "pictures need Chromium and its driver.\nNext: on Debian, apt-get install chromium chromium-driver"
        )
    with tempfile.TemporaryDirectory(prefix="sparkify-chromium-", ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = found[0]
        for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        chrome = webdriver.Chrome(options=options, service=Service(found[1]))
        try:
            yield chrome
        finally:
            chrome.quit()


def picture_of_report(chrome: webdriver.Chrome, page: Path, target: Path) -> None:
    """Take a picture of the whole page."""
    chrome.get(page.as_uri())
    height = chrome.execute_script("return document.documentElement.scrollHeight")
    chrome.set_window_size(1280, height + 140)
    chrome.find_element(By.TAG_NAME, "body").screenshot(str(target))


def open_listening(
    chrome: webdriver.Chrome, page: Path, width: int = 1280, scheme: str = "light", hash_: str = ""
) -> None:
    """Open the listening page in a window of the given width, with a light or dark color scheme."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    chrome.get("about:blank")
    chrome.get(page.as_uri() + hash_)


def picture_of_listening(chrome: webdriver.Chrome, target: Path, height: int = 0) -> None:
    """Take a picture of the open listening page, either of the top ``height`` pixels or of the whole page."""
    box = chrome.execute_script(
        "const {scrollWidth, scrollHeight} = document.documentElement; return [scrollWidth, scrollHeight]"
    )
    clip = {"x": 0, "y": 0, "width": box[0], "height": height or box[1], "scale": 1}
    shot = chrome.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as image:
        image.convert("RGB").quantize(256).save(target, optimize=True)


def log_in(chrome: webdriver.Chrome, home: Home, url: str) -> None:
    """Log in as the administrator that `make up` created."""
    chrome.get(f"{url}/login/")
    chrome.find_element(By.ID, "username").send_keys("admin")
    chrome.find_element(By.ID, "password").send_keys((home.airflow / "password").read_text())
    chrome.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
    WebDriverWait(chrome, WAIT).until(expected.url_contains("/home"))


def picture_of_drawing(chrome: webdriver.Chrome, url: str, target: Path, width: int, height: int) -> None:
    """Take a picture, without margins, of the whole drawing on a page of Airflow. The drawing is in a shadow tree."""
    chrome.set_window_size(width, height)
    chrome.get(url)

    def found(selector: str) -> WebElement:
        return chrome.find_element(By.ID, "root").shadow_root.find_element(By.CSS_SELECTOR, selector)

    def press(label: str) -> None:
        # Click by script, because Airflow lays other elements over its buttons.
        chrome.execute_script("arguments[0].click()", found(f"[aria-label='{label}']"))

    WebDriverWait(chrome, WAIT, ignored_exceptions=[WebDriverException]).until(
        lambda _: found(".react-flow__node")
    )
    if "/dags/" in url:
        press("Toggle full screen details")
    chrome.execute_script(
        "const style = document.createElement('style'); style.textContent = arguments[1];"
        "arguments[0].shadowRoot.append(style)",
        chrome.find_element(By.ID, "root"),
        BARE,
    )
    seen: list[str] = []

    def at_rest(_: webdriver.Chrome) -> bool:
        press("fit view")
        seen.append(str(found(".react-flow__viewport").get_attribute("style")))
        return len(seen) > 3 and len(set(seen[-3:])) == 1

    WebDriverWait(chrome, WAIT).until(at_rest)
    # WebDriver's screenshot of the element would end where the window ends.
    clip = {**chrome.execute_script(PLACE, found(".react-flow")), "scale": 1}
    shot = chrome.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as image:
        drawn = image.convert("RGB")
    box = ImageChops.difference(drawn, Image.new("RGB", drawn.size, "white")).getbbox()
    if box:
        left, top, right, bottom = box
        box = (left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN)
    drawn.crop(box).save(target, optimize=True)


def newest_run(home: Home, dag_id: str) -> str:
    """Return the ID of a DAG's latest successful run, quoted for a URL."""
    with airflow.database(services.require(home)) as cursor:
        cursor.execute(
            "select run_id from dag_run where dag_id = %s and state = 'success' order by start_date desc limit 1",
            (dag_id,),
        )
        return urllib.parse.quote(cursor.fetchone()[0])


def main() -> int:
    """Take all pictures and return an exit code as in `local.cli`."""
    home = Home()
    try:
        with browser(1700, 1150) as chrome:
            if not up.processes(home):
                for command in ("run", "up"):
                    if code := cli.main([command]):
                        return code
            for name in ("report.html", "listening.html"):
                report.fetch(home, services.require(home), name)
            url = airflow.url()
            log_in(chrome, home, url)
            for dag_id, name, height in (("sparkify", "graph", 1150), ("reports", "reports_graph", 1700)):
                page = f"{url}/dags/{dag_id}/grid?tab=graph&dag_run_id={newest_run(home, dag_id)}"
                picture_of_drawing(chrome, page, DOCS / f"{name}.png", 1700, height)
            picture_of_report(chrome, home.report / "report.html", DOCS / "report.png")
            for name, (width, scheme, height) in LISTENING.items():
                open_listening(chrome, home.report / "listening.html", width, scheme)
                picture_of_listening(chrome, DOCS / f"{name}.png", height)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return problem.code
    for name in ("graph", "reports_graph", "report", *LISTENING):
        say(shown(DOCS / f"{name}.png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
