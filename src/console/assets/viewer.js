// The viewer's page: the running time of the watermark, full screen with the watermark, seconds played, and why a reading stopped.
"use strict";

(() => {
  const ASK_MS = 3000;
  const TELL_S = 10;
  const viewer = document.querySelector(".viewer");
  if (!viewer) return;
  const stage = viewer.querySelector(".stage");
  const shown = stage.querySelector("video, audio, img, iframe");
  const { reading, csrf } = viewer.dataset;
  const fill = stage.querySelector(".fill");
  let over = false;

  // The server's clock goes on here, whatever this computer's says.
  const offset = Number(viewer.dataset.offset);
  const began = Number(viewer.dataset.now) - performance.now();
  const zone = (offset < 0 ? "-" : "+") + String(Math.abs(offset) / 3600000).padStart(2, "0") + ":00";
  const tick = () => {
    const now = new Date(began + performance.now() + offset).toISOString();
    const text = `${now.slice(0, 10)} ${now.slice(11, 19)} ${zone}`;
    stage.querySelectorAll(".clock").forEach((clock) => (clock.textContent = text));
  };
  setInterval(tick, 1000);

  // What stopped is taken away from the page, and the reason stands in its place.
  const stop = (words, detail, why) => {
    if (over) return;
    over = true;
    if (shown.pause) shown.pause();
    shown.removeAttribute("src");
    if (shown.load) shown.load();
    shown.hidden = true;
    const panel = stage.querySelector(".stopped");
    panel.querySelector(".why").textContent = words;
    if (detail) {
      panel.querySelector(".detail code").textContent = detail;
      panel.querySelector(".detail").hidden = false;
    }
    if (why === "revoked" || why === "expired") {
      panel.querySelector(".again").hidden = true;
      panel.querySelector(".anew").hidden = false;
    }
    stage.querySelector(".watermark").hidden = true;
    if (fill) fill.hidden = true;
    panel.hidden = false;
    if (document.fullscreenElement) document.exitFullscreen();
  };

  // Whether it goes on. A redirection leads to the sign-in page. Nothing is said while the server can't be reached.
  const ask = async (failed) => {
    if (over) return;
    let reply;
    try {
      reply = await fetch(`${reading}/state`, { redirect: "manual", cache: "no-store" });
    } catch {
      return;
    }
    if (reply.type === "opaqueredirect" || reply.status === 401) return stop(viewer.dataset.signedOut);
    if (reply.status === 403 || reply.status === 404) return stop(viewer.dataset.failed);
    if (!reply.ok) return;
    const state = await reply.json();
    if (!state.open) stop(state.words, state.detail, state.why);
    else if (failed) stop(viewer.dataset.failed);
  };
  setInterval(ask, ASK_MS);
  shown.addEventListener("error", () => ask(true));

  // Seconds that were played, by this computer's clock: seeking isn't watching.
  let seconds = 0;
  let told = 0;
  let since = null;
  const count = () => {
    const now = performance.now();
    if (since !== null) seconds += Math.min((now - since) / 1000, 2);
    since = shown.paused === false && !shown.ended ? now : null;
  };
  const body = () => new URLSearchParams({ seconds: String(Math.round(seconds)), csrf });
  const tell = () => {
    if (over || Math.round(seconds) <= told) return;
    told = Math.round(seconds);
    fetch(`${reading}/watched`, { method: "POST", headers: { "x-csrf-token": csrf }, body: body(), redirect: "manual" }).catch(() => {});
  };
  if (shown.pause) {
    for (const name of ["timeupdate", "playing", "pause", "waiting", "ended", "seeking"]) shown.addEventListener(name, count);
    for (const name of ["pause", "ended"]) shown.addEventListener(name, tell);
    setInterval(() => {
      if (seconds - told >= TELL_S) tell();
    }, 1000);
  }

  // Leaving ends the reading; coming back by the browser's history opens a new one.
  window.addEventListener("pagehide", () => {
    if (shown.pause) count();
    if (!over) navigator.sendBeacon(`${reading}/end`, body());
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  // Full screen is the stage's, so that the watermark stays; a film that goes there alone is brought back.
  if (fill && document.fullscreenEnabled) {
    const enter = fill.textContent;
    fill.hidden = false;
    fill.addEventListener("click", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else stage.requestFullscreen();
    });
    shown.addEventListener("dblclick", (event) => {
      event.preventDefault();
      fill.click();
    });
    document.addEventListener("fullscreenchange", () => {
      const now = document.fullscreenElement;
      if (now && now !== stage) document.exitFullscreen();
      fill.textContent = now === stage ? fill.dataset.leave : enter;
    });
  }
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
})();
