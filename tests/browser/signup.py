#!/usr/bin/env python3
"""Goes through the signup page in a browser, as a person would, and checks what they would notice.

    signup.py COURSE --link URL --browser PROGRAM [--microphone FILE.wav] [--file RECORDING] [--shots DIR]

Courses:
    sign-up     with the mouse, on a phone: consent, recording, listening back, sent
    keyboard    the same with the keyboard alone
    hints       what the service says while noise or a second voice is recorded (--expect CODE)
    upload      a recording of one's own, and what is said of one that is no good (--bad FILE)
    closed      a link that is not good
    shots       pictures of every stage, phone and desktop, light and dark

The microphone is Chromium's own stand-in, which plays a file. Prints one JSON object with what was measured; exits 1,
with a line on stderr, at the first thing that is not as it should be.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, expect, sync_playwright

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 860}
# How long reading aloud takes, and the service's last look at it.
READING = 60_000
# What the first view may weigh and take.
MOST_BYTES = 100_000
MOST_MILLISECONDS = 200
MOST_VIEWS = 15
STAGES = ("consent", "record", "review", "done")


class Visit:
    """A browser on the page, with everything it asked for and complained of."""

    def __init__(self, playwright, arguments, viewport=PHONE, scheme="light", locale="en-GB"):
        flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        if arguments.microphone:
            flags.append(f"--use-file-for-fake-audio-capture={arguments.microphone}")
        # The sandbox cannot be set up by root in a container, where CI runs.
        self.browser = playwright.chromium.launch(
            executable_path=arguments.browser, args=flags, chromium_sandbox=False
        )
        self.link = arguments.link
        self.context = self.browser.new_context(
            viewport=viewport,
            color_scheme=scheme,
            locale=locale,
            device_scale_factor=1,
            reduced_motion="reduce",
            has_touch=viewport is PHONE,
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.complaints = []
        self.hosts = set()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda fault: self.complaints.append(str(fault)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        if arguments.assets:
            self.page.route("**/assets/*/**", lambda route: self._from_disk(route, Path(arguments.assets)))

    def _said(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    @staticmethod
    def _from_disk(route, folder):
        """While the page is worked on: assets as they are now, without building the program anew."""
        route.fulfill(path=folder / urlsplit(route.request.url).path.split("/", 3)[3])

    def open(self):
        answer = self.page.goto(self.link)
        self.page.wait_for_load_state("networkidle")
        return answer

    def leave(self, may_fail=()):
        """Ends the visit: nothing was complained of, and nothing asked for elsewhere."""
        self.context.close()
        self.browser.close()
        left = [text for text in self.complaints if not any(known in text for known in may_fail)]
        check(not left, f"the browser complained: {left}")
        own = urlsplit(self.link).netloc
        foreign = {host for host in self.hosts if host and host != own}
        check(not foreign, f"something was asked for at {foreign}")

    def sound(self, where):
        """No serious finding of axe-core, in either colour scheme."""
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = Axe().run(self.page).response["violations"]
            serious = [
                f"{finding['id']}: {[node['target'] for node in finding['nodes']]} {finding['help']}"
                for finding in found
                if finding["impact"] in ("serious", "critical")
            ]
            check(not serious, f"axe-core at {where}, {scheme}: {serious}")
        self.page.emulate_media(color_scheme="light", reduced_motion="reduce")

    def stage(self, name):
        expect(self.page.locator("#signup")).to_have_attribute("data-stage", name, timeout=READING)
        visible = [stage for stage in STAGES if self.page.locator(f"#{stage}").is_visible()]
        check(visible == [name], f"{visible} are shown at the stage {name}")

    def text(self, element):
        return self.page.locator(element).inner_text().strip()


def check(holds, complaint):
    if not holds:
        raise AssertionError(complaint)


def first_view(visit):
    """What the first view weighs and how long it takes; the best of some, as other tests keep the machine busy."""
    times, bytes_sent = [], 0
    while not times or (min(times) >= MOST_MILLISECONDS and len(times) < MOST_VIEWS):
        cold = visit.browser.new_context(locale="en-GB", viewport=PHONE)
        page = cold.new_page()
        page.goto(visit.link)
        page.wait_for_selector("#agree:enabled")
        measured = page.evaluate(
            """() => {
                const [page] = performance.getEntriesByType("navigation");
                const parts = performance.getEntriesByType("resource");
                const painted = performance.getEntriesByName("first-contentful-paint")[0];
                return {
                    bytes: [page, ...parts].reduce((sum, part) => sum + part.transferSize, 0),
                    compressed: [page, ...parts].every((part) => part.encodedBodySize < Math.max(part.decodedBodySize, 400)),
                    milliseconds: Math.max(page.loadEventEnd, ...parts.map((part) => part.responseEnd)),
                    paint: painted ? painted.startTime : null,
                };
            }"""
        )
        times.append(measured["milliseconds"])
        bytes_sent = max(bytes_sent, measured["bytes"])
        check(measured["compressed"], "something of the first view came uncompressed")
        cold.close()
    check(bytes_sent < MOST_BYTES, f"the first view has {bytes_sent} bytes")
    check(min(times) < MOST_MILLISECONDS, f"the first view took {times} ms")
    return {"bytes": bytes_sent, "milliseconds": round(min(times), 1)}


def until(page, holds, seconds=READING / 1000):
    """Waits until the expression `holds`. Playwright's own way evaluates text in the page, which its policy forbids."""
    ends = time.monotonic() + seconds
    while not page.evaluate(holds):
        check(time.monotonic() < ends, f"{holds} did not come about; {page.locator('main').inner_text()}")
        page.wait_for_timeout(100)


