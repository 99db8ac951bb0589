// Conveniences only: every page works without this file.
"use strict";

// A form that was sent isn't sent twice by an impatient click.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  // A download leaves the page where it is, and may be wanted again.
  setTimeout(() => delete form.dataset.sent, 5000);
});
// Coming back by the browser's history, a form can be sent again.
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});

// Buttons that copy a long value; hidden where there is no clipboard.
if (navigator.clipboard) {
  document.querySelectorAll("button[data-copy]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(button.dataset.copy).then(() => button.classList.add("copied"));
    });
  });
}
