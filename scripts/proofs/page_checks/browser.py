"""Headless Chromium, driven through chromedriver."""
import base64

from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE_S = 40


class Browser:
    def __init__(self, shots):
        options = webdriver.ChromeOptions()
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(flag)
        options.binary_location = "/usr/bin/chromium"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.shots = shots
        self.console_errors = []

    def quit(self):
        self.driver.quit()

    def look(self, width, dark=False):
        """The window's width, and the colour scheme."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def open(self, url):
        self.driver.get("about:blank")  # so that a new fragment loads the page anew
        self.driver.get(url)

    def find(self, css):
        return self.wait(lambda: next(iter(self.driver.find_elements(By.CSS_SELECTOR, css)), None), css)

    def button(self, name):
        """The button of that name, in the middle of the window, where nothing covers it."""
        button = self.wait(lambda: next((b for b in self.driver.find_elements(By.TAG_NAME, "button")
                                         if b.text == name and b.is_displayed()), None), f"button '{name}'")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        return button

    def wait(self, condition, what):
        # Elements may be replaced while they are looked at.
        patience = WebDriverWait(self.driver, PATIENCE_S, 0.05, ignored_exceptions=[StaleElementReferenceException])
        return patience.until(lambda _: condition(), f"waited in vain for {what}")

    def texts(self, css):
        return self.driver.execute_script("return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)", css)

    def wait_text(self, css, part):
        return self.wait(lambda: any(part in text for text in self.texts(css)), f"'{part}' in {css}; it says {self.texts(css)[:4]}")

    def press(self, *keys):
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focused(self):
        """The text, or the label, of what has the focus."""
        return self.driver.execute_script("""
            const e = document.activeElement;
            return e.getAttribute("aria-label") || e.textContent.trim();""")

    def painted(self, css):
        """Whether some canvas that the selector finds shows more than one colour."""
        return self.driver.execute_script("""
            return [...document.querySelectorAll(arguments[0])].some((canvas) => {
              // Read from a copy, since the page need not make its own canvases easy to read.
              const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
              copy.drawImage(canvas, 0, 0);
              const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
              return data.some((value, i) => i % 4 < 3 && value !== data[i % 4]);
            });""", css)

    def read_console(self, refused=()):
        """Collects errors; those of answers with a status in `refused` are meant."""
        for entry in self.driver.get_log("browser"):
            meant = any(f"status of {status} " in entry["message"] for status in refused)
            if entry["level"] in ("SEVERE", "WARNING") and not meant:
                self.console_errors.append(entry["message"])

    def shot(self, name):
        height = self.driver.execute_script("return document.documentElement.scrollHeight")
        width = self.driver.execute_script("return document.documentElement.clientWidth")
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "format": "png", "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": width, "height": min(height, 4000), "scale": 1}})
        (self.shots / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))

    def overflow(self):
        """Pixels by which the page is wider than the window."""
        return self.driver.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def accessibility(self):
        """What axe-core finds: [(rule, element)]."""
        found = Axe().run(self.driver, None, {"resultTypes": ["violations"]})
        return [(violation["id"], node["html"][:120]) for violation in found["violations"] for node in violation["nodes"]]

    def focus_order(self, most=60):
        """What the Tab key reaches from the top, and whether each shows where the focus is."""
        self.driver.execute_script("document.activeElement?.blur(); window.scrollTo(0, 0);")
        body = self.driver.find_element(By.TAG_NAME, "body")
        order = []
        for i in range(most):
            (body if i == 0 else self.driver.switch_to.active_element).send_keys(Keys.TAB)
            name, outline, top = self.driver.execute_script("""
                const e = document.activeElement, s = getComputedStyle(e);
                return [e.tagName === "BODY" ? "BODY" : e.id || e.textContent.trim().slice(0, 30) || e.tagName, s.outlineStyle !== "none",
                        e.getBoundingClientRect().top + scrollY];""")
            if order and (name == order[0][0] or name == "BODY"):
                break
            order.append((name, outline, top))
        return order
