"""What scripts/proofs/page does in the browser: visit.py PROGRAMS DATA WORK SHOTS [--quick]."""
import json
import pathlib
import statistics
import sys
import zlib

from browser import Browser
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from service import Service

programs, data, work, shots = map(pathlib.Path, sys.argv[1:5])
quick = "--quick" in sys.argv
LARGE = 65536
failures = []


def expect(condition, what):
    print(f"{'ok  ' if condition else 'FAIL'} {what}", flush=True)
    if not condition:
        failures.append(what)


def png(width, height, rows):
    """A grey picture; `rows` are its lines of pixels, perhaps fewer than it claims."""
    def chunk(kind, body):
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows))) + chunk(b"IEND", b"")


def train_models(service):
    small = ("--data", "fashion-mnist", "--max-rows", "500")
    service.train("digits", *small, "--units", "300", "--k", "10", "--epochs", "3")
    service.train("digits", *small, "--units", "300", "--k", "8", "--epochs", "3")
    service.train("maps", *small, "--encoder", "winner-take-all", "--maps", "16", "--epochs", "2")
    service.train("deep", *small, "--base", "digits", "--units", "64", "--k", "5", "--epochs", "2")
    service.train("large", "--data", "fashion-mnist", "--max-rows", "16", "--units", LARGE, "--k", "4", "--epochs", "1", "--batch-size", "16")


def see_overview(browser, service):
    browser.open(service.url)
    browser.wait_text("#health", "ready")
    browser.wait_text("table", "digits")
    expect(browser.wait(lambda: browser.painted(".card canvas"), "pictures of models"), "the overview shows models' filters")
    browser.read_console()
    browser.shot("overview")


def see_model(browser, service):
    browser.open(f"{service.url}#/models/digits")
    browser.wait_text("#unit-status", "Unit")
    expect(browser.wait(lambda: browser.painted(".mosaic canvas"), "the mosaic"), "the mosaic is drawn")
    before = browser.find("#unit-status").text
    browser.find(".mosaic canvas").click()  # its middle
    browser.wait(lambda: browser.find("#unit-status").text != before, "another unit")
    chosen = browser.find("#unit-status").text
    browser.press(Keys.ARROW_RIGHT)
    expect(browser.wait(lambda: browser.find("#unit-status").text != chosen, "the next unit"), "click and arrow keys choose units")
    browser.find("#unit-detail li canvas")
    browser.button("Next").click()
    expect(browser.wait(lambda: browser.find("#page").get_attribute("value") == "2", "page 2"), "the mosaic has a second page")
    browser.wait_text(".panel h2", "Activities")
    browser.wait_text("#sample-result", "Active atoms: 8 of 8")
    browser.button("Next sample").click()
    expect(browser.wait_text("[role=status]", "Row 2 of"), "samples can be paged")
    browser.shot("model")
    try_it(browser)
    browser.button("Roll back stable").click()
    browser.wait_text("tr[data-version='1']", "stable")
    expect(True, "stable rolls back to version 1")
    browser.open(f"{service.url}#/models/maps")
    browser.wait_text("#sample-result", "Winners on the maps")
    expect(browser.painted("#sample-result .thumbs canvas"), "winners are shown on the maps")
    browser.shot("maps")
    browser.open(f"{service.url}#/models/deep")
    expect(browser.wait_text(".note", "projected down"), "filters of a second layer are projected")
    expect(browser.wait(lambda: browser.painted(".mosaic canvas"), "projected filters"), "projected filters are drawn")
    browser.read_console(refused=(400,))


def try_it(browser):
    pad = browser.find("#pad")
    ActionChains(browser.driver).move_to_element_with_offset(pad, -40, -40).click_and_hold().move_by_offset(80, 80).release().perform()
    browser.button("Encode the drawing").click()
    browser.wait_text("#try-result", "Active atoms")
    expect(browser.painted("#try-result .figure canvas"), "a drawing is encoded")
    browser.button("Clear").click()
    pad.send_keys(Keys.SPACE, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.SPACE)
    expect(browser.painted("#pad"), "keys draw")
    upload(browser, "good.png", png(56, 40, [bytes(range(56))] * 40))
    browser.wait(lambda: "reconstruction" in browser.find("#try-result").text, "the upload")
    upload(browser, "text.png", b"this is no picture")
    expect(browser.wait_text(".message", "neither a PNG nor a JPEG"), "a file that is no picture is refused")
    upload(browser, "vast.png", png(10000, 10000, [bytes(10000)]))
    expect(browser.wait_text(".message", "pixels"), "100 megapixels are refused")


def upload(browser, name, contents):
    (work / name).write_bytes(contents)
    browser.find("#picture").send_keys(str(work / name))


