// Passkeys: the browser is asked, its answer goes into a hidden field, the form is sent. Pages without a passkey work without
// this file.
"use strict";

(() => {
  const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const encode = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const known = (list) => (list || []).map((one) => ({ ...one, id: decode(one.id) }));

  const ask = {
    get: (options) =>
      navigator.credentials.get({
        publicKey: { ...options, challenge: decode(options.challenge), allowCredentials: known(options.allowCredentials) },
      }),
    create: (options) =>
      navigator.credentials.create({
        publicKey: {
          ...options,
          challenge: decode(options.challenge),
          user: { ...options.user, id: decode(options.user.id) },
          excludeCredentials: known(options.excludeCredentials),
        },
      }),
  };

  const answer = (credential) => {
    const { response } = credential;
    const fields = { clientDataJSON: encode(response.clientDataJSON) };
    if (response.attestationObject) {
      fields.attestationObject = encode(response.attestationObject);
    } else {
      fields.authenticatorData = encode(response.authenticatorData);
      fields.signature = encode(response.signature);
      if (response.userHandle && response.userHandle.byteLength) fields.userHandle = encode(response.userHandle);
    }
    return JSON.stringify({ rawId: encode(credential.rawId), response: fields });
  };

  const options = async (source, button) => {
    if (source === "here") return JSON.parse(button.dataset.options);
    const reply = await fetch(source, { headers: { accept: "application/json" } });
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    return reply.json();
  };

  // "get /account/confirm proof; create /account/passkeys/options answer": ask, from where, into which field.
  const run = async (button) => {
    const form = button.form;
    for (const step of button.dataset.passkey.split(";")) {
      const [verb, source, field] = step.trim().split(" ");
      form.elements[field].value = answer(await ask[verb](await options(source, button)));
    }
    form.requestSubmit();
  };

  if (!window.PublicKeyCredential) return;
  document.querySelectorAll("button[data-passkey]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const form = button.form;
      const failed = form.querySelector("[data-passkey-failed]");
      if (failed) failed.hidden = true;
      if (!form.reportValidity()) return;
      button.disabled = true;
      try {
        await run(button);
      } catch (error) {
        if (failed) failed.hidden = false;
      } finally {
        button.disabled = false;
      }
    });
  });
})();
