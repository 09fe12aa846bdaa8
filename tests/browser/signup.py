#!/usr/bin/env python3
"""Goes through the signup page in a browser, as a person would, and checks what they would notice.

    signup.py COURSE --link URL --browser PROGRAM [--microphone FILE.wav] [--file RECORDING] [--shots DIR]

Courses:
    sign-up     with the mouse, on a phone: consent, recording, listening back, sent
    keyboard    the same with the keyboard alone
    hints       what the service says while noise or a second voice is recorded (--expect CODE)
    recorder    where the browser gives no samples, only a finished file
    upload      a microphone that fails in the middle, then a recording of one's own, and what is said of one that is no
                good (--bad FILE)
    closed      a link that is not good
    samples     what becomes of the microphone's channels
    shots       pictures of every stage, phone and desktop, light and dark

The microphone is Chromium's own stand-in, which plays a file. Prints one JSON object with what was measured; exits 1,
with a line on stderr, at the first thing that is not as it should be.
"""

import time

from playwright.sync_api import expect

from visit import DESKTOP, KEEP_STREAMS, OPEN, READING, Visit, check, first_view, looks, press_to, run, until

# A microphone of the test's own, which `loudness.gain.value` mutes and which comes when `late` does; a clock that can be
# put on; and the page's contexts and sockets, to be broken off.
STAND_IN = """
    Object.assign(window, { contexts: [], sockets: [], passed: 0, late: null });
    const now = performance.now.bind(performance);
    performance.now = () => now() + window.passed;
    const [Context, Socket] = [AudioContext, WebSocket];
    window.AudioContext = class extends Context { constructor(...how) { super(...how); contexts.push(this); } };
    window.WebSocket = class extends Socket { constructor(...where) { super(...where); sockets.push(this); } };
    navigator.mediaDevices.getUserMedia = async () => {
        await window.late;
        const context = new Context();
        window.loudness = context.createGain();
        const [tone, end] = [context.createOscillator(), context.createMediaStreamDestination()];
        tone.connect(loudness).connect(end);
        tone.start();
        return end.stream;
    };
"""

# Seconds of the course without a meter: reading the sentences takes about as long.
RECORDED = 16


def net_speech(page):
    return float(page.locator("#speech").evaluate("meter => meter.value"))


def begin(visit):
    """Opens the page and agrees; gives the words it has."""
    visit.open()
    words = visit.page.evaluate("async () => (await fetch(document.querySelector('#signup').dataset.file)).json()")
    visit.page.click("#agree")
    return words


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
    # The microphone is opened anew, which takes a moment.
    expect(page.locator("#start")).to_be_visible()
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
    words = begin(visit)
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


def recorder(playwright, arguments):
    """A browser that gives no samples, only the file that its recorder makes."""
    visit = Visit(playwright, arguments)
    page = visit.page
    page.add_init_script("delete window.AudioWorkletNode")
    words = begin(visit)
    check(page.evaluate("typeof AudioWorkletNode") == "undefined", "the browser gives samples after all")
    page.click("#open")
    expect(page.locator("#start")).to_be_visible()
    check(not page.locator("#level").is_visible(), "a level is shown that nobody measures")
    page.click("#start")
    expect(page.locator("#stop")).to_be_visible()
    check(not page.locator("#progress").is_visible(), "a progress is shown that nobody measures")
    page.wait_for_timeout(1000 * RECORDED)
    page.click("#stop")
    visit.stage("review")
    said = visit.text("#verdict")
    check(said == words["script"]["uploaded"], f"the page said: {said}")
    visit.sound("review, unchecked")
    check(
        page.evaluate(
            """async () => {
                const audio = document.querySelector("#audio");
                await audio.play();
                return audio.currentSrc.startsWith("blob:");
            }"""
        ),
        "what was recorded cannot be listened to",
    )
    page.click("#use")
    visit.stage("done")
    visit.leave()
    return {}


def upload(playwright, arguments):
    visit = Visit(playwright, arguments)
    page = visit.page
    page.add_init_script(STAND_IN + KEEP_STREAMS)
    words = begin(visit)
    broken_off(visit, words)
    # Who takes a file while the microphone is still being opened has no microphone open.
    page.evaluate("void (window.late = new Promise((resolve) => (window.come = resolve)))")
    page.click("#again")
    expect(page.locator("#hint")).to_have_text(words["script"]["opening"])
    page.set_input_files("#file", arguments.bad)
    visit.stage("review")
    opened = page.evaluate("streams.length")
    page.evaluate("come()")
    until(page, f"streams.length > {opened}")
    until(page, f"!{OPEN}.includes(true)", 5)
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


