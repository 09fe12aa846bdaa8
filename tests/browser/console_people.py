#!/usr/bin/env python3
"""Goes through People and numbers, Accuracy and Set-up in a browser, and checks what whoever runs the service would notice.

    console_people.py COURSE --link URL --browser PROGRAM [--microphone FILE.wav] [--shots DIR]

Courses:
    people      find somebody, see how well they are enrolled, invite, erase with a receipt; voices that are alike
    import      a table is looked at, put right, and taken over
    accuracy    the picker changes the figures; drift in a sentence
    setup       the walk, the carrier check, and a test identification with the microphone
    scopes      a key that may not see people is told so in words
    shots       pictures of the pages, phone and desktop, light and dark

URL is the service; the API key comes in the variable VOXLINE_KEY. The microphone is Chromium's own stand-in, which plays a
file. Prints one JSON object with what was measured; exits 1, with a line on stderr, at the first thing that is not as it
should be.
"""

import json
import os
from pathlib import Path

from playwright.sync_api import expect

from visit import DESKTOP, KEEP_STREAMS, OPEN, PHONE, READING, Visit, check, looks, press_to, run

TABLE = "name,phone_number,assigned_vapi_number,pin\nAna Import,+12025550143,,4821\nBen Import,+12025550144,,\n"


def logged_in(playwright, arguments, path, viewport=DESKTOP, scheme="light"):
    """A visit to a page of the console, after logging in."""
    visit = Visit(playwright, arguments, viewport, scheme)
    visit.link = arguments.link + path
    visit.log_in(os.environ["VOXLINE_KEY"])
    shown(visit.page)
    return visit


def go(visit, path):
    visit.page.goto(visit.link.split("/console")[0] + path)
    shown(visit.page)


def shown(page):
    expect(page.locator("main h1")).to_be_visible()
    page.wait_for_load_state("networkidle")


def narrow(visit, where):
    """On a phone nothing is wider than the page, and axe-core has no serious finding there either."""
    page = visit.page
    page.set_viewport_size(PHONE)
    visit.sound(f"{where}, on a phone")
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    check(wide <= 0, f"{where}: on a phone the page is {wide} px too wide")
    page.set_viewport_size(DESKTOP)


def people(playwright, arguments):
    visit = logged_in(playwright, arguments, "/console/people")
    page = visit.page
    rows = page.locator("#people-heading ~ .stack tbody tr")
    expect(rows).to_have_count(3)
    visit.sound("people")
    narrow(visit, "people")
    page.fill("#name", "ALI")
    expect(rows).to_have_count(2)
    page.fill("#name", "twin")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Aliénor Twin")
    page.fill("#name", "nobody of that name")
    expect(page.locator(".empty")).to_contain_text("Nobody of that name")
    page.fill("#name", "carol")
    expect(rows.first).to_contain_text("Not enrolled")
    page.fill("#name", "")
    expect(rows).to_have_count(3)

    page.click("tbody a:text-is('Alice')")
    expect(page.locator("h1")).to_have_text("Alice")
    expect(page.locator("#health-heading ~ .badge")).to_be_visible()
    expect(page.locator("#consents-heading ~ .stack")).to_contain_text("Read")
    page.wait_for_load_state("networkidle")
    visit.sound("person")
    narrow(visit, "person")
    invites(visit)
    number(visit)
    erasure(visit, arguments)
    visit.leave(may_fail=("401", "404"))
    return {}


def invites(visit):
    page = visit.page
    press_to(page, "main .heading button")
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    visit.sound("invite")
    page.select_option("#invite-language", "es")
    page.click("dialog button:text-is('Create link')")
    link = page.locator("#invite-link")
    expect(link).to_be_visible()
    check("/enroll/ve_" in link.input_value(), f"the link is {link.input_value()}")
    expect(page.locator("dialog .note")).to_contain_text("good on this machine alone")
    check(page.evaluate("document.activeElement.closest('dialog') !== null"), "the focus left the dialog")
    visit.sound("link")
    page.keyboard.press("Escape")
    made = page.locator("#invites-heading").locator("xpath=ancestor::section").locator("tbody tr")
    expect(made).to_have_count(1)
    expect(made).to_contain_text("Open")
    expect(made).to_contain_text("Español")
    expect(page.locator("#invites-heading")).to_be_focused()
    check("ve_" not in page.content(), "the link is still shown")
    made.locator("button").click()
    page.click("dialog button:text-is('Take it back')")
    expect(made).to_contain_text("Taken back")


