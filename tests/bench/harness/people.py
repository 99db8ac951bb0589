"""People at the web console: they join, sign in, ask for evidence, approve it, and look."""

import base64
import hashlib
import hmac
import http.client
import re
import ssl
import struct
import time
import urllib.parse

STEP_S = 30
"""How long a code of an authenticator app counts."""


class Person:
    """Somebody at the console: signed in by password and code, with one session."""

    def __init__(self, vault, name, code):
        self.name, self.web, self.cookies, self.csrf = name, vault.web, {}, ""
        self.tls = ssl.create_default_context(cafile=str(vault.vault / "keys/console.crt"))
        self.password = f"a long enough password of {name[::-1]}"
        page = self.learn("/join")
        page = self.post("/join", {"code": code})[2].decode()
        self.secret = base64.b32decode(re.sub(r"\s", "", re.search(r'<p class="once"><code>([^<]+)', page)[1]))
        self.used = int(time.time()) // STEP_S - 1
        enrolment = re.search(r'name="enrolment" value="([^"]+)"', page)[1]
        status, _, body = self.post("/join/finish", {
            "code": code, "enrolment": enrolment, "answer": "", "password": self.password, "again": self.password,
            "totp": self.totp(self.used)})
        assert status == 200, body.decode()

    def totp(self, step):
        digest = hmac.digest(self.secret, struct.pack(">q", step), hashlib.sha1)
        at = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7FFFFFFF) % 10**6:06}"

    def sign_in(self):
        self.learn("/sign-in")
        step = max(self.used + 1, int(time.time()) // STEP_S - 1)
        status, _, body = self.post("/sign-in", {"name": self.name, "password": self.password, "code": self.totp(step)})
        assert status == 303, body.decode()
        self.learn("/account")
        return self

    def connection(self):
        connection = http.client.HTTPSConnection("localhost", self.web, context=self.tls, timeout=60)
        connection.connect()
        return connection

    def ask(self, connection, method, path, fields=None, headers=()):
        body = urllib.parse.urlencode(fields, doseq=True) if fields is not None else None
        headers = dict(headers) | {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://localhost:{self.web}"}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        for cookie in answer.headers.get_all("set-cookie", []):
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        return answer

    def whole(self, method, path, fields=None):
        connection = self.connection()
        answer = self.ask(connection, method, path, fields)
        body = answer.read()
        connection.close()
        return answer.status, answer.headers, body

    def get(self, path):
        return self.whole("GET", path)

    def post(self, path, fields):
        return self.whole("POST", path, {"csrf": self.csrf} | fields)

    def learn(self, path):
        page = self.get(path)[2].decode()
        self.csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        return page

    def asks_for(self, evidence, purpose="view"):
        status, headers, body = self.post("/requests", {
            "evidence": evidence, "purpose": purpose, "basis": "regulator", "reason": "bench", "duration_s": "28800"})
        assert status == 303, body.decode()
        return re.search(r"/requests/([^/?]+)", headers["location"])[1]

    def views(self, evidence):
        status, _, page = self.get(f"/evidence/{evidence}/1/view")
        assert status == 200, page.decode()
        return re.search(r'data-reading="([^"]+)"', page.decode())[1]


def granted(person, approver, evidence, purpose="view"):
    request = person.asks_for(evidence, purpose)
    status, _, body = approver.post(f"/requests/{request}/approve", {})
    assert status == 303, body.decode()
