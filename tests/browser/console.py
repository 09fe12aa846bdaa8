#!/usr/bin/env python3
"""Goes through the console in a browser, as whoever runs the service would, and checks what they would notice.

    console.py COURSE --link URL --browser PROGRAM [--ready FILE] [--call ID] [--shots DIR]

Courses:
    live        log in, a call appears and its verdict forms without a reload, the history finds it, log out
    scopes      a key that may not see calls is told so in words
    shots       pictures of the pages, phone and desktop, light and dark

The API key comes in the variable VOXLINE_KEY. When the page watches, FILE is made: then the call may come. Prints one
JSON object with what was measured; exits 1, with a line on stderr, at the first thing that is not as it should be.
"""

import os
from pathlib import Path

from playwright.sync_api import expect

from visit import DESKTOP, PHONE, Visit, check, first_view, looks, press_to, run, until

# Whether anybody is on the line is known, and shown.
ON_THE_LINE = "section[aria-label='On the line now'] > :not([hidden])"
WATCHING = "document.querySelector('#stream')?.textContent === 'watching'"

# The rows of a history of forty calls: as it is shown, with the earlier ones, after two more, and after more than a page.
BUSY_LINE = """async () => {
    const main = document.querySelector("script[type=module]").src;
    const { history } = await import(main.replace("main.js", "history.js"));
    const verdict = { net_speech_seconds: 1, line_owner: { status: "unknown" }, speaker: { status: "third_party" } };
    const call = (nth) => ({ call_id: String(nth), number: "+12025550101", started_at: new Date(0), verdict });
    const calls = Array.from({ length: 40 }, (_, nth) => call(40 - nth));
    const fetched = window.fetch;
    window.fetch = async (path) => {
        const asked = new URL(path, location).searchParams;
        const from = calls.findIndex(({ call_id }) => call_id === asked.get("before")) + 1;
        const headers = { "content-type": "application/json" };
        return new Response(JSON.stringify(calls.slice(from, from + Number(asked.get("limit")))), { headers });
    };
    const past = history({ scopes: ["admin"] }, { numbers: [], users: new Map(), named: Promise.resolve() });
    const counts = [];
    const count = async (done) => {
        await done;
        const rows = [...past.element.querySelectorAll("tbody tr")].map((row) => Number(row.dataset.key));
        if (rows.some((key, at) => at > 0 && key !== rows[at - 1] - 1)) counts.push("out of order");
        counts.push(rows.length);
    };
    await count(past.take(calls.slice(0, 25)));
    past.element.querySelector(".more button").click();
    while (past.element.querySelector(".more")) await new Promise((resolve) => setTimeout(resolve));
    await count();
    calls.unshift(call(42), call(41));
    await count(past.refresh());
    calls.unshift(...Array.from({ length: 30 }, (_, nth) => call(72 - nth)));
    await count(past.refresh());
    window.fetch = fetched;
    return counts;
}"""