def number(visit):
    page = visit.page
    page.click("#facts-heading >> xpath=ancestor::section >> a.number")
    expect(page.locator("h1")).to_contain_text("+1")
    pair = page.locator("#alike-heading ~ .stack tbody tr")
    expect(pair).to_have_count(1)
    expect(pair).to_contain_text("Alice and Aliénor Twin")
    expect(pair).to_contain_text("Taken for one person")
    visit.sound("number")
    narrow(visit, "number")


def erasure(visit, arguments):
    page = visit.page
    page.click("#roster-heading ~ .stack a:text-is('Aliénor Twin')")
    expect(page.locator("h1")).to_have_text("Aliénor Twin")
    page.click("text=Erase this person…")
    page.fill("#erase-name", "Alice")
    page.keyboard.press("Enter")
    expect(page.locator("dialog .problem")).to_contain_text("The name is another one")
    visit.sound("erase, not confirmed")
    # As whoever types it sees it. While the service works at it the dialog cannot be left, and its answer cannot be lost.
    waiting = []
    page.route("**/v1/users/*", lambda route: waiting.append(route))
    page.fill("#erase-name", "Alie\u0301nor  Twin")
    page.keyboard.press("Enter")
    leave = page.locator("dialog button:text-is('Cancel')")
    expect(leave).to_have_attribute("aria-disabled", "true")
    leave.click(force=True)
    for _ in range(3):
        page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_visible()
    waiting.pop().continue_()
    expect(page.locator("#receipt")).to_contain_text("Voiceprints erased")
    visit.sound("receipt")
    with page.expect_download() as download:
        page.click("dialog button:text-is('Download the receipt')")
    receipt = json.loads(Path(download.value.path()).read_text())
    check(receipt["voiceprints_erased"] == 3 and receipt["overwritten"], f"the receipt says {receipt}")
    check("Alice" not in json.dumps(receipt), "the receipt names somebody")
    page.click("dialog button:text-is('Done')")
    page.wait_for_url("**/console/people")
    rows = page.locator("#people-heading ~ .stack tbody tr")
    expect(rows).to_have_count(2)


def taking_over(playwright, arguments):
    visit = logged_in(playwright, arguments, "/console/people")
    page = visit.page
    given = {"name": "users.csv", "mimeType": "text/csv"}
    page.set_input_files("#import-file", {**given, "buffer": (TABLE + "Cleo,12,,\n").encode()})
    result = page.locator("#import")
    expect(result).to_contain_text("Nothing is imported")
    page.select_option("#import-number", index=1)
    expect(result.locator("tbody tr")).to_have_count(1)
    visit.sound("import, refused")
    # As spreadsheets save it by themselves.
    page.set_input_files("#import-file", {**given, "buffer": TABLE.replace("Ben", "José").encode("cp1252")})
    expect(result).to_contain_text("save it as CSV in UTF-8")
    page.set_input_files("#import-file", {**given, "buffer": TABLE.encode("utf-8-sig")})
    expect(result).to_contain_text("Nothing is written yet")
    page.click("button:text-is('Import 2 people')")
    expect(result).to_contain_text("Imported: 2 people")
    page.fill("#name", "import")
    expect(page.locator("#people-heading ~ .stack tbody tr")).to_have_count(2)
    visit.leave(may_fail=("401", "415"))
    return {}


def figures(page):
    return {
        name: float(page.locator(f"#{name}").get_attribute("data-share"))
        for name in ("right", "inconclusive", "unknown", "wrong", "strangers")
    }


def accuracy(playwright, arguments):
    visit = logged_in(playwright, arguments, "/console/accuracy")
    page = visit.page
    slider = page.locator("#promise")
    expect(slider).to_be_visible()
    expect(page.locator(".chart canvas").first).to_be_visible()
    visit.sound("accuracy")
    narrow(visit, "accuracy")
    slider.focus()
    page.keyboard.press("Home")
    loose = figures(page)
    said = visit.text("#promised")
    page.keyboard.press("End")
    strict = figures(page)
    check(visit.text("#promised") != said, "the promise stays as it was")
    check(slider.get_attribute("aria-valuetext").startswith("at most"), "the slider says a bare number")
    check(loose != strict, f"the figures stay as they were: {loose}")
    for one in (loose, strict):
        whole = one["right"] + one["inconclusive"] + one["unknown"] + one["wrong"]
        check(abs(whole - 1) < 1e-6, f"the shares come to {whole}")
    check(strict["strangers"] <= loose["strangers"], f"fewer errors are more of them: {loose} {strict}")
    expect(page.locator("#picker pre").first).to_contain_text("max_false_accept = 0.0001")
    expect(page.locator("#right .small")).to_contain_text("to")
    expect(page.locator("#drift-sentence")).to_contain_text("lower than in the first 28 days")
    visit.leave(may_fail=("401",))
    return {"loose": loose, "strict": strict}


