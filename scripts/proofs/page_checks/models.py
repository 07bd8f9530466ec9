"""The pages of models: filters, histograms, codes, versions, and the form to try them."""
import statistics
import time
import zlib

from expectations import expect, figures
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

UNITS, MAPS = 65536, 2048
PAGE = 256  # units of a page of the mosaic


def train(service):
    small = ("--data", "fashion-mnist", "--max-rows", "500")
    service.train("digits", *small, "--units", "300", "--k", "10", "--epochs", "3")
    service.train("digits", *small, "--units", "300", "--k", "8", "--epochs", "3")
    service.train("maps", *small, "--encoder", "winner-take-all", "--maps", "16", "--epochs", "2")
    service.train("deep", *small, "--base", "digits", "--units", "64", "--k", "5", "--epochs", "2")
    few = ("--data", "fashion-mnist", "--max-rows", "16", "--epochs", "1", "--batch-size", "16")
    service.train("large", *few, "--units", UNITS, "--k", "4")
    service.train("wide", *few, "--encoder", "winner-take-all", "--maps", MAPS, "--filter-size", "5")


def png(width, height, rows):
    """A grey picture; `rows` are its lines of pixels, perhaps fewer than it claims."""
    def chunk(kind, body):
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows)))
            + chunk(b"IEND", b""))


def see(browser, service, work):
    """A model with two versions, one of maps, and one of two layers."""
    browser.open(f"{service.url}#/models/digits")
    browser.wait_text("#unit-status", "Unit")
    expect(browser.wait(lambda: browser.painted(".mosaic canvas"), "the mosaic"), "the mosaic is drawn")
    choose_units(browser)
    see_histograms(browser)
    browser.wait_text("#sample-result", "Active atoms: 8 of 8")
    browser.button("Next sample").click()
    expect(browser.wait_text("[role=status]", "Row 2 of"), "samples can be paged")
    expect(browser.wait_text("#sample-result figcaption", "reconstruction, error"), "a sample stands beside its reconstruction")
    browser.shot("model")
    try_it(browser, work)
    roll_back(browser)
    see_maps(browser, service, work)
    see_layers(browser, service)
    browser.read_console(refused=(400,))


def choose_units(browser):
    first, words = use_of_unit(browser), browser.find("#unit-status").text
    browser.find(".mosaic canvas").send_keys(Keys.END)
    browser.wait(lambda: browser.find("#unit-status").text != words, "the last unit of the page")
    last = use_of_unit(browser)
    expect(first > last, f"units come most used first: {first}% before {last}%")
    before = browser.find("#unit-status").text
    browser.find(".mosaic canvas").click()  # its middle
    browser.wait(lambda: browser.find("#unit-status").text != before, "another unit")
    chosen = browser.find("#unit-status").text
    browser.press(Keys.ARROW_RIGHT)
    expect(browser.wait(lambda: browser.find("#unit-status").text != chosen, "the next unit"), "click and arrow keys choose units")
    browser.press(Keys.HOME)
    expect(browser.find("#unit-detail li canvas"), "rows that excite a unit most are shown")
    browser.button("Next").click()
    expect(browser.wait(lambda: browser.find("#page").get_attribute("value") == "2", "page 2"), "the mosaic has a second page")


def use_of_unit(browser):
    """The percentage that the page tells of the chosen unit: "Unit 7, active in 1.2% of the rows"."""
    return float(browser.find("#unit-status").text.split("active in ")[1].split("%")[0].lstrip("<"))


def see_histograms(browser):
    browser.wait_text(".panel h2", "Activities")
    browser.wait_text(".panel h2", "How often units are used")
    bars = browser.driver.execute_script("""
        return [...document.querySelectorAll(".two .panel")].map((panel) =>
          [...panel.querySelectorAll(".stick")].filter((bar) => Number(bar.getAttribute("height")) > 0).length);""")
    expect(len(bars) == 2 and min(bars) > 2, f"use and activities are histograms: {bars} bars")
    expect(browser.wait_text(".two .note", "figure 4"), "the activities are shown as in figure 4 of the paper")


