"""Headless Chromium without network, for tests that open a page as a user does."""

import json
import shutil

import pytest

_CHROMIUM, _DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
"""Flags that give the browser a camera with a moving test pattern, and leave to use it."""

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


class Browser:
    """Opens pages from the disk and reports what they logged and requested."""

    def __init__(self, profile, *flags):
        if not (_CHROMIUM and _DRIVER):
            pytest.skip("chromium and chromedriver are not installed")
        webdriver = pytest.importorskip("selenium.webdriver")
        options = webdriver.ChromeOptions()
        options.binary_location = _CHROMIUM
        for flag in (*_FLAGS, *flags, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.chrome.service.Service(_DRIVER)
        self.driver = webdriver.Chrome(options=options, service=service)

    def open(self, page, *, width=1280, scheme="light"):
        """Show a file at a width in CSS pixels; below 500 it is a phone."""
        self.driver.get_log("performance"), self.driver.get_log("browser")
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        self.driver.get(page.as_uri())

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def complaints(self):
        """Return the messages of the console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """Return the addresses that were requested since the page was opened."""
        messages = (json.loads(each["message"]) for each in self.driver.get_log("performance"))
        return [
            message["message"]["params"]["request"]["url"]
            for message in messages
            if message["message"]["method"] == "Network.requestWillBeSent"
        ]