def see_large(browser, service):
    browser.open(f"{service.url}#/models/large")
    browser.wait_text(".mosaic", "Unit")
    browser.wait_text("[for=page] + input + span", f"of {LARGE // 256}")
    number = browser.find("#page")
    number.send_keys(Keys.BACKSPACE, str(LARGE // 256), Keys.ENTER)
    browser.wait(lambda: browser.driver.find_elements(By.CSS_SELECTOR, ".mosaic canvas") and browser.painted(".mosaic canvas"), "the last page")
    Select(browser.find("#order")).select_by_value("number")
    browser.wait_text("#unit-status", "Unit 0")
    expect(True, "a model of 65,536 units is paged and sorted")
    browser.read_console()


def see_tokens(browser, service):
    browser.open(service.url)
    browser.find("#signin h1")
    expect("asks for a token" in browser.find("#signin").text and "kwta token" in browser.find("#signin").text,
           "a browser without a token sees what to do")
    browser.shot("token")
    job = service.train("endless", "--data", "fashion-mnist", "--units", "500", "--epochs", "100000", watch=False)
    sign_in(browser, "wrong")
    expect(browser.wait_text("#token-message", "token"), "a wrong token is refused")
    sign_in(browser, service.tokens["viewer"])
    browser.wait_text("#health", "ready")
    expect(browser.wait_text(".panel", "Jobs are not shown"), "a token without scope train sees no jobs")
    browser.button("Token").click()
    sign_in(browser, service.tokens["trainer"])
    browser.wait_text("table", "endless")
    browser.driver.execute_script("location.hash = arguments[0]", f"#/jobs/{job}")
    browser.wait_text("h1", "endless")
    browser.wait(lambda: browser.driver.execute_script(
        "return (document.querySelector('.chart .curve')?.getAttribute('d') || '').split('L').length > 2"), "a live curve")
    first = browser.find(".chart .curve").get_attribute("d")
    expect(browser.wait(lambda: browser.find(".chart .curve").get_attribute("d") != first, "new points"), "the loss curve is live")
    browser.shot("job")
    token = browser.driver.execute_script("const t = sessionStorage.getItem('kwta-token'); sessionStorage.setItem('kwta-token', arguments[0]); return t", service.tokens["viewer"])
    browser.button("Cancel the job").click()
    expect(browser.wait_text(".message", "Not cancelled"), "a token without the scope cancels nothing")
    browser.driver.execute_script("sessionStorage.setItem('kwta-token', arguments[0])", token)
    browser.button("Cancel the job").send_keys(Keys.ENTER)
    expect(browser.wait_text(".pill", "cancelled"), "Enter on the button cancels the job")
    browser.read_console(refused=(401, 403))


def sign_in(browser, token):
    browser.find("#token").send_keys(token, Keys.ENTER)


def see_markup(browser, service):
    (work / "plain" / "models" / "<img src=x onerror=alert(1)>").mkdir()
    (work / "plain" / "models" / "digits" / "<b>not a version").mkdir()
    browser.open(f"{service.url}#/models/digits")
    browser.wait(lambda: "<b>not a version" in browser.find("main").text or browser.driver.refresh(), "the problem")
    expect(not browser.driver.find_elements(By.CSS_SELECTOR, "main b, main img"), "markup in names is shown as text")
    browser.open(f"{service.url}#/models/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    browser.find(".banner")
    expect(not browser.driver.find_elements(By.CSS_SELECTOR, "main img"), "markup in an address is shown as text")
    browser.read_console(refused=(400, 404))


def check_access(browser, service):
    """Contrast failures, and the number of other failures, at three widths in both schemes."""
    found = []
    for fragment, ready in (("", "table a"), ("#/models/digits", "#sample-result canvas"), ("#/jobs", "table a")):
        for width, dark in ((1280, False), (768, True), (375, False), (375, True)):
            browser.look(width, dark)
            browser.open(service.url + fragment)
            browser.find(ready)
            browser.wait_text("#health", "ready")
            expect(browser.overflow() <= 0, f"'{fragment}' fits {width} pixels")
            found += browser.accessibility()
            browser.shot(f"{fragment.strip('#/').replace('/', '-') or 'start'}-{width}{'-dark' if dark else ''}")
    browser.look(1280)
    order = browser.focus_order()
    expect(order and order[0][0] == "Skip to content", f"the first Tab offers to skip to the content: {order[:1]}")
    expect(len(order) > 5 and all(outline for _, outline, _ in order), f"Tab shows where the focus is: {[name for name, outline, _ in order if not outline]} of {len(order)} do not")
    for rule, element in sorted(set(found)):
        print(f"axe: {rule}: {element}")
    expect(all(rule == "color-contrast" for rule, _ in found), "axe-core finds nothing but perhaps contrast")
    return sum(rule == "color-contrast" for rule, _ in found)


def measure(browser, service):
    """Median milliseconds to the first paint, and bytes of a first visit."""
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    paints, bytes_ = [], 0
    for _ in range(3 if quick else 15):
        browser.driver.get_log("performance")
        browser.open(service.url)
        browser.find("table a")
        paints.append(browser.wait(lambda: browser.driver.execute_script(
            "return performance.getEntriesByName('first-paint')[0]?.startTime"), "a paint"))
        events = [json.loads(entry["message"])["message"] for entry in browser.driver.get_log("performance")]
        sent = {e["params"]["requestId"]: e["params"]["encodedDataLength"] for e in events if e["method"] == "Network.loadingFinished"}
        bytes_ = max(bytes_, sum(sent.values()))
    return statistics.median(paints), bytes_


def main():
    plain = Service(programs, data, work, "plain")
    guarded = Service(programs, data, work, "guarded", tokens=True)
    browser = Browser(shots)
    contrast, paint, bytes_ = -1, -1, -1
    try:
        browser.look(1280)
        browser.open(plain.url)
        expect(browser.wait_text(".empty", "kwta train"), "an empty server says what to do first")
        train_models(plain)
        for step in (see_overview, see_model, see_large, check_access, measure, see_markup):
            result = step(browser, plain)
            contrast = result if step is check_access else contrast
            (paint, bytes_) = result if step is measure else (paint, bytes_)
        see_tokens(browser, guarded)
    except Exception:
        browser.shot("failure")
        browser.read_console()
        print("\n".join(browser.console_errors), file=sys.stderr)
        raise
    finally:
        browser.quit()
        plain.stop()
        guarded.stop()
    for error in browser.console_errors:
        print(f"console: {error}")
    print(f"first_paint_ms={paint:.0f} bytes={bytes_:.0f} console_errors={len(browser.console_errors)} "
          f"contrast_failures={contrast} failures={len(failures)}")
    met = paint <= 300 and bytes_ <= 150_000 and not browser.console_errors and contrast == 0 and not failures
    sys.exit(0 if met else 1)


main()