def broken_off(visit, words):
    """A microphone that is silent for a while, one that the browser holds back, and a check that is given up."""
    page, hint = visit.page, visit.page.locator("#hint")
    page.click("#open")
    expect(hint).to_have_text(words["script"]["ready"])
    for action, then in (("", "ready"), ("#start", "listening")):
        if action:
            page.click(action)
        page.evaluate("loudness.gain.value = 0")
        until(page, "document.querySelector('#level').ariaValueNow === '0'")
        page.evaluate("passed += 4000")
        expect(hint).to_have_text(words["script"]["silent"])
        page.evaluate("loudness.gain.value = 0.3")
        expect(hint).to_have_text(words["script"][then])
    # It comes back by itself, and then no more.
    page.evaluate("contexts.at(-1).suspend()")
    until(page, "contexts.at(-1).state === 'running'")
    page.evaluate("contexts.at(-1).resume = async () => {}; void contexts.at(-1).suspend()")
    expect(page.locator("#problem")).to_have_text(words["problems"]["microphone_lost"])
    page.click("#open")
    page.click("#start")
    until(page, "sockets.at(-1).readyState === WebSocket.OPEN")
    told = '{ event: "error", problem: { code: "too_slow" } }'
    page.evaluate(f"sockets.at(-1).onmessage({{ data: JSON.stringify({told}) }})")
    page.click("#stop")
    visit.stage("review")
    check(visit.text("#review-problem") == "", f"of a check that was slow the page says {visit.text('#review-problem')}")


def closed(playwright, arguments):
    visit = Visit(playwright, arguments, locale="es-MX")
    answer = visit.open()
    check(answer.status in (404, 410), f"the page came with {answer.status}")
    check(visit.page.locator("html").get_attribute("lang") == "es", "the page is not in the browser's language")
    visit.sound("closed")
    visit.leave(may_fail=("404", "410"))
    return {"status": answer.status}


def samples(playwright, arguments):
    """Of the channels of one microphone one is heard, as it is; a channel that holds next to nothing is none."""
    visit = Visit(playwright, arguments)
    visit.open()
    for left, right, heard in ((0.5, 0.5, 0.5), (0.5, 0.0, 0.5), (0.001, 0.5, 0.5), (0.4, 0.5, 0.4)):
        read = visit.page.evaluate(
            """async ([left, right]) => {
                const main = document.querySelector("script[type=module]").src;
                const { Recording } = await import(main.replace("main.js", "recording.js"));
                const recording = new Recording(44100);
                for (let block = 0; block < 20; block += 1)
                    recording.push([new Float32Array(2048).fill(left), new Float32Array(2048).fill(right)]);
                const bytes = await recording.end().arrayBuffer();
                const view = new DataView(bytes);
                return {
                    bytes: bytes.byteLength, channels: view.getUint16(22, true), rate: view.getUint32(24, true),
                    length: view.getUint32(40, true), first: view.getInt16(44, true),
                    last: view.getInt16(bytes.byteLength - 2, true),
                };
            }""",
            [left, right],
        )
        whole = 20 * 2048 * 2
        wanted = {"bytes": whole + 44, "channels": 1, "rate": 44100, "length": whole}
        wanted |= {"first": round(heard * 32767), "last": round(heard * 32767)}
        check(
            all(abs(read[name] - value) <= 1 for name, value in wanted.items()),
            f"of {left} and {right} came {read}, not {wanted}",
        )
    visit.leave()
    return {}


def shots(playwright, arguments):
    for viewport, scheme, picture in looks(arguments.shots):
        visit = Visit(playwright, arguments, viewport, scheme)
        page = visit.page
        visit.open()

        def take(stage):
            page.wait_for_timeout(300)
            page.screenshot(path=picture(f"signup-{stage}"))

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
    "recorder": recorder,
    "upload": upload,
    "closed": closed,
    "samples": samples,
    "shots": shots,
}
OPTIONS = {
    "--file": "a recording to send",
    "--bad": "a file that is no recording",
    "--expect": "the code of the hint that is to come",
}

if __name__ == "__main__":
    run(__doc__, COURSES, OPTIONS)