def roll_back(browser):
    browser.button("Roll back stable").click()
    browser.wait_text("tr[data-version='1']", "stable")
    expect(True, "stable rolls back to version 1")
    Select(browser.find("#version")).select_by_value("1")
    expect(browser.wait_text("#sample-result", "Active atoms: 10 of 10"), "a version can be chosen")


def see_maps(browser, service, work):
    browser.open(f"{service.url}#/models/maps")
    browser.wait_text("#sample-result", "Winners on the maps")
    expect(browser.painted("#sample-result .thumbs canvas"), "winners are shown on the maps")
    upload(browser, work, "maps.png", png(28, 28, [bytes(9 * (i % 28) for i in range(28))] * 28))
    browser.wait_text("#try-result", "Winners on the maps")
    expect(browser.painted("#try-result .thumbs canvas"), "an uploaded picture's winners are shown on the maps")
    browser.shot("maps")


def see_layers(browser, service):
    browser.open(f"{service.url}#/models/deep")
    expect(browser.wait_text(".note", "projected down"), "filters of a second layer are projected")
    expect(browser.wait(lambda: browser.painted(".mosaic canvas"), "projected filters"), "projected filters are drawn")
    expect(browser.find("#unit-detail li canvas"), "rows that excite a unit of a second layer most are shown")
    browser.shot("layers")


def try_it(browser, work):
    pad = browser.find("#pad")
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", pad)
    ActionChains(browser.driver).move_to_element_with_offset(pad, -40, -40).click_and_hold().move_by_offset(80, 80).release().perform()
    browser.button("Encode the drawing").click()
    browser.wait_text("#try-result", "Active atoms")
    expect(browser.painted("#try-result .figure canvas"), "a drawing is encoded")
    browser.button("Clear").click()
    pad.send_keys(Keys.SPACE, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.SPACE)
    expect(browser.painted("#pad"), "keys draw")
    upload(browser, work, "good.png", png(56, 40, [bytes(range(56))] * 40))
    browser.wait(lambda: "reconstruction" in browser.find("#try-result").text, "the upload")
    upload(browser, work, "text.png", b"this is no picture")
    expect(browser.wait_text(".message", "neither a PNG nor a JPEG"), "a file that is no picture is refused")
    upload(browser, work, "vast.png", png(10000, 10000, [bytes(10000)]))
    expect(browser.wait_text(".message", "pixels"), "100 megapixels are refused")


def upload(browser, work, name, contents):
    (work / name).write_bytes(contents)
    browser.find("#picture").send_keys(str(work / name))


def see_vast(browser, service):
    """Models with tens of thousands of units and thousands of maps: every page comes soon."""
    for model, count, kind in (("large", UNITS, "Unit"), ("wide", MAPS, "Map")):
        start = time.monotonic()
        browser.open(f"{service.url}#/models/{model}")
        browser.wait_text(".mosaic", kind)
        opened = time.monotonic() - start
        browser.wait_text("[for=page] + input + span", f"of {count // PAGE}")
        turns = [turn_to(browser, page) for page in (count // PAGE, count // PAGE - 1, 2)]
        browser.shot(model)
        Select(browser.find("#order")).select_by_value("number")
        browser.wait_text("#unit-status", f"{kind} 0")
        expect(True, f"a model of {count:,} {kind.lower()}s is paged and sorted")
        figures[f"{model}_open_ms"], figures[f"{model}_page_ms"] = 1e3 * opened, 1e3 * statistics.median(turns)
    browser.read_console()


def turn_to(browser, page):
    """Seconds until the page of the mosaic is there."""
    old = browser.find("#unit-status").text
    number = browser.find("#page")
    start = time.monotonic()
    number.send_keys(Keys.CONTROL + "a")
    number.send_keys(str(page), Keys.ENTER)
    browser.wait(lambda: browser.find("#unit-status").text != old and browser.painted(".mosaic canvas"), f"page {page}")
    return time.monotonic() - start
