"""People with a browser: a real Chromium, driven by Playwright, on the console of a test's vault.

A walk is a script that imports this module. What it needs to know comes in the environment: CONSOLE (address), FACTS (a JSON
object of the test's own) and SHOTS (folder for screenshots).
"""

import base64
import hashlib
import hmac
import json
import os
import re
import struct
import sys
import time
from contextlib import contextmanager

from playwright.sync_api import expect, sync_playwright

CONSOLE = os.environ["CONSOLE"]
FACTS = json.loads(os.environ["FACTS"])
SHOTS = os.environ["SHOTS"]
WIDTHS = (1280, 390)
LANGUAGES = ("zh-CN", "en")
STEP_S = 30
# Steps that the server lets an app's clock be away.
DRIFT = 1
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--ignore-certificate-errors", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip


class App:
    """An authenticator app (RFC 6238). Each step's code is used once, as the server wants it."""

    def __init__(self, secret):
        secret = re.sub(r"\s", "", secret)
        self.key = base64.b32decode(secret + "=" * (-len(secret) % 8))
        self.used = 0

    def code(self):
        step = max(self.used + 1, int(time.time()) // STEP_S - DRIFT)
        while step > int(time.time()) // STEP_S + DRIFT:
            time.sleep(0.2)
        self.used = step
        digest = hmac.digest(self.key, struct.pack(">q", step), hashlib.sha1)
        at = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


class Person:
    """Somebody with a browser profile of their own."""

    def __init__(self, browser, name):
        self.name = name
        self.password = f"a long password of {name[::-1]}"
        self.context = browser.new_context(ignore_https_errors=True, locale="zh-CN", timezone_id="Asia/Shanghai")
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        # A script that our own policy stops, or that fails, is a defect of the page.
        self.complaints = []
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))
        self.page.on("console", self._said)

    def _said(self, message):
        # A refused request is said so by the browser itself: walks meet refusals on purpose.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(f"{self.page.url}: {message.text}")

    def go(self, path):
        return self.page.goto(CONSOLE + path)

    def join(self, code):
        """Sets a password and an app by an invitation."""
        self.go("/join")
        self.page.fill("[name=code]", code)
        self.submit("form[action='/join']")
        self.app = App(self.page.inner_text(".enrol code"))
        self.page.fill("[name=password]", self.password)
        self.page.fill("[name=again]", self.password)
        self.page.fill("[name=totp]", self.app.code())
        self.page.click("form[action='/join/finish'] button.primary")
        expect(self.page.locator("a[href='/sign-in']").first).to_be_visible()

    def type_sign_in(self, code):
        self.go("/sign-in")
        form = self.page.locator("form[action='/sign-in']")
        form.locator("[name=name]").fill(self.name)
        form.locator("[name=password]").fill(self.password)
        form.locator("[name=code]").fill(code)
        form.locator("button[type=submit]").click()
        self.page.wait_for_load_state()

    def sign_in(self):
        self.type_sign_in(self.app.code())
        self.is_in()
        return self

    def is_in(self):
        expect(self.page.locator(".top .who")).to_contain_text(self.name)

    def sign_out(self):
        self.page.click("form[action='/sign-out'] button")
        self.page.wait_for_url("**/sign-in*")

    def submit(self, form):
        self.page.locator(f"{form} button[type=submit]").first.click()
        self.page.wait_for_load_state()

    def status(self, path):
        """The status of a page asked for beside what is shown."""
        return self.context.request.get(CONSOLE + path, max_redirects=0).status

    def speak(self, language):
        self.context.add_cookies([{"name": "muniment-lang", "value": language, "url": CONSOLE}])

    def shots(self, name, path=None):
        """The page in both languages and widths. Nothing may stick out sideways."""
        for language in LANGUAGES:
            self.speak(language)
            for width in WIDTHS:
                self.page.set_viewport_size({"width": width, "height": 800})
                if path:
                    self.go(path)
                else:
                    self.page.reload()
                self.page.wait_for_load_state("load")
                self.shot(f"{name}-{language}-{width}")
        self.speak("zh-CN")
        self.page.set_viewport_size({"width": 1280, "height": 800})
        if path:
            self.go(path)
        else:
            self.page.reload()

    def shot(self, name, whole=True):
        self.page.screenshot(path=f"{SHOTS}/{name}.png", full_page=whole)
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} sticks out by {wide} px"

    def authenticator(self):
        """Plugs a passkey into this person's browser."""
        session = self.context.new_cdp_session(self.page)
        session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True,
        }  # fmt: skip
        session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


@contextmanager
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def until(true, limit_s=30):
    """Waits for something in a page. Playwright's own waiting evaluates texts, which our policy forbids."""
    ends = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.05)


def stage(name):
    """Says how far the walk is, for whoever reads why it failed."""
    print(f"[{time.strftime('%H:%M:%S')}] {name}", file=sys.stderr, flush=True)
