"""Head office at work: two people, from the invitation to a recording that stops when the grant is revoked."""

from browser import *

with chromium() as chrome:
    retriever = Person(chrome, FACTS["retriever"])
    approver = Person(chrome, FACTS["approver"])

    stage("invitations")
    for person in (retriever, approver):
        person.join(FACTS["invitations"][person.name])
    retriever.shots("sign-in", "/sign-in")

    stage("signing in with a password and a code")
    used = retriever.app.code()
    retriever.type_sign_in(used)
    retriever.is_in()
    retriever.shots("start", "/")
    retriever.shots("account", "/account")
    retriever.sign_out()
    retriever.type_sign_in(used)
    expect(retriever.page.locator("[role=alert]").first).to_be_visible()
    retriever.sign_in()

    stage("a passkey")
    retriever.authenticator()
    retriever.go("/account/passkeys/add")
    retriever.page.fill("[name=label]", "办公电脑")
    retriever.page.fill("[name=code]", retriever.app.code())
    retriever.page.click("button[data-passkey].primary")
    retriever.page.wait_for_url("**/account")
    expect(retriever.page.locator("main")).to_contain_text("办公电脑")
    retriever.sign_out()
    retriever.page.click("form[action='/sign-in/passkey'] button[data-passkey]")
    retriever.is_in()

    approver.sign_in()
    auditor = Person(chrome, FACTS["auditor"])
    auditor.join(FACTS["invitations"][auditor.name])
    auditor.sign_in()

    stage("search, whose address can be shared")
    page = retriever.page
    page.click("nav.menu a[href='/search']")
    page.fill("form[action='/search'] [name=customer]", FACTS["customer"])
    retriever.submit("form[action='/search']")
    assert f"customer={FACTS['customer']}" in page.url
    film = FACTS["film"]
    expect(page.locator(f"a[href^='/evidence/{film}']").first).to_be_visible()
    retriever.shots("search")
    assert retriever.status(f"/evidence/{film}/1/view") in (403, 404), "nothing to see without a grant"
    # What somebody wrote into a file's name is text.
    for address in (f"/search?customer={FACTS['customer']}", f"/evidence/{FACTS['hostile']}"):
        retriever.go(address)
        assert not page.evaluate("window.pwned"), address
    assert "<img src=x" in page.inner_text("main")

    stage("the evidence's page")
    retriever.go(f"/evidence/{film}")
    retriever.shots("evidence")
    with page.expect_download() as saved:
        page.click("a[href$='/txt']")
    assert saved.value.path().stat().st_size > 200

    stage("a request, filed in under a minute by hand")
    began = time.monotonic()
    retriever.go(f"/evidence/{film}")
    page.click(f"a[href^='/requests/new?evidence={film}']")
    page.wait_for_load_state()
    page.check("[name=purpose][value=view]")
    page.check("[name=basis][value=law]")
    page.fill("[name=reason]", "法院调取：见（2026）沪01民初字第1号")
    retriever.submit("form[action='/requests']")
    page.wait_for_url(re.compile("/requests/[0-9a-z]{26}"))
    stage(f"filed after {time.monotonic() - began:.1f} s of pages")
    request = page.url.rsplit("/", 1)[1]
    retriever.shots("request", f"/requests/{request}")
    retriever.shots("request-new", f"/requests/new?evidence={film}")
    retriever.shots("requests", "/requests")

    stage("approved by a second person")
    approver.shots("start-approver", "/")
    approver.shots("approvals", "/approvals")
    approver.page.locator(f"form[action='/requests/{request}/approve'] button").first.click()
    approver.page.wait_for_load_state()
    assert approver.status(f"/evidence/{film}/1/view") in (403, 404), "who approves doesn't look"
    retriever.shots("grants", "/grants")
    approver.shots("grants-approver", "/grants")

    stage("playing and seeking")
    retriever.go(f"/evidence/{film}")
    page.click(f"a[href='/evidence/{film}/1/view']")
    video = page.locator("video")
    expect(page.locator(".watermark").first).to_contain_text(retriever.name)
    state = "v => ({t: v.currentTime, ready: v.readyState, width: v.videoWidth, error: v.error && v.error.message})"
    video.evaluate("v => { v.muted = true; return v.play(); }")
    until(lambda: video.evaluate("v => v.currentTime") > 0.5)
    assert video.evaluate(state)["width"] > 0
    length = video.evaluate("v => v.duration")
    video.evaluate(f"v => new Promise(done => {{ v.onseeked = done; v.currentTime = {length * 0.8}; }})")
    assert abs(video.evaluate(state)["t"] - length * 0.8) < 2
    retriever.shot("playing")
    retriever.shots("view", f"/evidence/{film}/1/view")

    stage("revoked while it plays")
    page.wait_for_load_state()
    video.evaluate("v => { v.muted = true; v.loop = true; return v.play(); }")
    reading = page.get_attribute(".viewer", "data-reading")
    assert retriever.status(f"{reading}/content") == 200
    approver.go("/grants")
    row = approver.page.locator("form[action$='/revoke']").first
    approver.page.locator("details.step summary").first.click()
    row.locator("[name=reason]").fill("调取已完成")
    row.locator("button").click()
    approver.page.wait_for_load_state()
    approver.shot("revoked")
    stopped = retriever.status(f"{reading}/content")
    assert stopped in (403, 404, 409), stopped
    expect(page.locator(".stopped")).to_be_visible(timeout=15_000)
    retriever.shot("revoked-while-playing")
    assert retriever.status(f"/evidence/{film}/1/view") in (403, 404)

    stage("what else is shown")
    for name, evidence in FACTS["shown"].items():
        retriever.go(f"/requests/new?evidence={evidence}")
        page.check("[name=purpose][value=export]")
        page.check("[name=basis][value=regulator]")
        page.fill("[name=reason]", "监管检查")
        retriever.submit("form[action='/requests']")
        page.wait_for_url(re.compile("/requests/[0-9a-z]{26}"))
        request = page.url.rsplit("/", 1)[1]
        approver.go("/approvals")
        approver.page.locator(f"form[action='/requests/{request}/approve'] button").first.click()
        approver.page.wait_for_load_state()
        retriever.go(f"/evidence/{evidence}/1/view")
        page.wait_for_load_state("networkidle")
        # The browser's own viewer of PDFs says nothing when it has painted, and shows nothing in pictures taller than the window.
        page.wait_for_timeout(2000)
        retriever.shot(f"view-{name}", whole=False)
        retriever.go(f"/evidence/{evidence}")
        with page.expect_download() as saved:
            page.click(f"form[action='/evidence/{evidence}/1/download'] button")
        got = saved.value.path().read_bytes()
        assert hashlib.sha256(got).hexdigest() == FACTS["sha256"][evidence], name

    stage("the auditor")
    auditor.shots("log", "/log")
    auditor.shots("reports", "/reports")
    names = auditor.page.eval_on_selector_all("a[href^='/reports/']", "links => links.map(l => new URL(l.href).pathname)")
    for address in dict.fromkeys(names):
        auditor.shots("report-" + address.rsplit("/", 1)[1], address)
        table = auditor.context.request.get(f"{CONSOLE}{address}?format=csv")
        assert table.ok and table.body().startswith(b"\xef\xbb\xbf"), address
    checkpoint = auditor.context.request.get(CONSOLE + "/log/checkpoint")
    auditor.shots("consistency-ask", "/log/consistency")
    auditor.page.fill("textarea", checkpoint.text())
    auditor.submit("form[action='/log/consistency']")
    expect(auditor.page.locator(".verdict.good")).to_be_visible()
    auditor.shot("consistency")
    auditor.go(f"/evidence/{film}")
    auditor.submit(f"form[action='/evidence/{film}/1/verify']")
    auditor.shot("verified")
    auditor.shots("doctypes", "/doctypes")

    stage("the administrator, who reaches no content")
    admin = Person(chrome, FACTS["admin"])
    admin.join(FACTS["invitations"][admin.name])
    admin.sign_in()
    for address in ("/people", "/branches", "/sessions", "/capacity"):
        admin.shots(address.strip("/"), address)
    admin.go("/people")
    links = admin.page.eval_on_selector_all("main a[href^='/people/']", "links => links.map(l => new URL(l.href).pathname)")
    for at, address in enumerate(dict.fromkeys(links)):
        if at < 2:
            admin.shots(f"person-{at}", address)
    for address in ("/search", f"/evidence/{film}", f"/evidence/{film}/1/view", "/approvals"):
        assert admin.status(address) in (403, 404), address

    stage("signing out")
    for person in (retriever, approver, auditor, admin):
        person.sign_out()
        assert person.status("/search") == 303
    for person in (retriever, approver, auditor, admin):
        assert not person.complaints, person.complaints