def net_speech(page):
    return float(page.locator("#speech").evaluate("meter => meter.value"))


def sign_up(playwright, arguments):
    visit = Visit(playwright, arguments)
    page = visit.page
    measured = {} if arguments.assets else first_view(visit)
    check(visit.open().status == 200, "the page did not come")
    visit.stage("consent")
    check("version" in visit.text("#consent").lower(), "the consent has no version")
    visit.sound("consent")
    page.click("#agree")
    visit.stage("record")
    visit.sound("record, closed microphone")
    sentences = visit.text("#sentences")
    page.click("#other-sentences")
    check(visit.text("#sentences") != sentences, "there are no other sentences")
    page.click("#open")
    expect(page.locator("#start")).to_be_visible()
    check(page.locator("#device option").count() >= 1, "no microphone can be chosen")
    untouched = page.evaluate(
        """async () => {
            const stream = await navigator.mediaDevices.getUserMedia(
                { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
            const { noiseSuppression, echoCancellation, autoGainControl } = stream.getAudioTracks()[0].getSettings();
            stream.getTracks().forEach((track) => track.stop());
            return !(noiseSuppression || echoCancellation || autoGainControl);
        }"""
    )
    check(untouched, "the browser works on the sound although it was asked not to")
    until(page, "Number(document.querySelector('#level').ariaValueNow) > 20")
    visit.sound("record, open microphone")
    page.click("#start")
    began = time.monotonic()
    until(page, "document.querySelector('#speech').value > 0.5")
    measured["first_progress_s"] = round(time.monotonic() - began, 1)
    halfway = net_speech(page)
    visit.sound("record, recording")
    until(page, f"document.querySelector('#speech').value > {halfway + 2}")
    # It ends by itself when there is enough.
    visit.stage("review")
    measured["recording_s"] = round(time.monotonic() - began, 1)
    measured["verdict"] = visit.text("#verdict")
    check("good recording" in measured["verdict"], f"the service said: {measured['verdict']} {visit.text('#review')}")
    visit.sound("review")
    length = page.evaluate(
        """async () => {
            const audio = document.querySelector("#audio");
            if (audio.readyState < 1) await new Promise((done) => audio.addEventListener("loadedmetadata", done));
            await audio.play();
            return audio.duration;
        }"""
    )
    check(length > 11, f"what is played back has {length} s")
    page.click("#use")
    visit.stage("done")
    visit.sound("done")
    check(page.reload().status == 410, "the link is still good")
    visit.sound("closed")
    visit.leave(may_fail=("410",))
    return measured


def press_to(page, selector, most=40):
    """Tab until `selector` has the focus, as whoever has no mouse does; the focus must be seen there."""
    for _ in range(most):
        if page.evaluate("selector => document.activeElement?.matches(selector) ?? false", selector):
            shadow = page.evaluate("getComputedStyle(document.activeElement).boxShadow")
            check(shadow != "none", f"the focus on {selector} is not to be seen")
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached by the keyboard")