def setup(playwright, arguments):
    visit = logged_in(playwright, arguments, "/console/setup")
    page = visit.page
    for step, done in (("number", "true"), ("enrolment", "true"), ("reachable", "false"), ("telephony", "false")):
        expect(page.locator(f"#{step}[data-done]").first).to_have_attribute("data-done", done)
    visit.sound("set-up")
    press_to(page, "#carrier summary", 60)
    page.keyboard.press("Enter")
    page.fill("#capture", "INVITE sip:+12025550101@h SIP/2.0\nCall-ID: c\nDiversion: <sip:+12025550143@h>\n\n")
    page.click("#check-carrier")
    expect(page.locator("#carrier-result")).to_contain_text("Tells who forwarded")
    report = {"carriers": [{"carrier": "twilio", "calls": 1, "forwarded": 0, "verdict": "none", "advice": "no forwarder arrives"}]}
    report["calls"] = [{"form": "INVITE", "dialed": None, "evidence": [], "forwarder": None, "voxline": "does nothing"}]
    page.fill("#capture", json.dumps(report))
    page.click("#check-carrier")
    expect(page.locator("#carrier-result")).to_contain_text("No forwarder arrives")
    page.fill("#capture", "nothing of the kind")
    page.click("#check-carrier")
    expect(page.locator("#carrier-result .problem")).to_contain_text("no capture")
    page.evaluate(KEEP_STREAMS)
    page.locator("#speak").evaluate("button => { button.focus(); button.click(); button.click(); }")
    expect(page.locator("#stop")).to_be_focused()
    visit.sound("set-up, listening")
    check(page.evaluate(OPEN) == [True], "not one microphone is open")
    said = page.locator("#said")
    expect(said).to_be_visible(timeout=READING)
    check(said.get_attribute("data-outcome") == "identified", f"the answer is {said.inner_text()}")
    expect(said).to_contain_text("This is Alice.")
    check(page.evaluate(OPEN) == [False], "a microphone stays open")
    visit.sound("set-up, identified")
    narrow(visit, "set-up")
    answer = said.inner_text()
    visit.leave(may_fail=("401", "415"))
    return {"answer": answer}


def scopes(playwright, arguments):
    visit = logged_in(playwright, arguments, "/console/people")
    page = visit.page
    expect(page.locator(".note")).to_contain_text("lacks the scope enroll")
    visit.sound("people, without the scope")
    go(visit, "/console/setup")
    expect(page.locator("main")).to_contain_text("lacks the scope admin")
    visit.sound("set-up, without the scope")
    go(visit, "/console/accuracy")
    expect(page.locator("#drift")).to_contain_text("lacks the scope scores")
    visit.sound("accuracy, without the scope")
    visit.leave(may_fail=("401",))
    return {}


def shots(playwright, arguments):
    for viewport, scheme, picture in looks(arguments.shots):
        visit = logged_in(playwright, arguments, "/console/people", viewport, scheme)
        page = visit.page

        def take(name):
            page.wait_for_timeout(400)
            page.screenshot(path=picture(f"console-{name}"))

        take("people")
        page.click("tbody a:text-is('Alice')")
        shown(page)
        take("person")
        go(visit, "/console/numbers/%2B12025550101")
        page.locator("#alike-heading").scroll_into_view_if_needed()
        take("number")
        go(visit, "/console/accuracy")
        expect(page.locator(".chart canvas").first).to_be_visible()
        take("accuracy")
        page.locator("#picker").scroll_into_view_if_needed()
        page.evaluate("document.querySelector('#picker').scrollIntoView()")
        take("picker")
        page.evaluate("document.querySelector('#drift').scrollIntoView()")
        take("drift")
        go(visit, "/console/setup")
        take("setup")
        if arguments.microphone:
            page.click("#speak")
            expect(page.locator("#said")).to_be_visible(timeout=READING)
            page.evaluate("document.querySelector('#test').scrollIntoView()")
            take("identified")
        visit.leave(may_fail=("401",))
    return {}


COURSES = {
    "people": people,
    "import": taking_over,
    "accuracy": accuracy,
    "setup": setup,
    "scopes": scopes,
    "shots": shots,
}


if __name__ == "__main__":
    # Other work keeps the machine busy.
    expect.set_options(timeout=READING)
    run(__doc__, COURSES, {})
