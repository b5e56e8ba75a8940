// Put every time into the viewer's own zone. Without this script the pages show the same times in UTC.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayAndHour = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "short" });

// The product's own present is the one on the page: in a demo it is not the viewer's.
function present() {
  return new Date(document.querySelector(".asof time")?.dateTime ?? document.body.dataset.now ?? Date.now());
}

function localise(root) {
  const today = day.format(present());
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    time.textContent = (day.format(at) === today ? hour : dayAndHour).format(at);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const named = document.getElementById("zone");
  if (named) named.textContent = zone;
  localise(document);
});
document.addEventListener("htmx:load", (event) => localise(event.detail.elt.parentElement || document));