def keyboard(playwright, arguments):
    visit = Visit(playwright, arguments, viewport=DESKTOP)
    page = visit.page
    visit.open()
    press_to(page, "#agree")
    page.keyboard.press("Enter")
    visit.stage("record")
    focus = page.evaluate("document.activeElement.id")
    check(focus == "record-heading", f"the focus is at {focus!r} after the consent")
    press_to(page, "#open")
    page.keyboard.press("Space")
    expect(page.locator("#start")).to_be_visible()
    check(page.evaluate("document.activeElement.id") == "start", "the focus was lost when the microphone was opened")
    page.keyboard.press("Enter")
    expect(page.locator("#stop")).to_be_focused()
    until(page, "document.querySelector('#speech').value >= 9")
    check(visit.text("#hint") != "", "nothing is said to whoever listens to the page")
    page.keyboard.press("Space")
    visit.stage("review")
    check(page.evaluate("document.activeElement.id") == "review-heading", "the focus is not at the review")
    press_to(page, "#again")
    page.keyboard.press("Enter")
    visit.stage("record")
    press_to(page, "#start")
    page.keyboard.press("Enter")
    visit.stage("review")
    verdict = visit.text("#verdict")
    check("good recording" in verdict, f"the service said: {verdict} {visit.text('#review')}")
    press_to(page, "#use")
    page.keyboard.press("Enter")
    visit.stage("done")
    check(page.evaluate("document.activeElement.id") == "done-heading", "the focus is not at the end")
    visit.leave()
    return {"verdict": verdict}


def hints(playwright, arguments):
    visit = Visit(playwright, arguments)
    page = visit.page
    visit.open()
    words = page.evaluate("async () => (await fetch(document.querySelector('#signup').dataset.file)).json()")
    page.click("#agree")
    page.click("#open")
    page.click("#start")
    began = time.monotonic()
    expect(page.locator("#hint")).to_have_text(words["hints"][arguments.expect], timeout=READING)
    after = round(time.monotonic() - began, 1)
    visit.stage("review")
    said = visit.text("#issues")
    check(words["issues"][arguments.expect] in said, f"the verdict was {visit.text('#verdict')}: {said}")
    check(not page.locator("#use").is_visible(), "a refused recording can be sent")
    visit.sound("review, refused")
    visit.leave()
    return {"hint_after_s": after}


def upload(playwright, arguments):
    visit = Visit(playwright, arguments)
    page = visit.page
    visit.open()
    words = page.evaluate("async () => (await fetch(document.querySelector('#signup').dataset.file)).json()")
    page.click("#agree")
    page.set_input_files("#file", arguments.bad)
    visit.stage("review")
    page.click("#use")
    expect(page.locator("#review-problem")).to_have_text(words["problems"]["unsupported_media"])
    with page.expect_file_chooser() as chooser:
        page.click("#again")
    chooser.value.set_files(arguments.file)
    visit.stage("review")
    page.click("#use")
    visit.stage("done")
    visit.leave(may_fail=("415", "ERR_FILE", "media"))
    return {}


def closed(playwright, arguments):
    visit = Visit(playwright, arguments, locale="es-MX")
    answer = visit.open()
    check(answer.status in (404, 410), f"the page came with {answer.status}")
    check(visit.page.locator("html").get_attribute("lang") == "es", "the page is not in the browser's language")
    visit.sound("closed")
    visit.leave(may_fail=("404", "410"))
    return {"status": answer.status}


def shots(playwright, arguments):
    folder = Path(arguments.shots)
    folder.mkdir(parents=True, exist_ok=True)
    for device, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
        for scheme in ("light", "dark"):
            visit = Visit(playwright, arguments, viewport, scheme)
            page = visit.page
            visit.open()

            def take(stage):
                page.wait_for_timeout(300)
                page.screenshot(path=folder / f"signup-{stage}-{device}-{scheme}.png")

            take("consent")
            page.click("#agree")
            page.click("#open")
            page.wait_for_timeout(1500)
            take("ready")
            page.click("#start")
            until(page, "document.querySelector('#speech').value > 7")
            take("recording")
            visit.stage("review")
            page.evaluate("document.activeElement.blur()")
            take("review")
            page.evaluate(
                "import(document.querySelector('script[type=module]').src.replace('main.js', 'view.js'))"
                ".then((view) => view.show('done'))"
            )
            take("done")
            visit.leave()
    return {}


COURSES = {
    "sign-up": sign_up,
    "keyboard": keyboard,
    "hints": hints,
    "upload": upload,
    "closed": closed,
    "shots": shots,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("course", choices=COURSES)
    parser.add_argument("--link", required=True)
    parser.add_argument("--browser", required=True)
    parser.add_argument("--microphone", help="a WAV file that the stand-in for a microphone plays")
    parser.add_argument("--file", help="a recording to send")
    parser.add_argument("--bad", help="a file that is no recording")
    parser.add_argument("--expect", help="the code of the hint that is to come")
    parser.add_argument("--shots", help="a folder for pictures")
    parser.add_argument("--assets", help="take assets from this folder, while the page is worked on")
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        try:
            measured = COURSES[arguments.course](playwright, arguments)
        except (AssertionError, Error) as fault:
            sys.exit(f"{arguments.course}: {fault}")
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
