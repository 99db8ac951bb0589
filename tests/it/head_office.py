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

    for person in (retriever, approver):
        assert not person.complaints, person.complaints