def live(playwright, arguments):
    visit = Visit(playwright, arguments, DESKTOP)
    page = visit.page
    visit.open()
    page.wait_for_url("**/console/login?next=*")
    visit.sound("login")
    page.fill("#key", "vx_none")
    page.keyboard.press("Enter")
    expect(page.locator(".problem")).to_contain_text("voxline keys create")
    expect(page.locator("#key")).to_be_focused()
    visit.sound("login, refused")
    visit.log_in(os.environ["VOXLINE_KEY"])
    check(page.evaluate("document.cookie") == "", "a script can read the session")
    until(page, WATCHING)
    expect(page.locator(".empty").first).to_contain_text("Nobody is on the line")
    visit.sound("calls, nobody there")
    measured = first_view(visit, ON_THE_LINE, visit.context.storage_state())

    loaded = page.evaluate("performance.timeOrigin")
    counts = page.evaluate(BUSY_LINE)
    check(counts == [25, 40, 42, 25], f"of a history that is read while calls end there are {counts} rows")
    # Half a name, which is not looked for yet.
    page.fill("#user", "Al")
    Path(arguments.ready).touch()
    card = page.locator(f'[data-call="{arguments.call}"]')
    expect(card).to_be_visible()
    seen = []
    while not seen or seen[-1][1] != "over":
        version, state, speaker = card.evaluate(
            """card => [Number(card.dataset.version), card.querySelector("header .badge").textContent,
                        card.querySelector(".answer:last-child dd").textContent]"""
        )
        if not seen or seen[-1][0] != version:
            seen.append((version, state, speaker))
        check(len(seen) < 500, "the call does not end")
        page.wait_for_timeout(50)
    measured["versions_seen"] = len(seen)
    check(len(seen) >= 3, f"of the verdict forming only {seen} was seen")
    check("Alice" in seen[-1][2] and "identified" in seen[-1][2], f"the last word is {seen[-1]}")
    expect(card.locator('[data-tier="T5"]')).to_have_attribute("data-lit", "yes")
    expect(card.locator('[data-tier="T4"]')).to_have_attribute("data-lit", "no")
    expect(card.locator(".posteriors li").first).to_contain_text("Alice")
    check(card.locator(".course li").count() >= 3, "there are no bars over net speech")
    visit.sound("calls, with a call")

    # The history has it without a reload, and finds it by who spoke.
    row = page.locator(f'#history tr[data-key="{arguments.call}"]')
    expect(row).to_be_visible()
    check(page.evaluate("performance.timeOrigin") == loaded, "the page was loaded again")
    nobody = page.locator("#history .empty")
    for typed, said in (("Al", "Nobody of that name"), ("Robert", "Several people have that name")):
        page.fill("#user", typed)
        page.keyboard.press("Enter")
        expect(nobody).to_contain_text(said)
    of_one_name = page.locator("#users option").evaluate_all("all => all.map((one) => one.value)")
    for person in [one for one in of_one_name if one.startswith("Robert")]:
        page.fill("#user", person)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**user=*{person[-6:]}")
    page.reload()
    expect(page.locator("#user")).to_have_value(person)
    with page.expect_request("**/v1/calls?*user=*") as asked:
        page.press("#user", "Enter")
    check(asked.value.url.endswith(person[-6:]), f"of {person} became {asked.value.url}")
    page.fill("#user", "Alice")
    page.keyboard.press("Enter")
    expect(row).to_be_visible()
    lengths = page.evaluate(
        """async () => {
            const main = document.querySelector("script[type=module]").src;
            const { seconds } = await import(main.replace("main.js", "words.js"));
            return [59.94, 59.97, 119.4, 119.6].map(seconds);
        }"""
    )
    check(lengths == ["59.9 s", "1 min 0 s", "1 min 59 s", "2 min 0 s"], f"lengths are {lengths}")
    page.select_option("#speaker", "third_party")
    page.click("text=Search")
    expect(nobody).to_contain_text("No such call")
    page.click("text=Show all calls")
    expect(row).to_be_visible()

    press_to(page, f'#history tr[data-key="{arguments.call}"] a', 80)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/calls/*")
    expect(page.locator("h1")).to_contain_text("Call to")
    expect(page.locator(".call-evidence")).to_contain_text("Voice")
    expect(page.locator(".chart canvas")).to_be_visible()
    press_to(page, ".versions summary")
    page.keyboard.press("Enter")
    expect(page.locator(".versions details[open] .answers")).to_contain_text("Alice")
    visit.sound("call")
    page.set_viewport_size(PHONE)
    visit.sound("call, on a phone")
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    check(wide <= 0, f"on a phone the page is {wide} px too wide")
    page.click("#logout")
    page.wait_for_url("**/console/login")
    page.goto(arguments.link)
    page.wait_for_url("**/console/login?next=*")
    visit.leave(may_fail=("401",))
    return measured


def scopes(playwright, arguments):
    visit = Visit(playwright, arguments, DESKTOP)
    visit.log_in(os.environ["VOXLINE_KEY"])
    told = visit.page.locator(".problem[data-code=forbidden]").first
    expect(told).to_contain_text("identify")
    expect(told).to_contain_text("Log in with a key that has this scope")
    visit.sound("calls, without the scope")
    visit.leave(may_fail=("401", "403", "EventSource"))
    return {}


def shots(playwright, arguments):
    """Of what there is: the calls are to be on the line already."""
    for viewport, scheme, picture in looks(arguments.shots):
        visit = Visit(playwright, arguments, viewport, scheme)
        page = visit.page
        visit.open()
        page.screenshot(path=picture("console-login"))
        visit.log_in(os.environ["VOXLINE_KEY"])
        until(page, WATCHING)
        until(page, "document.querySelectorAll('.course li').length > 8")
        page.screenshot(path=picture("console-calls"))
        page.goto(f"{arguments.link}/{arguments.call}")
        expect(page.locator(".chart canvas")).to_be_visible()
        page.wait_for_timeout(500)
        page.screenshot(path=picture("console-call"))
        visit.leave(may_fail=("401",))
    return {}


COURSES = {"live": live, "scopes": scopes, "shots": shots}


if __name__ == "__main__":
    run(__doc__, COURSES, {"--ready": "the file to make when a call may come", "--call": "the id of the call that comes"})
