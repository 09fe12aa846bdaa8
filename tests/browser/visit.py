"""A browser on a page of the service, and what is checked of every page."""

import argparse
import json
import sys
import time
from pathlib import Path
from urllib.parse import urljoin, urlsplit

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
# How many times as long as an empty page it may take on a machine that has no time.
MOST_BARE = 6
# Keeps every microphone that the page opens; and whether each is on.
KEEP_STREAMS = """(() => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.streams = [];
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        const stream = await open(wanted);
        window.streams.push(stream);
        return stream;
    };
})()"""
OPEN = "window.streams.map((stream) => stream.getAudioTracks()[0].readyState === 'live')"
OF_COLOURS = ["color-contrast", "link-in-text-block"]
SERIOUS = """async (rules) => {
    const { violations } = await axe.run({ resultTypes: ["violations"], ...(rules && { runOnly: rules }) });
    const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    return serious.map(({ id, nodes, help }) => `${id}: ${nodes.map(({ target }) => target)} ${help}`);
}"""
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
        """No serious finding of axe-core, in either colour scheme: in the dark one by the rules that look at colours."""
        if self.page.evaluate("window.axe === undefined"):
            self.page.evaluate(Axe().axe_script)
        for scheme, rules in (("light", None), ("dark", OF_COLOURS)):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            serious = self.page.evaluate(SERIOUS, rules)
            check(not serious, f"axe-core at {where}, {scheme}: {serious}")
        self.page.emulate_media(color_scheme="light", reduced_motion="reduce")

    def stage(self, name):
        expect(self.page.locator("#signup")).to_have_attribute("data-stage", name, timeout=READING)
        visible = [stage for stage in STAGES if self.page.locator(f"#{stage}").is_visible()]
        check(visible == [name], f"{visible} are shown at the stage {name}")

    def log_in(self, key):
        """Logs in to the console, by the keyboard; whoever does so is brought back to where they wanted to go."""
        self.open()
        expect(self.page.locator("#key")).to_be_focused()
        self.page.keyboard.type(key)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: "/console/login" not in url)

    def text(self, element):
        return self.page.locator(element).inner_text().strip()


def run(description, courses, options):
    """The program of `courses`, by name: goes through the one that is asked for, prints what it measured, and exits 1 with a
    line on stderr where something is not as it should be. `options` are those of its own, each with what it means."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("course", choices=courses)
    parser.add_argument("--link", required=True)
    parser.add_argument("--browser", required=True)
    parser.add_argument("--microphone", help="a WAV file that the stand-in for a microphone plays")
    parser.add_argument("--shots", help="a folder for pictures")
    parser.add_argument("--assets", help="take assets from this folder, while the pages are worked on")
    for option, meaning in options.items():
        parser.add_argument(option, help=meaning)
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        try:
            measured = courses[arguments.course](playwright, arguments)
        except (AssertionError, Error) as fault:
            sys.exit(f"{arguments.course}: {fault}")
    print(json.dumps(measured))


def looks(folder):
    """Each device and each colours: viewport, scheme, and where in `folder` a picture of a name goes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for device, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
        for scheme in ("light", "dark"):
            yield viewport, scheme, lambda name, end=f"{device}-{scheme}": folder / f"{name}-{end}.png"


def check(holds, complaint):
    if not holds:
        raise AssertionError(complaint)


def first_view(visit, ready="#agree:enabled", state=None):
    """`ready` is what whoever looks at it waits for, `state` the cookies they bring. What the first view weighs and how long it takes: the best of some, as other work keeps the machine busy. Where it
    does so all the while, the measure is how long the browser takes for next to nothing at that moment."""
    times, bare, most_bytes = [], [], 0
    while not times or not (min(times) < MOST_MILLISECONDS or times[-1] < MOST_BARE * bare[-1]):
        check(len(times) < MOST_VIEWS, f"the first view took {times} ms, and an empty page {bare} ms")
        cold = visit.browser.new_context(locale="en-GB", viewport=PHONE, storage_state=state)
        page = cold.new_page()
        page.goto(urljoin(visit.link, "/healthz"))
        bare.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        page.goto(visit.link)
        page.wait_for_selector(ready)
        measured = page.evaluate(
            """() => {
                const [page] = performance.getEntriesByType("navigation");
                const all = [page, ...performance.getEntriesByType("resource")];
                const made = all.filter((part) => part === page || part.name.includes("/assets/"));
                return {
                    bytes: all.reduce((sum, part) => sum + part.transferSize, 0),
                    compressed: made.every((part) => part.encodedBodySize < Math.max(part.decodedBodySize, 400)),
                    milliseconds: Math.max(page.loadEventEnd, ...all.map((part) => part.responseEnd)),
                };
            }"""
        )
        times.append(round(measured["milliseconds"], 1))
        most_bytes = max(most_bytes, measured["bytes"])
        check(measured["compressed"], "something of the first view came uncompressed")
        cold.close()
    check(most_bytes < MOST_BYTES, f"the first view has {most_bytes} bytes")
    return {"bytes": most_bytes, "milliseconds": min(times), "bare_milliseconds": round(min(bare), 1)}


def until(page, holds, seconds=READING / 1000):
    """Waits until the expression `holds`. Playwright's own way evaluates text in the page, which its policy forbids."""
    ends = time.monotonic() + seconds
    while not page.evaluate(holds):
        check(time.monotonic() < ends, f"{holds} did not come about; {page.locator('main').inner_text()}")
        page.wait_for_timeout(100)


def press_to(page, selector, most=40):
    """Tab until `selector` has the focus, as whoever has no mouse does; the focus must be seen there."""
    for _ in range(most):
        if page.evaluate("selector => document.activeElement?.matches(selector) ?? false", selector):
            shadow = page.evaluate("getComputedStyle(document.activeElement).boxShadow")
            check(shadow != "none", f"the focus on {selector} is not to be seen")
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached by the keyboard")
